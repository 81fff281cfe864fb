"""What a screen is made of: sheets, declared one by one, and what opening a row shows; plain values, no widgets."""

from __future__ import annotations

from abc import ABC, abstractmethod
from collections.abc import Callable, Mapping, Sequence
from dataclasses import dataclass, field
from typing import Any, ClassVar, Generic, TypeVar

import polars as pl

from lake.contract import Table
from nextgen_tui.console.board.card import Card
from nextgen_tui.console.charts.chart import Chart
from nextgen_tui.console.lake_view import LakeView
from nextgen_tui.console.notes import Line
from nextgen_tui.console.sheet.sheet import Col, Sheet
from nextgen_tui.console.time_travel import AsOf

Row = Mapping[str, Any]


@dataclass(frozen=True)
class Link:
    """A way on: a row of a table, or a run."""

    text: str
    table: str
    key: Mapping[str, Any]
    about: str = ""


@dataclass(frozen=True)
class Action:
    """Something that can be done about a row: confirmed in a dialog first, never done at once."""

    name: str
    """One of `ACTION_KEYS`."""
    command: str
    """What would be typed after the colon."""
    about: str = ""
    """More of what it is about, for the dialog."""


ACTION_KEYS = {
    "approve": ("a", "Approve"),
    "veto": ("x", "Veto"),
    "promote": ("P", "Promote"),
    "rollback": ("b", "Roll back"),
    "reproduce": ("v", "Verify"),
    "retry": ("R", "Retry"),
    "mend": ("m", "Mend"),
}
"""Action -> its key and its name in the footer."""
PAGE_KEYS = "1234567890ABCDEFHIJKMNOQTUVWXYZ"
"""The keys that can lead to a page: digits, and the capitals that do nothing else."""


@dataclass(frozen=True)
class Section:
    """Lines under a heading."""

    heading: str
    lines: tuple[Line, ...]


@dataclass(frozen=True)
class Detail:
    """Everything about one thing."""

    title: str
    sections: tuple[Section, ...]
    charts: tuple[Chart, ...] = ()
    links: tuple[Link, ...] = ()
    copies: str = ""
    """What `y` copies: the thing's name or the command that leads to it."""
    actions: tuple[Action, ...] = ()
    """What can be done about it."""
    origin: Link | None = None
    """The row of the lake that it tells of, from which lineage is walked and unfolded."""


Data = TypeVar("Data")


@dataclass(frozen=True)
class SheetSpec(Generic[Data]):
    """One sheet of a page, and what is shown of, opened from and done about its chosen row: one declaration each."""

    name: str
    frame: Callable[[Data], pl.DataFrame]
    """The sheet's rows in their order; a frame without columns stands for no rows."""
    cols: tuple[Col, ...]
    key: tuple[str, ...]
    """The frame's columns that tell its rows apart."""
    noun: str = "row"
    empty: str | Callable[[Data], str] = "Nothing here yet."
    """What to say where there are no rows."""
    notes: Callable[[Data, Row], tuple[Line, ...]] | None = None
    """Beside the sheet, of the chosen row; the page's summary where None."""
    charts: Callable[[Data, Row], tuple[Chart, ...]] | None = None
    """Beside the sheet, of the chosen row; the page's overview where None."""
    detail: Callable[[LakeView, Data, Row], Detail | None] | None = None
    """What opening a row shows; may read the lake."""
    actions: Callable[[Data, Row], tuple[Action, ...]] | None = None
    """What can be done about a row."""
    origin: Callable[[Row], Link | None] | None = None
    """The row of the lake that a row stands for, from which lineage is walked."""
    card: Callable[[Row], Card] | None = None
    """What a row looks like where rows are cards; lines of a table where None."""
    leads: Callable[[Row], str] | None = None
    """The command that opening a row carries out; what it shows is `detail` where None, or where it gives none."""

    def sheet(self, data: Data) -> Sheet:
        """The sheet of the data."""
        frame = self.frame(data)
        if not frame.columns:
            frame = pl.DataFrame(schema=dict.fromkeys([*(col.name for col in self.cols), *self.key], pl.String))
        empty = self.empty if isinstance(self.empty, str) else self.empty(data)
        return Sheet(frame, self.cols, self.key, empty, self.noun)


class Page(ABC, Generic[Data]):
    """One screen: what it reads, and how that is shown. Stateless; every method is a pure function of its arguments."""

    number: ClassVar[str]
    """Its number, which is the key that leads to it: one of `PAGE_KEYS`, a letter once the digits are used up."""
    name: ClassVar[str]
    question: ClassVar[str]
    """What an operator comes here to ask."""
    has_cards: ClassVar[bool] = False
    """Whether any of its sheets shows its rows as cards."""
    tables: ClassVar[tuple[Table, ...]]
    """The tables it depends on: it is read again when one of them has a new version."""

    def quick_load(self, view: LakeView) -> Data | None:
        """What can be shown at once where reading everything takes too long; None where it does not."""
        del view
        return None

    def prepare(self, view: LakeView) -> None:
        """Do what takes long and needs no lake; other screens are read meanwhile."""
        del view

    @abstractmethod
    def load(self, view: LakeView) -> Data:
        """Read all that the screen shows."""

    @abstractmethod
    def sentence(self, data: Data) -> str:
        """The answer to the page's question, in words."""

    @abstractmethod
    def specs(self, data: Data) -> tuple[SheetSpec[Data], ...]:
        """Its sheets; the first one is shown first."""

    def summary(self, data: Data) -> tuple[Line, ...]:
        """Notes where no row is chosen, or its sheet has none of its own."""
        del data
        return ()

    def overview(self, data: Data) -> tuple[Chart, ...]:
        """Charts where no row is chosen, or its sheet has none of its own."""
        del data
        return ()

    def band(self, data: Data) -> VerdictBand | None:
        """The verdict that the sentence is about; None for a screen that gives none."""
        del data
        return None

    def spec(self, data: Data, name: str) -> SheetSpec[Data]:
        """The sheet of that name.

        Raises:
            KeyError: if there is none.
        """
        found = next((spec for spec in self.specs(data) if spec.name == name), None)
        if found is None:
            raise KeyError(f"screen {self.name} has no sheet {name!r}")
        return found

    def sheets(self, data: Data) -> tuple[str, ...]:
        """The names of its sheets."""
        return tuple(spec.name for spec in self.specs(data))

    def sheet(self, data: Data, name: str) -> Sheet:
        """One sheet."""
        return self.spec(data, name).sheet(data)

    def notes(self, data: Data, name: str, row: Row | None) -> tuple[Line, ...]:
        """What to say beside the sheet about its chosen row."""
        notes = self.spec(data, name).notes
        return self.summary(data) if row is None or notes is None else notes(data, row)

    def charts(self, data: Data, name: str, row: Row | None) -> tuple[Chart, ...]:
        """What to draw beside the sheet about its chosen row."""
        charts = self.spec(data, name).charts
        return self.overview(data) if row is None or charts is None else charts(data, row)

    def detail(self, view: LakeView, data: Data, name: str, row: Row) -> Detail | None:
        """What opening the row shows, with what can be done about it; may read the lake."""
        detail = self.spec(data, name).detail
        return detail(view, data, row) if detail else None

    def actions(self, data: Data, name: str, row: Row) -> tuple[Action, ...]:
        """What can be done about the row."""
        actions = self.spec(data, name).actions
        return actions(data, row) if actions else ()

    def origin(self, data: Data, name: str, row: Row) -> Link | None:
        """The row of the lake that the sheet's row stands for, from which lineage is walked."""
        origin = self.spec(data, name).origin
        return origin(row) if origin else None


def row_link(table: Table, row: Row, text: str = "", about: str = "") -> Link:
    """The link to a sheet's row that is a row of the table; by its key where no text is given."""
    wanted = {name: row[name] for name in dict.fromkeys((*table.key, table.clock))}
    return Link(text or " ".join(str(row[name]) for name in table.key), table.name, wanted, about)


@dataclass(frozen=True)
class VerdictBand:
    """A verdict that is read from across the room."""

    status: str
    """ok, warn or fail: its colour and its symbol."""
    word: str
    about: str = ""
    """In few words, beside the word."""


@dataclass(frozen=True)
class PageState:
    """What is known of a page at a moment: its data, or in words why there are none."""

    data: Any = None
    answer: str = ""
    """The page's sentence about the data."""
    sheets: Mapping[str, Sheet] = field(default_factory=dict)
    """Those of its sheets that are made already."""
    trouble: str = ""
    versions: Sequence[int] = ()
    """Of the page's tables; the same versions hold the same data."""
    incomplete: bool = False
    """Whether more is on its way."""
    at: AsOf | None = None
    """Where in time the data are from; None is now."""


def build_state(page: Page[Data], data: Data, at: AsOf | None = None) -> PageState:
    """The data with what a page shows of them first: made where they are read, not where keys wait."""
    first = page.specs(data)[0]
    return PageState(data, page.sentence(data), {first.name: first.sheet(data)}, at=at)

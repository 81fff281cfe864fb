"""What a screen is made of, and what opening one of its rows tells: plain values, shown by one thin widget each."""

from __future__ import annotations

from abc import ABC, abstractmethod
from collections.abc import Iterator, Mapping, Sequence
from dataclasses import dataclass, field
from textwrap import wrap
from typing import Any, ClassVar, Generic, TypeVar

from lake.contract import Table
from nextgen_tui.console.charts.charts import Chart
from nextgen_tui.console.lake_view import LakeView
from nextgen_tui.console.sheet.sheet import Cell, Sheet, Style
from nextgen_tui.text.safe_text import safe_text

Line = tuple[Cell, ...]
"""A line of notes: pieces of text, each with its mood."""
Row = Mapping[str, Any]
LABEL = 12
"""Characters before a fact."""
AS_IT_IS: Any = {"expand_tabs": False, "replace_whitespace": False, "break_on_hyphens": False}
"""How lines are broken: at spaces, never within a date, and nothing in them is changed."""


@dataclass(frozen=True)
class Link:
    """A way on: a row of a table, or a run."""

    words: str
    table: str
    key: Mapping[str, Any]
    about: str = ""


@dataclass(frozen=True)
class Action:
    """Something that can be done about a thing: asked for in a dialog, never at once."""

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
}
"""What can be done -> its key and what the footer calls it."""


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


Data = TypeVar("Data")


class Page(ABC, Generic[Data]):
    """One screen: what it reads, and how that is told. Stateless; every method is a pure function of its arguments."""

    number: ClassVar[str]
    name: ClassVar[str]
    question: ClassVar[str]
    """What an operator comes here to ask."""
    tables: ClassVar[tuple[Table, ...]]
    """The tables it depends on: it is read again when one of them has a new version."""

    def quick_load(self, view: LakeView) -> Data | None:
        """What can be told at once, where reading all takes longer than one should wait; None where it does not."""
        del view
        return None

    def prepare(self, view: LakeView) -> None:
        """Whatever takes long and needs no lake; other screens are read meanwhile."""
        del view

    @abstractmethod
    def load(self, view: LakeView) -> Data:
        """Read all that the screen shows."""

    @abstractmethod
    def sentence(self, data: Data) -> str:
        """The answer, in words."""

    @abstractmethod
    def sheets(self, data: Data) -> tuple[str, ...]:
        """The names of its sheets; the first one is shown first."""

    @abstractmethod
    def sheet(self, data: Data, name: str) -> Sheet:
        """One sheet."""

    def notes(self, data: Data, name: str, row: Row | None) -> tuple[Line, ...]:
        """What to say beside the sheet about its chosen row."""
        del data, name, row
        return ()

    def charts(self, data: Data, name: str, row: Row | None) -> tuple[Chart, ...]:
        """What to draw beside the sheet about its chosen row."""
        del data, name, row
        return ()

    def detail(self, view: LakeView, data: Data, name: str, row: Row) -> Detail | None:
        """What opening the row tells; may read."""
        del view, data, name, row
        return None

    def actions(self, data: Data, name: str, row: Row) -> tuple[Action, ...]:
        """What can be done about the row."""
        del data, name, row
        return ()

    def origin(self, name: str, row: Row) -> Link | None:
        """The row of the lake that the sheet's row stands for, from which lineage is walked."""
        del name, row
        return None


@dataclass(frozen=True)
class PageState:
    """What is known of a page at a moment: its data, or in words why there are none."""

    data: Any = None
    answer: str = ""
    """The page's sentence about the data."""
    sheets: Mapping[str, Sheet] = field(default_factory=dict)
    """Those of its sheets that are made already."""
    trouble: str = ""
    versions: tuple[int, ...] = field(default=())
    """Of the page's tables; the same versions hold the same data."""
    incomplete: bool = False
    """Whether more is on its way."""


def build_state(page: Page[Data], data: Data) -> PageState:
    """The data with all that a page shows of them first: made where they are read, not where keys wait."""
    first = page.sheets(data)[0]
    return PageState(data, page.sentence(data), {first: page.sheet(data, first)})


def fact(label: str, words: object, style: Style = "", longest: int = 400, right: int = 0) -> Line:
    """A label and what it says, figures flush right in so many characters."""
    return Cell(f"{label:<{LABEL}} ", "dim"), Cell(safe_text(words, longest).rjust(right), style)


def wrap_hanging(line: Line, width: int) -> tuple[Line, ...]:
    """A line that is longer than its room goes on below its own beginning, not below its label."""
    label, told = (line[:1], line[1:]) if len(line) > 1 and _labels(line[0]) else ((), line)
    indent = sum(len(cell.words) for cell in label)
    words = "".join(cell.words for cell in told).replace(" %", "\u00a0%")  # a figure stays with its sign
    if len(words) <= width - indent or width - indent < LABEL:
        return (line,)
    broken: list[Line] = []
    at = 0
    for piece in wrap(words, width - indent, **AS_IT_IS):
        at = words.index(piece, at)
        broken.append((*label, *_cut(told, at, at + len(piece))))
        at, label = at + len(piece), (Cell(" " * indent),) if indent else ()
    return tuple(broken) or (line,)


def _labels(cell: Cell) -> bool:
    return cell.style == "dim" and cell.words.endswith(" ")


def _cut(cells: Sequence[Cell], start: int, end: int) -> Iterator[Cell]:
    """The part of some cells' text between two places, each piece with its mood."""
    for cell in cells:
        if piece := cell.words[max(start, 0) : max(end, 0)]:
            yield Cell(piece, cell.style)
        start, end = start - len(cell.words), end - len(cell.words)


def note(words: object, style: Style = "", longest: int = 400) -> Line:
    """A plain line."""
    return (Cell(safe_text(words, longest), style),)


def describe_slice(scope: str, part: str) -> str:
    """Which forecasts a measure is about."""
    return "all tickers" if scope == "all" else f"{scope} {part}"


def heading(words: str) -> Line:
    """A line that names what follows."""
    return (Cell(words, "accent"),)


def plain_text(lines: Sequence[Line]) -> str:
    """The lines without their moods."""
    return "\n".join("".join(cell.words for cell in line) for line in lines)

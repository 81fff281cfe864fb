"""A table as the console shows it: a frame and what its columns mean, filtered, sorted and cut without a terminal."""

from __future__ import annotations

from collections.abc import Callable, Sequence
from dataclasses import dataclass, replace
from functools import cached_property, reduce
from itertools import groupby
from operator import and_
from typing import Any, Literal

import polars as pl

from nextgen_tui.remembered.preferences import ColumnChoice
from nextgen_tui.text import table_view
from nextgen_tui.text.safe_text import remove_unsafe, safe_text

Style = Literal["", "good", "warn", "bad", "dim", "accent", "title", "trend"]
"""What a word wants to say with its colour; the words say it as well."""
MANY_ROWS = 2_000
"""Rows that are written as they are shown before anybody filters them."""
SAMPLE = 40
"""Rows that are measured to find a column's width, beside those with its longest text, lowest and highest figure."""
MAX_CELL = 200
"""Characters of a cell that are ever looked at."""
MIN_WIDTH = 12
"""Characters that a column is never cut below."""
STRETCH = 22
"""Characters with which a column that can stretch is worth showing."""
GAP = 2
"""Characters between two columns."""


@dataclass(frozen=True)
class Cell:
    """A piece of text with a mood."""

    text: str
    style: Style = ""
    parts: tuple[tuple[str, Style], ...] = ()
    """Its text in pieces, each with a mood of its own; empty where it has one mood."""


def strip(parts: Sequence[tuple[str, Style]]) -> Cell:
    """A cell of pieces, such as a sign for each session; those beside each other that look alike are one piece."""
    joined = [("".join(text for text, _ in run), style) for style, run in groupby(parts, key=lambda part: part[1])]
    return Cell("".join(text for text, _ in joined), "", tuple(joined))


Show = Callable[[Any], "str | Cell"]


@dataclass(frozen=True)
class Col:
    """One column of a sheet."""

    heading: str
    name: str
    """The frame's column it shows, sorts and exports."""
    show: Show | None = None
    """Value -> text; by its type where None."""
    right: bool = False
    rank: int = 0
    """0 is always shown; where there is too little room, the highest rank goes first."""
    max_width: int = 48
    """Characters at most."""
    sort: str = ""
    """The frame's column it sorts by, where that is another one."""
    stretch: bool = False
    """Whether it takes the room that is left, and shows the end of its text where that is too little."""
    drawn: bool = False
    """Whether it is a picture made of signs, in which nobody looks for a word."""
    legend: str = ""
    """What the signs of a picture mean: part of its heading where there is room for all of it."""
    width: int = 0
    """Characters that the operator chose; as many as its contents need where 0."""

    def heading_within(self, width: int) -> str:
        """As much of heading and legend as so many characters hold whole; the heading where they hold neither."""
        told = (f"{self.heading}  {self.legend}", self.legend) if self.legend else ()
        return next((words for words in told if len(words) <= width), self.heading)

    def cell(self, value: Any) -> Cell:
        """The value as safe text."""
        shown = table_view.cell(value).plain if self.show is None else self.show(value)
        shown = Cell(shown) if isinstance(shown, str) else shown
        parts = tuple((remove_unsafe(text), style) for text, style in shown.parts)
        text = "".join(text for text, _ in parts) if parts else safe_text(shown.text, MAX_CELL)
        return Cell(text, shown.style, parts)


@dataclass(frozen=True)
class Sheet:
    """A frame, how to show it, and what its rows are called.

    A filter or an order is a list of row numbers: the frame is never copied, so that neither costs more than a letter
    typed may take.
    """

    frame: pl.DataFrame
    cols: tuple[Col, ...]
    key: tuple[str, ...]
    """The frame's columns that tell its rows apart."""
    empty: str = "Nothing here yet."
    """What to say where there are no rows."""
    noun: str = "row"
    original: Sheet | None = None
    """What this is a part of, or another order of: its columns are as wide, and none jumps about while one types."""
    row_numbers: pl.Series | None = None
    """The frame's rows that are shown, in their order; all as they stand where None."""

    @property
    def height(self) -> int:
        """How many rows there are."""
        return self.frame.height if self.row_numbers is None else len(self.row_numbers)

    @property
    def visible(self) -> pl.DataFrame:
        """The rows there are, in their order."""
        return self.frame if self.row_numbers is None else self.frame[self.row_numbers]

    @property
    def sources(self) -> tuple[str, ...]:
        """The frame's columns behind what is shown: where one shows a figure with its measure, both."""
        return tuple(name for col in self.cols for name in self._behind(col.name))

    def _behind(self, name: str) -> list[str]:
        dtype = self.frame.schema[name]
        parts = [field.name for field in dtype.fields] if isinstance(dtype, pl.Struct) else []
        return parts if parts and set(parts) <= set(self.frame.columns) else [name]

    def choose(self, choice: ColumnChoice) -> Sheet:
        """With the columns that were chosen; the first one, which says what a row is about, always stays."""
        if choice.empty:
            return self
        kept = [col for number, col in enumerate(self.cols) if number == 0 or col.heading not in choice.hidden]
        cols = (replace(col, rank=0) if col.heading in choice.always else col for col in kept)
        wide = (
            replace(col, width=choice.widths[col.heading], stretch=False) if col.heading in choice.widths else col
            for col in cols
        )
        return replace(self, cols=tuple(wide))

    def filter(self, words: str) -> Sheet:
        """Only the rows that show every word, and none of those after an exclamation mark; case does not matter.

        A word is a pattern (a regular expression); one that is none stands for itself.
        """
        if not words.split() or self.frame.is_empty():
            return self
        lines = (self.original or self).lines
        found = reduce(and_, (_shows(lines, word) for word in words.split()))
        row_numbers = (
            found.arg_true() if self.row_numbers is None else self.row_numbers.filter(found.gather(self.row_numbers))
        )
        return replace(
            self._with(row_numbers), empty=f"No {self.noun} shows {safe_text(words, 40)!r}; escape shows all."
        )

    @cached_property
    def lines(self) -> pl.Series:
        """Each row as it is shown, in one line: made once, then every letter of a filter costs a search only."""
        told = [col for col in self.cols if not col.drawn]
        shown = [self._shown(col).alias(str(number)) for number, col in enumerate(told)]
        return pl.DataFrame(shown).select(pl.concat_str(pl.all(), separator=" ")).to_series()

    def prepare_filter(self) -> None:
        """Write every row as it is shown, where there are so many that a filter would wait for it."""
        if self.frame.height > MANY_ROWS:
            _ = self.lines

    def _shown(self, col: Col) -> pl.Series:
        """A column as text: each of its values is written once, however often it occurs."""
        values = self.frame[col.name]
        if values.dtype.is_nested():
            return pl.Series([col.cell(value).text for value in values.to_list()], dtype=pl.String)
        texts = {value: col.cell(value).text for value in values.unique().to_list()}
        # A figure that is none (NaN) is not equal to itself: it is written where it stands.
        shown = [texts[value] if value in texts else col.cell(value).text for value in values.to_list()]
        return pl.Series(shown, dtype=pl.String)

    def sort(self, heading: str, descending: bool) -> Sheet:
        """By one column, the key deciding between equals; missing values last; an unknown heading changes nothing.

        It orders every row: sort first, then filter.
        """
        col = next((col for col in self.cols if col.heading == heading), None)
        if col is None or self.frame.is_empty():
            return self
        by = col.sort or col.name
        keys = [name for name in self.key if name != by]
        flags = [descending, *(False for _ in keys)]
        order = pl.arg_sort_by([by, *keys], descending=flags, nulls_last=True, multithreaded=False)
        return self._with(self.frame.select(order).to_series())

    def row(self, number: int) -> dict[str, Any]:
        """One row's values."""
        return self.frame.row(self._at(number), named=True)

    def cells(self, number: int) -> tuple[Cell, ...]:
        """The cells of one row."""
        row = self.row(number)
        return tuple(col.cell(row[col.name]) for col in self.cols)

    def key_of(self, number: int) -> tuple[Any, ...]:
        """What tells the row apart."""
        at = self._at(number)
        return tuple(self.frame[name][at] for name in self.key)

    def find(self, key: tuple[Any, ...] | None) -> int | None:
        """Where the row of that key is; None if it is not there."""
        if key is None or self.frame.is_empty() or len(key) != len(self.key):
            return None
        tests = [pl.col(name).eq_missing(value) for name, value in zip(self.key, key, strict=True)]
        found = self.frame.select(pl.all_horizontal(tests).arg_true()).to_series()
        if self.row_numbers is None or not len(found):
            return int(found[0]) if len(found) else None
        return self.row_numbers.index_of(found[0])

    def _at(self, number: int) -> int:
        return number if self.row_numbers is None else int(self.row_numbers[number])

    def layout(self, width: int, skip: int = 0) -> list[tuple[int, int]]:
        """Number and width of each column that fits, in their order.

        Args:
            width: characters.
            skip: columns after the first that are passed over; those after them are shown in their order then, as many
                as fit, whatever their rank.
        """
        if skip:
            return self._scrolled(width, min(skip, len(self.cols) - 2))
        widths = [min(w, STRETCH) if col.stretch else w for w, col in zip(self.widths, self.cols, strict=True)]
        kept = list(range(len(self.cols)))
        while sum(widths[n] + GAP for n in kept) - GAP > width:
            spare = [n for n in kept if self.cols[n].rank > 0]
            if not spare:
                break
            kept.remove(max(spare, key=lambda n: (self.cols[n].rank, n)))
        # A wide column can leave room for narrower ones that went before it.
        for n in sorted(set(range(len(self.cols))) - set(kept), key=lambda n: (self.cols[n].rank, n)):
            if sum(widths[k] + GAP for k in kept) + widths[n] <= width:
                kept.append(n)
        for n in kept:
            if self.cols[n].stretch:
                spare_room = width - (sum(widths[k] + GAP for k in kept) - GAP)
                widths[n] = min(max(widths[n] + spare_room, MIN_WIDTH), self._longest[n])
        # Whatever is still too wide is cut in its widest column, where an ellipsis tells of it.
        widest = max(kept, key=lambda n: widths[n])
        over = sum(widths[n] + GAP for n in kept) - GAP - width
        widths[widest] -= min(max(over, 0), max(widths[widest] - MIN_WIDTH, 0))
        return [(n, widths[n]) for n in sorted(kept)]

    def _scrolled(self, width: int, skip: int) -> list[tuple[int, int]]:
        """The first column, which says what a row is about, and then those after the ones passed over."""
        columns = [(0, min(self.widths[0], max(width, 0)))]
        room = width - self.widths[0] - GAP
        for number in range(1 + skip, len(self.cols)):
            if room < MIN_WIDTH and len(columns) > 1:
                break
            columns.append((number, max(min(self.widths[number], room), 1)))
            room -= self.widths[number] + GAP
        return columns

    @cached_property
    def widths(self) -> tuple[int, ...]:
        """Characters that each column wants."""
        if self.original is not None:
            return self.original.widths
        limits = (max(col.max_width, _heading_length(col)) for col in self.cols)
        wanted = (min(longest, limit) for longest, limit in zip(self._longest, limits, strict=True))
        return tuple(col.width or width for col, width in zip(self.cols, wanted, strict=True))

    @cached_property
    def _longest(self) -> tuple[int, ...]:
        """Characters of the longest text of each column, or of its heading."""
        if self.original is not None:
            return self.original._longest
        return tuple(max(self._longest_text(col), _heading_length(col)) for col in self.cols)

    def _longest_text(self, col: Col) -> int:
        return max((len(col.cell(value).text) for value in _sample_values(self.frame[col.name])), default=0)

    def _with(self, row_numbers: pl.Series) -> Sheet:
        return replace(self, row_numbers=row_numbers, original=self.original or self)


def _heading_length(col: Col) -> int:
    """Characters of a heading, or of what takes its place, with the arrow of an order behind it."""
    return max(len(col.heading), len(col.legend)) + 2


def verdict(status: str) -> Cell:
    """A status with its sign and colour."""
    signs: dict[str, tuple[str, Style]] = {
        "ok": ("✓", "good"),
        "done": ("✓", "good"),
        "warn": ("!", "warn"),
        "fail": ("✗", "bad"),
        "failed": ("✗", "bad"),
        "dead": ("✗", "bad"),
        "stopped": ("✗", "bad"),
        "running": ("▸", "accent"),
        "waiting": ("·", "dim"),
    }
    sign, style = signs.get(status, ("·", ""))
    return Cell(f"{sign} {status}", style)


def signed(show: Callable[[Any], str]) -> Show:
    """Colour a number by its sign; the sign itself is in the words."""

    def color_by_sign(value: Any) -> Cell:
        if value is None:
            return Cell(show(value), "dim")
        words = show(value)
        zero = not any(sign in "123456789" for sign in words)  # what rounds to nothing is neither good nor bad
        return Cell(words, "" if zero else "good" if value > 0 else "bad")

    return color_by_sign


def dim(words: Any) -> Cell:
    """Text that stays in the background."""
    return Cell(str(words) if words is not None else "–", "dim")


def join_values(values: Sequence[Any]) -> str:
    """Several values in one cell."""
    return ", ".join(str(value) for value in values)


def _sample_values(values: pl.Series) -> list[Any]:
    """Some values, the likely longest among them: measuring every one would cost more than drawing the sheet."""
    places = list(range(0, len(values), max(len(values) // SAMPLE, 1)))
    if values.dtype == pl.String:
        places.append(values.str.len_chars().arg_max() or 0)
    elif values.dtype.is_numeric():
        places += [values.arg_min() or 0, values.arg_max() or 0]
    return values.gather(places).to_list() if len(values) else []


def matches(line: str, words: str) -> bool:
    """Whether a line of text meets a filter as a sheet's rows do."""
    lines = pl.Series([line])
    return all(_shows(lines, word)[0] for word in words.split())


def _shows(lines: pl.Series, word: str) -> pl.Series:
    """Which lines show a word or pattern; those that do not where it begins with an exclamation mark."""
    wanted = word.removeprefix("!")
    if not wanted:
        return pl.repeat(True, len(lines), dtype=pl.Boolean, eager=True)
    try:
        found = lines.str.contains(f"(?i){wanted}")
    except pl.exceptions.ComputeError:
        found = lines.str.to_lowercase().str.contains(wanted.lower(), literal=True)
    return ~found if word.startswith("!") else found

"""Lines of text beside a sheet: labels, facts and plain sentences, each piece with its style."""

from __future__ import annotations

from collections.abc import Iterator, Sequence
from textwrap import wrap
from typing import Any

from nextgen_tui.console.sheet.sheet import Cell, Style
from nextgen_tui.text.safe_text import safe_text

Line = tuple[Cell, ...]
"""A line of text: pieces, each with its style."""
LABEL = 12
"""Characters before a fact."""
WRAP_OPTIONS: Any = {"expand_tabs": False, "replace_whitespace": False, "break_on_hyphens": False}
"""Lines break at spaces, never within a date, and nothing in them is changed."""


def fact(label: str, words: object, style: Style = "", max_length: int = 400, right: int = 0) -> Line:
    """A label and what it says, figures flush right in so many characters."""
    return Cell(f"{label:<{LABEL}} ", "dim"), Cell(safe_text(words, max_length).rjust(right), style)


def wrap_hanging(line: Line, width: int) -> tuple[Line, ...]:
    """A line that is longer than its room goes on below its own beginning, not below its label."""
    labels = _count_labels(line)
    label, cells = line[:labels], line[labels:]
    indent = sum(len(cell.text) for cell in label)
    words = "".join(cell.text for cell in cells).replace(" %", "\u00a0%")  # a figure stays with its sign
    if len(words) <= width - indent or width - indent < LABEL:
        return (line,)
    wrapped: list[Line] = []
    at = 0
    for piece in wrap(words, width - indent, **WRAP_OPTIONS):
        at = words.index(piece, at)
        wrapped.append((*label, *_cut(cells, at, at + len(piece))))
        at, label = at + len(piece), (Cell(" " * indent),) if indent else ()
    return tuple(wrapped) or (line,)


def _count_labels(line: Line) -> int:
    """How many pieces stand before what is said: each of them ends in a space."""
    said = (number for number, cell in enumerate(line[:-1]) if not cell.text.endswith(" "))
    return next(said, max(len(line) - 1, 0))


def _cut(cells: Sequence[Cell], start: int, end: int) -> Iterator[Cell]:
    """The part of some cells' text between two places, each piece with its mood."""
    for cell in cells:
        if piece := cell.text[max(start, 0) : max(end, 0)]:
            yield Cell(piece, cell.style)
        start, end = start - len(cell.text), end - len(cell.text)


def note(words: object, style: Style = "", max_length: int = 400) -> Line:
    """A plain line."""
    return (Cell(safe_text(words, max_length), style),)


def describe_slice(scope: str, part: str) -> str:
    """Which forecasts a measure is about."""
    return "all tickers" if scope == "all" else part if scope in ("trait", "pair") else f"{scope} {part}"


def heading(words: str) -> Line:
    """A line that names what follows."""
    return (Cell(words, "accent"),)


def plain_text(lines: Sequence[Line]) -> str:
    """The lines without their moods."""
    return "\n".join("".join(cell.text for cell in line) for line in lines)

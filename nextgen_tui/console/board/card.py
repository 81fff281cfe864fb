"""A row as a card: an edge, a badge, a few lines and a trend; drawn as pieces of text, without a terminal."""

from __future__ import annotations

from collections.abc import Iterator, Sequence
from dataclasses import dataclass
from textwrap import wrap
from typing import Literal

from rich.cells import cell_len, set_cell_size

from nextgen_tui.console.sheet.sheet import Cell, Style
from nextgen_tui.text import formats
from nextgen_tui.text.safe_text import remove_unsafe

Pieces = list[tuple[str, str]]
"""Pieces of a row, each with its style."""
Group = Literal["problem", "screen"]
EDGES = {False: "╭─╮│╰╯", True: "┏━┓┃┗┛"}
"""Whether it is chosen -> its edges: the chosen one's are heavy, so that it is told without colour."""
STEPS = " ▁▂▃▄▅▆▇█"
LABEL = 14
"""Characters of a title on a line of its own."""


@dataclass(frozen=True)
class Card:
    """What is shown of a row."""

    title: str
    badge: Cell
    """Symbol and word of its state."""
    words: tuple[Cell, ...]
    """Sentences, the most important first; each is broken to the room there is."""
    keys: tuple[tuple[str, str], ...] = ()
    """Key and what it does."""
    trend: tuple[float, ...] = ()
    trend_of: str = ""
    group: Group = "screen"
    row: str = ""
    """Cards of another row begin one."""

    @property
    def edge(self) -> Style:
        """The colour of its edges: a tile that is well stays in the background."""
        return "dim" if self.badge.style in ("good", "") and self.group == "screen" else self.badge.style

    def text(self) -> str:
        """All it says, on one line."""
        keys = "  ".join(f"{key} {does}" for key, does in self.keys)
        return "  ".join(filter(None, (self.badge.text, self.title, *(cell.text for cell in self.words), keys)))


def draw_card(card: Card, width: int, height: int, chosen: bool) -> list[Pieces]:
    """The card in exactly so many columns and rows: framed where there are four rows, one or two lines otherwise."""
    if height < 4:
        return [_whole(pieces, width) for pieces in _lines(card, width, height, chosen)]
    left, flat, right, side, low_left, low_right = tuple(EDGES[chosen])
    edge = "accent" if chosen else card.edge
    inner = width - 4
    head = [(f"{left}{flat} ", edge), (card.title, "title"), (" ", "")]
    badge = [(" ", ""), (card.badge.text, card.badge.style), (f" {flat}{right}", edge)]
    room = width - _length(head) - _length(badge)
    rows: list[Pieces] = [[*head, (flat * max(room, 0), edge), *badge] if room >= 0 else [*head]]
    for body in _body(card, inner, height - 2):
        rows.append([(f"{side} ", edge), *_whole(body, inner), (f" {side}", edge)])
    label = f" {card.trend_of} " if card.trend and cell_len(card.trend_of) < inner - 2 else ""
    foot = flat * (width - 3 - cell_len(label))
    rows.append([(f"{low_left}{flat}", edge), (label, "dim"), (f"{foot}{low_right}", edge)])
    return [_whole(pieces, width) for pieces in rows]


def _body(card: Card, width: int, height: int) -> list[Pieces]:
    """Its words, its trend at the bottom, and its keys on the last line."""
    keys = [_keys(card)] if card.keys else []
    trend_rows = max(min(height - len(keys) - len(card.words), 3), 0) if card.trend else 0
    room = height - len(keys) - trend_rows
    rows: list[Pieces] = []
    for number, cell in enumerate(card.words):
        left = room - len(rows) - (len(card.words) - number - 1)
        lines = _wrapped(cell.text, width, max(left, 0))
        rows += [[(line, cell.style or ("title" if not number else ""))] for line in lines]
    rows += [[]] * (room - len(rows))
    rows += [[(line, "trend")] for line in trend_lines(card.trend, width, trend_rows)]
    return [*rows[: height - len(keys)], *keys]


def _lines(card: Card, width: int, height: int, chosen: bool) -> Iterator[Pieces]:
    """A card without a frame: its badge and title, then its words and trend beside them."""
    mark = ("▌", "accent") if chosen else ("▎", card.edge)
    sign = card.badge.text[:1]
    trend = trend_lines(card.trend, 14, 1) if card.trend and width >= 70 else []
    room = width - LABEL - 5 - (16 if trend else 0)
    words = " · ".join(cell.text for cell in card.words[: None if height == 1 else 1])
    rest: list[Pieces] = [[("  ", ""), (trend[0], "trend")]] if trend else [[]]
    lines = _wrapped(words, room, max(height - 1, 1))
    head = [mark, (f"{sign} ", card.badge.style), (f"{card.title:<{LABEL}} ", "title")]
    yield [*head, (_cut(lines[0] if lines else "", room), ""), *rest[0]]
    indent = (" " * (LABEL + 3), "")
    for number in range(1, height):
        last = number == height - 1
        yield [mark, indent, *(_keys(card) if last else [(lines[number] if number < len(lines) else "", "")])]


def _keys(card: Card) -> Pieces:
    return [piece for key, does in card.keys for piece in ((f"{key} ", "accent"), (f"{does}   ", ""))]


def trend_lines(values: Sequence[float], width: int, height: int) -> list[str]:
    """Values as columns of eighths of a character, the last one on the right: as many of them as there is room for."""
    points = formats.thin(values, width)
    if height < 1 or not points:
        return []
    low, high = min(points), max(points)
    span = (high - low) or 1.0
    levels = [1 + round((value - low) / span * (8 * height - 1)) if high > low else 4 * height for value in points]
    rows = ["".join(STEPS[min(max(level - 8 * row, 0), 8)] for level in levels) for row in reversed(range(height))]
    return [row.rjust(width) for row in rows]


def _wrapped(words: str, width: int, count: int) -> list[str]:
    """At most so many lines; what is left out ends in an ellipsis."""
    lines = wrap(remove_unsafe(words), max(width, 1), break_on_hyphens=False)
    return lines if len(lines) <= count else [*lines[: count - 1], _cut(" ".join(lines[count - 1 :]), width)][:count]


def _cut(words: str, width: int) -> str:
    if cell_len(words) <= width:
        return set_cell_size(words, max(width, 0))
    return set_cell_size(words, max(width - 1, 0)) + ("…" if width > 0 else "")


def _whole(pieces: Pieces, width: int) -> Pieces:
    """Pieces in exactly so many columns."""
    kept: Pieces = []
    for words, style in pieces:
        room = width - _length(kept)
        kept.append((words if cell_len(words) <= room else _cut(words, room), style))
    return [*kept, (" " * (width - _length(kept)), "")]


def _length(pieces: Sequence[tuple[str, str]]) -> int:
    return sum(cell_len(words) for words, _ in pieces)

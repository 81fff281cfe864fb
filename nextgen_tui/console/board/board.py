"""Where each card stands: problems side by side, then tiles in a grid, or all below each other where it is narrow."""

from __future__ import annotations

from collections.abc import Sequence
from dataclasses import dataclass
from itertools import groupby

from nextgen_tui.console.board.card import Card, Group

NARROW = 100
"""Columns below which cards are lines below each other."""
WIDTHS: dict[Group, tuple[int, int]] = {"problem": (44, 3), "screen": (26, 5)}
"""Group -> columns that a card needs, and cards side by side at most."""
HEIGHTS: dict[Group, tuple[int, int, int]] = {"problem": (5, 7, 8), "screen": (5, 6, 7)}
"""Group -> rows of a card in a low terminal, in a higher one, and in one with room to spare."""
LINES: dict[Group, int] = {"problem": 3, "screen": 1}
ROOMS = (36, 50)
"""Rows of a terminal from which on cards are higher."""


@dataclass(frozen=True)
class Place:
    """Where a card stands on the board."""

    x: int
    y: int
    width: int
    height: int


def lay_out(cards: Sequence[Card], width: int, terminal: int) -> list[Place]:
    """The place of each card, in their order, in a terminal of so many rows; a group begins a row."""
    places: list[Place] = []
    room = sum(terminal >= rows for rows in ROOMS)
    y = 0
    for (group, _), members in groupby(cards, key=lambda card: (card.group, card.row)):
        count = len(list(members))
        needed, most = WIDTHS[group]
        across = 1 if width < NARROW else max(min(count, most, width // needed), 1)
        height = LINES[group] if width < NARROW else HEIGHTS[group][room]
        for number in range(count):
            row, column = divmod(number, across)
            left, right = (width * edge // across for edge in (column, column + 1))
            places.append(Place(left, y + row * height, right - left, height))
        y = places[-1].y + height
    return places


def board_height(places: Sequence[Place]) -> int:
    """Rows that the board takes."""
    return max((place.y + place.height for place in places), default=0)


def find_neighbour(places: Sequence[Place], at: int, dx: int, dy: int) -> int:
    """The card to one side of another: the nearest one there, or itself where there is none."""
    here = places[at]
    found = [
        (
            abs(place.y - here.y) + abs(place.x - here.x)
            if dx
            else abs(place.y - here.y) * 1_000 + abs(place.x - here.x),
            n,
        )
        for n, place in enumerate(places)
        if (dx and (place.y == here.y) and (place.x - here.x) * dx > 0) or (dy and (place.y - here.y) * dy > 0)
    ]
    if not found and dx:
        return min(max(at + dx, 0), len(places) - 1)
    return min(found)[1] if found else at

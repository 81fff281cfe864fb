"""The widget that shows a sheet's rows as cards and tiles; arrows go from one to the next."""

from __future__ import annotations

from collections.abc import Callable, Mapping
from functools import partial
from typing import Any

from rich.segment import Segment
from textual import events
from textual.binding import Binding
from textual.geometry import Offset, Region, Size
from textual.strip import Strip

from nextgen_tui.console.board.board import Place, board_height, find_neighbour, lay_out
from nextgen_tui.console.board.card import Card, Pieces, draw_card
from nextgen_tui.console.sheet.sheet_widget import SheetWidget
from nextgen_tui.text.safe_text import remove_unsafe


class BoardWidget(SheetWidget):
    """Cards, one of them chosen."""

    BINDINGS = [
        Binding("left", "beside(-1)", "Left", show=False, id="left"),
        Binding("right", "beside(1)", "Right", show=False, id="right"),
    ]
    shows_lines = False

    def __init__(self, *, id: str | None = None) -> None:
        super().__init__(id=id)
        self.card: Callable[[Mapping[str, Any]], Card] | None = None
        """Row -> its card; set before a sheet is shown."""
        self._cards: list[Card] = []
        self._places: list[Place] = []
        self._drawn: dict[int, list[Pieces]] = {}

    @property
    def needed(self) -> int:
        """Rows that the whole board takes at its width."""
        return max(board_height(self._places), 2)

    def text(self) -> list[str]:
        """A heading and each card on a line, for tests."""
        return ["board", *(card.text() for card in self._cards)]

    def render_line(self, y: int) -> Strip:
        """A row of every card that stands there."""
        width, at = self.size.width, y + self.scroll_offset.y
        if not self._cards:
            words = self.sheet.empty if self.sheet is not None and y == 1 else ""
            return self._strip([(f" {words}", "dim")], self._style(""), width)
        segments: list[Segment] = []
        for number, place in sorted(enumerate(self._places), key=lambda one: one[1].x):
            if place.y <= at < place.y + place.height:
                segments += self._row(number, at - place.y)
        return Strip(segments).adjust_cell_length(width, self._style(""))

    def _row(self, number: int, row: int) -> list[Segment]:
        place, chosen = self._places[number], number == self.cursor
        if number not in self._drawn:
            self._drawn[number] = draw_card(self._cards[number], place.width, place.height, chosen)
        ground = self._style("sheet--cursor" if chosen else "")
        return [
            Segment(remove_unsafe(words), ground + self._ink(style) if style else ground)
            for words, style in self._drawn[number][row]
            if words
        ]

    def _lay_out(self) -> None:
        self._drawn.clear()
        sheet = self.sheet
        if sheet is not None and self.card is not None and self.size.width:
            self._cards = [self.card(sheet.row(number)) for number in range(sheet.height)]
            self._places = lay_out(self._cards, self.size.width, self.app.size.height)
            self.virtual_size = Size(self.size.width, board_height(self._places))
        self.refresh()

    def _follow(self) -> None:
        """Bring the chosen card into sight, once it is known where it stands."""
        if self.cursor < len(self._places):
            place = self._places[self.cursor]
            self.scroll_to_region(Region(0, place.y, 1, place.height), animate=False, immediate=True)

    def _go(self, row: int) -> None:
        if self.sheet is not None and row != self.cursor and 0 <= row < self.sheet.height:
            self._drawn.pop(self.cursor, None)
            self._drawn.pop(row, None)
            self.cursor = row
            self._follow()
            self.refresh()
            self.post_message(self.Moved(row))

    def action_move(self, step: int) -> None:
        """Choose the card above or below."""
        if self._places:
            self._go(find_neighbour(self._places, self.cursor, 0, step))

    def action_beside(self, step: int) -> None:
        """Choose the card to the left or right."""
        if self._places:
            self._go(find_neighbour(self._places, self.cursor, step, 0))

    def heading_places(self) -> list[tuple[Offset, str]]:
        """Cards have no headings."""
        return []

    def row_places(self) -> list[tuple[Offset, int]]:
        """Where each card in sight begins, in the widget."""
        placed = [(Offset(place.x, place.y - self.scroll_offset.y), n) for n, place in enumerate(self._places)]
        return [(at, number) for at, number in placed if 0 <= at.y < self.size.height]

    def on_click(self, event: events.Click) -> None:
        """A card is chosen, and opened by a second click."""
        y = event.y + self.scroll_offset.y
        inside = (
            number
            for number, place in enumerate(self._places)
            if place.x <= event.x < place.x + place.width and place.y <= y < place.y + place.height
        )
        if (number := next(inside, None)) is not None:
            opens = number == self.cursor and event.chain > 1
            self._go(number)
            self.call_later(self.action_choose) if opens else None

    def on_resize(self) -> None:
        """Other places, and what is around the board moves."""
        super().on_resize()
        self.call_later(partial(self.post_message, self.Moved(self.row)))

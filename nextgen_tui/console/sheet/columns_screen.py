"""The dialog that chooses a sheet's columns: which are shown, which before others, and how wide."""

from __future__ import annotations

from collections.abc import Sequence
from typing import Any

import polars as pl
from textual.app import ComposeResult
from textual.binding import Binding
from textual.containers import Vertical
from textual.screen import ModalScreen
from textual.widgets import Static

from nextgen_tui.console.sheet.sheet import Cell, Col, Sheet
from nextgen_tui.console.sheet.sheet_widget import SheetWidget
from nextgen_tui.remembered.preferences import LEAST_WIDTH, MOST_WIDTH, ColumnChoice

SHOWN = {
    "room": Cell("· where there is room", "dim"),
    "always": Cell("✓ always", "good"),
    "hidden": Cell("– never", "warn"),
}
"""In the order in which space goes through them."""
STEP = 2
"""Characters that one key widens a column by."""
HELP = "space which  + - width  0 as at first  ⏎ keep  esc leave"
COLS = (
    Col("column", "heading"),
    Col("shown", "state", lambda value: SHOWN[value]),
    Col("width", "width", lambda value: str(value) if value else Cell("by contents", "dim"), right=True),
)


class ColumnsScreen(ModalScreen["ColumnChoice | None"]):
    """Lists the columns; gives what was chosen, or None where nothing is to change."""

    BINDINGS = [
        Binding("escape", "dismiss(None)", "Leave"),
        Binding("space", "next", "Shown or not"),
        Binding("plus,equals_sign", "widen(1)", "Wider", key_display="+"),
        Binding("minus", "widen(-1)", "Narrower", key_display="-"),
        Binding("0", "reset", "As at first"),
    ]

    def __init__(self, cols: Sequence[Col], choice: ColumnChoice) -> None:
        super().__init__()
        self._cols = tuple(cols)
        states = dict.fromkeys(choice.always, "always") | dict.fromkeys(choice.hidden, "hidden")
        self._states = {col.heading: states.get(col.heading, "room") for col in self._cols}
        self._widths = {name: width for name, width in choice.widths.items() if name in self._states}

    def compose(self) -> ComposeResult:
        """The columns, and which keys do what."""
        with Vertical(id="columns"):
            yield SheetWidget(id="column-list")
            yield Static(HELP, markup=False, id="column-help")

    def on_mount(self) -> None:
        """The list has the keys."""
        self._list.styles.height = min(len(self._cols) + 1, 20)
        self._show(0)
        self.set_focus(self._list)

    @property
    def _list(self) -> SheetWidget:
        return self.query_one("#column-list", SheetWidget)

    @property
    def _here(self) -> str:
        return self._cols[self._list.cursor].heading

    def choice(self) -> ColumnChoice:
        """What is chosen now."""
        of = {state: tuple(one for one, its in self._states.items() if its == state) for state in SHOWN}
        return ColumnChoice(of["hidden"], of["always"], dict(self._widths))

    def _show(self, cursor: int) -> None:
        rows: list[dict[str, Any]] = [
            {"heading": name, "state": state, "width": self._widths.get(name)} for name, state in self._states.items()
        ]
        frame = pl.DataFrame(rows, schema={"heading": pl.String, "state": pl.String, "width": pl.Int64})
        self._list.show(Sheet(frame, COLS, ("heading",), noun="column"), cursor, None)

    def action_next(self) -> None:
        """Show it always, never, or where there is room; the first one cannot be hidden."""
        order = list(SHOWN)
        state = order[(order.index(self._states[self._here]) + 1) % len(order)]
        first = self._here == self._cols[0].heading
        self._states[self._here] = "room" if first and state == "hidden" else state
        self._show(self._list.cursor)

    def action_widen(self, way: int) -> None:
        """Make it wider, or narrower."""
        col = self._cols[self._list.cursor]
        now = self._widths.get(col.heading) or max(len(col.heading) + 2, min(col.max_width, 16))
        self._widths[col.heading] = min(max(now + way * STEP, LEAST_WIDTH), MOST_WIDTH)
        self._show(self._list.cursor)

    def action_reset(self) -> None:
        """Every column as at first."""
        self._states = dict.fromkeys(self._states, "room")
        self._widths.clear()
        self._show(self._list.cursor)

    def on_sheet_widget_chosen(self) -> None:
        """Keep what was chosen."""
        self.dismiss(self.choice())

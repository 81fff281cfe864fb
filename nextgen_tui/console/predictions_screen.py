"""Screen 3: what does the system expect, for whom, and how sure is it?"""

from __future__ import annotations

from collections.abc import Iterable

from rich.text import Text
from textual.containers import Container, Vertical
from textual.content import Content
from textual.widget import Widget
from textual.widgets import DataTable, Static

from nextgen_tui.console import forecasts
from nextgen_tui.console.fan_chart import FanChart
from nextgen_tui.console.screens import ConsoleScreen
from nextgen_tui.console.snapshot import Snapshot
from nextgen_tui.formats import counted, day
from nextgen_tui.safe_text import safe_text

MOST_ROWS = 1_000
"""Rows shown; a terminal table slows down beyond, and nobody reads that far."""


class PredictionsScreen(ConsoleScreen):
    """The last session's forecasts; the selected ticker's fan and its members below."""

    TITLE_WORDS = "3 Predictions"
    BINDINGS = [
        ("h", "next_horizon", "Horizon"),
        ("s", "next_order", "Sort"),
    ]

    def __init__(self) -> None:
        super().__init__()
        self._horizon = 0
        self._order = 0
        self._shown: Snapshot | None = None
        self._view: tuple[int, int] | None = None

    def body(self) -> Iterable[Widget]:
        """Table, and what belongs to its selected row."""
        yield Container(
            DataTable[Text](id="forecasts", cursor_type="row", cursor_foreground_priority="renderable"),
            Vertical(Static(id="members", markup=False), FanChart(id="fan"), id="detail"),
            id="halves",
        )

    def on_mount(self) -> None:
        """Set up the columns."""
        self._table.add_columns(*forecasts.COLUMNS)

    def sentence(self, snapshot: Snapshot) -> str:
        """What the table shows."""
        choices = forecasts.horizons(snapshot.predictions)
        if not choices:
            return "There is no forecast yet; `nextgen cycle` or `nextgen replay` makes some."
        horizon = choices[self._horizon % len(choices)]
        rows = snapshot.predictions.filter(snapshot.predictions["horizon"] == horizon)
        made = counted(rows["ticker"].n_unique(), "ticker")
        return (
            f"{made} at the close of {day(rows['session'][0])}, {counted(horizon, 'session')} ahead, "
            f"sorted by {forecasts.ORDERS[self._order]}."
        )

    def fill(self, snapshot: Snapshot) -> None:
        """Show the forecasts, keeping the selected ticker selected."""
        if self._shown is snapshot and self._view == (self._horizon, self._order):
            return
        self._shown, self._view = snapshot, (self._horizon, self._order)
        selected = self._selected
        table = self._table
        table.clear()
        choices = forecasts.horizons(snapshot.predictions)
        if choices:
            horizon = choices[self._horizon % len(choices)]
            rows = forecasts.forecast_rows(snapshot.predictions, horizon, forecasts.ORDERS[self._order])
            for row in rows[:MOST_ROWS]:
                table.add_row(*_cells(row), key=row.ticker)
            at = next((number for number, row in enumerate(rows) if row.ticker == selected), 0)
            table.move_cursor(row=at)
        self._show_selected()

    def on_data_table_row_highlighted(self) -> None:
        """Follow the cursor with the chart."""
        self._show_selected()

    def action_next_horizon(self) -> None:
        """Show the next horizon."""
        if self._shown is not None:
            self._horizon = (self._horizon + 1) % max(len(forecasts.horizons(self._shown.predictions)), 1)
            self.update_from_app()

    def action_next_order(self) -> None:
        """Sort in the next way."""
        self._order = (self._order + 1) % len(forecasts.ORDERS)
        self.update_from_app()

    @property
    def _table(self) -> DataTable[Text]:
        return self.query_one("#forecasts", DataTable)

    @property
    def _selected(self) -> str | None:
        table = self._table
        if not table.row_count:
            return None
        return table.coordinate_to_cell_key(table.cursor_coordinate).row_key.value

    def _show_selected(self) -> None:
        chart, members = self.query_one(FanChart), self.query_one("#members", Static)
        ticker, snapshot = self._selected, self._shown
        if ticker is None or snapshot is None:
            chart.draw((), None)
            members.update("")
            return
        choices = forecasts.horizons(snapshot.predictions)
        chart.draw(forecasts.past_levels(snapshot.closes, ticker), forecasts.fan(snapshot.predictions, ticker))
        lines = forecasts.member_lines(snapshot.predictions, ticker, choices[self._horizon % len(choices)])
        members.update(Content("\n".join((safe_text(ticker, 20), *lines))))


def _cells(row: forecasts.ForecastRow) -> tuple[Text, ...]:
    numeric = {"close", "expected", "80 % interval", "up", "confidence"}
    return tuple(
        Text(cell, justify="right" if name in numeric else "left")
        for name, cell in zip(forecasts.COLUMNS, row.cells, strict=True)
    )

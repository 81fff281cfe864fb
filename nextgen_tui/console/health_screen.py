"""Screen 1: is everything alright, and did the last cycle run?"""

from __future__ import annotations

from collections.abc import Iterable

from rich.text import Text
from textual.widget import Widget
from textual.widgets import DataTable, Static

from nextgen_tui import formats
from nextgen_tui.console.screens import SIGNS, ConsoleScreen
from nextgen_tui.console.snapshot import Snapshot
from nextgen_tui.health import Check, CycleFacts
from nextgen_tui.safe_text import safe_text

CHECK_COLUMNS = ("verdict", "service", "check", "what was found")
CYCLE_COLUMNS = ("session", "cycle", "stages", "failed", "rows written", "time", "started")
_STYLES = {"ok": "green", "warn": "yellow", "fail": "bold red"}


def check_row(check: Check) -> tuple[Text, ...]:
    """One check as cells."""
    verdict = Text(f"{SIGNS[check.status]} {check.status}", _STYLES[check.status])
    rest = (check.service, check.check, check.message)
    return (verdict, *(Text(safe_text(words, 200)) for words in rest))


def cycle_row(cycle: CycleFacts) -> tuple[Text, ...]:
    """One cycle as cells."""
    figures = (
        formats.whole(cycle.runs),
        formats.whole(cycle.failed),
        formats.whole(cycle.rows_written),
        formats.duration(cycle.seconds),
    )
    return (
        Text(formats.day(cycle.session)),
        Text(safe_text(cycle.cycle_id, 40)),
        *(Text(words, justify="right") for words in figures),
        Text(formats.instant(cycle.started_at)),
    )


class HealthScreen(ConsoleScreen):
    """One verdict, the checks behind it, and the last cycles."""

    TITLE_WORDS = "1 Health"

    def body(self) -> Iterable[Widget]:
        """Checks above, cycles below."""
        yield DataTable[Text](id="checks", cursor_type="row", cursor_foreground_priority="renderable")
        yield Static("Last cycles", classes="heading", markup=False)
        yield DataTable[Text](id="cycles", cursor_type="row", cursor_foreground_priority="renderable")

    def on_mount(self) -> None:
        """Set up the columns."""
        self._table("checks").add_columns(*CHECK_COLUMNS)
        self._table("cycles").add_columns(*CYCLE_COLUMNS)

    def sentence(self, snapshot: Snapshot) -> str:
        """The verdict in words."""
        return snapshot.health.sentence

    def fill(self, snapshot: Snapshot) -> None:
        """Show the checks, the worst first, and the cycles, the newest first."""
        _refill(self._table("checks"), [check_row(check) for check in snapshot.health.checks])
        _refill(self._table("cycles"), [cycle_row(cycle) for cycle in snapshot.health.cycles])

    def _table(self, name: str) -> DataTable[Text]:
        return self.query_one(f"#{name}", DataTable)


def _refill(table: DataTable[Text], rows: Iterable[tuple[Text, ...]]) -> None:
    at = table.cursor_row
    table.clear()
    table.add_rows(rows)
    table.move_cursor(row=min(at, table.row_count - 1))

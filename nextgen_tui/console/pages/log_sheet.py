"""The sheet of what the daemon logged, the newest first."""

from __future__ import annotations

from typing import Any

from nextgen_tui.console.notes import Line, fact, note
from nextgen_tui.console.page import Detail, Row, Section, SheetSpec
from nextgen_tui.console.sheet.sheet import Cell, Col, Style
from nextgen_tui.text import formats

LEVELS: dict[str, tuple[str, Style]] = {
    "error": ("✗ error", "bad"),
    "critical": ("✗ critical", "bad"),
    "warning": ("! warning", "warn"),
}
"""Level -> how it is written; any other stays in the background."""
COLS = (
    Col("at", "at", formats.instant),
    Col("level", "level", lambda value: Cell(*LEVELS.get(value or "", (f"· {value or ''}", "dim")))),
    Col("task", "task", rank=1),
    Col("slot", "slot", rank=2),
    Col("message", "message", str, max_width=200, stretch=True),
)


def log_sheet() -> SheetSpec[Any]:
    """What the daemon logged."""
    return SheetSpec(
        "log",
        lambda data: data.log,
        COLS,
        ("number",),
        "line",
        "No daemon has logged anything here; `:daemon` starts one.",
        notes=lambda _, row: _notes(row),
        detail=lambda _view, _data, row: _detail(row),
    )


def _notes(row: Row) -> tuple[Line, ...]:
    about = (fact(name, row[name]) for name in ("task", "slot", "state", "logger") if row[name])
    return (note(row["message"], LEVELS.get(row["level"] or "", ("", ""))[1], max_length=4_000), *about)


def _detail(row: Row) -> Detail:
    """A line in whole, with the traceback where there is one."""
    trace = tuple(note(line, "dim", max_length=1_000) for line in (row["trace"] or "").splitlines())
    sections = (Section("Logged", _notes(row)), *([Section("Traceback", trace)] if trace else []))
    return Detail(f"{formats.instant(row['at'])} {row['level']}", sections, copies=str(row["message"]))

"""Screen 1: is everything all right, and did the last cycle run?"""

from __future__ import annotations

from dataclasses import dataclass, replace

import polars as pl

from lake.runs import of_work
from lake.tables.books import PORTFOLIO_VALUE
from lake.tables.control import RUNS, SERVICE_HEARTBEATS, SYSTEM_HEALTH, TASK_ATTEMPTS, WorkKind
from nextgen_tui.console.charts.charts import Chart, Curve
from nextgen_tui.console.lake_view import LakeView
from nextgen_tui.console.notes import Line, fact, heading, note
from nextgen_tui.console.page import Action, Detail, Page, Row, Section, SheetSpec
from nextgen_tui.console.pages.runs import CYCLE_COLS, cycle_detail, cycle_notes, cycle_rows, duration_chart, run_detail
from nextgen_tui.console.sheet.sheet import Cell, Col, Style, verdict
from nextgen_tui.text import formats
from nextgen_tui.text.safe_text import safe_text
from pipeline.health.checks import Status
from pipeline.reading.cycles import GroupEnd, read_stage_grid
from pipeline.reading.daemon import DaemonState, read_daemon
from pipeline.reading.health_verdict import Health, check_rows, compose_health, judge_health
from pipeline.reading.market_time import lake_calendars, operation_time, work_out_calendar
from pipeline.reading.results.accuracy import describe_check

GRID = 10
"""Sessions whose outcome is shown stage group by stage group."""
GRID_SIGNS: dict[GroupEnd, Cell] = {
    "done": Cell("✓ ", "good"),
    "failed": Cell("✗ ", "bad"),
    "not run": Cell("· ", "dim"),
}
STYLES: dict[Status, Style] = {"ok": "", "warn": "warn", "fail": "bad"}
"""Verdict -> its colour beside a label."""
WHERE = {
    "market_prices": "2 Data",
    "sources": "2 Data",
    "news": "2 Data",
    "predictions": "3 Predictions or 4 Accuracy",
    "book": "6 Book",
}
"""Service -> the screen that tells more."""


@dataclass(frozen=True)
class HealthData:
    """All that the health screen shows."""

    health: Health
    checks: pl.DataFrame
    """The problems of operation and cycles, then the lines of the last report; worst first."""
    cycles: pl.DataFrame
    runs: pl.DataFrame
    beats: pl.DataFrame
    daemon: DaemonState
    nav: tuple[float, ...]


def daemon_cell(daemon: DaemonState) -> Cell:
    """The daemon's state in a few words."""
    return Cell(safe_text(daemon.sentence, 80), STYLES[daemon.status] if daemon.present or daemon.fix else "warn")


class HealthPage(Page[HealthData]):
    """One verdict, the checks behind it, and the last cycles."""

    number, name = "1", "Health"
    question = "Is everything all right, did the last cycle run?"
    tables = (RUNS, SYSTEM_HEALTH, TASK_ATTEMPTS, SERVICE_HEARTBEATS, PORTFOLIO_VALUE)

    def prepare(self, view: LakeView) -> None:
        """Let a child compute the calendars, without which nobody knows what is late."""
        work_out_calendar(view.path, view.clock)

    def load(self, view: LakeView) -> HealthData:
        """The verdict with the last report, the runs, the daemon's sign of life, the room on the disk."""
        health = judge(view)
        nav = view.read(PORTFOLIO_VALUE, columns=("session", "nav"))["nav"].tail(40)
        return HealthData(
            health=health,
            checks=check_rows(health),
            cycles=cycle_rows(view.runs.filter(of_work(WorkKind.CYCLE))),
            runs=view.runs,
            beats=view.read(SERVICE_HEARTBEATS).sort("until", descending=True),
            daemon=read_daemon(view.path, operation_time(view.lake, view.clock)),
            nav=tuple(float(value) for value in nav),
        )

    def sentence(self, data: HealthData) -> str:
        """The verdict in words."""
        return data.health.sentence

    def specs(self, data: HealthData) -> tuple[SheetSpec[HealthData], ...]:
        """Checks, the worst first; cycles and heartbeats, the newest first."""
        del data
        return SHEETS

    def summary(self, data: HealthData) -> tuple[Line, ...]:
        """The last cycle, the last sessions, and what runs now."""
        return (*_last_cycle(data), *_grid(data.runs), *_services(data))

    def overview(self, data: HealthData) -> tuple[Chart, ...]:
        """The book's value and how long cycles took lately."""
        if len(data.nav) < 2:
            return ()
        line = Curve(tuple(float(number) for number in range(len(data.nav))), data.nav, "own")
        book = Chart(f"book, {len(data.nav)} sessions", (line,), label=lambda value: f"{value:,.0f}", share=0.6)
        times = [value / 1_000 for value in data.cycles["milliseconds"].head(20).reverse()]
        return book, replace(duration_chart("seconds per cycle", times), share=0.4)


def judge(view: LakeView) -> Health:
    """The verdict at the view's standpoint; of a past one, only the report and the runs are known."""
    if view.at is not None:
        return compose_health(view.at.moment, (), view.read(SYSTEM_HEALTH), view.runs)
    now, calendars = operation_time(view.lake, view.clock), lake_calendars(view.path, view.clock)
    return judge_health(view.lake, now, calendars, measure_lake=False)  # it is judged every few seconds


def check_detail(view: LakeView, runs: pl.DataFrame, row: Row) -> Detail:
    """What was looked at, what was found, and the run behind it.

    Raises:
        LakeError: if the lake cannot be read.
    """
    stage = pl.col("stage") == row["service"]
    mine = runs.filter((pl.col("status") != "done") if row["service"] == "cycle" else stage)
    if mine.height:
        detail = run_detail(view, mine["run_id"][-1])
        return replace(detail, sections=(_check(row), *detail.sections))
    actions = (Action("retry", f"retry {row['retry']}"),) if row["retry"] else ()
    return Detail(f"{row['service']}: {row['check']}", (_check(row),), copies=str(row["message"]), actions=actions)


def _check(row: Row) -> Section:
    lines = [
        (verdict(row["status"]), Cell(f"  {row['service']}: {describe_check(row['check'])}")),
        note(row["message"]),
        fact("figure", formats.number(row["value"])),
        fact("limit", formats.number(row["limit"])),
        *((fact("what to do", row["fix"]),) if row["fix"] else ()),
    ]
    if where := WHERE.get(row["service"]):
        lines.append(fact("more", f"screen {where}"))
    return Section("What was found", tuple(lines))


def _last_cycle(data: HealthData) -> tuple[Line, ...]:
    if data.cycles.is_empty():
        return (note("No cycle has run yet.", "dim"),)
    row = data.cycles.row(0, named=True)
    return (
        (Cell("last cycle   ", "dim"), verdict(row["status"]), Cell(f"  {row['session']}")),
        fact(
            "",
            f"{formats.counted(row['stages'], 'stage')}, {formats.counted(row['written'], 'new row')}, "
            f"{formats.duration(row['milliseconds'] / 1_000)}",
        ),
        *((note(row["error"], "bad"),) if row["error"] else ()),
    )


def _grid(runs: pl.DataFrame) -> tuple[Line, ...]:
    """Groups of stages against the last sessions: a tick where all of the group was done."""
    grid = read_stage_grid(runs, GRID)
    if not grid.sessions:
        return ()
    last = f"the last {formats.counted(len(grid.sessions), 'session')}, to {grid.sessions[-1]:%b %d}"
    signs = ((Cell(f"{name:<13}", "dim"), *(GRID_SIGNS[one] for one in ends)) for name, ends in grid.groups.items())
    return (heading(last), *signs)


def _services(data: HealthData) -> tuple[Line, ...]:
    daemon = data.daemon
    lines = [heading("now"), (Cell("daemon       ", "dim"), daemon_cell(daemon))]
    if daemon.present:
        lines.append(fact("overdue", formats.counted(len(daemon.waiting), "run"), "warn" if daemon.waiting else ""))
    disk = next((part for part in data.health.parts if part.service == "disk"), None)
    if disk is not None:
        lines.append(fact("disk", f"{_size(disk.facts['free_bytes'])} free", STYLES[disk.status]))
    if data.nav:
        change = data.nav[-1] / data.nav[-2] - 1 if len(data.nav) > 1 else 0.0
        lines.append(fact("book", f"{formats.money(data.nav[-1])}  {formats.percent(change, signed=True)}"))
    return tuple(lines)


def _size(count: int) -> str:
    size = float(count)
    for unit in ("B", "kB", "MB", "GB"):
        if size < 1_000:
            return f"{size:.0f} {unit}" if size >= 10 or unit == "B" else f"{size:.1f} {unit}"
        size /= 1_000
    return f"{size:.1f} TB"


CHECK_COLS = (
    Col("verdict", "status", verdict),
    Col("service", "service"),
    Col("check", "check", describe_check),
    Col("what was found", "message", max_width=90),
    Col("figure", "value", lambda value: formats.number(value, 3), right=True, rank=1),
    Col("limit", "limit", lambda value: formats.number(value, 3), right=True, rank=2),
)
BEAT_COLS = (
    Col("status", "status", verdict),
    Col("service", "service"),
    Col("until", "until", formats.instant),
    Col("beats", "beats", formats.whole, right=True),
    Col("longest gap", "longest_gap", formats.duration, right=True),
    Col("memory", "memory", _size, right=True),
    Col("overdue", "owed", formats.whole, right=True),
    Col("running", "running", formats.whole, right=True),
    Col("reason", "reason", rank=1),
)
SHEETS: tuple[SheetSpec[HealthData], ...] = (
    SheetSpec(
        "checks",
        lambda data: data.checks,
        CHECK_COLS,
        ("service", "check"),
        "check",
        "No report yet: no cycle has run.",
        detail=lambda view, data, row: check_detail(view, data.runs, row),
    ),
    SheetSpec(
        "cycles",
        lambda data: data.cycles,
        CYCLE_COLS,
        ("cycle_id",),
        "cycle",
        "No cycle has run yet.",
        notes=lambda _, row: cycle_notes(row),
        detail=lambda _, data, row: cycle_detail(data.runs, row),
    ),
    SheetSpec(
        "heartbeats",
        lambda data: data.beats,
        BEAT_COLS,
        ("service", "until"),
        "heartbeat",
        "No daemon has run on this lake.",
    ),
)

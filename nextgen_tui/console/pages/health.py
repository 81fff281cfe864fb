"""Screen 1: is everything alright, and did the last cycle run?"""

from __future__ import annotations

import re
from collections.abc import Sequence
from dataclasses import dataclass, replace

import polars as pl

from lake.contract import PolarsType
from lake.runs import of_work
from lake.tables.control import RUNS, SERVICE_HEARTBEATS, SYSTEM_HEALTH, TASK_ATTEMPTS, WorkKind
from lake.tables.trading import PORTFOLIO_VALUE
from nextgen_tui.console.charts.charts import Chart, Curve
from nextgen_tui.console.lake_view import LakeView
from nextgen_tui.console.notes import Line, fact, heading, note
from nextgen_tui.console.page import Action, Detail, Page, Row, Section, SheetSpec
from nextgen_tui.console.pages.accuracy import measure_name
from nextgen_tui.console.pages.runs import CYCLE_COLS, cycle_detail, cycle_notes, cycle_rows, duration_chart, run_detail
from nextgen_tui.console.sheet.sheet import Cell, Col, Style, verdict
from nextgen_tui.text import formats
from nextgen_tui.text.safe_text import safe_text
from pipeline.engine.stages import FORECAST, INGEST, SCORE, SETTLE
from pipeline.health.checks import SEVERITY, Status
from pipeline.reading.daemon import DaemonState, read_daemon
from pipeline.reading.health import Health, compose_health, judge_health
from pipeline.reading.market_time import lake_calendars, operation_time, work_out_calendar

GRID = 10
"""Sessions whose outcome is shown stage group by stage group."""
MEASURED = re.compile(r"(?P<metric>\w+) h(?P<horizon>\d+)")
"""The name of a check of a measure at a horizon."""
GROUPS = {"learn": INGEST, "settle": SETTLE, "score": SCORE, "look ahead": FORECAST}
STYLES: dict[Status, Style] = {"ok": "", "warn": "warn", "fail": "bad"}
"""Verdict -> its colour beside a label."""
CHECK_SCHEMA: dict[str, PolarsType] = {
    **dict.fromkeys(("service", "check", "status"), pl.String),
    **dict.fromkeys(("value", "limit"), pl.Float64),
    **dict.fromkeys(("message", "fix", "retry"), pl.String),
}
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
    question = "Is everything alright, did the last cycle run?"
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


def check_rows(health: Health) -> pl.DataFrame:
    """The problems that no line of the report tells, and then those lines; worst first."""
    rows: list[tuple[object, ...]] = [
        (one.part, "now", one.status, None, None, one.what, one.fix, one.retry)
        for one in health.problems
        if not any(one.part == check.service and one.what.endswith(check.message) for check in health.checks)
    ]
    rows += [(*check, "", "") for check in health.checks]
    frame = pl.DataFrame(rows, schema=CHECK_SCHEMA, orient="row")
    rank = pl.col("status").replace_strict(SEVERITY, return_dtype=pl.Int8)
    return frame.sort(rank, descending=True, maintain_order=True)


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


def describe_check(name: str) -> str:
    """A check as it is shown: `coverage_80 h20` is '80 % coverage, 20 sessions'."""
    measured = MEASURED.fullmatch(name)
    if measured is None:
        return name
    return f"{measure_name(measured['metric'])}, {formats.counted(int(measured['horizon']), 'session')}"


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
    """Stage groups against the last sessions: a tick where all of the group was done."""
    cycles = runs.filter(of_work(WorkKind.CYCLE))
    sessions = cycles["session"].unique().sort().tail(GRID).to_list()
    if not sessions:
        return ()
    final = cycles.filter(pl.col("session").is_in(sessions)).unique(
        subset=["session", "stage"], keep="last", maintain_order=True
    )
    ended: dict[tuple[object, str], str] = {
        (s, g): status for s, g, status in final.select("session", "stage", "status").iter_rows()
    }
    lines = [heading(f"the last {formats.counted(len(sessions), 'session')}, to {sessions[-1]:%b %d}")]
    for name, stages in GROUPS.items():
        signs = [_sign([ended.get((session, stage.name)) for stage in stages]) for session in sessions]
        lines.append((Cell(f"{name:<13}", "dim"), *signs))
    return tuple(lines)


def _sign(states: Sequence[str | None]) -> Cell:
    known = [state for state in states if state is not None]
    if any(state != "done" for state in known):
        return Cell("✗ ", "bad")
    return Cell("✓ ", "good") if known else Cell("· ", "dim")


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
    Col("what was found", "message", most=90),
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

"""Screen 1: is everything alright, and did the last cycle run?"""

from __future__ import annotations

import shutil
from collections.abc import Sequence
from dataclasses import dataclass, replace
from datetime import datetime

import polars as pl

from lake.runs import of_work
from lake.tables.control import RUNS, SERVICE_HEARTBEATS, SYSTEM_HEALTH, TASK_ATTEMPTS, WorkKind
from lake.tables.trading import PORTFOLIO_VALUE
from nextgen_tui.console.charts.charts import Chart, Curve
from nextgen_tui.console.lake_view import LakeView
from nextgen_tui.console.notes import Line, fact, heading, note
from nextgen_tui.console.page import Action, Detail, Page, Row, Section, SheetSpec
from nextgen_tui.console.pages.runs import CYCLE_COLS, cycle_detail, cycle_notes, cycle_rows, pace, run_detail
from nextgen_tui.console.sheet.sheet import Cell, Col, verdict
from nextgen_tui.health import Health, health
from nextgen_tui.text import formats
from pipeline.control.daemon.daemon_lock import daemon_is_running
from pipeline.control.daemon.heartbeat import Heartbeat, read_heartbeat
from pipeline.engine.stages import LEARN, LOOK_AHEAD, SCORE, SETTLE

GRID = 10
"""Sessions whose outcome is shown stage group by stage group."""
STALE_SECONDS = 120.0
"""A heartbeat older than this comes from a daemon that hangs."""
GROUPS = {"learn": LEARN, "settle": SETTLE, "score": SCORE, "look ahead": LOOK_AHEAD}
_RANK = {"fail": 0, "warn": 1, "ok": 2}
WHERE = {
    "market_prices": "2 Data",
    "sources": "2 Data",
    "news": "2 Data",
    "predictions": "3 Predictions or 4 Accuracy",
    "book": "6 Book",
}
"""Service -> the screen that tells more."""


@dataclass(frozen=True)
class DaemonState:
    """What is known of the daemon."""

    present: bool
    beat: Heartbeat | None
    looked_at: datetime

    @property
    def age(self) -> float | None:
        """Seconds since its last beat."""
        return (self.looked_at - self.beat.at).total_seconds() if self.beat else None

    @property
    def cell(self) -> Cell:
        """Its state in a few words."""
        if not self.present:
            return Cell("not running", "warn")
        if self.beat is None or self.age is None:
            return Cell("starting", "dim")
        if self.age > STALE_SECONDS:
            return Cell(f"silent for {formats.duration(self.age)}", "bad")
        return Cell(f"{self.beat.state}, beat {formats.duration(max(self.age, 0))} ago", "good")


@dataclass(frozen=True)
class HealthData:
    """All that the health screen shows."""

    verdict: Health
    checks: pl.DataFrame
    cycles: pl.DataFrame
    runs: pl.DataFrame
    beats: pl.DataFrame
    daemon: DaemonState
    nav: tuple[float, ...]
    free: int


def read_daemon(view: LakeView) -> DaemonState:
    """Whether a daemon holds the lake now, and what it said last."""
    return DaemonState(daemon_is_running(view.path / "control"), read_heartbeat(view.path), view.clock())


class HealthPage(Page[HealthData]):
    """One verdict, the checks behind it, and the last cycles."""

    number, name = "1", "Health"
    question = "Is everything alright, did the last cycle run?"
    tables = (RUNS, SYSTEM_HEALTH, TASK_ATTEMPTS, SERVICE_HEARTBEATS, PORTFOLIO_VALUE)

    def load(self, view: LakeView) -> HealthData:
        """The last report, the runs, the daemon's sign of life, the room on the disk."""
        report = view.read(SYSTEM_HEALTH)
        last = report.filter(pl.col("session") == pl.col("session").max())
        nav = view.read(PORTFOLIO_VALUE, columns=("session", "nav"))["nav"].tail(40)
        return HealthData(
            verdict=health(report, view.runs, 3),
            checks=pl.concat([failed_tasks(view), _ordered(last)]),
            cycles=cycle_rows(view.runs),
            runs=view.runs,
            beats=view.read(SERVICE_HEARTBEATS).sort("until", descending=True),
            daemon=read_daemon(view),
            nav=tuple(float(value) for value in nav),
            free=shutil.disk_usage(view.path).free,
        )

    def sentence(self, data: HealthData) -> str:
        """The verdict in words."""
        stopped = data.checks.filter(pl.col("check").str.starts_with("task "))
        if stopped.height:
            return f"{stopped['check'][0]} stopped: {stopped['message'][0]}"
        return data.verdict.sentence

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
        return book, replace(pace("seconds per cycle", times), share=0.4)


def failed_tasks(view: LakeView) -> pl.DataFrame:
    """Tasks that stopped or died and wait for a person, as checks."""
    attempts = view.read(TASK_ATTEMPTS).sort("at", "attempt")
    if view.at is not None:
        attempts = attempts.filter(pl.col("at") <= view.at.moment)
    last = attempts.unique(subset=["task", "slot"], keep="last", maintain_order=True)
    open_ended = last.filter(pl.col("follows").is_in(["stop", "give-up"]))
    return open_ended.tail(20).select(
        pl.lit("daemon").alias("service"),
        (pl.lit("task ") + pl.col("task") + " " + pl.col("slot")).alias("check"),
        pl.lit("fail").alias("status"),
        pl.lit(None, dtype=pl.Float64).alias("value"),
        pl.lit(None, dtype=pl.Float64).alias("limit"),
        pl.col("reason").alias("message"),
    )


def check_detail(view: LakeView, runs: pl.DataFrame, row: Row) -> Detail:
    """What was looked at, what was found, and the run behind it.

    Raises:
        LakeError: if the lake cannot be read.
    """
    mine = runs.filter(pl.col("stage") == row["service"])
    if mine.height:
        detail = run_detail(view, mine["run_id"][-1])
        return replace(detail, sections=(_check(row), *detail.sections))
    task = str(row["check"]).removeprefix("task ") if str(row["check"]).startswith("task ") else ""
    actions = (Action("retry", f"retry {task}"),) if task else ()
    return Detail(f"{row['service']}: {row['check']}", (_check(row),), copies=str(row["message"]), actions=actions)


def _check(row: Row) -> Section:
    lines = [
        (verdict(row["status"]), Cell(f"  {row['service']}: {row['check']}")),
        note(row["message"]),
        fact("figure", formats.number(row["value"])),
        fact("limit", formats.number(row["limit"])),
    ]
    if where := WHERE.get(row["service"]):
        lines.append(fact("more", f"screen {where}"))
    return Section("What was found", tuple(lines))


def _ordered(report: pl.DataFrame) -> pl.DataFrame:
    rank = pl.col("status").replace_strict(_RANK, return_dtype=pl.Int8)
    return report.sort(rank, "service", "check").select("service", "check", "status", "value", "limit", "message")


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
    lines = [heading("now"), (Cell("daemon       ", "dim"), daemon.cell)]
    if daemon.present and daemon.beat:
        waiting = daemon.beat.detail.get("waiting") or []
        lines.append(fact("overdue", formats.counted(len(waiting), "run"), "warn" if waiting else ""))
    lines.append(fact("disk", f"{_size(data.free)} free", "bad" if data.free < 1 << 30 else ""))
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
    Col("check", "check"),
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

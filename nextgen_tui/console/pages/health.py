"""Screen 1: is everything all right, and did the last cycle run?"""

from __future__ import annotations

from collections.abc import Callable, Mapping
from dataclasses import dataclass, replace
from functools import partial

import polars as pl

from lake.errors import LakeError
from lake.runs import of_work
from lake.tables.books import PORTFOLIO_VALUE
from lake.tables.control import RUNS, SERVICE_HEARTBEATS, SYSTEM_HEALTH, TASK_ATTEMPTS, WorkKind
from nextgen_tui.cli.error_messages import describe_error
from nextgen_tui.console.board.card import Card
from nextgen_tui.console.charts.chart import Band, Chart, day_ticks
from nextgen_tui.console.lake_view import LakeView
from nextgen_tui.console.notes import Line, fact, heading, note
from nextgen_tui.console.page import Action, Detail, Page, Row, Section, SheetSpec, VerdictBand
from nextgen_tui.console.pages.runs import CYCLE_COLS, cycle_detail, cycle_notes, cycle_rows, duration_chart, run_detail
from nextgen_tui.console.sheet.sheet import Cell, Col, Style, verdict
from nextgen_tui.text import formats
from nextgen_tui.text.safe_text import safe_text
from pipeline.health.checks import Status
from pipeline.reading.cockpit.cockpit_rows import cockpit_rows
from pipeline.reading.cockpit.next_task import schedule_tile
from pipeline.reading.cockpit.tiles import TILES, Tile, research_tile, runs_tile
from pipeline.reading.cycles import GroupEnd, read_stage_grid
from pipeline.reading.daemon import DaemonState, Running, read_daemon, read_running
from pipeline.reading.health_verdict import Health, check_rows, compose_health, judge_health
from pipeline.reading.market_time import calendar_at_hand, lake_calendars, operation_time, work_out_calendar
from pipeline.reading.schedule import task_rows

CYCLES = 40
"""Sessions of the book's value and of cycles' durations that are drawn."""
ORDER = ("data", "predictions", "accuracy", "plan", "book", "learning", "schedule", "runs", "actions", "research")
"""The screens that have a tile, as their numbers go."""
WORDS: dict[Status, str] = {"ok": "ALL IS WELL", "warn": "NEEDS A LOOK", "fail": "FAILED"}
"""Verdict -> its word on the band."""
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
    board: pl.DataFrame
    """The problems, then a row per screen."""
    checks: pl.DataFrame
    """The problems of operation and cycles, then the lines of the last report; worst first."""
    cycles: pl.DataFrame
    runs: pl.DataFrame
    beats: pl.DataFrame
    daemon: DaemonState
    running: tuple[Running, ...]
    nav: pl.DataFrame


def daemon_cell(daemon: DaemonState) -> Cell:
    """The daemon's state in a few words."""
    return Cell(safe_text(daemon.sentence, 80), STYLES[daemon.status] if daemon.present or daemon.fix else "warn")


class HealthPage(Page[HealthData]):
    """One verdict, what needs the operator, an answer per screen, and the checks behind it."""

    number, name = "1", "Health"
    question = "Is everything all right, did the last cycle run?"
    has_cards = True
    tables = (RUNS, SYSTEM_HEALTH, TASK_ATTEMPTS, SERVICE_HEARTBEATS, PORTFOLIO_VALUE)

    def quick_load(self, view: LakeView) -> HealthData:
        """The verdict alone, before the answers of the other screens."""
        return read_health(view, {})

    def prepare(self, view: LakeView) -> None:
        """Let a child compute the calendars, without which nobody knows what is late."""
        work_out_calendar(view.path, view.clock)

    def load(self, view: LakeView) -> HealthData:
        """The verdict with the last report, the runs, the daemon's sign of life, and the other screens' answers."""
        return read_health(view, read_tiles(view))

    def sentence(self, data: HealthData) -> str:
        """The verdict in words."""
        return data.health.sentence

    def band(self, data: HealthData) -> VerdictBand:
        """The verdict, how many problems there are, and of when it is."""
        health = data.health
        word = WORDS[health.status] if health.session is not None or health.problems else "NO SESSION YET"
        count = formats.counted(len(health.problems), "problem") if health.problems else f"session {health.session}"
        return VerdictBand(health.status, word, f"{count}, judged {health.at:%Y-%m-%d %H:%M}Z")

    def specs(self, data: HealthData) -> tuple[SheetSpec[HealthData], ...]:
        """The cockpit; checks, the worst first; cycles and heartbeats, the newest first."""
        del data
        return SHEETS

    def summary(self, data: HealthData) -> tuple[Line, ...]:
        """What runs now, the last cycle, and the last sessions."""
        return (*_now(data), *_last_cycle(data), *_grid(data.runs))

    def overview(self, data: HealthData) -> tuple[Chart, ...]:
        """The book's value and how long cycles took lately."""
        if data.nav.height < 2:
            return ()
        nav = tuple(float(value) for value in data.nav["nav"])
        xs = tuple(float(number) for number in range(len(nav)))
        days = data.nav["session"].to_list()
        label = f"the book, {formats.counted(len(nav), 'session')}"
        ground = Band(xs, (min(nav),) * len(nav), nav, 3)
        book = Chart(
            label, bands=(ground,), label=lambda v: f"{v:,.0f}", ticks=day_ticks(days), share=0.6, days=tuple(days)
        )
        times = data.cycles.head(CYCLES).reverse()
        seconds = [value / 1_000 for value in times["milliseconds"]]
        return book, duration_chart("seconds per cycle", seconds, times["session"].to_list(), share=0.4)


def read_health(view: LakeView, tiles: Mapping[str, Tile]) -> HealthData:
    """The verdict at the view's standpoint, with what it rests on."""
    health = judge(view)
    now = operation_time(view.lake, view.clock)
    return HealthData(
        health=health,
        board=cockpit_rows(health, tiles),
        checks=check_rows(health),
        cycles=cycle_rows(view.runs.filter(of_work(WorkKind.CYCLE))),
        runs=view.runs,
        beats=view.read(SERVICE_HEARTBEATS).sort("until", descending=True),
        daemon=read_daemon(view.path, now),
        running=read_running(view.path, now) if view.at is None else (),
        nav=view.read(PORTFOLIO_VALUE, columns=("session", "nav")).sort("session").tail(CYCLES),
    )


def read_tiles(view: LakeView) -> dict[str, Tile]:
    """Each screen's answer at the standpoint, in the order of the screens; one that cannot be read says so itself."""
    session = view.session
    readers: dict[str, Callable[[], Tile]] = {
        name: partial(read, view.read, session) for name, read in TILES.items() if session is not None
    }
    readers["schedule"] = partial(_schedule_tile, view)
    readers["runs"] = lambda: runs_tile(cycle_rows(view.runs.filter(of_work(WorkKind.CYCLE))))
    readers["research"] = lambda: research_tile(view.read, view.lake.has_table)
    return {name: view.remember(f"tile {name}", partial(_try_tile, readers[name])) for name in ORDER if name in readers}


def _try_tile(read: Callable[[], Tile]) -> Tile:
    try:
        return read()
    except (LakeError, OSError, ValueError) as error:
        return Tile("cannot be read", describe_error(error)[1])


def _schedule_tile(view: LakeView) -> Tile:
    now = operation_time(view.lake, view.clock)
    if view.at is not None or not calendar_at_hand(view.path, view.clock):
        return Tile("of now only" if view.at else "computing the calendar")
    tasks, _ = task_rows(view.lake, now, lake_calendars(view.path, view.clock))
    return schedule_tile(tasks, now, read_daemon(view.path, now).phase)


def judge(view: LakeView) -> Health:
    """The verdict at the view's standpoint; of a past one, only the report and the runs are known."""
    if view.at is not None:
        return compose_health(view.at.moment, (), view.read(SYSTEM_HEALTH), view.runs)
    now, calendars = operation_time(view.lake, view.clock), lake_calendars(view.path, view.clock)
    return judge_health(view.lake, now, calendars, measure_lake=False)  # it is judged every few seconds


def name_check(check: str) -> str:
    """A check as it is shown."""
    from pipeline.reading.results.accuracy import describe_check  # here, as in the tile: with what every metric means

    return describe_check(check)


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
        (verdict(row["status"]), Cell(f"  {row['service']}: {name_check(row['check'])}")),
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


def _now(data: HealthData) -> tuple[Line, ...]:
    """What runs now and how far it is; the daemon, and the room on the disk."""
    daemon = data.daemon
    lines = [heading("now"), (Cell("daemon       ", "dim"), daemon_cell(daemon))]
    for one in data.running:
        share = "" if one.share is None else f"{formats.bar(one.share, 12)} {formats.percent(one.share, 0)}  "
        lines.append((Cell("running      ", "dim"), Cell(share, "accent"), Cell(safe_text(one.words, 80))))
    if daemon.present and daemon.waiting:
        lines.append(fact("overdue", formats.counted(len(daemon.waiting), "run"), "warn"))
    disk = next((part for part in data.health.parts if part.service == "disk"), None)
    if disk is not None:
        lines.append(fact("disk", f"{_size(disk.facts['free_bytes'])} free", STYLES[disk.status]))
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
    Col("check", "check", name_check),
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
BADGES = {"ok": Cell("✓ ok", "good"), "warn": Cell("! look", "warn"), "fail": Cell("✗ failed", "bad")}
NUMBERS = dict(zip(ORDER, "234567890A", strict=True))


def board_card(row: Row) -> Card:
    """A problem with what mends it, or a screen with its answer."""
    if row["kind"] == "screen":
        words = (Cell(row["what"]), Cell(row["why"], "dim"))
        title = f"{NUMBERS[row['title']]} {row['title'].title()}"
        return Card(title, BADGES[row["status"]], words, trend=tuple(row["trend"]), trend_of=row["trend_of"])
    why = " · ".join(filter(None, (row["why"] and f"figure {row['why']}", row["since"] and f"since {row['since']}")))
    if row["kind"] == "calm":
        why = f"{row['why']}, {row['since']}" if row["why"] else ""
    told: tuple[tuple[str, Style], ...] = ((row["what"], ""), (why, "dim"), (row["fix"], ""))
    problem = tuple(Cell(text, style) for text, style in told if text)
    return Card(row["title"], BADGES[row["status"]], problem, _card_keys(row), group="problem")


def _card_keys(row: Row) -> tuple[tuple[str, str], ...]:
    mends = row["mend"].removeprefix("go ")
    name, _, sheet = mends.partition(" ")
    does = mends if mends == row["mend"] else f"see {name.title()}{' › ' + sheet if sheet else ''}"
    does = "start a daemon" if does == "daemon" else does
    return (*((("m", does),) if mends else ()), ("⏎", "details"))


def board_detail(view: LakeView, data: HealthData, row: Row) -> Detail | None:
    """A problem with the run behind it; where nothing is wrong, the last cycle."""
    if row["kind"] == "calm":
        return cycle_detail(data.runs, data.cycles.row(0, named=True)) if data.cycles.height else None
    told = {"service": row["part"], "check": row["check"], "status": row["status"], "message": row["what"]}
    return check_detail(view, data.runs, {**row, **told})


def board_actions(data: HealthData, row: Row) -> tuple[Action, ...]:
    """What mends a problem, by one key; what has stopped can be tried again."""
    del data
    retry = (Action("retry", f"retry {row['retry']}", row["what"]),) if row["retry"] else ()
    return (*retry, *((Action("mend", row["mend"], row["what"]),) if row["mend"] else ()))


def board_leads(row: Row) -> str:
    """A tile leads to its screen."""
    return f"go {row['title']}" if row["kind"] == "screen" else ""


BOARD_COLS = (
    Col("verdict", "status", verdict),
    Col("about", "title"),
    Col("what", "what", max_width=90),
    Col("why", "why", max_width=60, rank=1),
    Col("since", "since", rank=2),
    Col("what to do", "fix", max_width=90, rank=3),
    Col("trend", "trend", lambda values: formats.sparkline(list(values or ()), 16), rank=4),
)
SHEETS: tuple[SheetSpec[HealthData], ...] = (
    SheetSpec(
        "cockpit",
        lambda data: data.board,
        BOARD_COLS,
        ("kind", "title", "what"),
        "card",
        detail=board_detail,
        actions=board_actions,
        card=board_card,
        leads=board_leads,
    ),
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

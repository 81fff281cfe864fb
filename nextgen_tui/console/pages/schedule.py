"""Screen 8: what runs next, what is overdue, and what did anything change?"""

from __future__ import annotations

from dataclasses import dataclass
from datetime import timedelta
from typing import Any

import polars as pl

from lake.contract import RUN_ID
from lake.tables import TABLES
from lake.tables.control import RUNS, SERVICE_HEARTBEATS, TASK_ATTEMPTS, TASK_DEFINITIONS, TASK_REQUESTS
from nextgen_tui.console.charts.chart import Chart, Curve, Stretch
from nextgen_tui.console.lake_view import LakeView
from nextgen_tui.console.notes import Line, fact, note
from nextgen_tui.console.page import Action, Detail, Link, Page, Row, Section, SheetSpec
from nextgen_tui.console.pages.health import daemon_cell
from nextgen_tui.console.pages.log_sheet import log_sheet
from nextgen_tui.console.pages.runs import run_detail
from nextgen_tui.console.sheet.sheet import Cell, Col, dim, strip, verdict
from nextgen_tui.text import formats
from pipeline.reading.cockpit.daemon_log import read_daemon_log
from pipeline.reading.cockpit.next_task import add_due_in
from pipeline.reading.daemon import DaemonState, read_daemon
from pipeline.reading.market_time import calendar_at_hand, lake_calendars, operation_time, work_out_calendar
from pipeline.reading.schedule import SPARK, TASK_SCHEMA, add_state, change_rows, task_rows

RECENT = timedelta(days=30)
CHANGED = 40
"""Tables whose last change is drawn at most."""
COMPUTING_CALENDAR = "Computing the exchange's calendar, which takes a few seconds"


@dataclass(frozen=True)
class ScheduleData:
    """Tasks with what each owes, and what changed in which table."""

    tasks: pl.DataFrame
    trouble: str
    """Why the schedule cannot be read; empty if it can."""
    changes: pl.DataFrame
    requests: pl.DataFrame
    attempts: pl.DataFrame
    runs: pl.DataFrame
    daemon: DaemonState
    log: pl.DataFrame
    """The last lines that the daemon logged."""
    past: str
    """The moment shown, in words; empty where that is now. What was due then is on no record."""
    known: bool
    """False until the exchange's calendar is at hand, without which nobody knows what is due."""


class SchedulePage(Page[ScheduleData]):
    """What is due next, and the tables that changed last."""

    number, name = "8", "Schedule"
    question = "What runs next, what did anything change?"
    tables = (RUNS, TASK_ATTEMPTS, TASK_DEFINITIONS, TASK_REQUESTS, SERVICE_HEARTBEATS)

    def quick_load(self, view: LakeView) -> ScheduleData | None:
        """Without the calendars, until they are at hand."""
        return None if calendar_at_hand(view.path, view.clock) else self.load(view)

    def prepare(self, view: LakeView) -> None:
        """Let a child compute the calendars, which takes seconds and heavy libraries."""
        work_out_calendar(view.path, view.clock)

    def load(self, view: LakeView) -> ScheduleData:
        """The manifest held against the journal, and the last run of each table."""
        attempts = view.read(TASK_ATTEMPTS).drop(RUN_ID).sort("at", descending=True)
        requests = view.read(TASK_REQUESTS).drop(RUN_ID).sort("requested_at", descending=True)
        if view.at is not None:
            attempts = attempts.filter(pl.col("at") <= view.at.moment)
            requests = requests.filter(pl.col("requested_at") <= view.at.moment)
        tasks, trouble, known = add_due_in(pl.DataFrame(schema=TASK_SCHEMA), view.clock()), "", True
        now = view.clock()
        try:
            if view.at is None and (known := calendar_at_hand(view.path, view.clock)):
                now = operation_time(view.lake, view.clock)
                tasks, trouble = task_rows(view.lake, now, lake_calendars(view.path, view.clock))
                tasks = add_due_in(tasks, now)
        except (OSError, ValueError) as error:
            trouble = str(error)
        return ScheduleData(
            tasks=tasks,
            trouble=trouble,
            changes=change_rows(view.runs),
            requests=add_state(requests, attempts),
            attempts=attempts.filter(pl.col("at") >= now - RECENT) if view.at is None else attempts,
            runs=view.runs,
            daemon=read_daemon(view.path, now),
            log=read_daemon_log(view.path, view.at.moment if view.at else None),
            known=known,
            past=view.at.words if view.at else "",
        )

    def sentence(self, data: ScheduleData) -> str:
        """What comes next, what is overdue, what changed last."""
        if data.past:
            return f"As of {data.past}, tasks as they were attempted by then.{_last_change(data)}"
        if data.trouble:
            by = "; the daemon keeps running by the last good one" if data.daemon.present and data.tasks.height else ""
            return f"The schedule cannot be used: {data.trouble}{by}."
        coming = data.tasks.filter(pl.col("next").is_not_null()).sort("next", "task")
        text = "Nothing is scheduled" if data.known else COMPUTING_CALENDAR
        if coming.height:
            row = coming.row(0, named=True)
            text = f"Next: {row['task']} for {row['slot']}, due {formats.instant(row['next'])}"
        owed = f"; {_overdue(int(data.tasks['owed'].sum()))}" if data.known else ""
        daemon = "" if data.daemon.present else f" {data.daemon.sentence} (:daemon starts one)."
        return f"{text}{owed}.{_last_change(data)}{daemon}"

    def specs(self, data: ScheduleData) -> tuple[SheetSpec[ScheduleData], ...]:
        """Tasks, tables that changed, requests, attempts, the daemon's log."""
        del data
        return SHEETS

    def summary(self, data: ScheduleData) -> tuple[Line, ...]:
        """Whether a daemon is there."""
        return () if data.past else ((Cell("daemon       ", "dim"), daemon_cell(data.daemon)),)


def _last_change(data: ScheduleData) -> str:
    if data.changes.is_empty():
        return ""
    change = data.changes.row(0, named=True)
    new = formats.counted(change["written"], "new row")
    return f" Last change: {change['table']}, {new} for {change['session']}."


def task_notes(data: ScheduleData, row: Row) -> tuple[Line, ...]:
    """When a task runs, what it owes, and what becomes of a failure."""
    return (
        (Cell("daemon       ", "dim"), daemon_cell(data.daemon)),
        fact("task", row["task"]),
        fact("when", row["trigger"]),
        fact("next", f"{row['slot']}, due {formats.instant(row['next'])}"),
        *([fact("switched", row["need"])] if row["need"] else []),
        fact("overdue", f"{row['owed']}{', the oldest ' + row['oldest'] if row['oldest'] else ''}"),
        fact("last", row["last"] or "never run by a daemon"),
        fact("on failure", row["on_failure"]),
        *((note(row["reason"], "warn"),) if row["reason"] else ()),
    )


def task_detail(data: ScheduleData, row: Row) -> Detail:
    """A task with its attempts."""
    mine = data.attempts.filter(pl.col("task") == row["task"]).head(30)
    lines = tuple(
        note(f"{formats.instant(one['at'])}  {one['slot']}  {one['state']}  {one['reason']}")
        for one in mine.iter_rows(named=True)
    )
    sections = (
        Section("The task", task_notes(data, row)),
        Section("Its attempts", lines or (note("none yet", "dim"),)),
    )
    return Detail(f"task {row['task']}", sections, copies=row["task"], actions=task_actions(row))


def task_actions(row: Row) -> tuple[Action, ...]:
    """A stopped task can go on."""
    stopped = row["state"] == "stopped"
    return (Action("retry", f"retry {row['task']} {row['oldest']}", str(row["reason"])),) if stopped else ()


def change_bars(changes: pl.DataFrame) -> Chart:
    """How many rows each table got by its last change, of the tables that changed last."""
    rows = changes.filter(pl.col("written") > 0).head(CHANGED)
    made = tuple(Stretch(table, 0.0, float(new), "own") for table, new in rows.select("table", "written").iter_rows())
    return Chart("new rows by each table's last change", stretches=made, label=lambda value: f"{value:,.0f}")


def change_notes(row: Row) -> tuple[Line, ...]:
    """What changed a table last."""
    return (
        fact("table", row["table"]),
        fact("version", row["version"]),
        fact("written by", row["stage"]),
        fact("at", formats.instant(row["started_at"])),
        note(TABLES[row["table"]].doc, "dim"),
    )


def change_charts(data: ScheduleData, row: Row) -> tuple[Chart, ...]:
    """New rows per run of a table."""
    del data
    written = tuple(float(value) for value in row["trail"])
    line = Curve(tuple(float(n) for n in range(len(written))), written, "own")
    return (Chart(f"new rows of {row['table']} per run", (line,), label=lambda value: f"{value:,.0f}"),)


def request_notes(row: Row) -> tuple[Line, ...]:
    """What somebody asked for, and why."""
    return (
        fact("request", f"{row['action']} {row['target']}"),
        fact("why", row["reason"] or "–"),
        fact("state", row["state"]),
    )


def attempt_notes(row: Row) -> tuple[Line, ...]:
    """What was attempted, and what follows."""
    return (fact("task", f"{row['task']} {row['slot']}"), fact("then", row["follows"]), note(row["reason"]))


def _overdue(count: int) -> str:
    return f"{formats.counted(count, 'run')} overdue" if count else "nothing overdue"


def _state(value: str) -> Cell:
    if value in ("stopped", "running", "waiting"):
        return verdict(value)
    return Cell("! overdue", "warn") if value == "owed" else Cell(f"· {value}", "dim")


def _trail(values: object) -> Cell:
    return Cell(formats.sparkline([float(v) for v in values], SPARK) if values is not None else "", "dim")  # type: ignore[attr-defined]


def _day(pieces: Any) -> Cell:
    """The next 24 hours: where the task is due."""
    if pieces is None:
        return dim(None)
    return strip([("◆", "accent") if due else ("┼" if n % 6 == 0 else "─", "dim") for n, due in enumerate(pieces)])


TASK_COLS = (
    Col("state", "state", _state),
    Col("task", "task"),
    Col("due", "due_in"),
    Col("24 hours", "day", _day, sort="next", drawn=True, legend="24 hours, ┼ each 6, ◆ due"),
    Col("next", "next", formats.instant, rank=2),
    Col("for", "slot", rank=3),
    Col("overdue", "owed", lambda value: Cell(str(value), "warn") if value else dim("·"), right=True),
    Col("when", "trigger", rank=1),
    Col("last", "last", rank=2),
    Col("why", "reason", rank=3),
)
CHANGE_COLS = (
    Col("table", "table"),
    Col("new rows", "written", formats.whole, right=True),
    Col("version", "version", formats.whole, right=True),
    Col("for", "session", rank=1),
    Col("by", "stage", dim, rank=3),
    Col("20 runs", "trail", _trail, rank=2, sort="written"),
    Col("changes", "changes", formats.whole, right=True, rank=4),
    Col("at", "started_at", formats.instant),
)
REQUEST_COLS = (
    Col("requested", "requested_at", formats.instant),
    Col("state", "state", verdict),
    Col("action", "action"),
    Col("target", "target"),
    Col("by", "origin", rank=1),
    Col("why", "reason", rank=2),
    Col("answer", "answer", rank=3),
)
ATTEMPT_COLS = (
    Col("at", "at", formats.instant),
    Col("state", "state", verdict),
    Col("task", "task"),
    Col("slot", "slot"),
    Col("attempt", "attempt", formats.whole, right=True),
    Col("then", "follows", rank=1),
    Col("time", "seconds", lambda value: formats.MISSING if value is None else formats.duration(value), right=True),
    Col("why", "reason", max_width=80, rank=2),
)


def _no_tasks(data: ScheduleData) -> str:
    if data.past:
        return (
            "What is due is known of now only; `:live` returns. The sheet attempts tells what had been tried by then."
        )
    return data.trouble or ("Nothing is scheduled." if data.known else f"{COMPUTING_CALENDAR}.")


SHEETS: tuple[SheetSpec[ScheduleData], ...] = (
    SheetSpec(
        "tasks",
        lambda data: data.tasks,
        TASK_COLS,
        ("task",),
        "task",
        _no_tasks,
        notes=task_notes,
        charts=lambda data, _: (change_bars(data.changes),),
        detail=lambda _, data, row: task_detail(data, row),
        actions=lambda _, row: task_actions(row),
    ),
    SheetSpec(
        "changes",
        lambda data: data.changes,
        CHANGE_COLS,
        ("table",),
        "table",
        "Nothing has changed yet.",
        notes=lambda _, row: change_notes(row),
        charts=change_charts,
        detail=lambda view, _, row: run_detail(view, row["run_id"]),
        origin=lambda row: Link(row["run_id"], RUNS.name, {"run_id": row["run_id"]}),
    ),
    SheetSpec(
        "requests",
        lambda data: data.requests,
        REQUEST_COLS,
        ("request_id",),
        "request",
        "No request has been made; type one after `:`.",
        notes=lambda _, row: request_notes(row),
    ),
    SheetSpec(
        "attempts",
        lambda data: data.attempts,
        ATTEMPT_COLS,
        ("task", "slot", "attempt", "state"),
        "attempt",
        "A daemon has not attempted any task yet.",
        notes=lambda _, row: attempt_notes(row),
    ),
    log_sheet(),
)

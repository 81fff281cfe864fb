"""Where each task stands, what is overdue and due next, and which tables changed last."""

from __future__ import annotations

from datetime import datetime, timedelta

import polars as pl

from lake.contract import PolarsType
from lake.store import Lake
from pipeline.control.schedule.active_schedule import read_active_schedule
from pipeline.control.schedule.backlog import find_backlog, find_next_due
from pipeline.control.schedule.definitions import load_definitions
from pipeline.control.schedule.journal import Journal, load_journal
from pipeline.control.schedule.task import Task
from pipeline.control.schedule.trigger import Slot
from pipeline.market.calendar_cache import ChildCalendars

AHEAD = timedelta(days=40)
PIECES = 24
"""Hours of a task's next day."""
SPARK = 20
TASK_SCHEMA: dict[str, PolarsType] = {
    "task": pl.String,
    "state": pl.String,
    "next": pl.Datetime("us", "UTC"),
    "slot": pl.String,
    "owed": pl.Int64,
    "oldest": pl.String,
    "trigger": pl.String,
    "last": pl.String,
    "on_failure": pl.String,
    "need": pl.String,
    "reason": pl.String,
    "day": pl.List(pl.Boolean),
}


def task_rows(lake: Lake, now: datetime, calendars: ChildCalendars) -> tuple[pl.DataFrame, str]:
    """One row per task, where it stands, what it owes, when it is due next; and why the schedule cannot be used.

    Where it cannot, the tasks are those that the daemon goes on by, if one runs.
    """
    held_to = read_active_schedule(lake.path, now, calendars)
    definitions = load_definitions(lake, calendars)
    journal = load_journal(lake, now)
    rows = []
    for task in held_to.schedule.tasks:
        epochs = definitions.periods(task.name)
        owed = find_backlog(task, epochs, journal, now).due
        coming = find_next_due(task, epochs, now) if epochs else _first_slot(task, now)
        rows.append(_task_row(task, journal, owed, coming) | {"day": _next_day(task, now)})
    return pl.DataFrame(rows, schema=TASK_SCHEMA), held_to.error


def change_rows(runs: pl.DataFrame) -> pl.DataFrame:
    """One row per table that ever changed, the newest change first: by whom, at which version, how many new rows."""
    done = runs.filter((pl.col("status") == "done") & pl.col("output_version").is_not_null()).sort(
        "started_at", "run_id"
    )
    wrote = done.filter(pl.col("written") > 0)
    return (
        wrote.group_by("output_table", maintain_order=True)
        .agg(
            pl.col("output_version").last().alias("version"),
            pl.col("stage").last(),
            pl.col("session").last(),
            pl.col("written").tail(SPARK).alias("trail"),
            pl.col("written").last(),
            pl.col("started_at").last(),
            pl.col("run_id").last(),
            pl.len().cast(pl.Int64).alias("changes"),
        )
        .rename({"output_table": "table"})
        .sort("started_at", "table", descending=[True, False])
    )


def add_state(requests: pl.DataFrame, attempts: pl.DataFrame) -> pl.DataFrame:
    """Adds `state` and `answer`: where each request stands, by the daemon's own record."""
    last = attempts.sort("at", "attempt").unique(subset=["task", "slot"], keep="last", maintain_order=True)
    answers = last.select(pl.col("slot").alias("request_id"), pl.col("state"), pl.col("reason").alias("answer"))
    joined = requests.join(answers, on="request_id", how="left", maintain_order="left")
    return joined.with_columns(pl.col("state").fill_null("waiting"), pl.col("answer").fill_null(""))


def _task_row(task: Task, journal: Journal, owed: tuple[Slot, ...], coming: Slot | None) -> dict[str, object]:
    states = [journal.slot_state(task.name, slot.key) for slot in owed]
    stopped = next((s for s in states if s.stopped), None)
    running = any(s.running for s in states)
    last = journal.newest_finished(task.name)
    state = "stopped" if stopped else "running" if running else "owed" if owed else "waiting" if task.enabled else "off"
    return {
        "task": task.name,
        "state": state,
        "next": coming.due_at if coming else None,
        "slot": coming.key if coming else "–",
        "owed": len(owed),
        "oldest": owed[0].key if owed else "",
        "trigger": task.trigger_text,
        "last": f"{last.slot} {last.state} {f'{last.at:%Y-%m-%d %H:%M:%S}Z'}" if last else "",
        "on_failure": task.on_failure,
        "need": task.need,
        "reason": stopped.last.reason if stopped and stopped.last else "",
    }


def _next_day(task: Task, now: datetime) -> list[bool]:
    """Whether the task is due in each of the next 24 hours."""
    if not task.enabled or task.trigger is None:
        return [False] * PIECES
    slots = task.trigger.slots(now, now + timedelta(days=1))
    due = {int((slot.due_at - now).total_seconds()) // 3600 for slot in slots}
    return [piece in due for piece in range(PIECES)]


def _first_slot(task: Task, now: datetime) -> Slot | None:
    if not task.enabled or task.trigger is None:
        return None
    return next(iter(task.trigger.slots(now, now + AHEAD)), None)

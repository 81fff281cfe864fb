"""What is due next, in how long, and what is overdue."""

from __future__ import annotations

from datetime import datetime, timedelta

import polars as pl

from pipeline.reading.cockpit.tiles import Tile
from pipeline.text_format import counted, rough_duration


def schedule_tile(tasks: pl.DataFrame, now: datetime, daemon: str) -> Tile:
    """What comes next and in how long.

    Args:
        tasks: `TASK_SCHEMA` of `pipeline.reading.schedule`.
        now: the time by which the lake is operated.
        daemon: what the daemon does, in a word.
    """
    coming = tasks.filter(pl.col("next").is_not_null()).sort("next", "task")
    owed = int(tasks["owed"].sum())
    overdue = f"{counted(owed, 'run')} overdue" if owed else "nothing overdue"
    if coming.is_empty():
        return Tile("nothing is scheduled", f"{overdue}, daemon {daemon}")
    first = coming.row(0, named=True)
    return Tile(f"{first['task']} {until(first['next'], now)}", f"{overdue}, daemon {daemon}")


def add_due_in(tasks: pl.DataFrame, now: datetime) -> pl.DataFrame:
    """Adds `due_in`, in words, and orders the tasks by when they are due; those that never are come last."""
    words = [until(due, now) if due is not None else "–" for due in tasks["next"]]
    return tasks.with_columns(due_in=pl.Series(words, dtype=pl.String)).sort("next", "task", nulls_last=True)


def until(due: datetime, now: datetime) -> str:
    """How long it is until then: 'in 3 min', 'in 19 h 40 min', 'in 4 days', 'now'."""
    left = due - now
    if left <= timedelta():
        return "now"
    hours, minutes = divmod(int(left.total_seconds()) // 60, 60)
    if left < timedelta(hours=2) or left >= timedelta(days=2):
        return f"in {rough_duration(left)}"
    return f"in {hours} h {minutes:02d} min"

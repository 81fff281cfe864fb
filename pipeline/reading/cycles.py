"""The last cycles, and the last training, as they ended: each as a whole, and by groups of stages."""

from __future__ import annotations

from collections.abc import Sequence
from dataclasses import dataclass
from datetime import date, datetime, timedelta
from typing import Any, Literal

import polars as pl

from lake.runs import of_work, summarize_work
from lake.store import Lake
from lake.tables.control import RUNS, WorkKind
from pipeline.engine.session_order import FORECAST, INGEST, SCORE, SETTLE

GROUPS = {"learn": INGEST, "settle": SETTLE, "score": SCORE, "look ahead": FORECAST}
"""Name of a group of stages -> their names."""
GroupEnd = Literal["done", "failed", "not run"]
RECENT = timedelta(days=400)
"""Before the start of the last session's runs: what was started in this time is read first."""


@dataclass(frozen=True)
class CycleFacts:
    """One cycle, or one training: what it ran, and what failed for good."""

    cycle_id: str
    session: date
    runs: int
    failed: int
    rows_written: int
    seconds: float
    started_at: datetime
    error: str
    """Of the first stage that failed; empty if none did."""


def read_last_runs(lake: Lake, count: int, columns: tuple[str, ...]) -> pl.DataFrame:
    """Columns of the runs of the last cycles and of the last training at least, however many runs there were before.

    Args:
        lake: only read.
        count: how many cycles.
        columns: `work`, `cycle_id` and `started_at` among them.
    """
    span = lake.clock_span(RUNS, until=date.max)
    if span is None:
        return lake.read(RUNS, columns=columns)
    begin = lake.read(RUNS, since=span[1]).select(pl.col("started_at").max() - RECENT).item()
    runs = lake.read(RUNS, where=pl.col("started_at") >= begin, columns=columns)
    if runs.filter(of_work(WorkKind.CYCLE))["cycle_id"].n_unique() <= count:
        return lake.read(RUNS, columns=columns)
    if runs.filter(of_work(WorkKind.TRAINING)).is_empty():
        before = of_work(WorkKind.TRAINING) & (pl.col("started_at") < begin)
        return pl.concat([lake.read(RUNS, where=before, columns=columns), runs])
    return runs


def recent_cycles(runs: pl.DataFrame, count: int) -> tuple[CycleFacts, ...]:
    """The last cycles by the time they started, newest first.

    A stage that failed and was done by a later attempt of the same cycle does not count as failed.

    Args:
        runs: rows of the table `runs`; work that is no cycle is passed over.
        count: how many at most.
    """
    return _newest(runs, WorkKind.CYCLE, count)


def last_training(runs: pl.DataFrame) -> CycleFacts | None:
    """The last training that was started by itself; None if there was none."""
    return next(iter(_newest(runs, WorkKind.TRAINING, 1)), None)


@dataclass(frozen=True)
class StageGrid:
    """How groups of stages ended in the last sessions."""

    sessions: tuple[date, ...]
    groups: dict[str, tuple[GroupEnd, ...]]
    """Group -> how it ended in each of the sessions."""


def read_stage_grid(runs: pl.DataFrame, count: int) -> StageGrid:
    """How each group of stages ended in the last sessions that a cycle ran.

    Args:
        runs: rows of the table `runs`, in the order they were started; work that is no cycle is passed over.
        count: how many sessions at most.
    """
    cycles = runs.filter(of_work(WorkKind.CYCLE))
    sessions = cycles["session"].unique().sort().tail(count).to_list()
    final = cycles.filter(pl.col("session").is_in(sessions)).unique(
        subset=["session", "stage"], keep="last", maintain_order=True
    )
    ends = {(session, stage): status for session, stage, status in final.select("session", "stage", "status").rows()}
    groups = {
        name: tuple(_group_end([ends.get((session, stage)) for stage in stages]) for session in sessions)
        for name, stages in GROUPS.items()
    }
    return StageGrid(tuple(sessions), groups)


def _group_end(states: Sequence[str | None]) -> GroupEnd:
    ran = [state for state in states if state is not None]
    if not ran:
        return "not run"
    return "done" if all(state == "done" for state in ran) else "failed"


def _newest(runs: pl.DataFrame, kind: WorkKind, count: int) -> tuple[CycleFacts, ...]:
    """The last pieces of such work; the others, which are more every year, are only looked through for their start."""
    mine = runs.filter(of_work(kind))
    began = mine.group_by("cycle_id").agg(pl.col("started_at").min()).sort("started_at", "cycle_id", descending=True)
    last = mine.filter(pl.col("cycle_id").is_in(began["cycle_id"].head(count).to_list()))
    return tuple(_facts(row) for row in summarize_work(last).iter_rows(named=True))


def _facts(row: dict[str, Any]) -> CycleFacts:
    return CycleFacts(
        cycle_id=row["cycle_id"],
        session=row["session"],
        runs=row["stages"],
        failed=row["failed"],
        rows_written=row["written"],
        seconds=row["milliseconds"] / 1_000,
        started_at=row["started_at"],
        error=row["error"],
    )

"""The last cycles, and the last training, as they ended."""

from __future__ import annotations

from dataclasses import dataclass
from datetime import date, datetime
from typing import Any

import polars as pl

from lake.runs import of_work, summarize_work
from lake.tables.control import WorkKind


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


def _newest(runs: pl.DataFrame, kind: WorkKind, count: int) -> tuple[CycleFacts, ...]:
    return tuple(_facts(row) for row in summarize_work(runs.filter(of_work(kind))).head(count).iter_rows(named=True))


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

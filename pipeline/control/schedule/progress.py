"""How far a lake has come: the last session that its history or a cycle covers."""

from __future__ import annotations

from datetime import UTC, date, datetime

import polars as pl

from lake.store import Lake
from lake.tables.control import RUNS

COVERED = pl.col("cycle_id").str.contains("^(cycle|history)-") & (pl.col("status") == "done")
"""Runs of a published cycle, or of the history the lake began with."""


def last_covered(lake: Lake) -> date | None:
    """The last session of a published cycle or history."""
    last = lake.read(RUNS, where=COVERED, columns=("session",))["session"].max()
    return last if isinstance(last, date) else None


def last_moment(lake: Lake) -> datetime | None:
    """The moment at which the last published cycle decided, in UTC: what a market that stands goes on from."""
    last = lake.read(RUNS, where=COVERED, columns=("as_of",))["as_of"].max()
    return last.astimezone(UTC) if isinstance(last, datetime) else None

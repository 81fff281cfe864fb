"""What a source of bars within sessions looks like from the pipeline: what it is asked, and the rows it lands."""

from __future__ import annotations

from collections.abc import Mapping
from dataclasses import dataclass, field
from datetime import date, datetime
from typing import Protocol

import polars as pl

from lake.contract import UTC
from lake.tables.intraday import RAW_INTRADAY


@dataclass(frozen=True, kw_only=True)
class SnapshotQuestion:
    """Which bars are asked for: those that end after a moment of each ticker and not after the snapshot."""

    session: date
    """The session of the snapshot: the last one that had opened."""
    as_of: datetime
    since: datetime
    """From when on a ticker is asked for that `known` does not name: history, all of it."""
    known: Mapping[str, datetime] = field(default_factory=dict)
    """Ticker -> from when on it is asked for, where bars of it are known."""


class SnapshotSource(Protocol):
    """Whoever answers with bars within sessions; the answer is landed as it came."""

    @property
    def intervals(self) -> tuple[str, ...]:
        """The lengths of bars that are configured: 1h, 5m, 1m."""

    def snapshot(self, interval: str, question: SnapshotQuestion) -> pl.DataFrame:
        """Return RAW_INTRADAY rows of one length of bars.

        Raises:
            SourceError: if the source cannot answer.
        """


def intraday_rows(price_rows: pl.DataFrame, interval: str, as_of: datetime) -> pl.DataFrame:
    """Landed rows of bars, in the columns of RAW_PRICES, as rows of RAW_INTRADAY."""
    told = price_rows.with_columns(interval=pl.lit(interval), asked_at=pl.lit(as_of, dtype=UTC))
    return told.select(*RAW_INTRADAY.columns)

"""How sound the data of a span were: what came in, what was set aside, what could not be forecast, what health said."""

from __future__ import annotations

from dataclasses import dataclass
from datetime import date

import polars as pl

from lake.queries import query
from lake.store import Lake
from lake.tables.control import SYSTEM_HEALTH
from lake.tables.feedback import VALIDATION_EVENTS
from lake.tables.market import MARKET_PRICES, QUARANTINED_ROWS
from lake.tables.news import NEWS_ARTICLES
from lake.tables.predictions import INFERENCE_LOG
from pipeline.reading.results.summary import DataFacts, data_facts
from pipeline.text_format import counted

FORECAST = "predicted"
"""The status of a ticker that got its forecast."""


@dataclass(frozen=True)
class CheckCount:
    """A check of the health reports that was not well."""

    service: str
    check: str
    status: str
    sessions: int
    last: str
    """What it said the last time."""


@dataclass(frozen=True)
class DataQuality:
    """What the figures of a report rest on."""

    data: DataFacts
    forecasts: tuple[tuple[str, int], ...]
    """What became of each ticker that was to be forecast in a session, most frequent first."""
    checks: tuple[CheckCount, ...]
    """Failures first, then warnings, the most frequent first."""
    void: int = 0
    """Forecasts that got no score: their names had no bar at the target session or soon after, nor a final value."""
    void_tickers: tuple[str, ...] = ()
    """Those names, in order."""

    @property
    def forecast_share(self) -> float | None:
        """Forecasts made, of those that were to be made; None where there were none."""
        total = sum(count for _, count in self.forecasts)
        return dict(self.forecasts).get(FORECAST, 0) / total if total else None

    @property
    def survivors(self) -> str:
        """How far scores are those of survivors only, as a sentence; empty where they are not."""
        if not self.void:
            return ""
        return (
            f"{counted(self.void, 'forecast')} of {counted(len(self.void_tickers), 'ticker')} (the first is"
            f" {self.void_tickers[0]}) have no score: no bar at their target session or soon after it, and no delisting"
            " with a value. Scores are those of names that went on trading."
        )


def read_data_quality(lake: Lake, first: date, last: date) -> DataQuality:
    """Read it for the sessions from one day to another, both included."""
    log = query(lake, INFERENCE_LOG).between(first, last).only("status").read()
    counts = log.group_by("status").len().sort(["len", "status"], descending=[True, False])
    void = query(lake, VALIDATION_EVENTS).between(first, last).having("event", "=", "void").only("ticker").read()
    return DataQuality(
        data=data_facts(
            query(lake, MARKET_PRICES).between(first, last).only("ticker", "session", "revision").read(),
            query(lake, NEWS_ARTICLES).between(first, last).only("article_id").read(),
            query(lake, QUARANTINED_ROWS).between(first, last).only("rule").read(),
        ),
        forecasts=tuple((str(status), int(count)) for status, count in counts.iter_rows()),
        checks=_count_checks(query(lake, SYSTEM_HEALTH).between(first, last).having("status", "!=", "ok").read()),
        void=void.height,
        void_tickers=tuple(void["ticker"].unique().sort()),
    )


def _count_checks(checks: pl.DataFrame) -> tuple[CheckCount, ...]:
    counts = (
        checks.sort("session")
        .group_by("service", "check", "status", maintain_order=True)
        .agg(pl.len().alias("sessions"), pl.col("message").last())
        .sort(["status", "sessions", "service", "check"], descending=[False, True, False, False])
    )
    return tuple(CheckCount(*row) for row in counts.iter_rows())

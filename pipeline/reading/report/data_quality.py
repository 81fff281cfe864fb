"""How sound the data of a span were: what came in, what was set aside, what could not be forecast, what health said."""

from __future__ import annotations

from collections.abc import Sequence
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
from pipeline.features.catalogue import BUILT_IN
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


@dataclass(frozen=True)
class Silence:
    """Sessions in which no name has a bar, so that nothing was forecast or traded."""

    sessions: int
    of: int
    """Sessions of the span."""
    first: date
    newest: date | None
    """The session of the newest bar there is; None where there is none at all."""

    @property
    def sentence(self) -> str:
        """What it means."""
        newest = f"the newest is of {self.newest}" if self.newest else "there is none at all"
        return (
            f"No name has a bar in {counted(self.sessions, 'session')} of {self.of}, the first of them {self.first}:"
            f" the source gave none ({newest})"
        )


def find_silence(lake: Lake, sessions: Sequence[date]) -> Silence | None:
    """Return which of some sessions in a row, oldest first, nothing was traded in; None where something was in each."""
    bars = query(lake, MARKET_PRICES).between(sessions[0], sessions[-1]).only("session").read()
    traded = set(bars["session"].to_list())
    silent = [day for day in sessions if day not in traded]
    if not silent:
        return None
    ever = query(lake, MARKET_PRICES).between(last=sessions[-1]).only("session").read()["session"].to_list()
    return Silence(len(silent), len(sessions), silent[0], max(ever, default=None))


@dataclass(frozen=True)
class Unforecast:
    """A span in which nothing was forecast, though there were names to forecast."""

    names: int
    """Of its last session."""
    reason: str
    """The commonest, of the last session."""
    history: int
    """Sessions with bars up to its end."""

    @property
    def sentence(self) -> str:
        """What it means."""
        longest = max(feature.warm_up for feature in BUILT_IN) + 1
        return (
            f"Nothing was forecast: of {counted(self.names, 'name')} at the end, most for '{self.reason}' (features"
            f" look back up to {longest} sessions, and there are bars of {self.history})"
        )


def find_unforecast(lake: Lake, first: date, last: date) -> Unforecast | None:
    """Return why nothing was forecast from one day to another; None where something was, or nothing was asked for."""
    log = query(lake, INFERENCE_LOG).between(first, last).only("session", "status", "reason").read()
    if log.is_empty() or (log["status"] == FORECAST).any():
        return None
    ending = log.filter(pl.col("session") == pl.col("session").max())
    reasons = ending.group_by("reason").len().sort(["len", "reason"], descending=[True, False])
    bars = query(lake, MARKET_PRICES).between(last=last).having("interval", "=", "1d").only("session").read()
    return Unforecast(ending.height, str(reasons["reason"][0]), bars["session"].n_unique())


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

"""What the console shows of a lake, read in one go at its published versions."""

from __future__ import annotations

from dataclasses import dataclass
from datetime import date, datetime, timedelta
from pathlib import Path

import polars as pl

from lake.store import Lake
from lake.tables.control import RUNS, SYSTEM_HEALTH
from lake.tables.market import CORPORATE_ACTIONS, MARKET_PRICES
from lake.tables.predictions import PREDICTIONS
from nextgen_tui.health import Health, health
from pipeline.returns import daily_total_returns

CALENDAR_DAYS_OF_HISTORY = 130
"""Days of closes before the forecasts: about 90 sessions, as many as a wide chart has room for."""
_RUN_COLUMNS = ("cycle_id", "stage", "session", "status", "error", "written", "seconds", "started_at")


@dataclass(frozen=True)
class Snapshot:
    """The published state of a lake at one moment."""

    lake: Path
    published_at: datetime
    """When the last publication was committed."""
    last_session: date | None
    health: Health
    predictions: pl.DataFrame
    """All rows of the last session that has forecasts; may be empty."""
    closes: pl.DataFrame
    """ticker, session, close, total_return for the sessions before those forecasts."""


def read_snapshot(lake: Lake) -> Snapshot:
    """Read everything the screens show.

    Raises:
        LakeError: if the lake cannot be read.
    """
    runs = lake.read(RUNS, columns=_RUN_COLUMNS)
    last = runs.filter(pl.col("status") == "done")["session"].max()
    predictions, closes = _forecasts(lake)
    return Snapshot(
        lake=lake.path,
        published_at=lake.history(RUNS, limit=1)[0]["timestamp"],
        last_session=last if isinstance(last, date) else None,
        health=health(lake.read(SYSTEM_HEALTH), runs),
        predictions=predictions,
        closes=closes,
    )


def _forecasts(lake: Lake) -> tuple[pl.DataFrame, pl.DataFrame]:
    sessions = lake.read(PREDICTIONS, columns=("session",))["session"]
    last = sessions.max()
    if not isinstance(last, date):
        return PREDICTIONS.empty(), _no_closes()
    predictions = lake.read(PREDICTIONS, since=last, until=last)
    since = last - timedelta(days=CALENDAR_DAYS_OF_HISTORY)
    wanted = pl.col("ticker").is_in(predictions["ticker"].unique().to_list())
    prices = lake.read(
        MARKET_PRICES,
        since=since,
        until=last,
        where=wanted & (pl.col("interval") == "1d"),
        every_revision=False,
    )
    actions = lake.read(CORPORATE_ACTIONS, since=since, until=last, where=wanted, every_revision=False)
    if prices.is_empty():
        return predictions, _no_closes()
    daily = daily_total_returns(prices, actions)
    return predictions, daily.select("ticker", "session", "close", "total_return")


def _no_closes() -> pl.DataFrame:
    return pl.DataFrame(
        schema={"ticker": pl.String, "session": pl.Date, "close": pl.Float64, "total_return": pl.Float64}
    )

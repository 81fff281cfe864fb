"""What the book stands to lose and where: stops, sectors beside their limits, money by day, week and month."""

from __future__ import annotations

import os
from collections.abc import Mapping
from dataclasses import dataclass
from datetime import date, timedelta
from decimal import Decimal
from pathlib import Path

import polars as pl

from pipeline.config import ConfigError
from pipeline.config.loading import load


@dataclass(frozen=True)
class Limits:
    """What the plan keeps to, as fractions of the book's value."""

    name: float
    sector: float
    beyond_benchmark: bool
    """Whether a sector's limit is what it may weigh beyond its benchmark."""


def read_limits(lake: Path) -> Limits | None:
    """The limits as configured now; None where the configuration cannot be read."""
    try:
        trading = load(lake, os.environ).settings.trading
    except (ConfigError, OSError):
        return None
    if trading.planning == 1:
        return Limits(trading.rules.name_weight, trading.rules.sector_weight, beyond_benchmark=False)
    return Limits(trading.philosophy.name_weight, trading.philosophy.sector_active, beyond_benchmark=True)


def add_stops(holdings: pl.DataFrame, plans: pl.DataFrame) -> pl.DataFrame:
    """Adds what the last plan says of each holding.

    Args:
        holdings: rows of `portfolio_holdings` of one session.
        plans: rows of `trade_plans` of the last session.

    Returns:
        `stop`, `to_stop` (how far the close is above it, of a short position below it, as a fraction of the close),
        `at_stop` (what a move to the stop would cost, in the book's currency), `next` (side and shares of its order,
        `keep`, or what was refused).
    """
    order = pl.concat_str("side", pl.lit(" "), pl.col("shares"))
    refused = pl.concat_str(pl.lit("no "), "side", pl.lit(": "), pl.col("blocked_by").str.replace_all("_", " "))
    told = pl.when("taken").then(order).when(pl.col("blocked_by").is_not_null()).then(refused).otherwise(pl.lit("keep"))
    wanted = plans.select("ticker", "stop", told.alias("next"))
    joined = holdings.join(wanted, on="ticker", how="left", maintain_order="left")
    close = pl.col("close").cast(pl.Float64)
    away = 1 - pl.col("stop") / close
    short = pl.col("shares") < 0
    rows = joined.with_columns(to_stop=pl.when(close > 0).then(pl.when(short).then(-away).otherwise(away)))
    worth = pl.col("market_value").cast(pl.Float64).abs()
    return rows.with_columns(at_stop=-worth * pl.col("to_stop").clip(lower_bound=0.0))


def sector_rows(holdings: pl.DataFrame, plans: pl.DataFrame, limits: Limits | None) -> pl.DataFrame:
    """The sectors, the heaviest first: sector, names, value, weight, at_stop, and `limit` where it is known.

    Args:
        holdings: with what `add_stops` adds.
        plans: rows of `trade_plans` of the last session, which say what the benchmark holds.
        limits: as configured.
    """
    rows = holdings.group_by("sector", maintain_order=True).agg(
        pl.len().cast(pl.Int64).alias("names"),
        pl.col("market_value").sum().alias("value"),
        pl.col("weight").sort().sum(),
        pl.col("at_stop").sort().sum(),
        pl.col("unrealised").sum(),
    )
    benchmark = plans.group_by("sector").agg(pl.col("benchmark_weight").sort().sum().alias("benchmark"))
    base = pl.col("benchmark").fill_null(0.0) if limits is not None and limits.beyond_benchmark else pl.lit(0.0)
    limit = base + limits.sector if limits is not None else pl.lit(None, dtype=pl.Float64)
    rows = rows.join(benchmark, on="sector", how="left", maintain_order="left").with_columns(limit=limit)
    beside = pl.struct("weight", "limit").alias("beside")
    return rows.with_columns(beside).sort("weight", "sector", descending=[True, False])


@dataclass(frozen=True)
class Gain:
    """What a stretch of sessions brought."""

    name: str
    amount: Decimal
    share: float
    """Of the value before it."""
    sessions: int


def recent_gains(value: pl.DataFrame) -> tuple[Gain, ...]:
    """What today, this week and this month brought, in money, by the calendar of the last session.

    Args:
        value: rows of `portfolio_value` by session; nothing is paid in or out of the book.
    """
    if value.is_empty():
        return ()
    last: date = value["session"][-1]
    begins: Mapping[str, date] = {
        "today": last,
        "this week": last - timedelta(days=last.weekday()),
        "this month": last.replace(day=1),
    }
    found = []
    for name, first in begins.items():
        inside = value.filter(pl.col("session") >= first)
        before = value.filter(pl.col("session") < first)["nav"]
        base: Decimal = before[-1] if len(before) else value["capital"][0]
        amount = value["nav"][-1] - base
        found.append(Gain(name, amount, float(amount / base) if base else 0.0, inside.height))
    return tuple(found)

"""What the predictions screen shows: pure functions from published frames to rows and paths."""

from __future__ import annotations

from collections.abc import Sequence
from dataclasses import dataclass
from typing import Any

import polars as pl

from lake.tables.predictions import QUANTILE_COLUMNS
from nextgen_tui import formats
from nextgen_tui.safe_text import safe_text

ORDERS = ("expected", "ticker", "width", "confidence")
"""Ways to sort, in the order the key steps through them."""
COLUMNS = ("ticker", "close", "expected", "80 % interval", "up", "confidence", "by")


@dataclass(frozen=True)
class ForecastRow:
    """One line of the table."""

    ticker: str
    cells: tuple[str, ...]


@dataclass(frozen=True)
class Fan:
    """A forecast as price levels, one step per horizon."""

    horizons: tuple[int, ...]
    levels: tuple[tuple[float, ...], ...]
    """Per horizon the levels of the quantiles, lowest first."""
    median: int
    """Which of the quantiles is the median."""


def horizons(predictions: pl.DataFrame) -> tuple[int, ...]:
    """The horizons there are forecasts for."""
    return tuple(predictions["horizon"].unique().sort().to_list())


def forecast_rows(predictions: pl.DataFrame, horizon: int, order: str) -> tuple[ForecastRow, ...]:
    """The deciding forecasts of one horizon, sorted.

    A shadow model's forecasts are left out: they decide nothing. Sorting by `expected` puts the highest first,
    by `width` the narrowest interval, by `confidence` the most agreed upon.
    """
    by: dict[str, tuple[pl.Expr, bool]] = {
        "expected": (pl.col("point"), True),
        "ticker": (pl.col("ticker"), False),
        "width": (pl.col("q90") - pl.col("q10"), False),
        "confidence": (pl.col("confidence"), True),
    }
    key, descending = by[order]
    rows = (
        predictions.filter((pl.col("horizon") == horizon) & (pl.col("role") != "shadow"))
        .with_columns(_key=key)
        .sort(["_key", "ticker"], descending=[descending, False])
    )
    return tuple(ForecastRow(row["ticker"], _cells(row)) for row in rows.iter_rows(named=True))


def _cells(row: dict[str, Any]) -> tuple[str, ...]:
    low, high = (formats.percent(row[name], 1, signed=True) for name in ("q10", "q90"))
    return (
        safe_text(row["ticker"], 20),
        formats.money(row["reference_close"]),
        formats.percent(row["point"], signed=True),
        f"{low} to {high}",
        formats.percent(row["probability_up"], 0),
        formats.percent(row["confidence"], 0),
        safe_text(row["role"], 20),
    )


def fan(predictions: pl.DataFrame, ticker: str) -> Fan | None:
    """The deciding forecast of a ticker at all horizons, as prices; None if there is none."""
    rows = predictions.filter((pl.col("ticker") == ticker) & (pl.col("role") != "shadow")).sort("horizon")
    if rows.is_empty():
        return None
    levels = tuple(
        tuple(row["reference_close"] * (1 + row[name]) for name in QUANTILE_COLUMNS)
        for row in rows.iter_rows(named=True)
    )
    return Fan(tuple(rows["horizon"].to_list()), levels, QUANTILE_COLUMNS.index("q50"))


def past_levels(closes: pl.DataFrame, ticker: str) -> tuple[float, ...]:
    """The ticker's total-return path, ending at its last close: splits and dividends leave no step in it."""
    rows = closes.filter(pl.col("ticker") == ticker).sort("session")
    if rows.is_empty():
        return ()
    levels = [float(rows["close"][-1])]
    for change in reversed(rows["total_return"].to_list()[1:]):
        levels.append(levels[-1] / (1 + change))
    return tuple(reversed(levels))


def member_lines(predictions: pl.DataFrame, ticker: str, horizon: int) -> tuple[str, ...]:
    """Who said what: each member's expectation and weight, then what was done to their mean."""
    rows = predictions.filter(
        (pl.col("ticker") == ticker) & (pl.col("horizon") == horizon) & (pl.col("role") != "shadow")
    )
    if rows.is_empty():
        return ()
    row = rows.row(0, named=True)
    lines = [
        f"{safe_text(member['member'], 12):<6} {formats.percent(member['point'], signed=True):>9}  "
        f"weight {formats.percent(member['weight'], 0):>5}"
        for member in row["members"]
    ]
    lines.append(f"bias   {formats.percent(row['bias_adjustment'], signed=True):>9}  taken off")
    lines.append(f"width  {formats.number(row['interval_scale'], 2):>9}  times")
    lines.append(f"due    {formats.day(row['target_session'])}")
    return (*lines, *_bounds(row["bounds"]))


def _bounds(bounds: Sequence[str]) -> tuple[str, ...]:
    return (f"bounds {safe_text(', '.join(bounds))}",) if bounds else ()

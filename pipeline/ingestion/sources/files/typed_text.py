"""Writes out columns of dates and prices by looking the text of each value up: many rows share few values."""

from __future__ import annotations

from datetime import date
from functools import lru_cache

import numpy as np
import polars as pl

FEW = 10_000
"""Rows below which nothing is gained."""
MAX_CENTS = 2**18
"""Prices of which a text is kept: up to 2,621.43."""
MAX_DAYS = 100_000
"""Days between the first and the last whose texts are kept: some 270 years."""


def write_out(values: pl.Series) -> pl.Series:
    """Return the text of each value, as polars writes it; null stays null."""
    if len(values) >= FEW and values.dtype == pl.Float64:
        return _write_prices(values)
    if len(values) >= FEW and values.dtype == pl.Date:
        return _write_days(values)
    return values.cast(pl.String)


def _write_prices(prices: pl.Series) -> pl.Series:
    """Prices in whole cents are looked up, if all are; a zero has a sign that a count of cents has not."""
    lowest, highest = prices.min(), prices.max()
    if not isinstance(lowest, float) or not 0.01 <= lowest <= highest < MAX_CENTS / 100 or prices.is_nan().any():  # type: ignore[operator]
        return prices.cast(pl.String)
    exact, texts = _known_prices()
    cents = (prices * 100).round().cast(pl.UInt32)
    if not (exact.gather(cents) == prices).all():
        return prices.cast(pl.String)
    return texts.gather(cents).alias(prices.name)


@lru_cache(maxsize=1)
def _known_prices() -> tuple[pl.Series, pl.Series]:
    exact = pl.Series(np.arange(MAX_CENTS) / 100)
    return exact, exact.cast(pl.String)


def _write_days(days: pl.Series) -> pl.Series:
    first, last = days.min(), days.max()
    if not isinstance(first, date) or not isinstance(last, date) or (last - first).days >= MAX_DAYS:
        return days.cast(pl.String)
    texts = pl.date_range(first, last, eager=True).cast(pl.String)
    since = pl.Series([first], dtype=pl.Date).to_physical()[0]
    return texts.gather((days.to_physical() - since).cast(pl.UInt32)).alias(days.name)

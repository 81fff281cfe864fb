"""Bars within sessions, of five minutes or one, on random walks."""

from __future__ import annotations

from datetime import date, timedelta

import numpy as np
import polars as pl

from lake.tables.intraday import INTRADAY_PRICES
from pipeline.market.sessions import Sessions
from tests.frames.features import CALENDAR, HASH


def short_bars(
    ticker: str,
    day: date,
    *,
    minutes: int = 5,
    seed: int = 0,
    calendar: Sessions = CALENDAR,
    skip: tuple[int, ...] = (),
    **values: object,
) -> pl.DataFrame:
    """A session's bars of so many minutes, known as they end; those at the places of `skip` are left out."""
    opened, closed = calendar.open_at(day), calendar.close_at(day)
    count = (closed - opened) // timedelta(minutes=minutes)
    random = np.random.default_rng([seed, day.toordinal(), *map(ord, ticker)])
    close = 100 * np.exp(np.cumsum(random.normal(0, 0.001, count)))
    opening = np.concatenate([[100.0], close[:-1]])
    ends = [opened + timedelta(minutes=minutes * (place + 1)) for place in range(count)]
    columns = {
        "ticker": [ticker] * count,
        "interval": [f"{minutes}m"] * count,
        "session": [day] * count,
        "ts": ends,
        "revision": [0] * count,
        "open": opening,
        "high": np.maximum(opening, close) * 1.0005,
        "low": np.minimum(opening, close) * 0.9995,
        "close": close,
        "volume": random.integers(100, 10_000, count),
        "currency": ["USD"] * count,
        "source": ["test"] * count,
        "available_at": ends,
        "payload_id": [HASH] * count,
        "line": [0] * count,
        "volume_rounding": [None] * count,
        **values,
    }
    bars = pl.DataFrame(columns, schema=INTRADAY_PRICES.schema)
    return bars.with_row_index("place").filter(~pl.col("place").is_in(list(skip))).drop("place")

"""Small published studies: raw prices whose days follow a planted rule, and the reference that was made of them."""

from __future__ import annotations

from datetime import date
from pathlib import Path

import numpy as np
import polars as pl

from pipeline.models.tasks.studies.files import FEATURES
from tests.frames.sessions import weekday_sessions

CALENDAR = weekday_sessions(date(2014, 1, 1), date(2016, 12, 31))
TRAIN, VALIDATE, TEST = date(2014, 3, 3), date(2015, 1, 5), date(2015, 5, 4)
"""First days of the parts: some 210, 85 and 80 days of a study of 430 days."""


def prices(
    tickers: int = 10, days: int = 430, follows: int = 3, certainty: float = 0.85, seed: int = 5
) -> pl.DataFrame:
    """Bars whose adjusted close goes the way it went `follows` days before, with this certainty; 0.5 plants nothing.

    A day moves by 0.7 to 2 %, a quarter of the days by less than a threshold. Every ticker pays one dividend.
    """
    random = np.random.default_rng(seed)
    side = np.where(random.random((days, tickers)) < 0.5, -1.0, 1.0)
    kept = random.random((days, tickers)) < certainty
    for day in range(follows, days):
        side[day] = np.where(kept[day], side[day - follows], -side[day - follows])
    size = np.where(random.random((days, tickers)) < 0.25, 0.001, random.uniform(0.007, 0.02, (days, tickers)))
    adjusted = 50 * np.cumprod(1 + side * size, axis=0) * np.linspace(1, 3, tickers)
    close = adjusted * np.where(np.arange(days)[:, None] < days // 2, 1.04, 1.0)
    opened, high, low = (
        close * (1 + random.uniform(a, b, close.shape)) for a, b in ((-4e-3, 4e-3), (5e-3, 1e-2), (-1e-2, -5e-3))
    )
    names = [f"T{number:02d}" for number in range(tickers)]
    columns = {"open": opened, "high": high, "low": low, "close": close, "adj_close": adjusted}
    return pl.DataFrame(
        {
            "ticker": np.repeat(names, days),
            "date": pl.Series([*CALENDAR.days[:days]] * tickers, dtype=pl.Date),
            **{name: values.T.ravel().round(6) for name, values in columns.items()},
            "volume": 1e6,
        }
    )


def reference(bars: pl.DataFrame) -> pl.DataFrame:
    """Features and labels of the bars, computed row by row in plain Python; a rectangle of tickers and days."""
    rows = []
    for (ticker,), own in bars.sort("ticker", "date").group_by("ticker", maintain_order=True):
        lines = own.to_dicts()
        for at, line in enumerate(lines):
            if at < 29:
                rows.append({"ticker": ticker, "date": line["date"]})
                continue
            before, adjusted = lines[at - 1], line["adj_close"]
            change = adjusted / before["adj_close"] - 1
            means = {
                f"ma{k}": 100 * (sum(one["adj_close"] for one in lines[at - k + 1 : at + 1]) / k / adjusted - 1)
                for k in (5, 10, 15, 20, 25, 30)
            }
            within = {f"c_{name}": 100 * (line[name] / line["close"] - 1) for name in ("open", "high", "low")}
            changes = {"n_close": 100 * (line["close"] / before["close"] - 1), "n_adj_close": 100 * change}
            label = 1.0 if change >= 0.0055 else -1.0 if change <= -0.005 else 0.0
            told = {"ticker": ticker, "date": line["date"], "label": label, "close": adjusted}
            rows.append(told | within | changes | means)
    order = ["ticker", "date", *FEATURES, "label", "close"]
    return pl.DataFrame(rows, infer_schema_length=None).select(order).with_columns(pl.col(pl.Float64).round(6))


def write(folder: Path, bars: pl.DataFrame, told: pl.DataFrame | None = None) -> tuple[Path, Path]:
    """The two files of a study, as Parquet: prices, reference."""
    files = folder / "prices.parquet", folder / "reference.parquet"
    bars.write_parquet(files[0])
    (reference(bars) if told is None else told).write_parquet(files[1])
    return files

"""Real series with their real splits and dividends, as a chart would state them, hold no fault, and none is found."""

from __future__ import annotations

from collections.abc import Iterator
from datetime import date, datetime
from fractions import Fraction
from functools import lru_cache
from zoneinfo import ZoneInfo

import numpy as np
import polars as pl
import pytest

from pipeline.ingestion.prices.yahoo_chart.consistency import check_consistency
from pipeline.ingestion.prices.yahoo_chart.parse_chart import PRICES, Chart, Dividend, Split
from tests.real_data import REAL_DATA

LEAN = REAL_DATA / "lean_us_equity"
SP500 = REAL_DATA / "us_markets" / "us_sp500_daily_2018_2023.parquet"
ZONE = ZoneInfo("America/New_York")
pytestmark = pytest.mark.skipif(not LEAN.is_dir() or not SP500.is_file(), reason="no real market data here")


def stamp(day: date) -> int:
    return int(datetime(day.year, day.month, day.day, 9, 30, tzinfo=ZONE).timestamp())


@lru_cache(maxsize=1)
def factor_files() -> dict[str, pl.DataFrame]:
    rows = pl.read_parquet(LEAN / "factor_files.parquet").sort("ticker", "date")
    return {str(name): part for (name,), part in rows.partition_by("ticker", as_dict=True).items()}


def adjusted_chart(ticker: str, bars: pl.DataFrame, stamps: list[int], factors: pl.DataFrame) -> Chart:
    """Bars as traded, adjusted by a factor file: its price factor steps at dividends, the other at splits."""
    days = np.array([day.toordinal() for day in bars["day"]])
    rows = np.searchsorted([day.toordinal() for day in factors["date"]], days)
    rows = np.minimum(rows, factors.height - 1)
    split, price = (factors[name].to_numpy()[rows] for name in ("split_factor", "price_factor"))
    series = {name: bars[name].to_numpy() * split for name in PRICES}
    series |= {"volume": bars["volume"].to_numpy() / split, "adjclose": np.round(series["close"] * price, 6)}
    splits, dividends = [], []
    for bar in (np.flatnonzero(np.diff(days)) + 1).tolist():
        if abs(split[bar - 1] / split[bar] - 1) > 1e-4:
            splits.append(Split(stamps[bar], Fraction(float(split[bar] / split[bar - 1])).limit_denominator(200)))
        if price[bar - 1] / price[bar] < 1 - 1e-6:
            amount = float((1 - price[bar - 1] / price[bar]) * series["close"][bar - 1])
            dividends.append(Dividend(stamps[bar], amount, None))
    return Chart(ticker, "USD", ZONE, None, None, None, tuple(stamps), series, tuple(splits), tuple(dividends))


def lean_charts(name: str) -> Iterator[Chart]:
    bars = pl.read_parquet(LEAN / f"{name}_unadjusted.parquet")
    at = "date" if "date" in bars.columns else "ts"
    bars = bars.with_columns(day=pl.col(at).cast(pl.Date)).sort("ticker", at)
    for (ticker,), part in bars.partition_by("ticker", as_dict=True).items():
        stamps = [stamp(day) for day in part["day"]]
        if at == "ts":
            stamps = [int(value.replace(tzinfo=ZONE).timestamp()) for value in part[at]]
        factors = next((file for known, file in factor_files().items() if known.split(".")[0] == ticker), None)
        if factors is not None:
            yield adjusted_chart(str(ticker), part, stamps, factors)


@pytest.mark.parametrize("name", ["daily", pytest.param("hour", marks=pytest.mark.slow)])
def test_no_real_series_with_its_splits_and_dividends_is_flagged(name: str) -> None:
    charts = list(lean_charts(name))
    assert len(charts) > 5 and sum(len(one.dividends) for one in charts) > 100
    assert {one.symbol: check_consistency(one).rules for one in charts if check_consistency(one).rules} == {}


@pytest.mark.slow
def test_no_name_of_a_real_index_is_flagged_in_four_years_with_a_crash() -> None:
    bars = pl.read_parquet(SP500).unique(["ticker", "date"], keep="first").sort("ticker", "date")
    flagged = []
    for (ticker,), part in bars.partition_by("ticker", as_dict=True).items():
        series = {name: part[name].cast(pl.Float64).to_numpy() for name in (*PRICES, "volume")}
        one = Chart(str(ticker), "USD", ZONE, None, None, None, tuple(map(stamp, part["date"])), series, (), ())
        flagged += [ticker] if check_consistency(one).rules else []
    assert flagged == []

"""The same market, written in every layout that vendors and people have, is read back bar by bar."""

from __future__ import annotations

from pathlib import Path

import polars as pl
import pytest

from tests.price_files.layouts import LAYOUTS
from tests.price_files.outcome import find_wrong_bars, import_files
from tests.price_files.true_market import TrueMarket, true_market

NEEDS = {"file .duckdb": "duckdb", "file .xlsx": "fastexcel"}
SAMPLE = (
    *(
        "yahoo",
        "yahoo history with actions",
        "tiingo",
        "eodhd",
        "two layouts in a folder",
        "folders in folders",
        "hive partitions",
        "yfinance",
        "yfinance by ticker",
    ),
    *("yfinance single", "a table for each value", "nasdaq", "investing.com", "1.234,50", "lean", "binance"),
    *("epoch seconds", "alpha vantage", "file .zip", "file .sqlite", "file .feather", "file .xlsx", "file .duckdb"),
)


def _spelt(market: TrueMarket, layout: str) -> pl.DataFrame:
    """The true bars, with tickers as the layout spells them."""
    if not layout.startswith("binance"):
        return market.bars
    return market.bars.with_columns(pl.col("ticker").str.replace(".", "", literal=True) + "USDT")


def _find_wrong_actions(found: pl.DataFrame, market: TrueMarket) -> pl.DataFrame:
    """The actions that are missing, too many, or off by more than their confidence admits."""
    splits = market.splits.select("ticker", "numerator", "denominator", ex_date="session", kind=pl.lit("split"))
    paid = market.dividends.select("ticker", "amount", ex_date="session", kind=pl.lit("dividend"))
    truth = pl.concat([splits, paid], how="diagonal")
    both = truth.join(found, on=["ticker", "ex_date", "kind"], how="full", coalesce=True, suffix="_found")
    same_ratio = pl.all_horizontal(pl.col(name) == pl.col(f"{name}_found") for name in ("numerator", "denominator"))
    off = (pl.col("amount") - pl.col("amount_found")).abs() / pl.col("amount")
    right = pl.when(pl.col("kind") == "split").then(same_ratio).otherwise(off <= 1 - pl.col("confidence") + 1e-9)
    return both.filter(~right.fill_null(False))


def _check(layout: str, market: TrueMarket, folder: Path) -> None:
    if layout in NEEDS:
        pytest.importorskip(NEEDS[layout])
    form = LAYOUTS[layout]
    outcome = import_files(form.write(market, folder), market.calendar, **form.spelt)
    assert outcome.set_aside.is_empty()
    wrong = find_wrong_bars(outcome.bars, _spelt(market, layout), volume=form.volume)
    assert wrong.is_empty(), f"{wrong.height} bars differ, the first is {wrong.row(0, named=True)}"
    if form.actions:
        off = _find_wrong_actions(outcome.actions, market)
        assert off.is_empty(), f"{off.height} actions differ, the first is {off.row(0, named=True)}"
    else:
        assert outcome.actions.is_empty()


@pytest.mark.parametrize("layout", SAMPLE)
def test_a_layout_is_read_bar_by_bar(tmp_path: Path, layout: str) -> None:
    _check(layout, true_market("XNYS", tickers=3, months=9), tmp_path)


@pytest.mark.slow
@pytest.mark.parametrize("exchange", ["XNYS", "XETR", "XTKS"])
@pytest.mark.parametrize("layout", LAYOUTS)
def test_every_layout_of_three_years_of_forty_tickers_is_read_bar_by_bar(
    tmp_path: Path, layout: str, exchange: str
) -> None:
    _check(layout, true_market(exchange, tickers=40, months=36), tmp_path)

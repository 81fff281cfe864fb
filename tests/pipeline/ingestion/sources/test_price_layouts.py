"""The same market, written in every layout that vendors and people have, is read back bar by bar."""

from __future__ import annotations

from pathlib import Path

import polars as pl
import pytest

from pipeline.ingestion.sources.errors import SourceError
from tests.price_files.layouts import LAYOUTS
from tests.price_files.outcome import find_wrong_bars, import_files
from tests.price_files.true_market import TrueMarket, true_market

NEEDS = {"file .duckdb": "duckdb", "file .xlsx": "fastexcel"}
SAMPLE = (
    *(
        "yahoo",
        "yahoo history with actions",
        "tiingo",
        "sharadar",
        "eodhd",
        "two layouts in a folder",
        "folders in folders",
        "hive partitions",
        "yfinance",
        "yfinance by ticker",
    ),
    *("yfinance single", "a table for each value", "nasdaq", "investing.com", "1.234,50", "lean", "binance"),
    *("json records", "json split", "json columns", "json series", "json by ticker", "json results", "json charts"),
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


def test_dates_that_cannot_be_told_apart_are_read_by_the_form_that_the_refusal_names(tmp_path: Path) -> None:
    market = true_market("XNYS", tickers=2, months=2)
    early = market.bars.filter(pl.col("session").dt.day() <= 12)
    early.with_columns(pl.col("session").dt.strftime("%d/%m/%Y")).rename({"session": "date"}).write_csv(
        tmp_path / "all.csv"
    )
    with pytest.raises(SourceError, match="set date_format to %m/%d/%Y or %d/%m/%Y"):
        import_files(tmp_path / "all.csv", market.calendar)
    outcome = import_files(tmp_path / "all.csv", market.calendar, date_format="%d/%m/%Y")
    assert find_wrong_bars(outcome.bars, early).is_empty()


def test_numbers_that_can_be_read_in_two_ways_are_read_by_the_mark_that_the_refusal_asks_for(tmp_path: Path) -> None:
    rows = "2024-03-04;AAA;1,234;1,240;1,230;1,236;5,000\n2024-03-05;AAA;1,235;1,241;1,231;1,237;6,000\n"
    (tmp_path / "all.csv").write_text("date;ticker;open;high;low;close;volume\n" + rows)
    calendar = true_market("XNYS", tickers=2, months=2).calendar
    with pytest.raises(SourceError, match=r"set source\.files\.decimal to ',' or '\.'"):
        import_files(tmp_path / "all.csv", calendar)
    read = [import_files(tmp_path / "all.csv", calendar, decimal=mark).bars["close"].to_list() for mark in (".", ",")]
    assert read == [[1236.0, 1237.0], [1.236, 1.237]]


def test_a_file_that_names_no_ticker_is_read_once_it_is_named_after_one(tmp_path: Path) -> None:
    market = true_market("XNYS", tickers=1, months=2)
    market.bars.drop("ticker").rename({"session": "Date"}).write_csv(tmp_path / "HistoricalData_1709.csv")
    with pytest.raises(SourceError, match=r"name the file after its ticker, as in AAPL\.csv"):
        import_files(tmp_path / "HistoricalData_1709.csv", market.calendar)
    path = (tmp_path / "HistoricalData_1709.csv").rename(tmp_path / "AAPL.csv")
    assert find_wrong_bars(import_files(path, market.calendar).bars, market.bars).is_empty()


def test_one_table_of_closes_is_refused_and_read_with_the_four_others_beside_it(tmp_path: Path) -> None:
    market = true_market("XNYS", tickers=3, months=2)
    folder = LAYOUTS["a table for each value"].write(market, tmp_path)
    with pytest.raises(SourceError, match=r"open\.csv, high\.csv, low\.csv, close\.csv and volume\.csv"):
        import_files(folder / "close.csv", market.calendar)
    assert find_wrong_bars(import_files(folder, market.calendar).bars, market.bars).is_empty()
    (folder / "low.csv").unlink()
    with pytest.raises(SourceError, match="and none for low"):
        import_files(folder, market.calendar)

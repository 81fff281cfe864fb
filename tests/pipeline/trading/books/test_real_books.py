"""Sixty sessions of real prices and actions, kept by the books and by an accountant who reads the files himself."""

from __future__ import annotations

import random
from collections.abc import Callable, Iterable
from datetime import date, timedelta
from fractions import Fraction
from pathlib import Path
from typing import Any

import polars as pl
import pytest
from deltalake import DeltaTable

from lake.store import Lake
from lake.tables.market import CORPORATE_ACTIONS, MARKET_PRICES
from pipeline.config.settings import RuntimeParams, Settings
from pipeline.engine.runner import Runner
from pipeline.ingestion.sources.files.params import FilesParams
from pipeline.ingestion.sources.registry import SourceParams
from pipeline.market.sessions import exchange_sessions
from pipeline.trading.params import TradingParams
from tests.frames.trading import World, assert_attributed, assert_lots_agree
from tests.new_lake import new_lake
from tests.pipeline.trading.books.accountant import assert_every_cent
from tests.real_data import REAL_DATA

VINTAGES = REAL_DATA / "us_markets" / "us_daily_vintages_2015_2017.parquet"
MAPPED = REAL_DATA / "lean_us_equity"
SESSIONS = 60
MARK_DOWN = (5, 0.25)
CALENDAR = exchange_sessions()
Row = dict[str, Any]
pytestmark = [
    pytest.mark.slow,
    pytest.mark.skipif(not (VINTAGES.exists() and MAPPED.exists()), reason="the real prices are not here"),
]


def load(folder: Path, files: FilesParams, first: date, last: date) -> Lake:
    """A lake of all that the files say of the sessions, with when each row could be known."""
    source = SourceParams(name="files", files=files)
    runner = Runner(new_lake(folder / "lake"), Settings(runtime=RuntimeParams(durable=False), source=source))
    runner.backfill(first, last)
    return runner.lake


def trade(lake: Lake, start: date, liked: Iterable[str], seed: int) -> World:
    """A book that buys and sells at random for sixty sessions, and favours some names."""
    params = TradingParams(
        mark_down_after=MARK_DOWN[0], mark_down=MARK_DOWN[1], write_off_after=15, write_off_value=0.1
    )
    world = World(calendar=CALENDAR, params=params)
    recent = lake.read(MARKET_PRICES, every_revision=True).filter(pl.col("session") >= start - timedelta(days=60))
    world.add(MARKET_PRICES, recent.drop("run_id"))
    world.add(CORPORATE_ACTIONS, lake.read(CORPORATE_ACTIONS, every_revision=True).drop("run_id"))
    draw, liked = random.Random(seed), sorted(liked)
    for number in range(SESSIONS):
        session = CALENDAR.offset(start, number)
        world.settle(session)
        traded = sorted(recent.filter(pl.col("session") == session)["ticker"])
        mine = sorted(world.book.positions)
        sold = draw.sample(mine, min(len(mine), draw.randrange(3)))
        wanted = [name for name in liked if name in traded][:40] if number % 10 == 0 else []
        wanted += draw.sample(traded, min(len(traded), 3))
        for name in sold:
            world.order(session, name, "sell", draw.randint(1, world.book.positions[name].shares))
        for name in sorted({*wanted} - {*sold}):
            world.order(session, name, "buy", draw.randint(1, 300))
    return world


def rows(lake: Lake, table: str) -> list[Row]:
    """A table as any other program reads it."""
    return DeltaTable(str(lake.path / "tables" / table)).to_pyarrow_table().to_pylist()


def told_by(world: World) -> Callable[[str], list[Row]]:
    return lambda name: world.rows(name).to_dicts()


def kinds(world: World) -> set[str]:
    return set(world.rows("ledger_entries")["kind"])


@pytest.mark.parametrize("start", [date(2015, 6, 15), date(2016, 5, 2)])
def test_a_book_through_splits_dividends_and_names_that_end_is_the_accountants_to_the_cent(
    tmp_path: Path, start: date
) -> None:
    first, last = CALENDAR.offset(start, -30), CALENDAR.offset(start, SESSIONS)
    found = pl.read_parquet(VINTAGES).filter(pl.col("date").is_between(first, last))
    closes = CALENDAR.frame(first, last).select(collected="session", seen=pl.col("close_at") + timedelta(minutes=15))
    found = found.join(closes, on="collected").with_columns(
        available_at=pl.col("seen").dt.to_string("%Y-%m-%dT%H:%M:%S+00:00")
    )
    found.drop("seen", "collected").write_parquet(tmp_path / "prices.parquet")
    files = FilesParams(prices=(str(tmp_path / "prices.parquet"),), benchmark_ticker="AAPL")
    lake = load(tmp_path, files, first, last)
    ended = found.group_by("ticker").agg(pl.col("date").max()).filter(pl.col("date") < last - timedelta(days=5))
    acted = lake.read(CORPORATE_ACTIONS).filter(pl.col("kind") == "split")["ticker"]
    world = trade(lake, start, {*ended["ticker"], *acted}, seed=1)
    assert kinds(world) >= {"buy", "sell", "dividend", "split", "write_off"}
    assert_every_cent(lambda name: rows(lake, name), told_by(world), CALENDAR, mark_down=MARK_DOWN)
    assert_attributed(world, SESSIONS)
    assert_lots_agree(world, "fifo")


def read_factors(bars: pl.DataFrame) -> pl.DataFrame:
    """Dividends and splits of the factor files, under the ticker that the company had on the ex-date."""
    maps = pl.read_parquet(MAPPED / "map_files.parquet")
    maps = maps.rename({maps.columns[0]: "file", maps.columns[1]: "until", maps.columns[2]: "name"}).sort("until")
    factors = pl.read_parquet(MAPPED / "factor_files.parquet").rename({"ticker": "file"}).sort("file", "date")
    steps = factors.with_columns(
        split=pl.col("split_factor") / pl.col("split_factor").shift(-1).over("file"),
        price=pl.col("price_factor") / pl.col("price_factor").shift(-1).over("file"),
    ).drop_nulls()
    found = []
    for file, day, close, split, price in steps.select("file", "date", "reference_price", "split", "price").iter_rows():
        ex_date = CALENDAR.next(CALENDAR.at_or_after(day)) if day < CALENDAR.days[-2] else day
        name = maps.filter(pl.col("file") == file, pl.col("until") >= ex_date)["name"].head(1).to_list()
        if not name or ex_date > bars["date"].max():
            continue
        if abs(split - 1) > 1e-6:
            ratio = Fraction(1 / split).limit_denominator(100)
            parts = {"numerator": ratio.numerator, "denominator": ratio.denominator, "amount": None}
            found.append({"ticker": name[0], "ex_date": ex_date, "kind": "split"} | parts)
        if abs(price - 1) > 1e-7:
            cash = round(close * (1 - price), 4)
            parts = {"numerator": None, "denominator": None, "amount": cash}
            found.append({"ticker": name[0], "ex_date": ex_date, "kind": "dividend"} | parts)
    return pl.DataFrame(found, infer_schema_length=None)


@pytest.mark.parametrize("start", [date(2009, 6, 15), date(2014, 2, 18)])
def test_a_book_through_renames_and_recycled_tickers_is_the_accountants_to_the_cent(
    tmp_path: Path, start: date
) -> None:
    first, last = CALENDAR.offset(start, -30), CALENDAR.offset(start, SESSIONS)
    bars = pl.read_parquet(MAPPED / "daily_unadjusted.parquet").filter(pl.col("date").is_between(first, last))
    bars.write_parquet(tmp_path / "prices.parquet")
    acted = read_factors(bars).filter(pl.col("ex_date").is_between(first, last))
    acted.write_csv(tmp_path / "actions.csv")
    files = FilesParams(
        prices=(str(tmp_path / "prices.parquet"),),
        actions=str(tmp_path / "actions.csv"),
        ticker_history=str(MAPPED / "map_files.parquet"),
    )
    lake = load(tmp_path, files, first, last)
    world = trade(lake, start, {"WMI", "GOOG", "GOOCV", "AAPL", "IBM"}, seed=2)
    assert kinds(world) >= {"buy", "sell", "dividend", "rename"}
    assert_every_cent(lambda name: rows(lake, name), told_by(world), CALENDAR, mark_down=MARK_DOWN)
    assert_attributed(world, SESSIONS)
    assert_lots_agree(world, "fifo")

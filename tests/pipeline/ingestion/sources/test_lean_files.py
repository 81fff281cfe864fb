"""Prices as traded times our factors are the adjusted series, and a ticker never joins two companies."""

from __future__ import annotations

from datetime import date, timedelta
from fractions import Fraction

import polars as pl
import pytest

from lake.store import Lake
from lake.tables.market import CORPORATE_ACTIONS, INSTRUMENTS, MARKET_PRICES, QUARANTINED_ROWS
from pipeline.config.settings import RuntimeParams, Settings
from pipeline.engine.runner import Runner
from pipeline.ingestion.sources.files.params import FilesParams
from pipeline.ingestion.sources.registry import SourceParams
from pipeline.market.sessions import exchange_sessions
from tests.frames.adjustment import adjustment_factors
from tests.frames.market import actions, prices
from tests.new_lake import new_lake
from tests.real_data import REAL_DATA

DATA = REAL_DATA / "lean_us_equity"
needs_data = pytest.mark.skipif(not DATA.exists(), reason="the adjusted series are not here")
LAST = date(2021, 3, 31)
COMPANIES = ("AAPL", "IBM", "SPY", "BAC", "AIG", "GOOG", "GOOGL", "WM", "QQQ", "IWM", "EEM", "AAA.1", "USO", "FB")
WITHOUT_GAP = {"QQQ": date(2011, 3, 23)}
"""The set lacks the years in which it was QQQQ: the closes before the dividends of that time are not there."""
WASHINGTON_MUTUAL = ("WM", "WM.1", date(1998, 12, 9), date(2008, 9, 27))
"""Symbol, ticker, first and first no longer listed day; the set's own map files know only Waste Management."""


def test_factors_are_those_of_the_actions_known_as_of_the_date() -> None:
    first, second, third = (date(2020, 3, day) for day in (4, 5, 6))
    bars = prices(
        {"session": first, "close": 100.0}, {"session": second, "close": 51.0}, {"session": third, "close": 50.0}
    )
    acted = actions({"ex_date": second}, {"ex_date": third, "kind": "dividend", "amount": 1.02, "numerator": None})
    found = adjustment_factors(bars, acted, third).select("split_factor", "price_factor").rows()
    assert found == [(0.5, 0.98), (1.0, 0.98), (1.0, 1.0)]
    before = adjustment_factors(bars, acted, second).select("split_factor", "price_factor").rows()
    assert before == [(0.5, 1.0), (1.0, 1.0)]


def test_a_split_and_a_dividend_on_one_day_count_on_the_new_shares() -> None:
    bars = prices({"session": date(2020, 3, 4), "close": 100.0}, {"session": date(2020, 3, 5), "close": 49.0})
    day = date(2020, 3, 5)
    acted = actions({"ex_date": day}, {"ex_date": day, "kind": "dividend", "amount": 1.0, "numerator": None})
    assert adjustment_factors(bars, acted, day).select("split_factor", "price_factor").row(0) == (0.5, 0.98)


def listing_spells() -> pl.DataFrame:
    """The map files as spells: a row says until which day, included, the company bore the symbol."""
    maps = pl.read_parquet(DATA / "map_files.parquet").sort("file", "date")
    spells = maps.with_columns(start=pl.col("date").shift(1).over("file").dt.offset_by("1d")).with_columns(
        first=pl.col("date").first().over("file"), number=pl.int_range(pl.len()).over("file")
    )
    rows = spells.filter(pl.col("number") > 0).select(
        symbol="mapped_ticker",
        ticker="file",
        # the first line is the first day itself
        start=pl.when(pl.col("number") == 1).then("first").otherwise("start"),
        end=pl.col("date").dt.offset_by("1d"),
    )
    return pl.concat([rows, pl.DataFrame([WASHINGTON_MUTUAL], schema=rows.schema, orient="row")])


def factor_actions() -> pl.DataFrame:
    """The factor files as actions: each row holds until its day, included, and tells what comes the session after."""
    calendar = exchange_sessions()
    rows = pl.read_parquet(DATA / "factor_files.parquet").sort("ticker", "date")
    steps = rows.with_columns(
        paid=1 - pl.col("price_factor") / pl.col("price_factor").shift(-1).over("ticker"),
        shares=pl.col("split_factor").shift(-1).over("ticker") / pl.col("split_factor"),
    ).filter(pl.col("date").is_between(date(1998, 1, 3), LAST))
    told: list[dict[str, str | None]] = []
    for ticker, day, reference, paid, shares in steps.select(
        "ticker", "date", "reference_price", "paid", "shares"
    ).iter_rows():
        ex_date = calendar.at_or_after(day + timedelta(days=1)).isoformat()
        row: dict[str, str | None] = {"ticker": ticker, "ex_date": ex_date, "numerator": None, "denominator": None}
        if shares is not None and abs(shares - 1) > 1e-9:
            ratio = Fraction(shares).limit_denominator(10**9).as_integer_ratio()  # rounded as theirs
            told.append(
                row | {"kind": "split", "numerator": str(ratio[0]), "denominator": str(ratio[1]), "amount": None}
            )
        if paid is not None and abs(paid) > 1e-9:
            told.append(row | {"kind": "dividend", "amount": repr(reference * paid)})
    return pl.DataFrame(
        told, schema=dict.fromkeys(("ticker", "ex_date", "kind", "numerator", "denominator", "amount"), pl.String)
    )


@pytest.fixture(scope="module")
def lake(tmp_path_factory: pytest.TempPathFactory) -> Lake:
    folder = tmp_path_factory.mktemp("lean")
    listing_spells().write_parquet(folder / "spells.parquet")
    factor_actions().write_csv(folder / "actions.csv")
    files = FilesParams(
        prices=(str(DATA / "daily_unadjusted.parquet"),),
        actions=str(folder / "actions.csv"),
        identities=str(folder / "spells.parquet"),
    )
    source = SourceParams(name="files", files=files)
    runner = Runner(new_lake(folder / "lake"), Settings(runtime=RuntimeParams(durable=False), source=source))
    runner.backfill(*runner.source.coverage())
    return runner.lake


@needs_data
@pytest.mark.parametrize("ticker", COMPANIES)
def test_raw_times_factors_is_the_adjusted_series(lake: Lake, ticker: str) -> None:
    bars = lake.read(MARKET_PRICES).filter(ticker=ticker)
    acted = lake.read(CORPORATE_ACTIONS).filter(ticker=ticker)
    bars = bars.filter(pl.col("session") >= WITHOUT_GAP.get(ticker, date.min))
    assert bars.height > 800
    ours = bars.sort("session").join(adjustment_factors(bars, acted, LAST), on=["ticker", "session"])
    factors = pl.read_parquet(DATA / "factor_files.parquet").filter(ticker=ticker).sort("date")
    theirs = bars.sort("session").join_asof(
        factors.select("date", "price_factor", "split_factor"), left_on="session", right_on="date", strategy="forward"
    )
    last = theirs.row(-1, named=True)
    adjusted = (
        theirs["close"] * theirs["price_factor"] / last["price_factor"] * theirs["split_factor"] / last["split_factor"]
    )
    found = (ours["close"] * ours["price_factor"] * ours["split_factor"]).set_sorted()
    assert ours["session"].to_list() == theirs["session"].to_list()
    assert ((found / adjusted - 1).abs() < 1e-6).all(), (found / adjusted - 1).abs().max()


@needs_data
def test_two_companies_under_one_symbol_never_join_into_one_series(lake: Lake) -> None:
    bars = lake.read(MARKET_PRICES).sort("ticker", "session")
    waste, mutual = bars.filter(ticker="WM"), bars.filter(ticker="WM.1")
    assert (mutual["session"].min(), mutual["session"].max()) == (date(1998, 12, 9), date(2008, 9, 25))
    assert (waste["session"].min(), waste["session"].max()) == (date(1998, 1, 2), date(2021, 3, 31))
    collapsed = lake.read(QUARANTINED_ROWS).filter(ticker="WM.1")
    assert collapsed["rule"].to_list() == ["the close follows from the one before"], "-91 % on its last day"
    both = set(waste["session"]) & set(mutual["session"])
    assert len(both) > 2_000, "they traded side by side for ten years"
    raw = pl.read_parquet(DATA / "daily_unadjusted.parquet")
    for symbol, series, day in (("WMI", waste, date(2007, 5, 1)), ("WM", mutual, date(2007, 5, 1))):
        close = raw.filter(ticker=symbol, date=day)["close"][0]
        assert series.filter(session=day)["close"].to_list() == [close]
    assert {"WM", "WM.1"} <= set(lake.read(INSTRUMENTS)["ticker"])


@needs_data
def test_a_day_on_which_a_symbol_meant_no_known_company_is_set_aside(lake: Lake) -> None:
    bars = lake.read(MARKET_PRICES)
    assert bars.filter(ticker="BNO")["session"].min() == date(2010, 6, 2), "another BNO traded before"
    aside = lake.read(QUARANTINED_ROWS).filter(rule="ticker is well-formed")
    assert aside.height > 100

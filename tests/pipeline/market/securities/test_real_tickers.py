"""Real prices under the tickers of their day: WM was two companies, GOOG passed its ticker on, FB was another's."""

from __future__ import annotations

from datetime import date, timedelta
from decimal import Decimal
from math import log
from pathlib import Path

import polars as pl
import pytest

from lake.store import Lake
from lake.tables.features import FEATURE_ROWS
from lake.tables.market import CORPORATE_ACTIONS, MARKET_PRICES, TICKER_UNIVERSE
from pipeline.config.settings import RuntimeParams, Settings
from pipeline.engine.runner import Runner
from pipeline.ingestion.sources.files.params import FilesParams
from pipeline.ingestion.sources.registry import SourceParams
from pipeline.market.endings import daily_company_returns, forward_company_returns
from pipeline.market.sessions import Sessions, exchange_sessions
from tests.frames.trading import World, assert_reconciled, free
from tests.new_lake import new_lake
from tests.real_data import REAL_DATA

DATA = REAL_DATA / "lean_us_equity"
pytestmark = [
    pytest.mark.slow,
    pytest.mark.skipif(not DATA.exists(), reason="the prices under the tickers of their day are not here"),
]
BECAME_WM = date(2009, 8, 5)
SPLIT_UP = date(2014, 4, 3)


def import_prices(folder: Path, first: date, last: date) -> Runner:
    """A lake of the days between, up to one cycle after the history that is loaded at once."""
    bars = pl.read_parquet(DATA / "daily_unadjusted.parquet").filter(pl.col("date").is_between(first, last))
    bars.write_parquet(folder / "prices.parquet")
    files = FilesParams(prices=(str(folder / "prices.parquet"),), ticker_history=str(DATA / "map_files.parquet"))
    source = SourceParams(name="files", files=files)
    runner = Runner(new_lake(folder / "lake"), Settings(runtime=RuntimeParams(durable=False), source=source))
    runner.backfill(first, runner.calendar.previous(last))
    runner.cycle(last)
    return runner


def actions_on(lake: Lake, day: date) -> list[tuple[str, str, str | None]]:
    return sorted(lake.read(CORPORATE_ACTIONS).filter(ex_date=day).select("ticker", "kind", "successor").rows())


def close(ticker: str, day: date) -> float:
    raw = pl.read_parquet(DATA / "daily_unadjusted.parquet")
    return float(raw.filter(ticker=ticker, date=day)["close"][0])


def hold(lake: Lake, calendar: Sessions, bought: date, until: date, **shares: int) -> World:
    """A book over the lake's bars and actions that buys at the open after a session, at no cost."""
    given = World(calendar=calendar, params=free())
    near = lake.read(MARKET_PRICES).filter(pl.col("session") >= bought - timedelta(days=60))
    given.add(MARKET_PRICES, near.drop("run_id"))
    given.add(CORPORATE_ACTIONS, lake.read(CORPORATE_ACTIONS).drop("run_id"))
    for ticker, count in shares.items():
        given.order(bought, ticker, "buy", count)
    return given.settle(*calendar.between(bought, until))


def assert_worth(given: World, bought: dict[str, int], now: dict[str, int], at: date, session: date) -> None:
    """Cash and shares as a calculator has them, from the raw file alone."""
    raw = pl.read_parquet(DATA / "daily_unadjusted.parquet")
    paid = sum(Decimal(str(raw.filter(ticker=t, date=at)["open"][0])) * n for t, n in bought.items())
    worth = sum(Decimal(str(close(t, session))) * n for t, n in now.items())
    dividends = given.value(session)["dividends"]
    assert given.value(session)["nav"] == pytest.approx(
        Decimal(1_000_000) - paid + worth + dividends, abs=Decimal("0.01")
    )
    assert {t: p.shares for t, p in given.book.positions.items()} == now


@pytest.fixture(scope="module")
def waste(tmp_path_factory: pytest.TempPathFactory) -> Runner:
    return import_prices(tmp_path_factory.mktemp("waste"), date(2008, 7, 1), date(2009, 8, 14))


@pytest.fixture(scope="module")
def google(tmp_path_factory: pytest.TempPathFactory) -> Runner:
    return import_prices(tmp_path_factory.mktemp("google"), date(2013, 6, 3), date(2014, 4, 11))


def test_returns_lead_from_wmi_to_wm_and_not_from_washington_mutual(waste: Runner) -> None:
    lake, calendar = waste.lake, waste.calendar
    assert actions_on(lake, BECAME_WM) == [("WMI", "rename", "WM")]
    bars, acted = lake.read(MARKET_PRICES), lake.read(CORPORATE_ACTIONS)
    returns = dict(daily_company_returns(bars, acted).filter(ticker="WM").select("session", "total_return").iter_rows())
    assert returns[BECAME_WM] == pytest.approx(close("WM", BECAME_WM) / close("WMI", calendar.previous(BECAME_WM)) - 1)
    ahead = forward_company_returns(bars, acted, (5,), calendar)
    week_before = calendar.offset(BECAME_WM, -2)
    earned = ahead.filter(ticker="WMI", session=week_before)["forward_return"].to_list()
    assert earned == [pytest.approx(close("WM", calendar.offset(week_before, 5)) / close("WMI", week_before) - 1)]


def test_features_and_age_of_wm_are_those_of_waste_management(waste: Runner) -> None:
    lake, calendar = waste.lake, waste.calendar
    row = lake.read(FEATURE_ROWS).filter(ticker="WM", session=BECAME_WM).row(0, named=True)
    assert row["complete"]
    week = close("WM", BECAME_WM) / close("WMI", calendar.offset(BECAME_WM, -5))
    assert row["return_5"] == pytest.approx(log(week), rel=1e-5)
    universe = lake.read(TICKER_UNIVERSE)
    ages = dict(universe.filter(session=BECAME_WM).select("ticker", "history").iter_rows())
    assert ages["WM"] == len(calendar.between(date(2008, 7, 1), BECAME_WM))
    assert "WMI" not in ages
    mutual = universe.filter(ticker="WM", session=date(2008, 9, 25)).row(0, named=True)
    assert mutual["close"] == close("WM", date(2008, 9, 25))


def test_a_book_that_holds_waste_management_holds_it_under_both_names(waste: Runner) -> None:
    bought, until = date(2009, 7, 30), date(2009, 8, 12)
    given = hold(waste.lake, waste.calendar, bought, until, WMI=100)
    assert_worth(given, {"WMI": 100}, {"WM": 100}, waste.calendar.next(bought), until)
    assert_reconciled(given)


def test_goog_became_googl_on_the_day_on_which_another_share_got_its_ticker(google: Runner) -> None:
    lake, calendar = google.lake, google.calendar
    assert ("GOOG", "rename", "GOOGL") in actions_on(lake, SPLIT_UP)
    assert ("GOOCV", "rename", "GOOG") in actions_on(lake, SPLIT_UP)
    eve = calendar.previous(SPLIT_UP)
    returns = daily_company_returns(lake.read(MARKET_PRICES), lake.read(CORPORATE_ACTIONS)).filter(session=SPLIT_UP)
    found = dict(returns.select("ticker", "total_return").iter_rows())
    assert found["GOOGL"] == pytest.approx(close("GOOGL", SPLIT_UP) / close("GOOG", eve) - 1)
    assert found["GOOG"] == pytest.approx(close("GOOG", SPLIT_UP) / close("GOOCV", eve) - 1)
    ages = dict(lake.read(TICKER_UNIVERSE).filter(session=SPLIT_UP).select("ticker", "history").iter_rows())
    assert (ages["GOOG"], ages["GOOGL"] > 200) == (6, True)


def test_a_book_that_holds_both_shares_of_google_keeps_them_apart(google: Runner) -> None:
    bought, until = date(2014, 3, 31), date(2014, 4, 10)
    given = hold(google.lake, google.calendar, bought, until, GOOG=10, GOOCV=20)
    now = {"GOOGL": 10, "GOOG": 20}
    assert_worth(given, {"GOOG": 10, "GOOCV": 20}, now, google.calendar.next(bought), until)
    assert_reconciled(given)


def test_the_facebook_of_2012_has_nothing_of_the_fb_before(tmp_path: Path) -> None:
    runner = import_prices(tmp_path, date(2003, 1, 2), date(2003, 6, 30))
    assert runner.lake.read(MARKET_PRICES).filter(ticker="FB")["session"].max() <= date(2003, 3, 28)  # type: ignore[operator]
    later = tmp_path / "later"
    later.mkdir()
    facebook = import_prices(later, date(2012, 1, 3), date(2012, 6, 1))
    assert actions_on(facebook.lake, date(2012, 5, 18)) == [("FB", "rename", "FB.120518")]
    ages = facebook.lake.read(TICKER_UNIVERSE).filter(ticker="FB").sort("session").select("session", "history").rows()
    assert ages[0] == (exchange_sessions().at_or_after(date(2012, 5, 18)), 1)

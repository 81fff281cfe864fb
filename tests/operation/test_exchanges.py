"""Each exchange's days, hours, zone and currency carry a whole operation: forecasts, orders, fills and exact books."""

from __future__ import annotations

from collections.abc import Callable, Iterator
from dataclasses import replace
from datetime import timedelta
from pathlib import Path
from typing import Any

import polars as pl
import pytest
from deltalake import DeltaTable

from lake.tables.books import PORTFOLIO_VALUE
from lake.tables.features import FEATURE_WINDOWS
from lake.tables.market import MARKET_PRICES
from lake.tables.predictions import PREDICTIONS
from lake.tables.trading import EXECUTED_TRADES, TRADE_PLANS
from pipeline.config.settings import MarketParams
from tests.operation.conftest import Operation, operate, small_settings
from tests.operation.test_leaks import check_decisions
from tests.pipeline.trading.books.accountant import assert_every_cent

EXCHANGES = {
    "XETR": "EUR",
    "XLON": "GBP",
    "XTKS": "JPY",
    "XHKG": "HKD",
    "XASX": "AUD",
    "XNSE": "INR",
    "24/7": "USD",
}
SESSIONS = 40

# pandas' own change of mind, inside the calendar library.
pytestmark = [pytest.mark.slow, pytest.mark.filterwarnings("ignore:Series.values returning")]


@pytest.fixture(scope="module", params=EXCHANGES)
def abroad(request: pytest.FixtureRequest, tmp_path_factory: pytest.TempPathFactory) -> Iterator[Operation]:
    settings = replace(small_settings(), market=MarketParams(exchange=request.param))
    yield operate(tmp_path_factory.mktemp("abroad") / "lake", settings, SESSIONS)


def plain(operation: Operation) -> Callable[[str], list[dict[str, Any]]]:
    """A table as any other program reads it."""
    folder = operation.lake.path / "tables"
    return lambda name: DeltaTable(str(folder / name)).to_pyarrow_table().to_pylist()


def test_forecasts_orders_and_fills_keep_the_exchanges_hours_and_currency(abroad: Operation) -> None:
    lake, calendar, market = abroad.lake, abroad.runner.calendar, abroad.settings.market
    assert lake.read(MARKET_PRICES)["currency"].unique().to_list() == [EXCHANGES[market.exchange]]
    assert set(lake.read(FEATURE_WINDOWS)["session"]) >= {*abroad.sessions}
    assert set(lake.read(PREDICTIONS)["session"]) >= {*abroad.sessions}
    fills = lake.read(EXECUTED_TRADES).filter(pl.col("shares") > 0)
    assert fills.height >= 10
    decided = {row["plan_id"]: row for row in lake.read(TRADE_PLANS).iter_rows(named=True)}
    for fill in fills.iter_rows(named=True):
        plan = decided[fill["plan_id"]]
        assert fill["ts"] == calendar.open_at(fill["session"]) >= abroad.runner.decision_time(plan["session"])
        assert fill["session"] == plan["for_session"] == calendar.next(plan["session"])
    assert lake.read(PORTFOLIO_VALUE)["session"].sort().to_list() == abroad.sessions


def test_no_decision_comes_after_the_next_open_and_every_bar_counts_by_then(abroad: Operation) -> None:
    calendar = abroad.runner.calendar
    for session in abroad.sessions:
        moment = abroad.runner.decision_time(session)
        assert calendar.close_at(session) <= moment <= calendar.open_at(calendar.next(session))
        bars = abroad.lake.read(MARKET_PRICES, where=(pl.col("session") == session) & (pl.col("revision") == 0))
        assert (bars["available_at"] <= moment).mean() > 0.5  # type: ignore[operator]  # the others were late


def test_the_accountant_finds_every_cent(abroad: Operation) -> None:
    lag = abroad.runner.decision_time(abroad.sessions[0]) - abroad.runner.calendar.close_at(abroad.sessions[0])
    assert lag <= timedelta(minutes=20)
    assert_every_cent(plain(abroad), plain(abroad), abroad.runner.calendar, lag)


def test_decisions_stand_whatever_becomes_public_later(abroad: Operation, tmp_path: Path) -> None:
    assert check_decisions(abroad, tmp_path, abroad.sessions[5:-1:11]) > 0

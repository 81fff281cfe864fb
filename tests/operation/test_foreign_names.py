"""A lake of files with names in four currencies: each is judged, forecast, bought and sold to the cent."""

from __future__ import annotations

from collections.abc import Iterator
from dataclasses import replace
from datetime import date, timedelta
from pathlib import Path
from typing import Any

import numpy as np
import polars as pl
import pytest
from deltalake import DeltaTable

from lake.runs import find_done_runs
from lake.tables.books import BASELINE_HOLDINGS, PORTFOLIO_HOLDINGS, PORTFOLIO_VALUE
from lake.tables.control import SYSTEM_HEALTH
from lake.tables.market import TICKER_UNIVERSE
from lake.tables.trading import EXECUTED_TRADES, TRADE_PLANS
from pipeline.engine.reproduction import reproduce
from pipeline.engine.runner import Runner
from pipeline.ingestion.sources.files.params import FilesParams
from pipeline.ingestion.sources.registry import SourceParams
from pipeline.market.sessions import exchange_sessions
from tests.new_lake import new_lake
from tests.operation.conftest import Operation, small_settings
from tests.pipeline.trading.books.accountant import assert_every_cent

# pandas' own change of mind, inside the calendar library.
pytestmark = [pytest.mark.slow, pytest.mark.filterwarnings("ignore:Series.values returning")]

CALENDAR = exchange_sessions()
FIRST, HISTORY, SESSIONS = date(2019, 1, 2), 400, 30
LEVELS = {"USD": 50.0, "EUR": 40.0, "JPY": 3_000.0, "GBX": 900.0}
NAMES = {f"{unit[0]}{number}": unit for number in range(4) for unit in LEVELS}
"""Ticker -> what it is quoted in; the last are in pence."""
WORTH = {"EUR": 1.1, "JPY": 0.0091, "GBP": 1.3}


def write_files(folder: Path) -> FilesParams:
    """Prices that drift apart, dividends, and a rate on most days, the yen's the other way round."""
    draw, days = np.random.default_rng(7), CALENDAR.between(FIRST, CALENDAR.offset(FIRST, HISTORY + SESSIONS))
    bars, actions, rates = [], [], []
    for name, unit in NAMES.items():
        drift = 0.001 * (ord(name[0]) % 3 - 1)
        closes = LEVELS[unit] * np.exp(np.cumsum(draw.normal(drift, 0.015, len(days))))
        opens = closes * np.exp(draw.normal(0, 0.004, len(days)))
        for day, opened, close in zip(days, np.round(opens, 2).tolist(), np.round(closes, 2).tolist(), strict=True):
            bars.append((name, day, opened, max(opened, close), min(opened, close), close, 5_000_000))
        for number in range(350, len(days) - 3, 23):
            amount, pay_date = round(float(closes[number]) / 150, 4), CALENDAR.offset(days[number], 3)
            actions.append((name, days[number], "dividend", amount, pay_date))
    for unit, level in WORTH.items():
        for number, worth in enumerate((level * np.exp(np.cumsum(draw.normal(0, 0.006, len(days))))).tolist()):
            if number % 11:
                told = ("USD", unit, round(1 / worth, 4)) if unit == "JPY" else (unit, "USD", round(worth, 5))
                rates.append((days[number], *told))
    prices = ["ticker", "date", "open", "high", "low", "close", "volume"]
    terms, pairs = ["ticker", "ex_date", "kind", "amount", "pay_date"], ["date", "base", "quote", "rate"]
    for file, rows, columns in (("prices", bars, prices), ("actions", actions, terms), ("fx", rates, pairs)):
        pl.DataFrame(rows, schema=columns, orient="row").write_csv(folder / f"{file}.csv")
    listed = {"ticker": [*NAMES], "currency": [*NAMES.values()], "sector": [f"sector {name[1]}" for name in NAMES]}
    pl.DataFrame(listed).write_csv(folder / "listings.csv")
    named = {name: str(folder / f"{name}.csv") for name in ("actions", "listings", "fx")}
    return FilesParams(prices=(str(folder / "prices.csv"),), benchmark_ticker="", **named)


@pytest.fixture(scope="module")
def abroad(tmp_path_factory: pytest.TempPathFactory) -> Iterator[Operation]:
    folder = tmp_path_factory.mktemp("foreign")
    settings = replace(small_settings(), source=SourceParams(name="files", files=write_files(folder)))
    lake = new_lake(folder / "lake")
    runner = Runner(lake, settings)
    last = CALENDAR.offset(FIRST, HISTORY)
    history = runner.backfill(FIRST, last)
    start = CALENDAR.next(last)
    cycles = tuple(runner.replay(start, CALENDAR.offset(start, SESSIONS - 1)))
    yield Operation(lake, settings, runner, history, cycles)


def test_names_of_every_currency_are_members_bought_and_sold(abroad: Operation) -> None:
    members = abroad.lake.read(TICKER_UNIVERSE).filter(pl.col("session").is_in(abroad.sessions), "member")
    assert set(members["ticker"]) == set(NAMES)
    fills = abroad.lake.read(EXECUTED_TRADES).filter(pl.col("shares") > 0)
    for side in ("buy", "sell"):
        assert {*fills.filter(side=side)["currency"].unique()} == {None, "EUR", "JPY", "GBP"}


def test_sizes_and_values_are_in_the_books_currency(abroad: Operation) -> None:
    most = abroad.settings.trading.philosophy.name_weight
    assert abroad.lake.read(PORTFOLIO_HOLDINGS)["weight"].max() < 1.2 * most  # type: ignore[operator]
    plans = abroad.lake.read(TRADE_PLANS).filter("taken", side="buy")
    worth = plans["shares"] * plans["close"] * plans["rate"].cast(pl.Float64).fill_null(1.0)
    assert worth.max() < 1.01 * most * 1_100_000  # type: ignore[operator]
    equal = abroad.lake.read(BASELINE_HOLDINGS).filter(portfolio="equal_weight", session=abroad.sessions[-1])
    values = equal.filter(pl.col("asset") != "cash")["value"]
    assert len(values) == len(NAMES) and values.max() < 1.01 * values.min()  # type: ignore[operator]


def test_the_accountant_finds_every_cent_in_both_currencies(abroad: Operation) -> None:
    folder = abroad.lake.path / "tables"

    def plain(name: str) -> list[dict[str, Any]]:
        return DeltaTable(str(folder / name)).to_pyarrow_table().to_pylist()

    lag = abroad.runner.decision_time(abroad.sessions[0]) - CALENDAR.close_at(abroad.sessions[0])
    assert lag == timedelta(minutes=20)
    assert_every_cent(plain, plain, CALENDAR, lag, currency="USD")
    told = abroad.lake.read(PORTFOLIO_VALUE)
    assert told["exchange"].abs().max() > 0 and set(told["restated"]) == {0}  # type: ignore[operator]


def test_runs_come_out_the_same_and_health_has_nothing_to_say_of_currencies(abroad: Operation) -> None:
    last = {run.recipe.stage: run for run in find_done_runs(abroad.lake)}
    for stage in ("universe", "execute", "ledger", "holdings", "baselines", "value", "plan"):
        assert reproduce(abroad.runner, last[stage]).identical, stage
    checks = abroad.lake.read(SYSTEM_HEALTH).filter(pl.col("check").is_in(["currency", "exchange rates"]))
    assert checks.is_empty(), checks["message"].to_list()

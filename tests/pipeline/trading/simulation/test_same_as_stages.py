"""A simulation of the stages' orders gives what the stages gave: every ledger row, every value, to the cent."""

from __future__ import annotations

from dataclasses import replace
from decimal import Decimal

import numpy as np
import polars as pl
import pytest

from pipeline.engine.stage import cut_to_recent
from pipeline.trading.execution.volatility_and_volume import LOOKBACK, measure_before_open
from pipeline.trading.simulation.conditions import measure_all
from pipeline.trading.simulation.kernel import simulate
from pipeline.trading.simulation.tables import build_ledger, list_fills
from tests.frames.trading import DAYS
from tests.pipeline.trading.simulation.small_market import SESSIONS, Traded, trade


@pytest.fixture(
    scope="module",
    params=[
        pytest.param((3, 60_000.0), id="short of cash"),
        pytest.param((4, 5_000_000.0), id="rich", marks=pytest.mark.slow),
    ],
)
def traded(request: pytest.FixtureRequest) -> Traded:
    return trade(*request.param)


def test_the_market_has_what_it_is_for(traded: Traded) -> None:
    kinds = set(traded.world.rows("ledger_entries")["kind"])
    assert kinds >= {"split", "cash_in_lieu", "dividend", "dividend_paid", "delisting", "rename", "merger", "sell"}
    assert set(traded.world.rows("executed_trades")["status"]) == {"filled", "partial", "unfilled"}
    assert traded.market.gaps
    assert set(traded.world.rows("portfolio_value")["unexplained"]) == {Decimal(0)}


def test_every_ledger_row_is_the_one_that_the_stage_wrote(traded: Traded) -> None:
    found = simulate(traded.market, traded.orders, traded.world.params, edges=traded.edges, rows=True)
    assert found.recorded is not None
    wanted = traded.world.rows("ledger_entries").sort("session", "sequence")
    assert build_ledger(traded.market, found.recorded).equals(wanted)
    assert found.book.positions == traded.world.book.positions
    assert found.book.receivables == traded.world.book.receivables
    accounts = ("cash", "capital", "realised", "dividends", "commission", "rounding")
    assert [getattr(found.book, one) for one in accounts] == [getattr(traded.world.book, one) for one in accounts]


def test_the_value_of_each_session_is_the_stages(traded: Traded) -> None:
    told = traded.world.rows("portfolio_value").sort("session")
    for rows in (False, True):
        found = simulate(traded.market, traded.orders, traded.world.params, edges=traded.edges, rows=rows)
        for name in ("cash", "receivable", "positions_value", "nav"):
            cents = told[name].to_physical().cast(pl.Int64).to_list()
            assert (found.value if name == "nav" else getattr(found, name)).tolist() == cents, name
        assert 0 < found.one_by_one < SESSIONS


def test_fills_and_their_costs_are_those_of_execution(traded: Traded) -> None:
    found = simulate(traded.market, traded.orders, traded.world.params, edges=traded.edges, rows=True)
    assert found.recorded is not None
    fills = list_fills(traded.market, found.recorded, traded.world.params.costs)
    columns = ["ticker", "side", "shares", "fill_price", "gross", "commission", "spread_cost", "impact_cost"]
    trades = traded.world.rows("executed_trades").filter(pl.col("shares") > 0)
    both = [frame.sort("session", "ticker", "side").select("session", *columns) for frame in (fills, trades)]
    assert both[0].cast(both[1].schema).equals(both[1])  # type: ignore[arg-type]


def test_volatility_and_volume_are_those_of_execution_to_the_bit(traded: Traded) -> None:
    world = traded.world
    prices, actions = world.rows("market_prices"), world.rows("corporate_actions")
    own = {False: (prices, actions), True: (prices.filter(pl.col("ticker") != "ZZZ"), actions.filter(kind="dividend"))}
    for at_once, (bars, acted) in own.items():
        sessions = DAYS[10:SESSIONS]
        found = measure_all(bars, acted, sessions, world.calendar, world.params)
        for session in sessions:
            moment = world.moment(session)
            recent = cut_to_recent(bars, "session", LOOKBACK, moment), cut_to_recent(acted, "ex_date", LOOKBACK, moment)
            tickers = sorted(set(recent[0]["ticker"]))
            wanted = measure_before_open(*recent, tickers, session, world.calendar, world.params)
            mine = found.filter(pl.col("session") == session).select("ticker", "median_volume", "volatility")
            assert mine.equals(wanted.select(mine.columns)), (at_once, session)


def test_a_name_that_comes_back_as_another_company_is_not_valued_as_this_one(traded: Traded) -> None:
    market, params = traded.market, replace(traded.world.params, max_gap=5)
    closes, opens = market.closes.copy(), market.opens.copy()
    closes[10:18], opens[10:18] = 0, 0
    orders = np.zeros_like(traded.orders)
    orders[5, market.place["BBB"]] = 10
    with pytest.raises(ValueError, match=r"BBB is held on .* another company"):
        simulate(replace(market, closes=closes, opens=opens), orders, params)

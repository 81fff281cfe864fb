"""Each cent of a session's profit has a source, an exposure and a decision, and each view adds up to all of it."""

from __future__ import annotations

from datetime import timedelta
from decimal import Decimal
from typing import Any

import polars as pl
import pytest
from hypothesis import given
from hypothesis import strategies as st

from lake.tables.attribution import ATTRIBUTIONS, VIEWS
from lake.tables.market import FX_RATES, INSTRUMENTS
from lake.tables.predictions import QUANTILE_COLUMNS
from pipeline.trading.attribution import attribution
from pipeline.trading.attribution.bets import PlannedWeight, split_decisions
from pipeline.trading.attribution.exposures import MarketSession, split_exposures
from pipeline.trading.params import TradingParams
from pipeline.trading.philosophy.params import RULE_NAMES
from tests.frames import market
from tests.frames.trading import (
    CALENDAR,
    DAYS,
    World,
    assert_attributed,
    bar,
    delisting,
    dividend,
    free,
    split,
)
from tests.pipeline.trading.planning import test_book_plan as built

FUND, BOUGHT, NEXT, LATER = DAYS[:4]


def world(*prices: tuple[float, float], **values: Any) -> World:
    """A name with an open and a close a session; 100 shares are ordered for the second one."""
    rows = [
        bar("AAA", DAYS[n], close, open=open_, low=min(open_, close), high=max(open_, close))
        for n, (open_, close) in enumerate(prices)
    ]
    made = World(*rows, params=values.pop("params", None) or free(**values))
    made.order(FUND, "AAA", "buy", 100)
    return made


def tell(given: World, session: Any, view: str = "source") -> dict[tuple[str, str], float]:
    """(part, item) -> money."""
    rows = given.compute(attribution.STAGE, session).filter(pl.col("view") == view)
    return {(part, item): float(amount) for part, item, amount in rows.select("part", "item", "amount").iter_rows()}


def test_a_buy_made_what_came_after_the_close_it_was_decided_at_less_what_the_open_was_dearer() -> None:
    given = world((100, 100), (102, 105)).settle_to(BOUGHT)
    assert tell(given, BOUGHT) == {("gain", "AAA"): 500.0, ("timing", "AAA"): -200.0}
    assert_attributed(given)


def test_a_sale_is_timed_by_the_open_and_the_fall_after_it_is_nobodys() -> None:
    given = world((100, 100), (100, 100), (100, 110), (108, 90))
    given.order(NEXT, "AAA", "sell", 100)
    given.settle_to(LATER)
    assert tell(given, LATER) == {("timing", "AAA"): -200.0}
    assert_attributed(given)


def test_costs_of_a_fill_stand_apart() -> None:
    given = world((100, 100), (100, 100), params=TradingParams(planning=1)).settle_to(BOUGHT)
    trade = given.trade(f"{BOUGHT}:AAA:buy")
    told = tell(given, BOUGHT)
    assert told["spread", "AAA"] == -float(trade["spread_cost"]) < 0
    assert told["commission", "AAA"] == -float(trade["commission"]) < 0
    assert sum(told.values()) == pytest.approx(float(given.value(BOUGHT)["nav"] - given.value(FUND)["nav"]))


def test_a_dividend_and_the_price_that_falls_by_it_are_two_parts() -> None:
    given = world((100, 100), (100, 100), (99, 99))
    given.act(dividend("AAA", NEXT, 1.0, LATER))
    given.settle_to(NEXT)
    assert tell(given, NEXT) == {("gain", "AAA"): -100.0, ("dividend", "AAA"): 100.0}
    assert_attributed(given)


def test_who_buys_at_the_ex_date_is_timed_without_the_dividend() -> None:
    given = world((100, 100), (99, 99))
    given.act(dividend("AAA", BOUGHT, 1.0, LATER))
    given.settle_to(BOUGHT)
    assert tell(given, BOUGHT) == {("gain", ""): 0.0}


def test_a_split_a_rename_and_a_delisting_make_nothing_by_themselves() -> None:
    given = world((100, 100), (100, 100), (50, 50))
    given.act(split("AAA", NEXT, 2, 1))
    given.settle_to(NEXT)
    assert tell(given, NEXT) == {("gain", ""): 0.0}
    gone = world((100, 100), (100, 100))
    gone.act(delisting("AAA", NEXT, 97.0))
    gone.settle_to(NEXT)
    assert tell(gone, NEXT) == {("gain", "AAA"): -300.0}
    assert_attributed(gone)


def test_names_joined_by_a_rename_count_as_one() -> None:
    rows = [bar("AAA", DAYS[0]), bar("AAA", DAYS[1]), bar("BBB", DAYS[2], 103.0)]
    given = World(*rows, params=free())
    given.order(FUND, "AAA", "buy", 100)
    given.act({"ticker": "AAA", "ex_date": NEXT, "kind": "rename", "successor": "BBB"})
    given.settle_to(NEXT)
    assert tell(given, NEXT) == {("gain", "BBB"): 300.0}


def test_what_a_rate_brought_stands_apart_from_the_price() -> None:
    given = World(*(bar("AAA", DAYS[n], 10.0 + n, currency="EUR") for n in range(3)), params=free())
    given.add(INSTRUMENTS, market.instruments("AAA", currency="EUR"))
    told = [{"session": DAYS[n], "rate": Decimal(rate)} for n, rate in enumerate(("1.1", "1.2", "1.3"))]
    given.add(FX_RATES, market.rates(*told, calendar=CALENDAR))
    given.order(FUND, "AAA", "buy", 100)
    given.settle_to(NEXT)
    assert tell(given, NEXT) == {("exchange", "AAA"): 110.0, ("gain", "AAA"): 120.0}
    assert_attributed(given)


def test_what_is_learned_late_is_restated_and_no_gain() -> None:
    given = world((100, 100), (100, 100), (100, 100), (100, 100))
    late = CALENDAR.close_at(LATER) - timedelta(hours=1)
    given.act(dividend("AAA", NEXT, 1.0, NEXT, available_at=late))
    given.settle_to(LATER)
    assert tell(given, NEXT) == {("gain", ""): 0.0}
    assert tell(given, LATER) == {("restated", "AAA"): 100.0}
    assert_attributed(given)


def test_exposures_are_market_sector_and_choice_by_hand() -> None:
    returns = {"AAA": 0.04, "BBB": 0.02, "CCC": -0.03}
    sectors = {"AAA": "energy", "BBB": "energy", "CCC": "banks"}
    betas = {"AAA": 2.0, "BBB": 1.0, "CCC": 0.5}
    of = MarketSession(returns=returns, members=frozenset(returns), betas=betas, sectors=sectors)
    told = split_exposures({"AAA": 400_00}, {"AAA": 10_000.0}, of)
    # The market made 1 %; energy 2 and 1 % beyond what betas of 2 and 1 make of it.
    assert told == {("market", ""): 200_00, ("sector", "energy"): 150_00, ("selection", ""): 50_00}


def test_decisions_are_paid_for_what_they_moved_beyond_the_benchmark() -> None:
    bet = PlannedWeight(0.1, 0.3, [("cap", 0.2), ("turnover", 0.2)], {"1": 0.03, "5": 0.01, "20": -0.02}, {"lstm": 1.0})
    funds = PlannedWeight(0.1, 0.0, [("cap", 0.0), ("turnover", 0.0)], {"5": 0.01}, {"lstm": -1.0})
    made = {"AAA": 200_00 + 7, "BBB": 0}
    decided, member = split_decisions(made, {"AAA": 0.10, "BBB": 0.0}, {"AAA": bet, "BBB": funds}, 10_000.0)
    # The benchmark made 5 % on average: AAA stands 5 % above, BBB as much below.
    assert decided == {
        ("benchmark", ""): 100_00, ("cash", ""): 0, ("horizon", "1"): 75_00, ("horizon", "5"): 25_00,
        ("balancing", ""): 50_00, ("rule", "cap"): -50_00, ("rule", "turnover"): 0, ("rest", ""): 7,
    }  # fmt: skip
    assert member == {
        ("benchmark", ""): 100_00, ("cash", ""): 0, ("member", "lstm"): 150_00, ("rule", ""): -50_00, ("rest", ""): 7
    }  # fmt: skip


weights = st.floats(0, 0.5)


@given(
    st.dictionaries(
        st.sampled_from(["AAA", "BBB", "CCC"]),
        st.tuples(weights, weights, weights, st.floats(-0.1, 0.1), st.integers(-(10**9), 10**9)),
        min_size=1,
    )
)
def test_every_split_adds_up_whatever_the_weights(drawn: dict[str, tuple[float, float, float, float, int]]) -> None:
    plans = {
        name: PlannedWeight(one[0], one[1], [("cap", one[2])], {"5": one[3]}, {"lstm": -one[3], "ridge": one[3]})
        for name, one in drawn.items()
    }
    made = {name: one[4] for name, one in drawn.items()}
    returns = {name: one[3] for name, one in drawn.items()}
    for amounts in split_decisions(made, returns, plans, 1e6):
        assert sum(amounts.values()) == sum(made.values())


def test_a_built_book_tells_horizons_rules_and_members() -> None:
    given = built.world()
    asked = [{"member": "lstm", "weight": 0.5}, {"member": "ridge", "weight": 0.5}]
    for name, point in built.RISING.items():
        told = [one | dict.fromkeys(("point", *QUANTILE_COLUMNS), point) for one in asked]
        built.predict(given, {name: point}, members=told, location_weights=[1.0, 0.0])
    given.look_ahead(built.FUND)
    given.settle(built.NEXT)
    decided, member = (tell(given, built.NEXT, view) for view in ("decision", "member"))
    assert {"benchmark", "horizon", "rule", "rest"} <= {part for part, _ in decided}
    assert {item for part, item in decided if part == "horizon"} == {"5"}
    assert {item for part, item in decided if part == "rule"} <= set(RULE_NAMES)
    assert {item for part, item in member if part == "member"} == {"lstm"}, "the other one's point counts for nothing"
    assert_attributed(given, 2)


def test_a_session_without_a_book_has_no_rows_and_one_without_a_move_a_zero_for_each_view() -> None:
    empty = World(bar("AAA", FUND), params=free())
    assert empty.compute(attribution.STAGE, FUND).is_empty()
    told = world((100, 100)).settle_to(FUND).compute(attribution.STAGE, FUND)
    assert set(told["view"]) == set(VIEWS)
    assert set(told["amount"]) == {Decimal(0)}
    assert ATTRIBUTIONS.check(told).height == told.height

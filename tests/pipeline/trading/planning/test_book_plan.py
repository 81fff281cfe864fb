"""Books built at once: the benchmark without a view, more of what is expected to rise, and each rule's part told."""

from __future__ import annotations

from dataclasses import replace
from functools import cache
from itertools import pairwise
from typing import Any

import polars as pl
import pytest

from lake.tables.control import TRADING_SWITCHES
from lake.tables.feedback import FEEDBACK_METRICS
from lake.tables.market import TICKER_UNIVERSE
from lake.tables.predictions import PREDICTIONS
from lake.tables.trading import TRADE_PLANS
from pipeline.plugins.extensions import Extensions
from pipeline.trading.alpha import alphas
from pipeline.trading.mandates.mandate import Mandate
from pipeline.trading.params import TradingParams
from pipeline.trading.philosophy.params import RULE_NAMES, SHORT_RULES, Philosophy
from pipeline.trading.planning import plan, regime
from pipeline.trading.planning.candidates import Candidate, PortfolioState
from pipeline.trading.planning.rule import Ruling, allow, refuse, rule, share_of
from tests.frames.trading import DAYS, World, bar, forecasts, members, skill

START = 40
"""Sessions of bars before the book is funded, so that risk, volatility and volume are known."""
FUND, NEXT, THIRD = DAYS[START : START + 3]
NAMES = ("AAA", "BBB", "CCC", "DDD", "EEE", "FFF")
ALIKE = 0.99 / len(NAMES)
"""What equal weight holds of each."""


def wiggle(number: int, ticker: str) -> float:
    """A price that moves up to 2 % a session around 100, in a way of its own for each ticker."""
    return round(100 + ((number * (3 + sum(map(ord, ticker)) % 5) + ord(ticker[0])) % 7 - 3) * 0.35, 2)


def world(*, proven: bool = True, **params: Any) -> World:
    """A funded book, six members in two sectors with forty sessions of history, and measured skill."""
    philosophy = params.pop("philosophy", Philosophy(turnover=2.0, position_loss=1.0, name_weight=1.0))
    return _world(proven, TradingParams(philosophy=philosophy, **params)).copy()


@cache
def _world(proven: bool, params: TradingParams) -> World:
    bars = [bar(ticker, day, wiggle(n, ticker)) for ticker in NAMES for n, day in enumerate(DAYS[: START + 3])]
    given = World(*bars, params=params)
    for day in DAYS[START : START + 3]:
        given.add(TICKER_UNIVERSE, members(day, *NAMES[:3], sector="tech"))
        given.add(TICKER_UNIVERSE, members(day, *NAMES[3:], sector="energy"))
    if proven:
        given.add(FEEDBACK_METRICS, skill(FUND, 0.1, 0.08))
    given.settle(FUND)
    return given


def predict(given: World, points: dict[str, float], session: Any = FUND, **values: Any) -> None:
    rows = [{"session": session, "ticker": ticker, "point": point} | values for ticker, point in points.items()]
    given.add(PREDICTIONS, forecasts(*rows, calendar=given.calendar))


def planned(given: World, session: Any = FUND) -> dict[str, dict[str, Any]]:
    return {row["ticker"]: row for row in given.look_ahead(session).iter_rows(named=True)}


def verdict(row: dict[str, Any], name: str) -> dict[str, Any]:
    return next(one for one in row["verdicts"] if one["rule"] == name)


RISING = {name: 0.05 - 0.02 * number for number, name in enumerate(NAMES)}
"""AAA is expected to rise most, FFF to fall most."""


def test_without_a_view_the_book_holds_its_benchmark() -> None:
    rows = planned(world())
    assert sorted(rows) == list(NAMES)
    for row in rows.values():
        assert row["target_weight"] == pytest.approx(ALIKE, abs=0.005)
        assert (row["side"], row["intent"], row["taken"], row["alpha"]) == ("buy", "enter", True, 0.0)
        assert row["benchmark_weight"] == pytest.approx(ALIKE)


def test_a_naive_forecast_is_no_view() -> None:
    given = world()
    predict(given, RISING, role="naive")
    assert {row["alpha"] for row in planned(given).values()} == {0.0}


def test_what_is_expected_to_rise_is_held_beyond_the_benchmark_and_what_falls_below_it() -> None:
    given = world()
    predict(given, RISING)
    rows = planned(given)
    weights = [rows[name]["target_weight"] - ALIKE for name in NAMES]
    assert weights[-1] < -0.01
    assert max(weights) > 0.005
    assert [rows[name]["alpha"] for name in NAMES] == sorted((rows[name]["alpha"] for name in NAMES), reverse=True)
    assert sum(row["target_weight"] for row in rows.values()) <= 0.99


def test_more_measured_skill_makes_larger_bets() -> None:
    bets = []
    for value in (0.02, 0.2):
        given = world(proven=False)
        given.add(FEEDBACK_METRICS, skill(FUND, value, value - 0.02))
        predict(given, RISING)
        bets.append(sum(abs(row["target_weight"] - ALIKE) for row in planned(given).values()))
    assert bets[0] < bets[1]


def test_skill_below_nothing_is_not_bet_against() -> None:
    given = world(proven=False)
    given.add(FEEDBACK_METRICS, skill(FUND, -0.2, -0.22))
    predict(given, RISING)
    assert {row["alpha"] for row in planned(given).values()} == {0.0}


def test_the_steps_of_the_rules_add_up_from_the_free_weight_to_the_target() -> None:
    given = world(philosophy=Philosophy(turnover=0.4, min_order=20_000.0))
    predict(given, RISING)
    for row in planned(given).values():
        assert [one["rule"] for one in row["verdicts"]] == [one for one in RULE_NAMES if one not in SHORT_RULES]
        steps = [row["free_weight"], *row["steps"]]
        parts = [after - before for before, after in pairwise(steps)]
        assert row["free_weight"] + sum(parts) == pytest.approx(row["steps"][-1], abs=1e-12)
        share = row["close"] / 1_000_000
        assert row["target_weight"] == pytest.approx(row["steps"][-1], abs=1.01 * share)
        refused = [one["rule"] for one in row["verdicts"] if one["verdict"] == "refuse"]
        assert row["blocked_by"] is None or row["blocked_by"] in refused


def test_a_rule_left_out_does_not_speak_and_order_is_as_given() -> None:
    order = ("solvency", "diversification")
    rows = planned(world(philosophy=Philosophy(order=order, name_weight=0.05)))
    assert [one["rule"] for one in rows["AAA"]["verdicts"]] == list(order)


def test_a_large_benchmark_weight_stands_and_a_bet_beyond_the_limit_does_not() -> None:
    given = world(
        mandate=Mandate(benchmark="AAA", min_exposure=0.5), philosophy=Philosophy(turnover=2.0, name_weight=0.1)
    )
    predict(given, {name: 0.2 if name == "BBB" else 0.0 for name in NAMES})
    rows = planned(given)
    assert rows["AAA"]["benchmark_weight"] == pytest.approx(0.99)
    assert rows["BBB"]["target_weight"] <= 0.1


def test_what_the_mandate_excludes_is_not_held() -> None:
    rows = planned(world(mandate=Mandate(exclusions=("AAA", "energy"), min_exposure=0.0)))
    held = {name for name, row in rows.items() if row["target_weight"] > 0}
    assert held <= {"BBB", "CCC"}
    assert held
    assert rows["AAA"]["blocked_by"] == "exclusions"
    assert verdict(rows["DDD"], "exclusions")["verdict"] == "refuse"


def test_a_tilt_moves_the_benchmark() -> None:
    rows = planned(world(mandate=Mandate(tilts=("energy=-0.3",))))
    tech, energy = (sum(rows[name]["target_weight"] for name in part) for part in (NAMES[:3], NAMES[3:]))
    assert tech > energy + 0.2


def test_an_absolute_book_without_a_premium_or_a_view_stays_in_cash() -> None:
    rows = planned(world(mandate=Mandate(mode="absolute", benchmark="cash", market_premium=0.0)))
    assert {row["taken"] for row in rows.values()} == {False}
    invested = planned(world(mandate=Mandate(mode="absolute", benchmark="cash", market_premium=0.5)))
    assert sum(row["target_weight"] for row in invested.values()) > 0.1


def test_nothing_is_ordered_after_a_kill() -> None:
    given = world()
    switch = {
        "switch_id": "k", "session": FUND, "switch": "kill", "closes_positions": False, "lifts": [], "reason": "storm",
        "decided_at": given.calendar.close_at(FUND), "recorded_at": given.calendar.close_at(FUND), "origin": "cli",
        "decided_by": "me",
    }  # fmt: skip
    given.add(TRADING_SWITCHES, pl.DataFrame([switch], schema=TRADING_SWITCHES.schema))
    rows = planned(given)
    assert {(row["taken"], row["blocked_by"], row["side"]) for row in rows.values()} == {
        (False, "operator_stop", "buy")
    }


def test_a_name_without_todays_bar_is_not_bought() -> None:
    given = world()
    gone = (pl.col("ticker") == "AAA") & (pl.col("session") == FUND)
    given.tables["market_prices"] = given.rows("market_prices").filter(~gone)
    row = planned(given)["AAA"]
    assert (row["taken"], row["blocked_by"]) == (False, "fresh_data")


def hold(given: World) -> World:
    """The book of the first plan, bought at the open of NEXT."""
    planned(given)
    given.settle(NEXT)
    return given


def test_a_book_near_its_benchmark_is_hardly_traded_and_tells_the_alpha_at_which_each_name_would_be() -> None:
    given = hold(world())
    rows = planned(given, NEXT)
    assert sum(row["shares"] * row["close"] for row in rows.values()) < 10_000
    for row in rows.values():
        assert row["sell_alpha"] <= row["alpha"] <= row["buy_alpha"] + 1e-6


def test_a_broken_stop_sells_the_whole_position_and_it_is_not_bought_back_at_once() -> None:
    given = hold(world(philosophy=Philosophy(turnover=2.0, stop_sigmas=0.5, trail_sigmas=0.5)))
    fallen = (pl.col("ticker") == "AAA") & (pl.col("session") == NEXT)
    lower = pl.when(fallen).then(pl.col("close") * 0.9).otherwise("close")
    given.tables["market_prices"] = given.rows("market_prices").with_columns(close=lower)
    row = planned(given, NEXT)["AAA"]
    assert (row["side"], row["intent"], row["target_weight"]) == ("sell", "stop", 0.0)


def test_limits_that_exclude_each_other_give_way_in_words() -> None:
    given = world(
        mandate=Mandate(min_exposure=0.9),
        philosophy=Philosophy(order=("exposure", "capacity"), capacity_sessions=0.001),
    )
    rows = planned(given)
    assert {row["given_up"] for row in rows.values()} == {"risk, turnover, least exposure"}


@rule(share_of("NAV"))
def no_a(candidate: Candidate, state: PortfolioState, params: TradingParams) -> Ruling:
    """What an operator might declare: nothing that begins with an A, and all of it within a tenth of the book."""
    del params
    if candidate.side != "buy":
        return allow("concerns buys")
    if candidate.ticker.startswith("A"):
        return refuse(1.0, "begins with an A")
    return Ruling("scale", 0.5, 0.1, "half is enough") if state.weight(candidate.value) > 0.1 else allow("small")


def test_a_plugins_rule_of_single_trades_bounds_the_book() -> None:
    given = world(mandate=Mandate(min_exposure=0.0))
    for stage in (regime.STAGE, alphas.STAGE):
        given.run(stage, FUND)
    moment = replace(given.moment(FUND), extensions=Extensions(rules=(no_a,)))
    frames = [given.frame(read, moment) for read in plan.STAGE.reads]
    rows = {
        row["ticker"]: row for row in TRADE_PLANS.check(plan.plan(*frames, moment, given.params)).iter_rows(named=True)
    }
    assert (rows["AAA"]["taken"], rows["AAA"]["blocked_by"]) == (False, "no_a")
    assert verdict(rows["BBB"], "no_a")["verdict"] == "scale"
    assert 0 < rows["BBB"]["target_weight"] <= 0.1


def test_the_same_tables_give_the_same_bits() -> None:
    first, second = world(), world()
    for given in (first, second):
        predict(given, RISING)
    assert planned(first) == planned(second)


@pytest.mark.parametrize("order", [(), ("borrow",)], ids=["none", "only one of short sales"])
def test_a_book_without_a_rule_in_force_is_planned_all_the_same(order: tuple[str, ...]) -> None:
    given = world(philosophy=Philosophy(turnover=2.0, order=order))
    predict(given, RISING)
    rows = planned(given)
    assert [row["verdicts"] for row in rows.values()] == [[]] * len(NAMES)
    assert rows["AAA"]["taken"] and rows["AAA"]["target_weight"] > ALIKE

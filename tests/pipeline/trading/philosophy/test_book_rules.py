"""Each rule of the book by itself: what it makes of a problem, and what it says of the names it concerns."""

from __future__ import annotations

from dataclasses import replace
from datetime import date
from typing import Any

import numpy as np
import pytest

from pipeline.trading.construction.problem import BookProblem, Floats, Risk
from pipeline.trading.mandates.mandate import Mandate
from pipeline.trading.params import TradingParams
from pipeline.trading.philosophy.book_rule import Effect, RuleFacts
from pipeline.trading.philosophy.params import RULE_NAMES, Philosophy
from pipeline.trading.philosophy.rules import BOOK_RULES, order_rules
from pipeline.trading.planning.candidates import Candidate, Forecast, Holding

FORECAST = Forecast(
    prediction_id="p", model_id="m", role="champion", age=0, point=0.03, low=-0.05, low_80=-0.02, high_80=0.08,
    confidence=1.0,
)  # fmt: skip
HOLDING = Holding(shares=100, cost=100.0, weight=0.2, opened=date(2021, 4, 12), held_sessions=5, stop=90.0)
A, B = (
    Candidate(
        ticker=ticker, sector=sector, side="hold", intent="keep", shares=0, close=100.0, stale=0, member=True,
        exclusion="member", volatility=0.02, median_volume=1e6, cost=0.002, forecast=FORECAST, holding=None,
        since_sale=None,
    )
    for ticker, sector in (("AAA", "tech"), ("BBB", "energy"))
)  # fmt: skip


def problem(**values: Any) -> BookProblem:
    """Two names, 20 % of the book in each, half and half in the benchmark."""
    two = {
        "names": ["AAA", "BBB"], "held": np.array([0.2, 0.2]), "benchmark": np.array([0.3, 0.3]),
        "alpha": np.array([0.01, -0.01]), "cost": np.full(2, 0.001), "cost_home": np.full(2, 0.0001),
        "expense": np.full(2, 0.001),
        "risk": Risk(exposures=np.ones((2, 1)), factors=np.array([1e-4]), specific=np.full(2, 1e-3)),
        "risk_aversion": 10.0, "lower": np.zeros(2), "upper": np.ones(2), "max_buy": np.full(2, np.inf),
        "max_sell": np.full(2, np.inf), "cash": 0.6,
    }  # fmt: skip
    return BookProblem(**(two | values))


def facts(
    first: Candidate = A, second: Candidate = B, limits: dict[str, Any] | None = None, **values: Any
) -> RuleFacts:
    """A book of a million with nothing special about it."""
    usual = {
        "candidates": (first, second), "left": (first.close, second.close), "nav": 1e6,
        "drawdown": 0.0, "risk_budget": 1.0, "stopped": "",
        "mandate": Mandate(), "trust": {}, "stops_by_sector": {}, "events": {}, "stopped_out": {},
        "session_share": 5 / 252, "params": TradingParams(philosophy=Philosophy(**(limits or {}))),
    }  # fmt: skip
    return RuleFacts(**(usual | values))


WANTED = np.array([0.5, 0.1])
"""Weights that a solution without rules might have: AAA bought, BBB sold."""


def check(name: str, about: RuleFacts, given: BookProblem | None = None, weights: Floats = WANTED) -> Effect:
    (rule,) = order_rules((name,), shorts=True)
    return rule.check(about, given or problem(), weights)


def test_there_are_at_least_eighteen_rules_each_a_principle_in_one_sentence() -> None:
    assert len(BOOK_RULES) >= 18
    assert tuple(rule.name for rule in BOOK_RULES) == RULE_NAMES
    for rule in BOOK_RULES:
        assert rule.doc.endswith(".")
        assert rule.doc.count(". ") == 0
    assert {rule.kind for rule in BOOK_RULES} == {"refusal", "bound", "penalty", "scaling"}


@pytest.mark.parametrize("name", RULE_NAMES)
def test_a_rule_without_cause_refuses_and_scales_nothing(name: str) -> None:
    limits = {"turnover": 2.0, "name_weight": 0.9, "sector_active": 0.9, "position_loss": 0.5}
    mandate = Mandate(active_risk=1.0, min_exposure=0.5)
    effect = check(name, facts(limits=limits, mandate=mandate))
    assert effect.problem.violation(WANTED) <= 1e-9
    assert np.array_equal(effect.problem.alpha, problem().alpha)


REFUSALS = {
    "operator_stop": facts(stopped="killed: storm"),
    "unexplained_price": facts(replace(A, unexplained="halved overnight", hold_left=3)),
    "eligibility": facts(replace(A, member=False, exclusion="too few bars")),
    "exclusions": facts(mandate=Mandate(exclusions=("tech",))),
    "fresh_data": facts(replace(A, stale=2)),
    "patience": facts(stopped_out={"AAA": 1}),
}


@pytest.mark.parametrize("name", REFUSALS)
def test_a_refusal_leaves_nothing_to_buy_and_says_why(name: str) -> None:
    effect = check(name, REFUSALS[name])
    assert effect.problem.buyable[0] == 0
    assert effect.touched[0].reason
    assert name == "operator_stop" or effect.problem.buyable[1] > 0


def test_a_stop_and_an_unexplained_price_differ_in_what_may_be_sold() -> None:
    assert check("operator_stop", REFUSALS["operator_stop"]).problem.sellable.tolist() == [0, 0]
    assert check("unexplained_price", REFUSALS["unexplained_price"]).problem.sellable.tolist() == [0, 0.2]
    assert check("eligibility", REFUSALS["eligibility"]).problem.sellable.tolist() == [0.2, 0.2]
    assert check("exclusions", REFUSALS["exclusions"]).problem.must_sell.tolist() == [0.2, 0]


def test_below_its_stop_a_position_has_to_go_unless_nobody_explains_the_price() -> None:
    broken = replace(A, close=89.0, holding=HOLDING)
    assert check("cutting_losses", facts(broken)).problem.must_sell.tolist() == [0.2, 0]
    doubted = replace(broken, unexplained="halved overnight")
    assert check("cutting_losses", facts(doubted)).problem.must_sell.tolist() == [0, 0]


def test_a_sector_with_several_stops_is_not_added_to_beyond_the_benchmark() -> None:
    effect = check("sector_cool_down", facts(stops_by_sector={"tech": (3, 8), "energy": (2, 12)}))
    assert effect.problem.upper.tolist() == [0.3, 1.0]
    assert "3 positions of tech" in effect.touched[0].reason


@pytest.mark.parametrize(
    ("stops", "ratio", "hot"),
    [
        ({"tech": (2, 2), "energy": (0, 9)}, 2.0, False),  # too few
        ({"tech": (3, 8), "energy": (6, 20)}, 2.0, False),  # all of them fell
        ({"tech": (3, 8), "energy": (6, 20)}, 1.0, True),
        ({"tech": (3, 8), "energy": (0, 1)}, 2.0, True),
        ({"tech": (9, 9)}, 2.0, False),  # there is no other to be told from
        ({"tech": (3, 30), "energy": (9, 30)}, 0.0, True),  # as earlier programs counted
    ],
)
def test_a_sector_is_stopped_out_where_that_is_more_often_than_elsewhere(
    stops: dict[str, tuple[int, int]], ratio: float, hot: bool
) -> None:
    told = facts(stops_by_sector=stops, limits={"sector_losses_ratio": ratio})
    assert bool(check("sector_cool_down", told).touched) is hot


def test_names_whose_sector_nobody_stated_are_no_sector() -> None:
    stopped = {"stops_by_sector": {"unknown": (5, 6), "tech": (0, 20)}}
    nowhere = replace(A, sector="unknown")
    assert not check("sector_cool_down", facts(nowhere, **stopped)).touched
    earlier = facts(nowhere, limits={"sector_losses_ratio": 0.0}, **stopped)
    assert list(check("sector_cool_down", earlier).touched) == [0]


SCALINGS = {
    "stale_forecasts": (facts(replace(A, forecast=replace(FORECAST, age=2))), 0.6),
    "humility": (facts(replace(A, forecast=replace(FORECAST, confidence=0.125))), 0.5),
    "strangeness": (facts(replace(A, forecast=replace(FORECAST, strangeness=0.995))), 0.5),
    "trust": (facts(trust={"AAA": (0, 20)}), 0.5),
}


@pytest.mark.parametrize("name", SCALINGS)
def test_a_scaling_leaves_a_share_of_the_alpha_of_the_name_it_concerns(name: str) -> None:
    about, share = SCALINGS[name]
    effect = check(name, about)
    assert effect.problem.alpha == pytest.approx([0.01 * share, -0.01])
    assert effect.touched[0].distance == pytest.approx(1 - share)


def test_trust_has_a_floor_and_no_bonus() -> None:
    assert check("trust", facts(trust={"AAA": (0, 500)})).problem.alpha[0] == pytest.approx(0.005)
    assert check("trust", facts(trust={"AAA": (500, 500)})).problem.alpha[0] == pytest.approx(0.01)


@pytest.mark.parametrize(("drawdown", "share"), [(0.05, 1.0), (0.165, 0.5), (0.25, 0.0), (0.6, 0.0)])
def test_bets_shrink_continuously_with_the_drawdown(drawdown: float, share: float) -> None:
    effect = check("drawdown_stop", facts(drawdown=drawdown))
    assert effect.problem.alpha == pytest.approx(share * problem().alpha)


def test_what_a_drawdown_is_measured_from_is_said() -> None:
    own, beside = (check("drawdown_stop", facts(drawdown=0.165, beside_benchmark=one)) for one in (False, True))
    assert "16.5 % under its peak" in own.otherwise
    assert "16.5 % behind its benchmark since its best of a year" in beside.otherwise


def test_penalties_charge_for_trading() -> None:
    assert check("cost_awareness", facts(mandate=Mandate(cost_aversion=3.0))).problem.cost == pytest.approx(
        [0.003, 0.003]
    )
    near = check("event_proximity", facts(events={"BBB": (0, "split")}))
    assert near.problem.cost == pytest.approx([0.001, 0.003])
    assert "split" in near.touched[1].reason


def test_a_winner_of_which_more_is_expected_is_not_sold_below_its_benchmark_weight() -> None:
    won = replace(A, close=120.0, holding=HOLDING)
    effect = check("letting_winners_run", facts(won), weights=np.array([0.05, 0.1]))
    assert effect.problem.lower.tolist() == [0.2, 0]
    assert "let it run" in effect.touched[0].reason
    assert check("letting_winners_run", facts(replace(won, close=99.0))).problem.lower.tolist() == [0, 0]


def test_a_position_far_under_its_cost_is_not_added_to() -> None:
    lost = replace(A, close=85.0, holding=HOLDING)
    assert check("averaging_down", facts(lost)).problem.upper.tolist() == [0.3, 1.0]
    assert check("averaging_down", facts(replace(lost, close=95.0))).problem.upper.tolist() == [1.0, 1.0]


CAPS = {
    "capital_preservation": (facts(limits={"position_loss": 0.02}), 0.4),
    "diversification": (facts(limits={"name_weight": 0.35}), 0.35),
    "capacity": (facts(replace(A, median_volume=20_000.0), limits={"capacity_sessions": 6.0}), 0.3),
}


@pytest.mark.parametrize("name", CAPS)
def test_a_cap_says_by_how_much_a_name_was_over_it(name: str) -> None:
    about, cap = CAPS[name]
    effect = check(name, about)
    assert effect.problem.upper[0] == pytest.approx(cap)
    assert effect.touched[0].distance == pytest.approx(0.5 - cap)
    assert 1 not in effect.touched


def test_a_sector_may_be_so_much_larger_than_the_benchmarks() -> None:
    effect = check("sector_limit", facts(limits={"sector_active": 0.1}))
    assert {one.name: one.upper for one in effect.problem.groups} == pytest.approx(
        {"sector tech": 0.4, "sector energy": 0.4}
    )
    assert effect.touched[0].distance == pytest.approx(0.1)


def test_an_order_stays_within_a_share_of_the_usual_volume() -> None:
    effect = check("liquidity", facts(replace(A, median_volume=40_000.0)))
    assert effect.problem.max_buy[0] == pytest.approx(0.1)  # 2.5 % of 40,000 shares at 100 of a million
    assert effect.touched[0].distance == pytest.approx(2_000)
    unknown = check("liquidity", facts(replace(A, median_volume=None)))
    assert unknown.problem.buyable[0] == 0
    assert unknown.problem.sellable[0] == pytest.approx(0.2)


def test_risk_is_the_mandates_times_what_the_market_allows() -> None:
    calm, wild = (check("active_risk", facts(risk_budget=budget)).problem.max_risk for budget in (1.0, 0.5))
    # What is held strays further than either: it comes back by a fifth.
    held = problem().risk.deviation(np.array([-0.1, -0.1]))
    assert calm == pytest.approx(max(0.06 * (5 / 252) ** 0.5, 0.8 * held))
    assert wild <= calm


def test_the_mandates_band_bounds_the_whole_book() -> None:
    band = check("exposure", facts(mandate=Mandate(min_exposure=0.5, max_exposure=0.55)))
    assert (band.problem.min_exposure, band.problem.max_exposure) == (0.5, 0.55)
    assert band.touched[0].distance == pytest.approx(0.05)
    absolute = check("exposure", facts(mandate=Mandate(mode="absolute"), risk_budget=0.5)).problem
    assert (absolute.min_exposure, absolute.max_exposure) == (0.0, pytest.approx(0.495))


def test_turnover_leaves_room_for_what_the_benchmark_lacks_and_for_stops() -> None:
    effect = check("turnover", facts(limits={"turnover": 0.05}))
    assert effect.problem.max_turnover == pytest.approx(0.05 + 0.2)
    stopped = problem(upper=np.array([0.0, 1.0]))
    assert check("turnover", facts(limits={"turnover": 0.05}), stopped).problem.max_turnover == pytest.approx(0.45)


def test_a_reserve_stays_in_cash_and_a_trifle_is_no_order() -> None:
    assert check("solvency", facts(limits={"cash_reserve": 0.1})).problem.cash == pytest.approx(0.5)
    small = check("significance", facts(), weights=np.array([0.2004, 0.1]))
    assert small.problem.buyable.tolist() == [0, pytest.approx(0.8)]
    whole = check("significance", facts(), problem(held=np.array([0.0004, 0.2])), np.array([0.0, 0.2]))
    assert not whole.touched, "a whole position may be sold however small"

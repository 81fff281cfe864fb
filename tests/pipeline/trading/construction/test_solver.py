"""The solver's answers are optimal by the conditions of the problem itself, and the same in every process."""

from __future__ import annotations

import sys
from dataclasses import replace
from hashlib import sha256
from subprocess import run

import numpy as np
import pytest

from pipeline.trading.construction.problem import BookProblem, Risk
from pipeline.trading.construction.relaxing import solve_relaxed
from pipeline.trading.construction.solver import MAX_RESIDUAL, RISK, InfeasibleError, Solution, solve
from tests.pipeline.trading.construction.problems import draw_problem

PRICE = 1e-6
"""Tolerance of a marginal utility, in units of alpha."""


def one_name(**changes: object) -> BookProblem:
    """A single name without risk, of which half is held."""
    values: dict[str, object] = {
        "names": ["A"],
        "held": np.array([0.5]),
        "benchmark": np.array([0.5]),
        "alpha": np.array([0.0]),
        "cost": np.array([0.001]),
        "cost_home": np.array([0.001]),
        "expense": np.array([0.0]),
        "risk": Risk(exposures=np.ones((1, 1)), factors=np.array([0.0]), specific=np.array([0.01])),
        "risk_aversion": 10.0,
        "lower": np.zeros(1),
        "upper": np.ones(1),
        "max_buy": np.full(1, np.inf),
        "max_sell": np.full(1, np.inf),
        "cash": 0.5,
    }
    return BookProblem(**(values | changes))  # type: ignore[arg-type]


def assert_optimal(problem: BookProblem, solution: Solution) -> None:
    """Every name meets the conditions of Karush, Kuhn and Tucker, told from the problem and not from its matrices."""
    trades = solution.weights - problem.held
    for at in range(len(problem.names)):
        room, loose = problem.buyable[at], problem.sellable[at]
        if abs(solution.weights[at] - problem.benchmark[at]) <= PRICE and abs(trades[at]) > PRICE:
            saved = problem.cost[at] - problem.cost_home[at]  # the price of a unit jumps there
            gap = solution.buy_gap[at] if trades[at] > 0 else solution.sell_gap[at]
            assert -PRICE <= gap <= saved + PRICE or min(room, loose) <= PRICE
            continue
        if trades[at] > PRICE:
            assert solution.buy_gap[at] <= PRICE, "bought though one more unit costs more than it is worth"
            if trades[at] < room - PRICE:
                assert solution.buy_gap[at] == pytest.approx(0.0, abs=PRICE)
        elif trades[at] < -PRICE:
            assert solution.sell_gap[at] <= PRICE
            if -trades[at] < loose - PRICE:
                assert solution.sell_gap[at] == pytest.approx(0.0, abs=PRICE)
        else:
            assert solution.buy_gap[at] >= -PRICE or room <= PRICE
            assert solution.sell_gap[at] >= -PRICE or loose <= PRICE


@pytest.mark.parametrize("max_risk", [np.inf, 0.02])
def test_answers_meet_every_limit_and_the_conditions_of_an_optimum(max_risk: float) -> None:
    solved = 0
    for seed in range(60):
        problem = draw_problem(seed, max_risk=max_risk)
        try:
            solution = solve(problem)
        except InfeasibleError:
            assert np.isfinite(max_risk) or problem.held.sum() == 0
            continue
        assert solution.residual <= MAX_RESIDUAL
        assert problem.violation(solution.weights) <= 1e-7
        assert_optimal(problem, solution)
        solved += 1
    assert solved >= 50 or np.isfinite(max_risk)
    assert solved >= 20


def test_nothing_is_traded_while_alpha_is_within_the_cost() -> None:
    inside, outside = (solve(one_name(alpha=np.array([alpha]))) for alpha in (0.0009, 0.0021))
    assert inside.weights[0] == 0.5
    assert inside.buy_gap[0] == pytest.approx(0.0001)
    # alpha - cost = aversion x variance x active: 0.0011 / 0.1.
    assert outside.weights[0] == pytest.approx(0.5 + 0.0011 / 0.1, abs=1e-8)


def test_trading_home_is_counted_by_its_own_cost_and_beyond_the_benchmark_by_the_whole() -> None:
    away = one_name(held=np.array([0.3]), cash=0.7, cost_home=np.array([0.0001]), cost=np.array([0.02]))
    # 0.1 x (0.5 - weight) = 0.0001 is where going home stops; no alpha of 0.01 pays for going beyond.
    assert solve(away).weights[0] == pytest.approx(0.499, abs=1e-7)
    keen = solve(replace(away, alpha=np.array([0.01])))
    assert keen.weights[0] == pytest.approx(0.5, abs=1e-7)
    assert solve(replace(away, alpha=np.array([0.022]))).weights[0] == pytest.approx(0.52, abs=1e-7)


def test_the_objective_counts_each_part_of_a_trade_at_its_cost() -> None:
    problem = one_name(held=np.array([0.3]), cost_home=np.array([0.0001]), cost=np.array([0.02]))
    risk = [10 / 2 * 0.01 * active**2 for active in (0.1, 0.1)]
    assert problem.objective(np.array([0.4])) == pytest.approx(-0.1 * 0.0001 - risk[0])
    assert problem.objective(np.array([0.6])) == pytest.approx(-0.2 * 0.0001 - 0.1 * 0.02 - risk[1])
    assert problem.objective(np.array([0.2])) == pytest.approx(-0.1 * 0.02 - 10 / 2 * 0.01 * 0.09)


def test_a_bound_has_a_shadow_price() -> None:
    tight = solve(one_name(alpha=np.array([0.0021]), upper=np.array([0.505])))
    assert tight.weights[0] == pytest.approx(0.505, abs=1e-8)
    assert tight.buy_gap[0] == pytest.approx(-(0.0011 - 0.1 * 0.005), abs=1e-7)


def test_the_largest_risk_is_kept_and_priced() -> None:
    risky = solve(one_name(alpha=np.array([0.05]), max_risk=0.02))
    assert risky.weights[0] == pytest.approx(0.5 + 0.02 / 0.1, abs=1e-6)
    assert risky.shadow_prices[RISK] > 0


def test_a_name_above_its_bound_is_sold_down_to_it() -> None:
    assert solve(one_name(upper=np.array([0.2]))).weights[0] == pytest.approx(0.2, abs=1e-8)


def test_limits_that_exclude_each_other_are_infeasible_and_give_way_in_order() -> None:
    contradictory = one_name(min_exposure=0.9, max_turnover=0.1, max_risk=1e-6, alpha=np.array([0.01]))
    with pytest.raises(InfeasibleError, match="no weights meet the limits"):
        solve(contradictory)
    relaxed = solve_relaxed(contradictory)
    assert relaxed.given_up == ("risk", "turnover")
    assert relaxed.solution.weights[0] == pytest.approx(0.9, abs=1e-7)


def test_what_cannot_be_traded_at_all_stays() -> None:
    shut = one_name(max_buy=np.zeros(1), max_sell=np.zeros(1), max_exposure=0.2, cash=-0.1)
    relaxed = solve_relaxed(shut)
    assert relaxed.solution.weights[0] == 0.5
    assert relaxed.given_up


def test_a_scaled_problem_has_the_same_answer() -> None:
    """Utility in other units: alpha, cost and aversion times ten say the same."""
    problem = draw_problem(3)
    tenfold = replace(
        problem, alpha=10 * problem.alpha, cost=10 * problem.cost, cost_home=10 * problem.cost_home, risk_aversion=100.0
    )
    assert solve(tenfold).weights == pytest.approx(solve(problem).weights, abs=1e-6)


def digest(count: int = 5) -> str:
    """Bits of some answers."""
    answers = [solve(draw_problem(seed, names=40)).weights.tobytes() for seed in range(1, count)]
    return sha256(b"".join(answers)).hexdigest()


@pytest.mark.slow
def test_bits_are_the_same_in_twenty_processes() -> None:
    code = "from tests.pipeline.trading.construction.test_solver import digest; print(digest())"
    told = {run([sys.executable, "-c", code], check=True, capture_output=True, text=True).stdout for _ in range(20)}
    assert told == {f"{digest()}\n"}

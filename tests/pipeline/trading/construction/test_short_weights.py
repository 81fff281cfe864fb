"""Books with short positions: the answer is the best there is, and every limit on what is short is kept."""

from __future__ import annotations

from dataclasses import replace
from typing import Any

import numpy as np
import pytest

from pipeline.trading.construction.problem import BookProblem, Floats
from pipeline.trading.construction.relaxing import solve_relaxed
from pipeline.trading.construction.solver import GROSS, MAX_RESIDUAL, SHORT, InfeasibleError, solve
from tests.pipeline.trading.construction.problems import draw_problem


def draw_short(seed: int) -> BookProblem:
    """A drawn problem in which some names are short already, and most may be."""
    problem, rng = draw_problem(seed, names=10), np.random.default_rng(1_000 + seed)
    held = np.where(rng.random(10) < 0.3, -rng.uniform(0, 0.04, 10), problem.held)
    short, collateral = float(np.clip(-held, 0, None).sum()), float(rng.choice([1.0, 1.02, 1.5]))
    return replace(
        problem,
        held=held,
        benchmark=problem.benchmark if seed % 3 else np.zeros(10),
        upper=np.maximum(0.2, held),
        lower=np.minimum(-0.06 * (rng.random(10) < 0.8), held),
        cost_home=np.minimum(problem.cost_home, problem.cost),
        borrow=rng.uniform(0, 2e-3, 10),
        collateral=collateral,
        cash=1 - float(held.sum()) - collateral * short - 0.005,
        proceeds_pay=bool(seed % 5),
        max_short=float(max(rng.uniform(0.02, 0.3), short)),
        max_gross=float(max(rng.uniform(0.6, 1.2), np.abs(held).sum())),
        max_buy=rng.uniform(0.005, 0.2, 10),
        min_exposure=-np.inf if seed % 2 else 0.0,
        groups=tuple(
            replace(one, upper=max(one.upper, float(held[one.members].sum())), lower=-0.1) for one in problem.groups
        ),
    )


def solve_otherwise(problem: BookProblem) -> tuple[Floats, float]:
    """The best weights by a problem stated in weights, their negative parts, sizes and costs of trades: [4 N]."""
    import clarabel
    from scipy.sparse import csc_matrix

    count, aversion = len(problem.names), problem.risk_aversion
    eye, zero = np.eye(count), np.zeros((count, count))
    risk = problem.risk
    covariance = (risk.exposures * risk.factors) @ risk.exposures.T + np.diag(risk.specific)
    quadratic = np.zeros((4 * count, 4 * count))
    quadratic[:count, :count] = aversion * covariance
    linear = np.concatenate([-problem.alpha - aversion * covariance @ problem.benchmark, problem.fees])
    linear = np.concatenate([linear, np.zeros(count), np.ones(count)])
    rows: list[Any] = []
    bounds: list[Any] = []

    def limit(weight: Any, negative: Any, size: Any, cost: Any, bound: Any) -> None:
        rows.append(np.concatenate([np.atleast_2d(one) for one in (weight, negative, size, cost)], axis=1))
        bounds.append(np.atleast_1d(bound))

    held, none = problem.held, np.zeros(count)
    limit(-eye, -eye, zero, zero, none)
    limit(zero, -eye, zero, zero, none)
    limit(eye, zero, -eye, zero, held)
    limit(-eye, zero, -eye, zero, -held)
    sold, bought = problem.sellable, problem.buyable
    limit(eye, zero, zero, zero, held + np.maximum(bought, problem.must_buy) - problem.must_sell * (bought <= 0))
    limit(-eye, zero, zero, zero, -held + np.maximum(sold, problem.must_sell) - problem.must_buy * (sold <= 0))
    at, home, whole = problem.benchmark, problem.cost_home, problem.cost
    for slope, start, paid in (
        (np.where(at > held, home, whole), held, none),
        (np.where(at < held, -home, -whole), held, none),
        (np.where(at > held, whole, -whole), at, home * np.abs(at - held)),
    ):
        limit(np.diag(slope), zero, zero, -eye, slope * start - paid)
    one, before = np.ones(count), np.clip(-held, 0, None)
    limit(one, none, none, none, problem.max_exposure)
    limit(-one, none, none, none, min(-problem.min_exposure, 1e6))
    limit(none, one, none, none, problem.max_short)
    limit(one, 2 * one, none, none, problem.max_gross)
    limit(none, none, one, none, problem.max_turnover)
    if problem.proceeds_pay:
        spent = problem.cash + problem.collateral * before.sum() + held.sum()
        limit(one, problem.collateral * one, problem.expense, none, spent)
    for group in problem.groups:
        part = group.members.astype(float)
        limit(part, none, none, none, group.upper)
        limit(-part, none, none, none, -group.lower)
    matrix, bound = np.concatenate(rows), np.concatenate(bounds)
    settings = clarabel.DefaultSettings()
    settings.verbose = False
    settings.tol_gap_abs = settings.tol_gap_rel = settings.tol_feas = 1e-11
    cones = [clarabel.NonnegativeConeT(len(bound))]
    upper = csc_matrix(np.triu(quadratic))
    found = clarabel.DefaultSolver(upper, linear, csc_matrix(matrix), bound, cones, settings).solve()
    if str(found.status) not in ("Solved", "AlmostSolved"):
        raise InfeasibleError(str(found.status))
    weights = np.array(found.x)[:count]
    return weights, problem.objective(weights)


def test_the_answer_is_that_of_the_same_problem_stated_in_weights_and_their_negative_parts() -> None:
    solved, bound_short, bound_gross = 0, 0, 0
    for seed in range(150):
        problem = draw_short(seed)
        try:
            mine = solve(problem)
        except InfeasibleError:
            continue
        assert mine.residual <= MAX_RESIDUAL
        assert problem.violation(mine.weights) <= 1e-7
        bound_short += SHORT in mine.shadow_prices
        bound_gross += GROSS in mine.shadow_prices
        if problem.proceeds_pay:
            weights, objective = solve_otherwise(problem)
            assert mine.objective == pytest.approx(objective, abs=1e-8)
            assert mine.weights == pytest.approx(weights, abs=1e-4)
            solved += 1
    assert solved >= 80 and bound_short >= 10 and bound_gross >= 10


def test_a_short_position_is_opened_once_what_is_expected_pays_cost_and_borrow() -> None:
    base = replace(
        draw_problem(0, names=1, sectors=1),
        held=np.zeros(1), benchmark=np.zeros(1), cost=np.array([0.001]), lower=np.array([-0.5]), upper=np.ones(1),
        max_buy=np.full(1, np.inf), borrow=np.array([0.002]), cash=1.0, max_turnover=np.inf, groups=(),
        min_exposure=-np.inf,
    )  # fmt: skip
    still = solve(replace(base, alpha=np.array([-0.0029])))
    assert (still.weights[0], still.sell_gap[0]) == (0.0, pytest.approx(0.0001, abs=1e-9))
    opened = solve(replace(base, alpha=np.array([-0.0031])))
    variance = float(base.risk.times(np.ones(1))[0])
    assert opened.weights[0] == pytest.approx(-0.0001 / (10 * variance), abs=1e-8)


def test_without_a_negative_bound_no_weight_becomes_negative() -> None:
    for seed in range(10):
        problem = draw_problem(seed)
        assert (solve_relaxed(replace(problem, borrow=np.zeros(12), max_gross=1.0)).solution.weights >= 0).all()


def test_shorts_beyond_their_limits_give_way_in_words_where_nothing_can_be_bought_back() -> None:
    problem = replace(draw_short(4), max_buy=np.zeros(10), max_short=0.001, held=np.full(10, -0.02), max_gross=0.01)
    assert {SHORT, GROSS} <= set(solve_relaxed(problem).given_up)

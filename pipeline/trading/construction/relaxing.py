"""What gives way where no weights meet all limits: one limit after the other, in a stated order, in words."""

from __future__ import annotations

from collections.abc import Callable
from dataclasses import replace
from typing import NamedTuple

import numpy as np

from pipeline.trading.construction.problem import BookProblem, WeightGroup
from pipeline.trading.construction.solver import (
    CASH,
    EXPOSURE,
    GROSS,
    MIN_EXPOSURE,
    RISK,
    SHORT,
    TURNOVER,
    InfeasibleError,
    Solution,
    solve,
)


class Relaxed(NamedTuple):
    """A solution, and which limits it does without."""

    solution: Solution
    problem: BookProblem
    """As it was solved."""
    given_up: tuple[str, ...]
    """The limits that gave way, in order; empty where all hold."""


def _free_groups(problem: BookProblem) -> BookProblem:
    """A sector that no trade can bring under its limit may stay as it is."""
    freed = (
        WeightGroup(
            name=one.name,
            members=one.members,
            upper=max(one.upper, problem.held[one.members].sum()),
            lower=min(one.lower, problem.held[one.members].sum()),
        )
        for one in problem.groups
    )
    return replace(problem, groups=tuple(freed))


def _free_shorts(problem: BookProblem) -> BookProblem:
    return replace(problem, max_short=max(problem.max_short, np.clip(-problem.held, 0.0, None).sum()))


def _free_gross(problem: BookProblem) -> BookProblem:
    return replace(problem, max_gross=max(problem.max_gross, np.abs(problem.held).sum()))


STEPS: tuple[tuple[str, Callable[[BookProblem], BookProblem]], ...] = (
    (RISK, lambda problem: replace(problem, max_risk=np.inf)),
    (TURNOVER, lambda problem: replace(problem, max_turnover=np.inf)),
    (MIN_EXPOSURE, lambda problem: replace(problem, min_exposure=-np.inf if problem.shorting else 0.0)),
    ("sector limits", _free_groups),
    (SHORT, _free_shorts),
    (GROSS, _free_gross),
    (EXPOSURE, lambda problem: replace(problem, max_exposure=max(problem.max_exposure, problem.held.sum()))),
    (CASH, lambda problem: replace(problem, cash=max(problem.cash, 0.0))),
    ("everything", lambda problem: problem.limit_trades(np.zeros(len(problem.held)), np.zeros(len(problem.held)))),
)
"""What gives way, and how: first what only slows the book, then what it may weigh; at last nothing is traded at all."""


def solve_relaxed(problem: BookProblem) -> Relaxed:
    """Return the best weights that meet as many limits as can be met, given up in the order of `STEPS`."""
    given_up: list[str] = []
    for name, relax in ((None, None), *STEPS):
        if name in (SHORT, GROSS) and not problem.shorting:
            continue
        if name is not None and relax is not None:
            problem = relax(problem)
            given_up.append(name)
        try:
            return Relaxed(solve(problem), problem, tuple(given_up))
        except InfeasibleError:
            continue
    return Relaxed(_stand_still(problem), problem, tuple(given_up))


def _stand_still(problem: BookProblem) -> Solution:
    zeros = np.zeros(len(problem.names))
    return Solution(
        weights=problem.held.copy(),
        shadow_prices={},
        buy_gap=zeros,
        sell_gap=zeros,
        residual=0.0,
        objective=problem.objective(problem.held),
    )

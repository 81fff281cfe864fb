"""The weights of a book without the way there: only those of its solutions are computed that the last one rests on."""

from __future__ import annotations

from collections.abc import Iterator, Sequence
from itertools import pairwise
from operator import attrgetter

import numpy as np

from pipeline.trading.construction.problem import BookProblem
from pipeline.trading.construction.relaxing import Relaxed, solve_relaxed
from pipeline.trading.construction.solver import CASH, EXPOSURE, MIN_EXPOSURE, RISK, TURNOVER, Solution
from pipeline.trading.philosophy.book_rule import BookRule, RuleFacts
from pipeline.trading.philosophy.steps import KEPT, soften, solve_again, strive_alike

BINDS = 1e-6
"""Shadow price from which on a limit clearly binds."""
FREE = 1e-8
"""Shadow price up to which one clearly does not: the solver's rounding."""
LIMITS = (
    (EXPOSURE, "max_exposure"),
    (MIN_EXPOSURE, "min_exposure"),
    (CASH, "cash"),
    (TURNOVER, "max_turnover"),
    (RISK, "max_risk"),
)
"""Name of a limit's shadow price, and of the problem's attribute."""
TIGHTER = (("lower", 1), ("upper", -1), ("max_buy", -1), ("max_sell", -1), ("min_exposure", 1), ("max_exposure", -1),
           ("cash", -1), ("max_turnover", -1), ("max_risk", -1))  # fmt: skip
"""Attribute of a problem, and the direction in which it grows tighter."""
_BOUNDS, _DIRECTIONS = attrgetter(*(name for name, _ in TIGHTER)), tuple(sign for _, sign in TIGHTER)


def find_weights(problem: BookProblem, facts: RuleFacts, rules: Sequence[BookRule]) -> Relaxed:
    """Return the last solution that `build_book` comes to, to the bit.

    A solution is thrown away once a rule changes what is striven for, or adds a limit that it does not meet. Only rules
    that look at weights need one before.

    Args:
        problem: the mandate's, no rule in it.
        facts: what rules look at.
        rules: in the order in which they speak.
    """
    solved: Relaxed | None = None
    pending = [problem]
    for rule in rules:
        if rule.needs_weights:
            solved, pending = _solve_last(pending, solved), pending[-1:]
        weights = solved.solution.weights if solved else problem.held
        effect = soften(rule, rule.check(facts, pending[-1], weights), pending[-1], facts)
        pending.append(effect.problem)
    return _solve_last(pending, solved)


def _solve_last(problems: Sequence[BookProblem], solved: Relaxed | None) -> Relaxed:
    """The solution of the last of some problems, each of which a rule made of the one before.

    Args:
        problems: the first is solved already, unless `solved` is None.
        solved: its solution.
    """
    changes = [at for at in range(1, len(problems)) if not strive_alike(problems[at - 1], problems[at])]
    tail = problems[changes[-1] if changes else 0 :]
    if solved is None or changes:
        if (found := _jump(tail)) is not None:
            return found
        solved = solve_relaxed(tail[0])
    for before, after in pairwise(tail):
        solved = solve_again(before, after, solved)
    return solved


def _jump(problems: Sequence[BookProblem]) -> Relaxed | None:
    """The last solution found without those between: None where that cannot be told.

    Problems that only grow tighter, and know no short positions, are solved anew at the last limit that binds in the
    end, and are kept after it.
    """
    if problems[-1].shorting or not all(_grows_tighter(before, after) for before, after in pairwise(problems)):
        return None
    turnover = [at for at in range(1, len(problems)) if problems[at].max_turnover < problems[at - 1].max_turnover]
    for guess in (*turnover[-1:], len(problems) - 1):  # turnover is what usually binds in the end
        found = solve_relaxed(problems[guess])
        binding = _find_last_binding(problems[: guess + 1], found.solution)
        if found.given_up or binding is None:
            return None
        if not _meets(problems[guess + 1 :], found.solution):
            continue
        if binding < guess:
            found = solve_relaxed(problems[binding])
        kept = binding == guess or _meets(problems[binding + 1 :], found.solution)
        return Relaxed(found.solution, problems[-1], ()) if kept else None
    return None


def _meets(problems: Sequence[BookProblem], solution: Solution) -> bool:
    return all(one.violation(solution.weights) <= KEPT for one in problems)


def _grows_tighter(before: BookProblem, after: BookProblem) -> bool:
    kept = all(one is other for one, other in zip(before.groups, after.groups, strict=False))
    if not kept or len(before.groups) > len(after.groups):
        return False
    bounds = zip(_BOUNDS(before), _BOUNDS(after), _DIRECTIONS, strict=True)
    return all(one is other or bool(np.all(sign * one <= sign * other)) for one, other, sign in bounds)


def _find_last_binding(problems: Sequence[BookProblem], solution: Solution) -> int | None:
    """The last of the problems that brought a limit that binds; 0 where none did, None where it cannot be told."""
    for at in range(len(problems) - 1, 0, -1):
        price = max(_price_brought(problems[at - 1], problems[at], solution), default=0.0)
        if price > FREE:
            return at if price > BINDS else None
    return 0


def _price_brought(before: BookProblem, after: BookProblem, solution: Solution) -> Iterator[float]:
    """The shadow price of each limit that may have come between two problems."""
    prices = solution.shadow_prices
    for name, attribute in LIMITS:
        if getattr(before, attribute) != getattr(after, attribute):
            yield prices.get(name, 0.0)
    for group in after.groups[len(before.groups) :]:
        yield max(prices.get(group.name, 0.0), prices.get(f"least {group.name}", 0.0))
    bought = (before.buyable != after.buyable) | (before.must_sell != after.must_sell)
    sold = (before.sellable != after.sellable) | (before.must_buy != after.must_buy)
    yield float((-solution.buy_gap[bought]).max(initial=0.0))
    yield float((-solution.sell_gap[sold]).max(initial=0.0))

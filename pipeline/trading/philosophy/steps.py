"""Builds the book rule by rule: what it would be without any, after each, and which of them changed a name."""

from __future__ import annotations

from collections.abc import Sequence
from dataclasses import dataclass, replace
from operator import attrgetter, is_

import numpy as np

from pipeline.text_format import percent
from pipeline.trading.construction.problem import BookProblem, Floats
from pipeline.trading.construction.relaxing import Relaxed, solve_relaxed
from pipeline.trading.construction.solver import NO_TRADE, Solution
from pipeline.trading.philosophy.book_rule import BookRule, Effect, RuleFacts
from pipeline.trading.philosophy.trade_rules import apply_trade_rule
from pipeline.trading.planning.rule import Rule, RuleVerdict
from pipeline.trading.trust.lessons import find_share

KEPT = 1e-9
"""Fraction of NAV within which weights still meet a limit that a rule added."""
STRIVING = ("alpha", "cost", "cost_home", "expense", "benchmark", "risk", "borrow")
"""What of a problem says what is striven for; all else limits it."""
_STRIVING = attrgetter(*STRIVING)
UNCHANGED = 1e-6
"""Share of a trade below which a change of it is the solver's rounding."""


@dataclass(frozen=True, kw_only=True)
class BuiltBook:
    """A book with the way that led to it."""

    problem: BookProblem
    """As it was solved at last, every rule's limits in it."""
    free: Floats
    """[N] weights without any rule."""
    steps: Floats
    """[R, N] weights after each rule; the last are the book's."""
    verdicts: tuple[tuple[RuleVerdict, ...], ...]
    """[N][R] what each rule says of each name."""
    solution: Solution
    given_up: tuple[str, ...]
    """Limits that could not be met together with the others, in the order in which they gave way."""

    @property
    def weights(self) -> Floats:
        """[N] of the book."""
        return self.solution.weights


def build_book(
    problem: BookProblem, facts: RuleFacts, rules: Sequence[BookRule], trade_rules: Sequence[Rule] = ()
) -> BuiltBook:
    """Solve without rules, then after each of them; a rule whose limits the weights meet already changes nothing.

    Args:
        problem: the mandate's, no rule in it.
        facts: what rules look at.
        rules: in the order in which they speak.
        trade_rules: of plugins, which judge single trades; they come last.
    """
    solved = solve_relaxed(problem)
    free, steps, told = solved.solution.weights, [], []
    for rule in rules:
        before = solved.solution.weights
        effect = soften(rule, rule.check(facts, problem, before), problem, facts)
        solved = solve_again(problem, effect.problem, solved)
        problem = effect.problem
        steps.append(solved.solution.weights)
        told.append(_judge(rule.name, effect, problem.held, before, solved.solution.weights))
    for trade_rule in trade_rules:
        problem, solved, verdicts = apply_trade_rule(trade_rule, facts, problem, solved)
        steps.append(solved.solution.weights)
        told.append(verdicts)
    return BuiltBook(
        problem=solved.problem,
        free=free,
        steps=np.array(steps).reshape(len(steps), len(free)),
        verdicts=tuple(zip(*told, strict=True)) if told else tuple(() for _ in free),
        solution=solved.solution,
        given_up=solved.given_up,
    )


def soften(rule: BookRule, effect: Effect, before: BookProblem, facts: RuleFacts) -> Effect:
    """Return the effect of a rule as far as it is trusted: one whose moves kept costing takes less from alpha."""
    own = tuple(one for one in facts.lessons if one.kind == "rule" and one.name == rule.name)
    if not own or effect.problem is before or facts.session is None:
        return effect
    shares = np.array([find_share(own, "rule", one.ticker, one.sector, facts.session)[0] for one in facts.candidates])
    alpha = before.alpha + shares * (effect.problem.alpha - before.alpha)
    told = {
        at: touch
        if shares[at] == 1
        else touch._replace(reason=f"{touch.reason}; its say counts {percent(float(shares[at]), 0)}")
        for at, touch in effect.touched.items()
    }
    return replace(effect, problem=replace(effect.problem, alpha=alpha), touched=told)


def strive_alike(before: BookProblem, after: BookProblem) -> bool:
    """Return whether two problems differ in their limits alone."""
    return all(map(is_, _STRIVING(before), _STRIVING(after)))


def solve_again(before: BookProblem, after: BookProblem, solved: Relaxed) -> Relaxed:
    """Return the best weights under the new problem; the same ones where only limits came that they meet."""
    if after is before:
        return solved
    if strive_alike(before, after) and not solved.given_up and after.violation(solved.solution.weights) <= KEPT:
        return Relaxed(solved.solution, after, ())
    return solve_relaxed(after)


def _judge(name: str, effect: Effect, held: Floats, before: Floats, after: Floats) -> tuple[RuleVerdict, ...]:
    """What a rule says of each name: it refuses what it leaves no trade of, and scales what it leaves less of."""
    wanted, left = np.abs(before - held), np.abs(after - held)
    allowed = RuleVerdict(name, "allow", 1.0, 0.0, effect.otherwise)
    verdicts = [allowed] * len(held)
    for at, touch in effect.touched.items():
        if wanted[at] <= NO_TRADE or left[at] >= wanted[at] * (1 - UNCHANGED):
            verdicts[at] = allowed._replace(reason=touch.reason)
        elif left[at] <= NO_TRADE:
            verdicts[at] = RuleVerdict(name, "refuse", 0.0, float(touch.distance), touch.reason)
        else:
            share = float(left[at] / wanted[at])
            verdicts[at] = RuleVerdict(name, "scale", share, float(touch.distance), touch.reason)
    return tuple(verdicts)

"""Applies a rule that judges single trades, as plugins declare them, to a whole book: what it refuses is not traded."""

from __future__ import annotations

from dataclasses import replace

import numpy as np

from pipeline.trading.construction.problem import BookProblem, Floats
from pipeline.trading.construction.relaxing import Relaxed, solve_relaxed
from pipeline.trading.construction.solver import NO_TRADE
from pipeline.trading.philosophy.book_rule import RuleFacts
from pipeline.trading.planning.candidates import Candidate, PortfolioState
from pipeline.trading.planning.rule import Rule, RuleVerdict

MAX_ROUNDS = 5
"""Times the rule is asked about the trades that its last answer led to; what it still objects to then is not traded."""


def apply_trade_rule(
    rule: Rule, facts: RuleFacts, problem: BookProblem, solved: Relaxed
) -> tuple[BookProblem, Relaxed, tuple[RuleVerdict, ...]]:
    """Return the problem, its solution, and what the rule said of each name at first.

    What the rule refuses is not traded, what it scales is traded to that share at most; the book is then built again,
    and the rule asked about its trades, until it objects to none.
    """
    first: dict[int, RuleVerdict] = {}
    for number in range(MAX_ROUNDS):
        verdicts = _ask(rule, facts, problem, solved.solution.weights)
        first = verdicts | first
        objected = {at: one for at, one in verdicts.items() if one.verdict != "allow"}
        if not objected:
            break
        final = number == MAX_ROUNDS - 1
        problem = _limit(problem, solved.solution.weights, objected, refuse_all=final)
        solved = solve_relaxed(problem)
    return problem, solved, tuple(first[at] for at in range(len(problem.names)))


def _ask(rule: Rule, facts: RuleFacts, problem: BookProblem, weights: Floats) -> dict[int, RuleVerdict]:
    state = describe_state(facts, problem)
    trades = {at: as_trade(facts, problem, weights, at) for at in range(len(problem.names))}
    verdicts = {}
    for at in sorted(trades, key=lambda one: trades[one].side != "sell"):  # what is sold pays for what is bought
        verdicts[at] = rule.judge(trades[at], state, facts.params)
        if trades[at].shares and verdicts[at].verdict == "allow":
            state.accept(trades[at])
    return verdicts


def as_trade(facts: RuleFacts, problem: BookProblem, weights: Floats, at: int) -> Candidate:
    """The trade that leads to a weight, in whole shares; of a name that is kept, `hold`."""
    one, change = facts.candidates[at], weights[at] - problem.held[at]
    if abs(change) <= NO_TRADE:
        return one
    held = one.holding.shares if one.holding else 0
    if held < 0 or weights[at] < -NO_TRADE:
        return _as_short_trade(facts, one, held, float(weights[at]), float(change), stopped=facts.is_stopped(at))
    if change > 0:
        shares = int(change * facts.nav // one.price)
        return replace(one, side="buy", intent="add" if held else "enter", shares=shares)
    if weights[at] <= NO_TRADE:
        return replace(one, side="sell", intent="stop" if facts.is_stopped(at) else "exit", shares=held)
    return replace(one, side="sell", intent="reduce", shares=min(int(-change * facts.nav // one.price), held))


def _as_short_trade(
    facts: RuleFacts, one: Candidate, held: int, weight: float, change: float, *, stopped: bool
) -> Candidate:
    """A trade that begins or ends short: sold short, bought back, or from one side to the other."""
    size, beyond = (int(abs(part) * facts.nav // one.price) for part in (change, weight))
    if change < 0:  # what is held is sold first, and the rest sold short
        return replace(
            one, side="sell", intent="short" if beyond else "exit", shares=held + beyond if held > 0 else size
        )
    if weight > NO_TRADE and beyond:
        return replace(one, side="buy", intent="enter", shares=beyond - held)
    if weight > -NO_TRADE:
        return replace(one, side="buy", intent="stop" if stopped else "cover", shares=-held)
    return replace(one, side="buy", intent="cover", shares=min(size, -held))


def describe_state(facts: RuleFacts, problem: BookProblem) -> PortfolioState:
    """The portfolio before any trade, as rules of single trades see it."""
    values = (problem.held * facts.nav).tolist()
    pairs = list(zip(facts.candidates, values, strict=True))
    sectors = {one.sector: 0.0 for one in facts.candidates}
    for one, value in pairs:
        sectors[one.sector] += value
    return PortfolioState(
        nav=facts.nav,
        cash=problem.cash * facts.nav,
        invested=sum(values),
        drawdown=facts.drawdown,
        beside_benchmark=facts.beside_benchmark,
        risk_budget=facts.risk_budget,
        target_exposure=problem.max_exposure,
        max_positions=len(facts.candidates),
        horizon=facts.params.horizon,
        skill=None,
        skill_low=None,
        stopped=facts.stopped,
        names={one.ticker for one in facts.candidates if one.holding is not None},
        by_name={one.ticker: value for one, value in pairs if value},
        by_sector=sectors,
    )


def _limit(problem: BookProblem, weights: Floats, objected: dict[int, RuleVerdict], *, refuse_all: bool) -> BookProblem:
    trades = np.full(len(problem.names), np.inf)
    for at, verdict in objected.items():
        share = 0.0 if refuse_all or verdict.verdict == "refuse" else verdict.scale
        trades[at] = share * abs(weights[at] - problem.held[at])
    return problem.limit_trades(trades, trades)

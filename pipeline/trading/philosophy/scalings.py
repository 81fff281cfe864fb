"""What is believed less, and what costs more: rules that scale alpha, and those that charge for trading."""

from __future__ import annotations

from collections.abc import Iterable
from dataclasses import replace
from math import sqrt

import numpy as np

from pipeline.text_format import counted, percent
from pipeline.trading.construction.problem import BookProblem, Floats
from pipeline.trading.philosophy.book_rule import Effect, RuleFacts, Touch, book_rule
from pipeline.trading.planning.rule import share_of

ALPHA = share_of("its alpha")


def _believe(problem: BookProblem, shares: Iterable[tuple[int, float, str]], otherwise: str) -> Effect:
    """The problem with a share of the alpha of some names."""
    kept, touched = np.ones(len(problem.names)), {}
    for at, share, reason in shares:
        kept[at] = share
        touched[at] = Touch(1 - share, f"{percent(share, 0)} of its alpha counts: {reason}")
    if not touched:
        return Effect(problem, otherwise=otherwise)
    return Effect(replace(problem, alpha=problem.alpha * kept), touched, otherwise)


@book_rule("scaling", ALPHA)
def stale_forecasts(facts: RuleFacts, problem: BookProblem, weights: Floats) -> Effect:  # noqa: ARG001
    """A forecast that was made sessions ago is worth what is left of its horizon."""
    horizon = facts.params.horizon
    aged = (
        (at, max(1 - one.forecast.age / horizon, 0.0), f"it was forecast {counted(one.forecast.age, 'session')} ago")
        for at, one in enumerate(facts.candidates)
        if one.forecast is not None and one.forecast.age > 0
    )
    return _believe(problem, aged, "its forecast is of today, or there is none")


@book_rule("scaling", ALPHA)
def humility(facts: RuleFacts, problem: BookProblem, weights: Floats) -> Effect:  # noqa: ARG001
    """The less the members agree and the wider the interval, the less of the alpha is believed."""
    limits, found = facts.limits, []
    for at, one in enumerate(facts.candidates):
        if one.forecast is None:
            continue
        agreement = min(one.forecast.confidence / limits.full_confidence, 1.0)
        past = one.volatility * sqrt(facts.params.horizon)
        width = one.forecast.sigma / past if past > 0 else 1.0
        caution = 1 / max(1.0, 1 + (width - 1) / (limits.wide_interval - 1))
        if agreement * caution < 1:
            reason = f"confidence {one.forecast.confidence:.2f}, interval {width:.1f} x as wide as past volatility"
            found.append((at, agreement * caution, reason))
    return _believe(problem, found, "the members agree, and the interval is no wider than usual")


@book_rule("scaling", ALPHA)
def strangeness(facts: RuleFacts, problem: BookProblem, weights: Floats) -> Effect:  # noqa: ARG001
    """The stranger the inputs are to what the model was trained on, the less of the alpha is believed."""
    start = facts.limits.strange_from
    strange = (
        (
            at,
            (1 - one.forecast.strangeness) / (1 - start),
            f"its inputs are stranger than {percent(one.forecast.strangeness, 1)} of the training rows",
        )
        for at, one in enumerate(facts.candidates)
        if one.forecast is not None and one.forecast.strangeness is not None and one.forecast.strangeness > start
    )
    return _believe(problem, strange, "its inputs are like those the model was trained on")


@book_rule("scaling", ALPHA)
def trust(facts: RuleFacts, problem: BookProblem, weights: Floats) -> Effect:  # noqa: ARG001
    """A name whose closed trades keep coming out worse than forecast is believed less."""
    prior, least, found = facts.limits.trust_trades, facts.limits.min_trust, []
    for at, one in enumerate(facts.candidates):
        good, all_trades = facts.trust.get(one.ticker, (0, 0))
        share, reasons = min(max(2 * (good + prior / 2) / (all_trades + prior), least), 1.0), []
        if share < 1:
            reasons.append(f"{good} of its {counted(all_trades, 'closed trade')} came out as forecast or better")
        for kind, why in (("sector", "closed trades of {}"), ("override", "the operator's last {}, which have helped")):
            part, names = facts.find_trust(kind, at)
            share *= part
            reasons += [f"{percent(part, 0)} by {why.format(names)}"] if part < 1 else []
        if reasons:
            found.append((at, share, ", ".join(reasons)))
    return _believe(problem, found, "its closed trades speak for it, or there are none")


@book_rule("scaling", share_of("drawdown"))
def drawdown_stop(facts: RuleFacts, problem: BookProblem, weights: Floats) -> Effect:  # noqa: ARG001
    """The further the book is under its best, beside its benchmark if it has one, the less it bets."""
    soft, hard = facts.limits.drawdown_soft, facts.limits.drawdown_hard
    share = min(max((hard - facts.drawdown) / (hard - soft), 0.0), 1.0)
    where = "behind its benchmark since its best of a year" if facts.beside_benchmark else "under its peak"
    reason = f"the book is {percent(facts.drawdown, 1)} {where}; bets shrink from {percent(soft, 0)} on"
    if share >= 1:
        return Effect(problem, otherwise=reason)
    return _believe(problem, ((at, share, reason) for at in range(len(problem.names))), reason)


@book_rule("penalty", share_of("cost"))
def event_proximity(facts: RuleFacts, problem: BookProblem, weights: Floats) -> Effect:  # noqa: ARG001
    """Trading right after a split, spin-off or merger costs extra, since its next opens are uncertain."""
    limits = facts.limits
    near = {
        at: Touch(
            limits.event_cost,
            f"{kind} {counted(age, 'session')} ago: trading it counts {percent(limits.event_cost)} more",
        )
        for at, one in enumerate(facts.candidates)
        for age, kind in [facts.events.get(one.ticker, (limits.event_sessions, ""))]
        if age < limits.event_sessions
    }
    if not near:
        return Effect(problem, otherwise="no action changed its price basis lately")
    extra = np.zeros(len(problem.names))
    extra[list(near)] = limits.event_cost
    dearer = replace(problem, cost=problem.cost + extra, cost_home=problem.cost_home + extra)
    return Effect(dearer, near, "no action changed its price basis lately")


@book_rule("penalty", share_of("alpha"))
def cost_awareness(facts: RuleFacts, problem: BookProblem, weights: Floats) -> Effect:  # noqa: ARG001
    """A trade away from the benchmark has to earn its cost over the holding period, as often as the mandate says."""
    times = facts.mandate.cost_aversion
    costs = problem.cost * times
    touched = {
        at: Touch(float(costs[at]), f"trading it costs {percent(problem.cost[at])}, counted {times:g} times")
        for at in range(len(problem.names))
    }
    return Effect(replace(problem, cost=costs), touched)

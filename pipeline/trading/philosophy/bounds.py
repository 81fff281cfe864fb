"""Bounds: how much of a name, a sector, the market and the day's trading the book may take."""

from __future__ import annotations

from collections.abc import Callable
from dataclasses import replace
from math import sqrt

import numpy as np

from pipeline.text_format import change, percent
from pipeline.trading.construction.problem import BookProblem, Floats, WeightGroup
from pipeline.trading.philosophy.book_rule import Effect, RuleFacts, Touch, book_rule
from pipeline.trading.planning.rule import Unit, count_of, share_of

NAV = share_of("NAV")
MONEY = Unit("currency", lambda distance: f"{distance:z,.2f}", "value")
TOLERANCE = 1e-9
"""Fraction of NAV within which a limit is met."""


def _cap(
    problem: BookProblem, weights: Floats, upper: Floats, say: Callable[[int, float], str], otherwise: str
) -> Effect:
    """The problem with upper bounds, which speak of those names that lie above them."""
    over = weights - upper
    above = np.flatnonzero(over > TOLERANCE).tolist()
    touched = {at: Touch(float(over[at]), say(at, float(upper[at]))) for at in above}
    return Effect(problem.cap(upper), touched, otherwise)


@book_rule("bound", share_of("profit"))
def letting_winners_run(facts: RuleFacts, problem: BookProblem, weights: Floats) -> Effect:
    """A position in profit of which more is expected is not sold below its benchmark weight; its stop guards it."""
    lower, touched = problem.lower.copy(), {}
    for at, one in enumerate(facts.candidates):
        if (
            one.holding is None
            or one.holding.shares < 0
            or problem.alpha[at] <= 0
            or (profit := one.holding.profit(one.close)) <= 0
        ):
            continue
        lower[at] = min(problem.held[at], problem.benchmark[at])
        if weights[at] < lower[at] - TOLERANCE:
            touched[at] = Touch(
                profit, f"at {change(profit, 1)}, and {change(problem.alpha[at])} is expected: let it run"
            )
    return Effect(problem.floor(lower), touched, "no winner is cut short")


@book_rule("bound", NAV)
def capital_preservation(facts: RuleFacts, problem: BookProblem, weights: Floats) -> Effect:
    """What a position beyond the benchmark's weight may lose at the forecast's 5 % quantile is bounded."""
    upper = np.full(len(problem.names), np.inf)
    for at, one in enumerate(facts.candidates):
        if one.forecast is not None and one.forecast.low < 0:
            upper[at] = max(facts.limits.position_loss / -one.forecast.low, problem.benchmark[at])

    def say(at: int, _: float) -> str:
        forecast, most = facts.candidates[at].forecast, percent(facts.limits.position_loss)
        low = "" if forecast is None else change(forecast.low, 1)
        return f"5 % quantile {low}; a position may lose {most} of NAV"

    capped = _cap(problem, weights, upper, say, "what it may lose is within the limit")
    return _keep_short_losses(facts, capped, weights) if problem.shorting else capped


def _keep_short_losses(facts: RuleFacts, capped: Effect, weights: Floats) -> Effect:
    """The same of short positions, which lose at the other end of the forecast."""
    lower, touched = np.full(len(weights), -np.inf), dict(capped.touched)
    for at, one in enumerate(facts.candidates):
        if one.forecast is not None and one.forecast.high is not None and one.forecast.high > 0:
            lower[at] = -facts.limits.position_loss / one.forecast.high
            if weights[at] < lower[at] - TOLERANCE:
                most = percent(facts.limits.position_loss)
                reason = f"95 % quantile {change(one.forecast.high, 1)}; a short position may lose {most} of NAV"
                touched[at] = Touch(float(lower[at] - weights[at]), reason)
    return Effect(capped.problem.floor(lower), touched, capped.otherwise)


@book_rule("bound", NAV)
def short_limits(facts: RuleFacts, problem: BookProblem, weights: Floats) -> Effect:
    """A short position loses without limit: each, all together, and the book with its long ones stay bounded."""
    shorts = facts.params.shorts
    bounded = replace(
        problem.floor(np.full(len(weights), -shorts.max_name)), max_short=shorts.max_total, max_gross=shorts.max_gross
    )
    short, gross = float(np.clip(-weights, 0.0, None).sum()), float(np.abs(weights).sum())
    book = max(short - shorts.max_total, gross - shorts.max_gross)
    all_of_it = (
        f"{percent(short, 1)} of NAV is short, {percent(shorts.max_total, 0)} may be; long and short together are"
        f" {percent(gross, 1)}, {percent(shorts.max_gross, 0)} may be"
    )
    touched = {}
    for at in np.flatnonzero(weights < -TOLERANCE).tolist():
        over = float(-weights[at] - shorts.max_name)
        if over > TOLERANCE:
            touched[at] = Touch(over, f"one name may be short {percent(shorts.max_name, 1)} of NAV")
        elif book > TOLERANCE:
            touched[at] = Touch(book, all_of_it)
    return Effect(bounded, touched, all_of_it)


@book_rule("bound", NAV)
def diversification(facts: RuleFacts, problem: BookProblem, weights: Floats) -> Effect:
    """No name gets larger than its limit, or than the benchmark holds."""
    limit = facts.limits.name_weight
    upper = np.maximum(limit, problem.benchmark)

    def say(_: int, bound: float) -> str:
        return f"one name may be {percent(bound, 1)} of NAV"

    return _cap(problem, weights, upper, say, f"it is within {percent(limit, 0)} of NAV")


@book_rule("bound", NAV)
def sector_limit(facts: RuleFacts, problem: BookProblem, weights: Floats) -> Effect:
    """No sector gets larger than the benchmark's by more than the limit."""
    limit, groups = facts.limits.sector_active, []
    touched: dict[int, Touch] = {}
    sectors = np.array([one.sector for one in facts.candidates])
    for sector in sorted(set(sectors)):
        members = sectors == sector
        upper = float(problem.benchmark[members].sum()) + limit
        over = float(weights[members].sum()) - upper
        lower = upper - 2 * limit if problem.shorting else -np.inf
        groups.append(WeightGroup(name=f"sector {sector}", members=members, upper=upper, lower=lower))
        if over > TOLERANCE:
            reason = f"{sector} may be {percent(upper, 1)} of NAV and would be {percent(upper + over, 1)}"
            touched |= {at: Touch(over, reason) for at in np.flatnonzero(members).tolist()}
    return Effect(replace(problem, groups=(*problem.groups, *groups)), touched, "its sector is within the limit")


@book_rule("bound", count_of("share"))
def liquidity(facts: RuleFacts, problem: BookProblem, weights: Floats) -> Effect:
    """An order stays a small share of what usually trades."""
    part = facts.params.costs.participation
    volumes = np.array([one.median_volume or 0.0 for one in facts.candidates])
    shares = np.floor(part * volumes)
    room = facts.weigh_shares(shares)
    over = np.abs(weights - problem.held) - room
    touched = {
        at: Touch(
            float(over[at] * facts.nav / facts.prices[at]),
            f"{percent(part, 1)} of the median volume is {shares[at]:,.0f} shares"
            if volumes[at]
            else "too few bars to know its usual volume",
        )
        for at in np.flatnonzero(over > TOLERANCE).tolist()
    }
    # Of what is held without a known volume, the session's own volume limits the sale.
    sell = np.where(volumes > 0, room, np.clip(problem.held, 0.0, None) if problem.shorting else np.inf)
    return Effect(problem.limit_trades(room, sell), touched, f"it is within {percent(part, 1)} of the usual volume")


@book_rule("bound", NAV)
def capacity(facts: RuleFacts, problem: BookProblem, weights: Floats) -> Effect:
    """No position gets larger than can be left within some sessions of usual trading."""
    sessions = facts.limits.capacity_sessions
    volumes = np.array([one.median_volume or 0.0 for one in facts.candidates])
    upper = np.maximum(facts.weigh_shares(sessions * facts.params.costs.participation * volumes), problem.held)

    def say(_: int, bound: float) -> str:
        return f"leaving {percent(bound, 1)} of NAV takes {sessions:g} sessions of usual trading"

    capped = _cap(problem, weights, upper, say, f"it can be left within {sessions:g} sessions")
    if not problem.shorting:
        return capped
    lower = np.minimum(-facts.weigh_shares(sessions * facts.params.costs.participation * volumes), problem.held)
    over = {
        at: Touch(
            float(lower[at] - weights[at]),
            f"buying {percent(-lower[at], 1)} of NAV back takes {sessions:g} sessions of usual trading",
        )
        for at in np.flatnonzero(weights < lower - TOLERANCE).tolist()
    }
    return Effect(capped.problem.floor(lower), {**capped.touched, **over}, capped.otherwise)


@book_rule("bound", NAV)
def active_risk(facts: RuleFacts, problem: BookProblem, weights: Floats) -> Effect:
    """The book strays from its benchmark no further than the mandate and the market's state allow."""
    mandate = facts.mandate
    yearly = (mandate.active_risk if mandate.relative else mandate.total_risk) * facts.risk_budget
    limit = max(yearly * sqrt(facts.session_share), TOLERANCE)
    now = problem.risk.deviation(weights - problem.benchmark) / sqrt(facts.session_share)
    held = problem.risk.deviation(problem.held - problem.benchmark)
    reason = f"risk of {percent(now, 1)} a year, {percent(yearly, 1)} is allowed"
    # What the market moved beyond the limit is brought back over some sessions, as turnover allows.
    bounded = (
        replace(problem, max_risk=max(limit, 0.0))
        if held <= limit
        else replace(problem, max_risk=max(limit, 0.8 * held))
    )
    if now <= yearly + TOLERANCE:
        return Effect(bounded, otherwise=reason)
    moved = np.flatnonzero(np.abs(weights - problem.benchmark) > TOLERANCE).tolist()
    return Effect(bounded, {at: Touch(now - yearly, reason) for at in moved}, reason)


@book_rule("bound", NAV)
def exposure(facts: RuleFacts, problem: BookProblem, weights: Floats) -> Effect:
    """The book as a whole stays within the mandate's band; an absolute book holds less of the market in bad times."""
    mandate = facts.mandate
    upper = mandate.max_exposure * (1.0 if mandate.relative else facts.risk_budget)
    lower = 1 - mandate.cash_target - TOLERANCE if mandate.mode == "always_invested" else mandate.min_exposure
    lower = (-np.inf if problem.shorting else 0.0) if mandate.mode == "absolute" else min(lower, upper)
    reason = (
        f"{percent(float(weights.sum()), 1)} of NAV is invested; the band is {percent(lower, 0)} to {percent(upper, 0)}"
    )
    bounded = replace(problem, min_exposure=lower, max_exposure=upper)
    over = float(weights.sum()) - upper
    if over <= TOLERANCE:
        return Effect(bounded, otherwise=reason)
    bought = np.flatnonzero(weights > problem.held + TOLERANCE).tolist()
    return Effect(bounded, {at: Touch(over, reason) for at in bought}, reason)


@book_rule("bound", NAV)
def turnover(facts: RuleFacts, problem: BookProblem, weights: Floats) -> Effect:
    """A session's trading is limited, beside what the benchmark's exposure lacks and stops sell."""
    cut = float(problem.must_sell.sum())
    if problem.shorting:  # what stops and lenders have bought back
        cut += float(np.minimum(problem.must_buy, np.clip(-problem.held, 0.0, None)).sum())
    lacking = max(float(problem.benchmark.sum() - problem.held.sum()), 0.0)
    limit = facts.limits.turnover + cut + lacking
    traded = float(np.abs(weights - problem.held).sum())
    reason = f"{percent(traded, 1)} of NAV would trade; the limit is {percent(limit, 0)}"
    bounded = replace(problem, max_turnover=limit)
    if traded <= limit + TOLERANCE:
        return Effect(bounded, otherwise=reason)
    moved = np.flatnonzero(np.abs(weights - problem.held) > TOLERANCE).tolist()
    return Effect(bounded, {at: Touch(traded - limit, reason) for at in moved}, reason)


@book_rule("bound", NAV)
def solvency(facts: RuleFacts, problem: BookProblem, weights: Floats) -> Effect:
    """Buys are paid from cash that is there, their costs included, and a reserve stays."""
    reserve = facts.limits.cash_reserve
    bounded = replace(problem, cash=problem.cash - reserve)
    over = bounded.violation(weights)
    reason = f"{percent(reserve, 1)} of NAV stays in cash for gaps and costs"
    if over <= TOLERANCE:
        return Effect(bounded, otherwise=reason)
    bought = np.flatnonzero(weights > problem.held + TOLERANCE).tolist()
    return Effect(bounded, {at: Touch(over, reason) for at in bought}, reason)


@book_rule("bound", MONEY, needs_weights=True)
def significance(facts: RuleFacts, problem: BookProblem, weights: Floats) -> Effect:
    """What is traded must be worth an order; sales of whole positions always are."""
    least = facts.limits.min_order
    value = np.abs(weights - problem.held) * facts.nav
    whole = (np.abs(weights) <= TOLERANCE) & (problem.held != 0)
    small = (value > 0) & (value < least) & ~whole
    if not small.any():
        return Effect(problem, otherwise=f"no order is below {least:,.0f}")
    touched = {
        at: Touch(float(least - value[at]), f"{value[at]:,.0f} of at least {least:,.0f}")
        for at in np.flatnonzero(small).tolist()
    }
    none = np.where(small, 0.0, np.inf)
    return Effect(problem.limit_trades(none, none), touched, f"it is worth at least {least:,.0f}")

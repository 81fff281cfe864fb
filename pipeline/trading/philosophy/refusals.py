"""Hard refusals: what may not be bought or sold whatever is expected of it, and what has to go."""

from __future__ import annotations

from collections.abc import Callable

import numpy as np

from pipeline.text_format import change, counted
from pipeline.trading.construction.problem import BookProblem, Flags, Floats
from pipeline.trading.construction.solver import NO_TRADE
from pipeline.trading.philosophy.book_rule import Effect, RuleFacts, Touch, book_rule
from pipeline.trading.planning.candidates import Candidate
from pipeline.trading.planning.rule import count_of, share_of

SESSIONS = count_of("session")
NO_SECTOR = "unknown"
"""What stands in the place of a sector that nobody stated."""


def _forbid(
    facts: RuleFacts,
    problem: BookProblem,
    names: Flags,
    say: Callable[[Candidate], Touch],
    otherwise: str,
    *,
    sales: bool = False,
) -> Effect:
    """The problem in which some names are not bought (nor sold short), or not traded at all."""
    if not names.any():
        return Effect(problem, otherwise=otherwise)
    none = np.where(names, 0.0, np.inf)
    limited = problem.limit_trades(none, none) if sales else problem.limit_opening(names)
    return Effect(limited, {at: say(facts.candidates[at]) for at in np.flatnonzero(names).tolist()}, otherwise)


@book_rule("refusal")
def operator_stop(facts: RuleFacts, problem: BookProblem, weights: Floats) -> Effect:  # noqa: ARG001
    """Nothing is ordered while the operator has paused or killed trading, not even a stop."""
    everything = np.full(len(problem.names), bool(facts.stopped))
    otherwise = "trading is neither paused nor killed"
    return _forbid(facts, problem, everything, lambda _: Touch(0.0, facts.stopped), otherwise, sales=True)


@book_rule("refusal", SESSIONS)
def unexplained_price(facts: RuleFacts, problem: BookProblem, weights: Floats) -> Effect:  # noqa: ARG001
    """Nothing is bought, sold or stopped out on a price that nobody explains yet."""
    held_back = facts.flags(lambda one: bool(one.unexplained))
    otherwise = "no move of its price lacks an explanation"
    return _forbid(facts, problem, held_back, lambda one: Touch(one.hold_left, one.unexplained), otherwise, sales=True)


@book_rule("refusal")
def eligibility(facts: RuleFacts, problem: BookProblem, weights: Floats) -> Effect:  # noqa: ARG001
    """Only members of the universe and the mandate's benchmark are bought; whatever is held may be sold."""
    strangers = facts.flags(lambda one: not one.member and one.ticker != facts.mandate.benchmark)
    return _forbid(
        facts, problem, strangers, lambda one: Touch(0.0, f"not in the universe: {one.exclusion}"), "in the universe"
    )


@book_rule("refusal")
def exclusions(facts: RuleFacts, problem: BookProblem, weights: Floats) -> Effect:  # noqa: ARG001
    """What the mandate excludes is not held, whatever is expected of it."""
    excluded = set(facts.mandate.exclusions)
    names = facts.flags(lambda one: bool(excluded & {one.ticker, one.sector}))
    if not names.any():
        return Effect(problem, otherwise="the mandate does not exclude it")
    touched = {at: Touch(0.0, "the mandate excludes it") for at in np.flatnonzero(names).tolist()}
    without = problem.cap(np.where(names, 0.0, np.inf)).floor(np.where(names, 0.0, -np.inf))
    return Effect(without, touched, "the mandate does not exclude it")


@book_rule("refusal", SESSIONS)
def fresh_data(facts: RuleFacts, problem: BookProblem, weights: Floats) -> Effect:  # noqa: ARG001
    """No buy without today's bar; sales do not wait for data."""
    return _forbid(
        facts,
        problem,
        facts.flags(lambda one: one.stale > 0),
        lambda one: Touch(one.stale, f"the last bar is {counted(one.stale, 'session')} old"),
        "its bar is of today",
    )


@book_rule("refusal", SESSIONS)
def patience(facts: RuleFacts, problem: BookProblem, weights: Floats) -> Effect:  # noqa: ARG001
    """What a stop sold is not bought back at once: the reason for the stop is still there."""
    wait = facts.limits.cool_down

    def say(one: Candidate) -> Touch:
        since = facts.stopped_out[one.ticker]
        return Touch(wait - since, f"its stop sold it {counted(since, 'session')} ago; cool-down is {wait}")

    waiting = facts.flags(lambda one: facts.stopped_out.get(one.ticker, wait) < wait)
    return _forbid(facts, problem, waiting, say, "no stop sold it lately")


@book_rule("refusal", share_of("loss"))
def cutting_losses(facts: RuleFacts, problem: BookProblem, weights: Floats) -> Effect:  # noqa: ARG001
    """Below its stop a position is sold whatever is expected of it."""
    cut = {
        at: Touch(
            0.0,
            f"close {one.close:.2f} is {'under' if one.holding.shares > 0 else 'over'} the stop"
            f" {one.holding.stop:.2f}: cut",
        )
        for at, one in enumerate(facts.candidates)
        if one.holding is not None and facts.is_stopped(at)
    }
    otherwise = "no stop of it is broken"
    if not cut:
        return Effect(problem, otherwise=otherwise)
    upper = np.full(len(problem.names), np.inf)
    upper[list(cut)] = 0.0
    return Effect(problem.cap(upper).floor(-upper), cut, otherwise)


@book_rule("refusal")
def sector_cool_down(facts: RuleFacts, problem: BookProblem, weights: Floats) -> Effect:  # noqa: ARG001
    """A sector in which several stops were hit at once is not added to beyond the benchmark until they are past."""
    sectors = frozenset(sector for sector in facts.stops_by_sector if _is_stopped_out(facts, sector))
    hot = facts.flags(lambda one: one.sector in sectors)
    otherwise = "its sector was not stopped out lately"
    if not hot.any():
        return Effect(problem, otherwise=otherwise)
    touched = {}
    for at in np.flatnonzero(hot).tolist():
        sector = facts.candidates[at].sector
        stops = counted(facts.stops_by_sector[sector][0], "position")
        touched[at] = Touch(0.0, f"{stops} of {sector} hit their stops within the cool-down")
    upper = np.where(hot, np.maximum(problem.held, problem.benchmark), np.inf)
    lower = np.where(hot, np.minimum(problem.held, 0.0), -np.inf)
    return Effect(problem.cap(upper).floor(lower), touched, otherwise)


def _is_stopped_out(facts: RuleFacts, sector: str) -> bool:
    """Whether several positions of a sector hit their stops, and that more often than those of the others."""
    stopped, positions = facts.stops_by_sector[sector]
    if stopped < facts.limits.sector_losses or not facts.limits.sector_losses_ratio:
        return stopped >= facts.limits.sector_losses
    others, there = (sum(counts) for counts in zip(*facts.stops_by_sector.values(), strict=True))
    rest_stopped, rest = others - stopped, there - positions
    return sector != NO_SECTOR and stopped * rest > facts.limits.sector_losses_ratio * rest_stopped * positions


@book_rule("bound", share_of("loss"))
def averaging_down(facts: RuleFacts, problem: BookProblem, weights: Floats) -> Effect:  # noqa: ARG001
    """A position far under its cost is not added to beyond the benchmark's weight."""
    horizon, far = facts.params.horizon, facts.limits.loser_sigmas
    losers = {}
    for at, one in enumerate(facts.candidates):
        if one.holding is None:
            continue
        profit, limit = one.holding.profit(one.close), -far * one.volatility * horizon**0.5
        if profit < limit:
            losers[at] = Touch(limit - profit, f"the position stands at {change(profit, 1)}; losers are not added to")
    otherwise = "it does not stand at a large loss"
    if not losers:
        return Effect(problem, otherwise=otherwise)
    upper = np.full(len(problem.names), np.inf)
    lower, places = -upper, list(losers)
    upper[places] = np.maximum(problem.held, problem.benchmark)[places]
    lower[places] = np.minimum(problem.held, 0.0)[places]
    return Effect(problem.cap(upper).floor(lower), losers, otherwise)


@book_rule("refusal")
def borrow(facts: RuleFacts, problem: BookProblem, weights: Floats) -> Effect:
    """Nothing is sold short that nobody lends; what the lender wants back is bought back."""
    lending, lower, touched = facts.lending, np.full(len(problem.names), -np.inf), {}
    otherwise = "it is not short, or what it is short can be borrowed"
    if lending is None:
        return Effect(problem, otherwise=otherwise)
    for at, one in enumerate(facts.candidates):
        offer = lending.find(one.ticker)
        lent = 0.0 if offer is None else np.inf if offer.shares is None else offer.shares * one.price / facts.nav
        lower[at] = -lent
        if weights[at] < -lent - NO_TRADE:
            less = f"only {offer.shares:,} shares of it are lent" if offer is not None else ""
            touched[at] = Touch(0.0, less or lending.explain(one.ticker))
    return Effect(problem.floor(lower), touched, otherwise)

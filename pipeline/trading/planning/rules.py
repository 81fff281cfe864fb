"""The rules every trade has to pass, in order; each says what it saw, and how far a refusal was from passing."""

from __future__ import annotations

from collections.abc import Iterable
from math import sqrt

from pipeline.text_format import change, counted, percent
from pipeline.trading.params import TradingParams
from pipeline.trading.planning.candidates import Candidate, PortfolioState
from pipeline.trading.planning.rule import (
    MeasuredRule,
    Rule,
    Ruling,
    Unit,
    allow,
    count_of,
    fit,
    refuse,
    rule,
    scale,
    share_of,
)

NAV = share_of("NAV")
SESSIONS = count_of("session")
MONEY = Unit("currency", lambda distance: f"{distance:z,.2f}", "value")
SKILL = Unit("correlation", lambda distance: f"{distance:z,.3f}", "skill")
UNKNOWN = Unit("see rule", lambda distance: f"{distance:z,.4f}")
"""Of a rule that is not among those known: one of a plugin that was taken out since."""

NO_FORECAST = "there is no forecast"
NAIVE_FORECAST = "the naive forecast claims no knowledge"
MEASURED_SKILL = "measured information coefficient"
TOO_MANY_NAMES = "names are held or ordered"
UNKNOWN_VOLUME = "too few bars to know its usual volume"
NO_CAPITAL = "the book has no capital"


@rule(SESSIONS)
def unexplained_price(candidate: Candidate, state: PortfolioState, params: TradingParams) -> Ruling:
    """Nothing is bought, sold or stopped out on a price that nobody explains yet."""
    if candidate.unexplained:
        return refuse(candidate.hold_left, candidate.unexplained)
    return allow("no move of its price lacks an explanation")


@rule(None)
def operator_stop(candidate: Candidate, state: PortfolioState, params: TradingParams) -> Ruling:
    """Nothing is ordered while the operator has paused or killed trading, not even a stop."""
    if state.stopped and candidate.side != "hold":
        return refuse(0.0, state.stopped)
    return allow("trading is neither paused nor killed" if not state.stopped else "nothing is ordered")


@rule(None)
def eligibility(candidate: Candidate, state: PortfolioState, params: TradingParams) -> Ruling:
    """Only members of the universe are bought; whatever is held may be sold."""
    if candidate.side == "buy" and not candidate.member:
        return refuse(1.0, f"not in the universe: {candidate.exclusion}")
    return allow("in the universe" if candidate.member else "held, so it may be sold")


@rule(SESSIONS, {NO_FORECAST: None})
def staleness(candidate: Candidate, state: PortfolioState, params: TradingParams) -> Ruling:
    """No buy without today's bar and a fresh forecast; sales do not wait for data."""
    if candidate.side != "buy":
        return allow("sales do not wait for fresh data")
    if candidate.stale > 0:
        return refuse(candidate.stale, f"the last bar is {counted(candidate.stale, 'session')} old")
    if candidate.forecast is None:
        return refuse(1.0, NO_FORECAST)
    over = candidate.forecast.age - params.rules.stale_forecast
    if over > 0:
        return refuse(over, f"the forecast is {counted(candidate.forecast.age, 'session')} old")
    return allow("bar and forecast are of today")


@rule(share_of("its size"), {NAIVE_FORECAST: None, MEASURED_SKILL: SKILL})
def humility(candidate: Candidate, state: PortfolioState, params: TradingParams) -> Ruling:
    """The less the forecast is worth, the smaller the trade; the naive forecast is worth none."""
    if candidate.side != "buy" or candidate.forecast is None:
        return allow("concerns buys on a forecast only")
    if candidate.forecast.role == "naive":
        return refuse(1.0, NAIVE_FORECAST)
    if state.skill is not None and state.skill <= 0:
        return refuse(-state.skill, f"{MEASURED_SKILL} {state.skill:+.3f} is not above 0")
    agreement = min(candidate.forecast.confidence / params.rules.full_confidence, 1.0)
    past = candidate.volatility * sqrt(state.horizon)
    width = candidate.forecast.sigma / past if past > 0 else 1.0
    caution = 1 / max(1.0, 1 + (width - 1) / (params.rules.wide_interval - 1)) if width > 1 else 1.0
    reason = f"confidence {candidate.forecast.confidence:.2f}, interval {width:.1f} x as wide as past volatility"
    share = agreement * caution
    if share <= 0:
        return refuse(params.rules.full_confidence, reason)
    return allow(reason) if share >= 1 else scale(share, 1 - share, reason)


@rule(share_of("edge"))
def cost_awareness(candidate: Candidate, state: PortfolioState, params: TradingParams) -> Ruling:
    """A buy has to earn its round trip several times over."""
    edge = candidate.edge
    if candidate.side != "buy" or edge is None:
        return allow("concerns buys on a forecast only")
    needed = params.rules.cost_margin * candidate.cost
    reason = f"edge {change(edge)} after costs of {percent(candidate.cost)}; more than {percent(needed)} is needed"
    return allow(reason) if edge > needed else refuse(needed - edge, reason)


@rule(SESSIONS)
def patience(candidate: Candidate, state: PortfolioState, params: TradingParams) -> Ruling:
    """No buying back right after a sale, and no selling on a whim right after a buy; a stop never waits."""
    if candidate.side == "buy" and candidate.since_sale is not None:
        left = params.rules.cool_down - candidate.since_sale
        reason = f"sold {counted(candidate.since_sale, 'session')} ago; cool-down is {params.rules.cool_down}"
        return refuse(left, reason) if left > 0 else allow(reason)
    if candidate.intent == "exit" and candidate.holding is not None:
        left = params.rules.min_holding - candidate.holding.held_sessions
        held, needed = candidate.holding.held_sessions, params.rules.min_holding
        reason = f"held {counted(held, 'session')}; a forecast may close it after {needed}"
        return refuse(left, reason) if left > 0 else allow(reason)
    return allow("nothing to wait for")


@rule(share_of("loss"))
def cutting_losses(candidate: Candidate, state: PortfolioState, params: TradingParams) -> Ruling:
    """Below its stop a position is sold whatever the forecast; no position is added to at a loss."""
    holding = candidate.holding
    if holding is None:
        return allow("not held")
    profit = holding.profit(candidate.close)
    if candidate.intent == "stop":
        return allow(f"close {candidate.close:.2f} is under the stop {holding.stop:.2f}: cut")
    if candidate.side == "buy" and profit < 0:
        return refuse(-profit, f"the position stands at {change(profit, 1)}; losers are not added to")
    return allow(f"close {candidate.close:.2f} holds above the stop {holding.stop:.2f}")


@rule(share_of("profit"))
def letting_winners_run(candidate: Candidate, state: PortfolioState, params: TradingParams) -> Ruling:
    """A position in profit is not closed for its age while the forecast points up; the trailing stop guards it."""
    if candidate.intent != "expire" or candidate.holding is None or candidate.forecast is None:
        return allow("concerns positions past their horizon only")
    profit, point = candidate.holding.profit(candidate.close), candidate.forecast.point
    reason = f"at {change(profit, 1)} with {change(point)} forecast"
    if profit > 0 and point > 0:
        return refuse(min(profit, point), f"{reason}: let it run")
    return allow(f"{reason}: its time is up")


@rule(share_of("drawdown"))
def drawdown_stop(candidate: Candidate, state: PortfolioState, params: TradingParams) -> Ruling:
    """Nothing new is bought beyond the hard drawdown; between soft and hard buys shrink in proportion."""
    if candidate.side != "buy":
        return allow("concerns buys only")
    soft, hard = params.rules.drawdown_soft, params.rules.drawdown_hard
    reason = (
        f"the book is {percent(state.drawdown, 1)} under its peak; "
        f"buys shrink from {percent(soft, 0)} and end at {percent(hard, 0)}"
    )
    if state.drawdown >= hard:
        return refuse(state.drawdown - hard, reason)
    return fit(1.0, min((hard - state.drawdown) / (hard - soft), 1.0), reason)


@rule(NAV)
def capital_preservation(candidate: Candidate, state: PortfolioState, params: TradingParams) -> Ruling:
    """What the whole position may lose at the forecast's 5 % quantile is bounded."""
    if candidate.side != "buy" or candidate.forecast is None:
        return allow("concerns buys on a forecast only")
    loss = max(-candidate.forecast.low, 0.0)
    held = state.weight(state.by_name.get(candidate.ticker, 0.0)) * loss
    limit = params.rules.position_loss
    reason = f"5 % quantile {change(candidate.forecast.low, 1)}; a position may lose {percent(limit)} of NAV"
    return fit(state.weight(candidate.value) * loss, limit - held, reason)


@rule(NAV, {TOO_MANY_NAMES: count_of("name")})
def diversification(candidate: Candidate, state: PortfolioState, params: TradingParams) -> Ruling:
    """No name, no sector and no crowd of names gets too large."""
    if candidate.side != "buy":
        return allow("concerns buys only")
    names, limit = len(state.names), min(state.max_positions, params.rules.max_positions)
    if candidate.ticker not in state.names and names >= limit:
        return refuse(names - limit + 1, f"{names} {TOO_MANY_NAMES}; the most is {limit}")
    name = state.weight(state.by_name.get(candidate.ticker, 0.0))
    sector = state.weight(state.by_sector.get(candidate.sector, 0.0))
    room = min(params.rules.name_weight - name, params.rules.sector_weight - sector)
    reason = (
        f"name at {percent(name, 1)} of {percent(params.rules.name_weight, 0)}, "
        f"sector {candidate.sector} at {percent(sector, 1)} of {percent(params.rules.sector_weight, 0)}"
    )
    return fit(state.weight(candidate.value), room, reason)


@rule(NAV)
def exposure(candidate: Candidate, state: PortfolioState, params: TradingParams) -> Ruling:
    """The book as a whole stays within the exposure the strategy aims at."""
    if candidate.side != "buy":
        return allow("concerns buys only")
    now = state.weight(state.invested)
    reason = f"{percent(now, 1)} of NAV is invested or ordered; the target is {percent(state.target_exposure, 1)}"
    return fit(state.weight(candidate.value), state.target_exposure - now, reason)


@rule(count_of("share"), {UNKNOWN_VOLUME: None})
def liquidity(candidate: Candidate, state: PortfolioState, params: TradingParams) -> Ruling:
    """An order stays a small share of what usually trades."""
    if candidate.median_volume is None:
        if candidate.side != "buy":
            return allow("usual volume is not known; the session's own volume will limit the sale")
        return refuse(1.0, UNKNOWN_VOLUME)
    limit = int(params.costs.participation * candidate.median_volume)
    reason = f"{percent(params.costs.participation, 1)} of the median volume is {limit:,} shares"
    if candidate.side != "buy":
        return allow(f"{reason}; what does not fit is sold on later days")
    return fit(candidate.shares, limit, reason)


@rule(NAV)
def turnover(candidate: Candidate, state: PortfolioState, params: TradingParams) -> Ruling:
    """A session's trading is limited; stops are exempt, since waiting is what they protect from."""
    if candidate.intent == "stop":
        return allow("stops are exempt")
    used = state.weight(state.traded)
    reason = f"{percent(used, 1)} of NAV is ordered for the session; the limit is {percent(params.rules.turnover, 0)}"
    return fit(state.weight(candidate.value), params.rules.turnover - used, reason)


@rule(NAV, {NO_CAPITAL: None})
def solvency(candidate: Candidate, state: PortfolioState, params: TradingParams) -> Ruling:
    """Buys are paid from cash that is there, their costs included, and a reserve stays."""
    if candidate.side != "buy":
        return allow("sales bring cash")
    if state.nav <= 0:
        return refuse(1.0, NO_CAPITAL)
    free = state.cash - params.rules.cash_reserve * state.nav
    needed = candidate.value * (1 + candidate.cost / 2)
    reserve = percent(params.rules.cash_reserve, 0)
    reason = f"{needed:,.0f} needed, {max(free, 0):,.0f} free beyond the reserve of {reserve}"
    return fit(state.weight(needed), state.weight(free), reason)


@rule(MONEY)
def significance(candidate: Candidate, state: PortfolioState, params: TradingParams) -> Ruling:
    """What is left must be worth an order; sales of whole positions always are."""
    if candidate.side != "buy":
        return allow("sales are always worth it")
    minimum = params.rules.min_order
    reason = f"{candidate.value:,.0f} of at least {minimum:,.0f}"
    if candidate.value < minimum or candidate.shares == 0:
        return refuse(max(minimum - candidate.value, 0.0), reason)
    return allow(reason)


RULES: tuple[Rule, ...] = (
    unexplained_price,
    operator_stop,
    eligibility,
    staleness,
    humility,
    cost_awareness,
    patience,
    cutting_losses,
    letting_winners_run,
    drawdown_stop,
    capital_preservation,
    diversification,
    exposure,
    liquidity,
    turnover,
    solvency,
    significance,
)
"""In the order they speak; the first to refuse is what blocked a trade."""
FIRST_RULES = (
    "eligibility", "staleness", "humility", "cost_awareness", "patience", "cutting_losses", "letting_winners_run",
    "drawdown_stop", "capital_preservation", "diversification", "exposure", "liquidity", "turnover", "solvency",
    "significance",
)  # fmt: skip
"""The names of the first program's rules, which every run has; a run records whatever other rules it has."""


def list_rules(recorded: Iterable[Rule] = ()) -> tuple[Rule, ...]:
    """The first program's rules and those that a run records: built-in ones in their order, then those of plugins.

    Rules of plugins come last: they speak of the size that is left.

    Raises:
        ValueError: if two have the same name.
    """
    recorded = tuple(recorded)
    built_in = tuple(one for one in RULES if one.name in FIRST_RULES or one in recorded)
    rules = (*built_in, *(one for one in recorded if one not in RULES))
    names = [rule.name for rule in rules]
    if twice := [name for name in names if names.count(name) > 1]:
        raise ValueError(f"{len(twice)} rules are named {twice[0]!r}; rename all but one")
    return rules


def unit_of(name: str, reason: str, rules: Iterable[MeasuredRule]) -> Unit | None:
    """Return the unit of a stored refusal's distance; None if it is not a matter of more or less."""
    named = next((rule for rule in rules if rule.name == name), None)
    return UNKNOWN if named is None else named.unit_of(reason)

"""The rules every trade has to pass, in order; each says what it saw, and how far a refusal was from passing."""

from __future__ import annotations

from collections.abc import Callable
from math import sqrt
from typing import NamedTuple

from pipeline.text_format import change, counted, percent
from pipeline.trading.params import TradingParams
from pipeline.trading.planning.candidates import Candidate, Standing


class Verdict(NamedTuple):
    """What a rule says of a candidate."""

    rule: str
    verdict: str
    """allow, scale or refuse."""
    scale: float
    """Share of the size it lets pass: 1 if allowed, 0 if refused."""
    distance: float
    """How far from passing whole, in the rule's own unit; 0 where it passed."""
    reason: str


Rule = Callable[[Candidate, Standing, TradingParams], Verdict]


def allow(rule: str, reason: str) -> Verdict:
    """The size passes whole."""
    return Verdict(rule, "allow", 1.0, 0.0, reason)


def refuse(rule: str, distance: float, reason: str) -> Verdict:
    """Nothing passes."""
    return Verdict(rule, "refuse", 0.0, distance, reason)


def fit(rule: str, wanted: float, room: float, reason: str) -> Verdict:
    """Let as much pass as there is room for: all, a part, or nothing; both in the same unit."""
    if wanted <= room:
        return allow(rule, reason)
    if room <= 0:
        return refuse(rule, wanted - room, reason)
    return Verdict(rule, "scale", room / wanted, wanted - room, reason)


def eligibility(candidate: Candidate, book: Standing, params: TradingParams) -> Verdict:  # noqa: ARG001
    """Only members of the universe are bought; whatever is held may be sold."""
    if candidate.side == "buy" and not candidate.member:
        return refuse("eligibility", 1.0, f"not in the universe: {candidate.exclusion}")
    return allow("eligibility", "in the universe" if candidate.member else "held, so it may be sold")


def staleness(candidate: Candidate, book: Standing, params: TradingParams) -> Verdict:  # noqa: ARG001
    """No buy without today's bar and a fresh forecast; sales do not wait for data."""
    if candidate.side != "buy":
        return allow("staleness", "sales do not wait for fresh data")
    if candidate.stale > 0:
        return refuse("staleness", candidate.stale, f"the last bar is {counted(candidate.stale, 'session')} old")
    if candidate.forecast is None:
        return refuse("staleness", 1.0, "there is no forecast")
    over = candidate.forecast.age - params.rules.stale_forecast
    if over > 0:
        return refuse("staleness", over, f"the forecast is {counted(candidate.forecast.age, 'session')} old")
    return allow("staleness", "bar and forecast are of today")


def humility(candidate: Candidate, book: Standing, params: TradingParams) -> Verdict:
    """The less the forecast is worth, the smaller the trade; the naive forecast is worth none."""
    if candidate.side != "buy" or candidate.forecast is None:
        return allow("humility", "concerns buys on a forecast only")
    if candidate.forecast.role == "naive":
        return refuse("humility", 1.0, "the naive forecast claims no knowledge")
    if book.skill is not None and book.skill <= 0:
        return refuse("humility", -book.skill, f"measured information coefficient {book.skill:+.3f} is not above 0")
    agreement = min(candidate.forecast.confidence / params.rules.full_confidence, 1.0)
    past = candidate.volatility * sqrt(book.horizon)
    width = candidate.forecast.sigma / past if past > 0 else 1.0
    caution = 1 / max(1.0, 1 + (width - 1) / (params.rules.wide_interval - 1)) if width > 1 else 1.0
    reason = f"confidence {candidate.forecast.confidence:.2f}, interval {width:.1f} x as wide as past volatility"
    scale = agreement * caution
    if scale <= 0:
        return refuse("humility", params.rules.full_confidence, reason)
    return allow("humility", reason) if scale >= 1 else Verdict("humility", "scale", scale, 1 - scale, reason)


def cost_awareness(candidate: Candidate, book: Standing, params: TradingParams) -> Verdict:  # noqa: ARG001
    """A buy has to earn its round trip several times over."""
    edge = candidate.edge
    if candidate.side != "buy" or edge is None:
        return allow("cost_awareness", "concerns buys on a forecast only")
    needed = params.rules.cost_margin * candidate.cost
    reason = f"edge {change(edge)} after costs of {percent(candidate.cost)}; more than {percent(needed)} is needed"
    return allow("cost_awareness", reason) if edge > needed else refuse("cost_awareness", needed - edge, reason)


def patience(candidate: Candidate, book: Standing, params: TradingParams) -> Verdict:  # noqa: ARG001
    """No buying back right after a sale, and no selling on a whim right after a buy; a stop never waits."""
    if candidate.side == "buy" and candidate.since_sale is not None:
        left = params.rules.cool_down - candidate.since_sale
        reason = f"sold {counted(candidate.since_sale, 'session')} ago; cool-down is {params.rules.cool_down}"
        return refuse("patience", left, reason) if left > 0 else allow("patience", reason)
    if candidate.intent == "exit" and candidate.holding is not None:
        left = params.rules.least_holding - candidate.holding.held_sessions
        held, least = candidate.holding.held_sessions, params.rules.least_holding
        reason = f"held {counted(held, 'session')}; a forecast may close it after {least}"
        return refuse("patience", left, reason) if left > 0 else allow("patience", reason)
    return allow("patience", "nothing to wait for")


def cutting_losses(candidate: Candidate, book: Standing, params: TradingParams) -> Verdict:  # noqa: ARG001
    """Below its stop a position is sold whatever the forecast; no position is added to at a loss."""
    holding = candidate.holding
    if holding is None:
        return allow("cutting_losses", "not held")
    profit = holding.profit(candidate.close)
    if candidate.intent == "stop":
        return allow("cutting_losses", f"close {candidate.close:.2f} is under the stop {holding.stop:.2f}: cut")
    if candidate.side == "buy" and profit < 0:
        return refuse("cutting_losses", -profit, f"the position stands at {change(profit, 1)}; losers are not added to")
    return allow("cutting_losses", f"close {candidate.close:.2f} holds above the stop {holding.stop:.2f}")


def letting_winners_run(candidate: Candidate, book: Standing, params: TradingParams) -> Verdict:  # noqa: ARG001
    """A position in profit is not closed for its age while the forecast points up; the trailing stop guards it."""
    if candidate.intent != "expire" or candidate.holding is None or candidate.forecast is None:
        return allow("letting_winners_run", "concerns positions past their horizon only")
    profit, point = candidate.holding.profit(candidate.close), candidate.forecast.point
    reason = f"at {change(profit, 1)} with {change(point)} forecast"
    if profit > 0 and point > 0:
        return refuse("letting_winners_run", min(profit, point), f"{reason}: let it run")
    return allow("letting_winners_run", f"{reason}: its time is up")


def drawdown_stop(candidate: Candidate, book: Standing, params: TradingParams) -> Verdict:
    """Nothing new is bought beyond the hard drawdown; between soft and hard buys shrink in proportion."""
    if candidate.side != "buy":
        return allow("drawdown_stop", "concerns buys only")
    soft, hard = params.rules.drawdown_soft, params.rules.drawdown_hard
    reason = (
        f"the book is {percent(book.drawdown, 1)} under its peak; "
        f"buys shrink from {percent(soft, 0)} and end at {percent(hard, 0)}"
    )
    if book.drawdown >= hard:
        return refuse("drawdown_stop", book.drawdown - hard, reason)
    return fit("drawdown_stop", 1.0, min((hard - book.drawdown) / (hard - soft), 1.0), reason)


def capital_preservation(candidate: Candidate, book: Standing, params: TradingParams) -> Verdict:
    """What the whole position may lose at the forecast's 5 % quantile is bounded."""
    if candidate.side != "buy" or candidate.forecast is None:
        return allow("capital_preservation", "concerns buys on a forecast only")
    loss = max(-candidate.forecast.low, 0.0)
    held = book.weight(book.by_name.get(candidate.ticker, 0.0)) * loss
    limit = params.rules.position_loss
    reason = f"5 % quantile {change(candidate.forecast.low, 1)}; a position may lose {percent(limit)} of NAV"
    return fit("capital_preservation", book.weight(candidate.value) * loss, limit - held, reason)


def diversification(candidate: Candidate, book: Standing, params: TradingParams) -> Verdict:
    """No name, no sector and no crowd of names gets too large."""
    if candidate.side != "buy":
        return allow("diversification", "concerns buys only")
    names, most = len(book.names), min(book.most_positions, params.rules.most_positions)
    if candidate.ticker not in book.names and names >= most:
        return refuse("diversification", names - most + 1, f"{names} names are held or ordered; the most is {most}")
    name = book.weight(book.by_name.get(candidate.ticker, 0.0))
    sector = book.weight(book.by_sector.get(candidate.sector, 0.0))
    room = min(params.rules.name_weight - name, params.rules.sector_weight - sector)
    reason = (
        f"name at {percent(name, 1)} of {percent(params.rules.name_weight, 0)}, "
        f"sector {candidate.sector} at {percent(sector, 1)} of {percent(params.rules.sector_weight, 0)}"
    )
    return fit("diversification", book.weight(candidate.value), room, reason)


def exposure(candidate: Candidate, book: Standing, params: TradingParams) -> Verdict:  # noqa: ARG001
    """The book as a whole stays within the exposure the strategy aims at."""
    if candidate.side != "buy":
        return allow("exposure", "concerns buys only")
    now = book.weight(book.invested)
    reason = f"{percent(now, 1)} of NAV is invested or ordered; the target is {percent(book.target_exposure, 1)}"
    return fit("exposure", book.weight(candidate.value), book.target_exposure - now, reason)


def liquidity(candidate: Candidate, book: Standing, params: TradingParams) -> Verdict:  # noqa: ARG001
    """An order stays a small share of what usually trades."""
    if candidate.median_volume is None:
        if candidate.side != "buy":
            return allow("liquidity", "usual volume is not known; the session's own volume will limit the sale")
        return refuse("liquidity", 1.0, "too few bars to know its usual volume")
    most = int(params.costs.participation * candidate.median_volume)
    reason = f"{percent(params.costs.participation, 1)} of the median volume is {most:,} shares"
    if candidate.side != "buy":
        return allow("liquidity", f"{reason}; what does not fit is sold on later days")
    return fit("liquidity", candidate.shares, most, reason)


def turnover(candidate: Candidate, book: Standing, params: TradingParams) -> Verdict:
    """A session's trading is limited; stops are exempt, since waiting is what they protect from."""
    if candidate.intent == "stop":
        return allow("turnover", "stops are exempt")
    used = book.weight(book.traded)
    reason = f"{percent(used, 1)} of NAV is ordered for the session; the limit is {percent(params.rules.turnover, 0)}"
    return fit("turnover", book.weight(candidate.value), params.rules.turnover - used, reason)


def solvency(candidate: Candidate, book: Standing, params: TradingParams) -> Verdict:
    """Buys are paid from cash that is there, their costs included, and a reserve stays."""
    if candidate.side != "buy":
        return allow("solvency", "sales bring cash")
    if book.nav <= 0:
        return refuse("solvency", 1.0, "the book has no capital")
    free = book.cash - params.rules.cash_reserve * book.nav
    needed = candidate.value * (1 + candidate.cost / 2)
    reserve = percent(params.rules.cash_reserve, 0)
    reason = f"{needed:,.0f} needed, {max(free, 0):,.0f} free beyond the reserve of {reserve}"
    return fit("solvency", book.weight(needed), book.weight(free), reason)


def significance(candidate: Candidate, book: Standing, params: TradingParams) -> Verdict:  # noqa: ARG001
    """What is left must be worth an order; sales of whole positions always are."""
    if candidate.side != "buy":
        return allow("significance", "sales are always worth it")
    least = params.rules.smallest_order
    reason = f"{candidate.value:,.0f} of at least {least:,.0f}"
    if candidate.value < least or candidate.shares == 0:
        return refuse("significance", max(least - candidate.value, 0.0), reason)
    return allow("significance", reason)


RULES: tuple[Rule, ...] = (
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

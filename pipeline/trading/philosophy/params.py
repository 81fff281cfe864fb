"""The settings of the rules, and the order in which they speak."""

from __future__ import annotations

from collections.abc import Iterator
from dataclasses import dataclass
from difflib import get_close_matches
from typing import Annotated, Literal

from pydantic import AfterValidator, Field

from pipeline.config.setting_types import DISTINCT, Earlier, Share

RULE_NAMES = (
    "operator_stop", "unexplained_price", "eligibility", "exclusions", "fresh_data", "patience", "cutting_losses",
    "sector_cool_down", "stale_forecasts", "humility", "strangeness", "trust", "drawdown_stop", "event_proximity",
    "cost_awareness", "borrow", "letting_winners_run", "averaging_down", "capital_preservation", "diversification",
    "short_limits", "sector_limit", "liquidity", "capacity", "active_risk", "exposure", "turnover", "solvency",
    "significance",
)  # fmt: skip


SHORT_RULES = ("borrow", "short_limits")
"""Rules that speak only where short sales are allowed."""


def _rule_name(name: str) -> str:
    if name not in RULE_NAMES:
        near = get_close_matches(name, RULE_NAMES, n=1)
        raise ValueError(f"there is no rule {name!r}" + (f"; did you mean {near[0]}?" if near else ""))
    return name


@dataclass(frozen=True, kw_only=True)
class Philosophy:
    """Which rules there are, in which order, and their limits; `nextgen.toml` gives them under [trading.philosophy]."""

    order: Annotated[
        tuple[Annotated[str, AfterValidator(_rule_name)], ...], Field(min_length=1, max_length=100), DISTINCT
    ] = RULE_NAMES
    """The rules, first to last; one that is left out does not speak. Rules of plugins come after them."""
    cool_down: Annotated[int, Field(ge=0, le=20)] = 5
    """patience, sessions: no new buy of a name this soon after its stop sold it."""
    stop_sigmas: Annotated[float, Field(gt=0, le=100)] = 4.0
    """cutting_losses: standard deviations over the decision horizon below cost at which a position is cut."""
    trail_sigmas: Annotated[float, Field(gt=0, le=100)] = 5.0
    """cutting_losses: the same below the best close since, once in profit."""
    sector_losses: Annotated[int, Field(ge=1, le=100)] = 3
    """sector_cool_down: positions stopped out in a sector within the cool-down after which it is not added to."""
    sector_losses_ratio: Annotated[float, Field(ge=0, le=100), Earlier(0.0)] = 2.0
    """sector_cool_down: how many times as often as in the other sectors positions have to be stopped out in it, since a
    fall of the whole market tells nothing of a sector; names without a stated sector are none. 0 counts positions
    alone, and takes those names for a sector."""
    full_confidence: Annotated[float, Field(gt=0, le=1)] = 0.25
    """humility, 0 to 1: agreement of the members that earns the whole alpha; less agreement earns less."""
    wide_interval: Annotated[float, Field(gt=1, le=1000)] = 3.0
    """humility, factor: an 80 % interval this many times as wide as past volatility implies halves the alpha."""
    strange_from: Annotated[float, Field(ge=0, lt=1)] = 0.99
    """strangeness: share of the training rows whose inputs lie nearer, from which alpha shrinks; at all of them it is
    gone."""
    trust_trades: Annotated[int, Field(ge=1, le=10_000)] = 20
    """trust: closed trades of a name that count as much as having no opinion of it; few trades change little."""
    trust_of: Annotated[tuple[Literal["ticker", "sector", "rule", "override"], ...], Field(max_length=4), DISTINCT] = (
        "ticker",
    )
    """trust: what is trusted by how it came out: closed trades of a ticker or a sector, what a rule's moves brought,
    the operator's vetoes. All but tickers are on trial first, with half of the names left alone."""
    min_trust: Share = 0.5
    """trust: share of its alpha that a name keeps at least, however its trades came out."""
    drawdown_soft: Annotated[float, Field(ge=0, lt=1)] = 0.08
    """drawdown_stop, fraction of the drawdown from which alpha shrinks."""
    drawdown_hard: Annotated[float, Field(gt=0, le=1)] = 0.25
    """drawdown_stop, fraction of the drawdown at which nothing is left of it: the book is its benchmark."""
    drawdown_of: Annotated[Literal["mandate", "value"], Earlier("value")] = "mandate"
    """drawdown_stop: whose drawdown it is. `mandate` is what the mandate asks about: a book that has a benchmark is
    measured beside it, from where it stood best within a year, as a fall of the market that both go through is no sign
    of bad bets; an absolute book, or one whose benchmark has no value on record, by its own value, from its peak.
    `value` measures every book by its own value."""
    event_sessions: Annotated[int, Field(ge=0, le=20)] = 1
    """event_proximity, sessions: trading a name this soon after a split, spin-off or merger costs extra."""
    event_cost: Annotated[float, Field(ge=0, le=0.1)] = 0.002
    """event_proximity, fraction: what it costs."""
    loser_sigmas: Annotated[float, Field(gt=0, le=100)] = 2.0
    """averaging_down: standard deviations over the decision horizon under cost from which it is not added to."""
    position_loss: Annotated[float, Field(gt=0, le=1)] = 0.01
    """capital_preservation, fraction of NAV: the most a position may lose at its forecast's 5 % quantile; traders know
    it as the rule of one per cent."""
    name_weight: Annotated[float, Field(gt=0, le=1)] = 0.10
    """diversification, fraction of NAV in one name: the most that a European fund (UCITS) may hold of an issuer. A
    benchmark's larger weight stands."""
    sector_active: Annotated[float, Field(gt=0, le=1)] = 0.15
    """sector_limit, fraction of NAV in one sector beyond the benchmark's weight."""
    capacity_sessions: Annotated[float, Field(gt=0, le=1000)] = 5.0
    """capacity: sessions of trading, each at the share of the volume an order may take, that leaving a position may
    need."""
    turnover: Annotated[float, Field(gt=0, le=2)] = 0.20
    """turnover, fraction of NAV that may be traded in a session beside what the benchmark's exposure lacks."""
    cash_reserve: Annotated[float, Field(ge=0, lt=1)] = 0.005
    """solvency, fraction of NAV kept in cash, in case the open is above the close."""
    min_order: Annotated[float, Field(ge=0, le=1_000_000_000)] = 500.0
    """significance, currency: below it the commission's minimum eats the edge."""

    def contradictions(self) -> Iterator[str]:
        """Limits that exclude each other."""
        if self.drawdown_hard <= self.drawdown_soft:
            yield (
                f"drawdown_hard is {self.drawdown_hard} and drawdown_soft is {self.drawdown_soft}; alpha shrinks from"
                " the soft limit to nothing at the hard one, so drawdown_hard must be the larger"
            )

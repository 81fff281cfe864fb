"""What can be set about the simulated market."""

from __future__ import annotations

from dataclasses import dataclass, field
from typing import Annotated

from pydantic import Field

from pipeline.config.setting_types import (
    Day,
    Exchange,
    Seed,
    Share,
)
from pipeline.ingestion.sources.source import Intervals


@dataclass(frozen=True, kw_only=True)
class Strengths:
    """How strongly the simulated market can be forecast, before `signal` scales all of it."""

    momentum: Annotated[float, Field(ge=0, le=10)] = 0.0078
    """Per session and unit of the idiosyncratic return summed over sessions t-60..t-6: drift that follows it."""
    reversal: Annotated[float, Field(ge=0, le=10)] = 0.036
    """Per session and unit of the idiosyncratic return summed over the last 5 sessions: drift against it."""
    news: Annotated[float, Field(ge=0, le=10)] = 0.55
    """Idiosyncratic sigmas of drift that follow one unit of a news impulse over the next 5 sessions in all."""
    regime: Annotated[float, Field(ge=0, le=10)] = 1.0
    """How far the market's drift differs between regimes; 0 gives all regimes the mean drift."""
    interaction: Annotated[float, Field(ge=0, le=1)] = 0.0
    """Idiosyncratic sigmas of drift per session and unit of momentum times last week's return, both standardised: what
    rose for months rises on after a good week. Neither alone forecasts anything."""
    threshold: Annotated[float, Field(ge=0, le=1)] = 0.0
    """The same per unit of last week's standardised return, which goes on where momentum of either sign is large and
    turns elsewhere, so that on average it does neither."""
    switching: Annotated[float, Field(ge=0, le=1)] = 0.0
    """The same per unit of last week's standardised return in the calm regime, against it in the stressed one."""


@dataclass(frozen=True, kw_only=True)
class FaultRates:
    """How often the simulated vendor errs: probability per ticker and session."""

    nan_price: Share = 0.0002
    """The close is the text NaN, in every delivery."""
    text_price: Share = 0.0002
    """A price is text no number can be read from, in every delivery."""
    negative_price: Share = 0.0002
    """A price has lost its meaning and is negative, in every delivery."""
    high_below_low: Share = 0.0002
    """High and low are swapped, in every delivery."""
    duplicate: Share = 0.0004
    """The same line comes twice, in every delivery."""
    conflict: Share = 0.0002
    """A second line gives the same session another close, in every delivery."""
    off_session: Share = 0.0001
    """One more bar, dated on a day without a session, in every delivery."""
    unit_error: Share = 0.0002
    """All prices in cents instead of dollars (x100), in every delivery."""
    fat_finger: Share = 0.0002
    """The close misses by a decimal place (x10 or x0.1), in every delivery."""
    halt: Share = 0.0004
    """No bar for one to three sessions, in every delivery."""
    stranger: Share = 0.0001
    """A bar of a ticker that was never listed, or whose text is hostile, in every delivery."""
    restated: Share = 0.002
    """The first delivery has a slightly wrong close; every later one is right."""
    late: Share = 0.0005
    """The first delivery lacks the bar; every later one has it."""
    backfilled: Share = 0.0005
    """The first delivery has NaN for the prices; every later one is right."""


@dataclass(frozen=True, kw_only=True)
class SimulatedParams:
    """The seeded market: a longer or later simulation never changes what it said about earlier sessions."""

    seed: Seed = 7
    """Seed of every draw, 0 or more; two seeds are two markets."""
    names: Annotated[int, Field(ge=4, le=2_000)] = 64
    """Stocks, those listed or delisted on the way included."""
    first_session: Day = "2018-01-02"
    """First session of the simulation (ISO date); the next one, if the exchange is closed that day."""
    history_sessions: Annotated[int, Field(ge=1, le=20_000)] = 1040
    """Sessions before the first daily fetch: a little over four years."""
    exchange: Exchange | None = None
    """Set by older files; the market's exchange counts, and this may only repeat it."""
    intervals: Intervals = ("1d",)
    """Lengths of bars that are taken: 1d by cycles, the shorter ones, 1h, 5m and 1m, by snapshots. Together the bars of
    a session are its daily bar, before any error of the vendor."""
    signal: Annotated[float, Field(ge=0, le=2)] = 1.0
    """Scale of everything planted for a learner to find; 0 makes returns unforecastable beyond a constant drift."""
    strengths: Strengths = field(default_factory=Strengths)
    """What is planted, at signal 1."""
    drift: Annotated[float, Field(ge=-0.01, le=0.01)] = 0.00035
    """Mean market return per session (about 9 % a year), the part nobody has to learn."""
    market_volatility: Annotated[float, Field(gt=0, le=0.2)] = 0.0085
    """Standard deviation of the market's return per session in a normal regime (13 % a year)."""
    news_rate: Share = 0.09
    """Chance per name and session of a news impulse."""
    news_reliability: Share = 0.85
    """Chance that an article's wording has the sign of its impulse."""
    sessions_between_listings: Annotated[int, Field(ge=20, le=10_000)] = 150
    """Mean distance between two new listings; one name in twelve, at least three of 64, is listed late."""
    sessions_between_delistings: Annotated[int, Field(ge=40, le=10_000)] = 200
    """Distance between two delistings, bankruptcies and takeovers in turn; at most a third of the names go."""
    faults: FaultRates = field(default_factory=FaultRates)
    """The vendor's errors."""

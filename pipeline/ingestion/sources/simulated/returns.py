"""Returns of the simulated market: regimes, clustered volatility, fat tails, and the drift planted in them."""

from __future__ import annotations

from dataclasses import dataclass
from typing import NamedTuple

import numpy as np

from pipeline.ingestion.sources.simulated.instruments import NEVER, SECTORS, Floats, Instruments, Ints
from pipeline.ingestion.sources.simulated.nonlinear import is_planted, nonlinear_drift
from pipeline.ingestion.sources.simulated.params import SimulatedParams
from pipeline.ingestion.sources.simulated.rng import Stream, random_stream

BURN_IN = 180
"""Sessions simulated before the first, so that momentum and volatility start in their usual state."""
MOMENTUM_FROM, MOMENTUM_TO = 60, 6
"""Momentum sums idiosyncratic returns over sessions t-60..t-6."""
REVERSAL = 5
"""Reversal sums them over t-5..t-1."""
NEWS_WEIGHTS = np.array([0.30, 0.25, 0.20, 0.15, 0.10])
"""Share of a news impulse's later drift that falls on the 1st, 2nd, ... session after it."""
NEWS_AT_ONCE = 0.8
"""Idiosyncratic sigmas that one unit of impulse moves the price on its own session: known too late to earn."""

REGIMES = ("calm", "normal", "stressed")
TRANSITIONS = np.array([[0.985, 0.015, 0.0], [0.012, 0.978, 0.010], [0.0, 0.035, 0.965]])
"""Row: from; column: to. Mean stays of 67, 45 and 29 sessions."""
COMMON_SCALE = np.array([0.7, 1.0, 1.7])
"""Market and sector volatility in each regime, over that of the normal one."""
OWN_SCALE = np.array([0.85, 1.0, 1.35])
"""Idiosyncratic volatility likewise."""
REGIME_DRIFT = np.array([0.0002, 0.0001, -0.0009])
"""Market drift per session in each regime, before its mean is taken out and `drift` put in."""
SECTOR_VOLATILITY = 0.0038
"""Standard deviation of a sector's own return per session."""


@dataclass(frozen=True)
class ReturnPaths:
    """What truly happened. Rows are sessions from position 0 unless said otherwise; columns are names."""

    regime: Ints
    """[sessions] index into REGIMES."""
    common: Floats
    """[sessions, names] beta x market + sector return."""
    own: Floats
    """[BURN_IN + sessions, names] idiosyncratic return, its drift included; 0 before listing and after a surprise."""
    surprise: Floats
    """[BURN_IN + sessions, names] the part of it that nothing before could tell."""
    impulse: Floats
    """[BURN_IN + sessions, names] news impulse public by the session's close, in units of news; mostly 0."""
    drift: Floats
    """[sessions, names] what of the session's total return could be expected at the close before."""
    scale: Floats
    """[sessions, names] the session's standard deviation of the total return, for shaping bars."""
    total: Floats
    """[sessions, names] total return, close to close."""

    @property
    def length(self) -> int:
        """Sessions simulated."""
        return len(self.total)


class _Noise(NamedTuple):
    """All draws, [BURN_IN + sessions, ...]; unit variance unless said otherwise."""

    switch: Floats
    market: Floats
    sectors: Floats
    own: Floats
    market_shock: Floats
    own_shock: Floats


def simulate(instruments: Instruments, params: SimulatedParams, length: int) -> ReturnPaths:
    """Return the path of the first `length` sessions; a longer one begins with the same bits."""
    noise = _noise(instruments, params, length)
    regime = _regimes(noise.switch)
    market_scale = params.market_volatility * COMMON_SCALE[regime] * _clustering(noise.market_shock, 0.08)
    own_scale = instruments.volatility * OWN_SCALE[regime][:, None] * _clustering(noise.own_shock, 0.06)
    mean = regime_drift(params)[regime]
    market = mean + np.clip(market_scale * noise.market, -0.12, 0.12)
    sector = SECTOR_VOLATILITY * COMMON_SCALE[regime][:, None] * noise.sectors
    common = instruments.beta * market[:, None] + sector[:, instruments.sector]
    ordinary = _ordinary(instruments, length)
    impulse = _impulses(instruments, params, length) * ordinary
    surprise = np.clip(own_scale * noise.own, -0.35, 0.35) + NEWS_AT_ONCE * instruments.volatility * impulse
    surprise *= ordinary
    hidden = _hidden_drift(surprise, regime, instruments, params)
    own, own_drift = _own_returns(surprise, hidden, impulse, ordinary, instruments, params)
    after = slice(BURN_IN, None)
    quiet = np.where(_takeovers(instruments), 0.0005, 2.5 * instruments.volatility) * noise.own
    total = np.where(ordinary, common + own, np.clip(quiet, -0.3, 0.3))[after]
    drift = np.where(ordinary, instruments.beta * mean[:, None] + own_drift, 0.0)[after]
    common_variance = (instruments.beta * market_scale[:, None]) ** 2 + SECTOR_VOLATILITY**2
    return ReturnPaths(
        regime=regime[after],
        common=common[after],
        own=own,
        surprise=surprise,
        impulse=impulse,
        drift=drift,
        scale=np.where(ordinary, np.sqrt(common_variance + own_scale**2), np.abs(quiet) + 0.0002)[after],
        total=_with_jumps(np.maximum(total, -0.6), instruments),
    )


def regime_drift(params: SimulatedParams) -> Floats:
    """Expected market return per session in each regime; without signal the same in all."""
    stay = np.linalg.matrix_power(TRANSITIONS, 5_000)[0]
    differences = REGIME_DRIFT - (stay * REGIME_DRIFT).sum()
    scaled: Floats = params.drift + params.signal * params.strengths.regime * differences
    return scaled


def regime_mood() -> Floats:
    """What planted switching goes by in each regime: -1 in the stressed one, and against it what makes its mean 0."""
    stay = np.linalg.matrix_power(TRANSITIONS, 5_000)[0]
    return np.array([stay[2] / stay[0], 0.0, -1.0])


def hidden_drift(surprise: Floats, mood: float, instruments: Instruments, params: SimulatedParams) -> Floats:
    """Return what no line sees of the expected idiosyncratic return of the session after the last row: [names].

    Args:
        surprise: [at least 60 rows, names], the latest session last.
        mood: of the last session's regime, see `regime_mood`.
        instruments, params: the market.
    """
    if not is_planted(params.strengths):
        return np.zeros(instruments.size)
    return params.signal * nonlinear_drift(surprise, mood, instruments.volatility, params.strengths)


def own_drift(own: Floats, impulse: Floats, instruments: Instruments, params: SimulatedParams) -> Floats:
    """Return the expected idiosyncratic return of the session after the last row, less what no line sees.

    Args:
        own, impulse: [at least 60 rows, names], the latest session last.
    """
    strengths = params.strengths
    rows = own.shape[0]
    momentum = own[rows - MOMENTUM_FROM : rows - MOMENTUM_TO + 1].sum(axis=0)
    reversal = own[rows - REVERSAL :].sum(axis=0)
    news = (NEWS_WEIGHTS[::-1, None] * impulse[rows - len(NEWS_WEIGHTS) :]).sum(axis=0)
    drift: Floats = params.signal * (
        strengths.momentum * momentum - strengths.reversal * reversal + strengths.news * instruments.volatility * news
    )
    return drift


def _noise(instruments: Instruments, params: SimulatedParams, length: int) -> _Noise:
    rows = []
    for index in range(BURN_IN + length):
        rng = random_stream(params.seed, Stream.RETURNS, index)
        rows.append(
            (
                rng.random(),
                rng.standard_t(6) / np.sqrt(6 / 4),
                rng.standard_normal(len(SECTORS)),
                rng.standard_t(5, instruments.size) / np.sqrt(5 / 3),
                rng.standard_normal(),
                rng.standard_normal(instruments.size),
            )
        )
    return _Noise(*(np.array(column) for column in zip(*rows, strict=True)))


def _regimes(switch: Floats) -> Ints:
    """Follow the Markov chain; it starts in the normal regime."""
    steps = TRANSITIONS.cumsum(axis=1)
    regime = np.empty(len(switch), dtype=np.int64)
    now = 1
    for index, uniform in enumerate(switch.tolist()):
        now = min(int((steps[now] <= uniform).sum()), len(REGIMES) - 1)
        regime[index] = now
    return regime


def _clustering(shocks: Floats, size: float) -> Floats:
    """Stochastic volatility: exp of an AR(1) with coefficient 0.97, of mean square 1."""
    level = np.zeros_like(shocks)
    for index in range(1, len(shocks)):
        level[index] = 0.97 * level[index - 1] + size * shocks[index]
    variance = size**2 / (1 - 0.97**2)
    clustered: Floats = np.exp(level - variance)
    return clustered


def _ordinary(instruments: Instruments, length: int) -> Floats:
    """1 where a name trades in the ordinary way: listed, and not after the surprise that ends it."""
    position = np.arange(-BURN_IN, length)[:, None]
    first = np.where(instruments.listed == 0, -BURN_IN, instruments.listed)
    struck = np.full(instruments.size, NEVER)
    for departure in instruments.departures:
        struck[departure.name] = departure.struck
    return ((position >= first) & (position <= struck)).astype(np.float64)


def _takeovers(instruments: Instruments) -> Floats:
    bought = np.zeros(instruments.size)
    bought[[departure.name for departure in instruments.departures if departure.takeover]] = 1.0
    return bought


def _impulses(instruments: Instruments, params: SimulatedParams, length: int) -> Floats:
    """A rare impulse per name and session: a sign and a size of 0.5 to 1.5."""
    rows = []
    for index in range(BURN_IN + length):
        rng = random_stream(params.seed, Stream.NEWS, index)
        happens, up, size = rng.random((3, instruments.size))
        rows.append(np.where(happens < params.news_rate, np.where(up < 0.5, 1.0, -1.0) * (0.5 + size), 0.0))
    return np.array(rows)


def _hidden_drift(surprise: Floats, regime: Ints, instruments: Instruments, params: SimulatedParams) -> Floats:
    """The part of each session's drift that no line sees: [BURN_IN + sessions, names]."""
    drift = np.zeros_like(surprise)
    if is_planted(params.strengths):
        mood = regime_mood()[regime].tolist()
        for row in range(MOMENTUM_FROM, len(surprise)):
            drift[row] = hidden_drift(surprise[row - MOMENTUM_FROM : row], mood[row - 1], instruments, params)
    return drift


def _own_returns(
    surprise: Floats,
    hidden: Floats,
    impulse: Floats,
    ordinary: Floats,
    instruments: Instruments,
    params: SimulatedParams,
) -> tuple[Floats, Floats]:
    """Add to each session's surprise the drift that follows from the sessions before it."""
    own, drift = np.zeros_like(surprise), np.zeros_like(surprise)
    for row in range(MOMENTUM_FROM, len(surprise)):
        before = slice(row - MOMENTUM_FROM, row)
        drift[row] = (own_drift(own[before], impulse[before], instruments, params) + hidden[row]) * ordinary[row]
        own[row] = surprise[row] + drift[row]
    return own, drift


def _with_jumps(total: Floats, instruments: Instruments) -> Floats:
    for departure in instruments.departures:
        for position, jump in departure.jumps:
            if position < len(total):
                total[position, departure.name] = (1 + total[position, departure.name]) * (1 + jump) - 1
    return total

"""Markets in which some factors are known to rank what follows, or none: for what looks for factors."""

from __future__ import annotations

from collections.abc import Sequence
from datetime import date, timedelta

import numpy as np
import numpy.typing as npt

from pipeline.features.engine.cross_sections import Members
from pipeline.features.engine.price_basis import TradedPrices
from pipeline.research.proposing.factor_history import FactorHistory, FactorPart, look_ahead
from pipeline.research.proposing.grammar import Sentence
from pipeline.research.proposing.rank_scores import ForwardReturns

Floats = npt.NDArray[np.float64]
PLANTED = (Sentence("momentum", 5), Sentence("volume_surprise", 10), Sentence("range", 20))
"""What ranks the next session's returns where something is planted."""
SIGMA = 0.02
"""Standard deviation of a session's return."""


def make_market(
    sessions: int, names: int, seed: int, strength: float = 0.1, planted: Sequence[Sentence] = PLANTED, horizon: int = 5
) -> FactorHistory:
    """A market whose next returns follow planted factors, each by `strength` of a deviation; 0 plants nothing."""
    chance = np.random.default_rng(seed)
    shape = (sessions, names)
    log_volume = 12 + _persistent(chance, shape, 0.7)
    spread = 0.01 * np.exp(0.5 * _persistent(chance, shape, 0.97))
    noise, market = chance.standard_normal(shape), 0.01 * chance.standard_normal(sessions)
    log_close = np.zeros(shape)
    for at in range(1, sessions):
        signal = sum((_known_by(one, log_close, log_volume, spread, at) for one in planted), np.zeros(names))
        log_close[at] = log_close[at - 1] + market[at] + SIGMA * (strength * signal + noise[at])
    close = 50 * np.exp(log_close)
    opened = np.concatenate([close[:1], close[:-1]]) * np.exp(0.003 * chance.standard_normal(shape))
    facts = {
        "open": opened, "high": close * (1 + spread / 2), "low": close * (1 - spread / 2), "close": close,
        "volume": np.exp(log_volume), "vwap": close,
        **{name: np.zeros(shape) for name in ("news_signal", "news_weight", "articles")},
    }  # fmt: skip
    member = np.ones(shape, dtype=bool)
    prices = TradedPrices(
        facts, np.ones(shape), np.ones(shape), Members(member, np.tile(np.arange(names) % 4, (sessions, 1)))
    )
    growth = np.concatenate([np.full((1, names), np.nan), np.diff(log_close, axis=0)])
    outcomes: ForwardReturns = look_ahead(growth, member, horizon)
    days = tuple(date(2015, 1, 1) + timedelta(days=at) for at in range(sessions))
    part = FactorPart(prices, 0, slice(0, sessions), np.arange(names))
    return FactorHistory(days, tuple(f"N{at:03d}" for at in range(names)), outcomes, (part,))


def _persistent(chance: np.random.Generator, shape: tuple[int, int], memory: float) -> Floats:
    """Deviations of names from their own levels that fade slowly."""
    found = np.empty(shape)
    found[0] = chance.standard_normal(shape[1])
    for at in range(1, shape[0]):
        found[at] = memory * found[at - 1] + np.sqrt(1 - memory**2) * chance.standard_normal(shape[1])
    return found


def _known_by(one: Sentence, log_close: Floats, log_volume: Floats, spread: Floats, at: int) -> Floats:
    """The standardised value of a planted factor at the session before; reversal for momentum."""
    n = one.window
    if at <= n:
        return np.zeros(log_close.shape[1])
    if one.word == "momentum":
        values = -(log_close[at - 1] - log_close[at - 1 - n])
    elif one.word == "volume_surprise":
        values = log_volume[at - 1] - log_volume[at - n : at].mean(axis=0)
    else:
        values = -spread[at - n : at].mean(axis=0)
    return (values - values.mean()) / values.std()

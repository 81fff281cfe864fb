"""The risk of each name from its past returns: what it shares with the market and its sector, and what is its own."""

from __future__ import annotations

from collections.abc import Sequence
from dataclasses import dataclass

import numpy as np

from pipeline.trading.construction.problem import Flags, Floats

LOOKBACK = 130
"""Sessions of returns: half a year, long enough for some sixty names and short enough to follow the market."""
MIN_OBSERVATIONS = 20
"""Returns below which a name is taken for one like the others."""
BETA_SHRINKAGE = 1 / 3
"""Towards 1, as Blume (1975) found betas to move."""
SPECIFIC_SHRINKAGE = 0.2
"""Towards the median name's."""
UNKNOWN_VARIANCE = 0.03**2
"""Per session, where nothing at all is known."""
MIN_VARIANCE = 1e-8


@dataclass(frozen=True, kw_only=True)
class NameRisk:
    """Variances per session, fractions squared."""

    beta: Floats
    """[N]"""
    market: float
    sector: Floats
    """[N] of the name's sector; 0 for a name in none."""
    specific: Floats
    """[N]"""
    observations: Floats
    """[N] returns each rests on."""


def model_risk(returns: Floats, members: Flags, sectors: Sequence[str | None]) -> NameRisk:
    """Return a one-market, one-sector factor model of returns, shrunk where little is known.

    Args:
        returns: [T, N] total returns per session, NaN where a name did not trade.
        members: [N] names that make the market.
        sectors: [N]; None for a name in no sector.
    """
    count = np.isfinite(returns).sum(axis=0).astype(np.float64)
    enough = count >= MIN_OBSERVATIONS
    market = _mean_of(returns[:, members])
    spread = market - (market.mean() if len(market) else 0.0)
    variance = float((spread**2).mean()) if len(market) else 0.0
    known = np.where(np.isfinite(returns), returns, 0.0)
    seen = np.isfinite(returns)
    slope = (known * spread[:, None]).sum(axis=0) / np.maximum((seen * spread[:, None] ** 2).sum(axis=0), 1e-12)
    beta = np.where(enough, (1 - BETA_SHRINKAGE) * slope + BETA_SHRINKAGE, 1.0)
    left = np.where(seen, returns - beta * market[:, None], np.nan)
    shared, sector = _sector_parts(left, members & enough, sectors)
    own = _variances(left - shared)
    typical = float(np.median(own[enough])) if enough.any() else UNKNOWN_VARIANCE
    specific = np.where(enough, (1 - SPECIFIC_SHRINKAGE) * own + SPECIFIC_SHRINKAGE * typical, typical)
    return NameRisk(
        beta=beta,
        market=max(variance, MIN_VARIANCE),
        sector=sector,
        specific=np.maximum(specific, MIN_VARIANCE),
        observations=count,
    )


def _mean_of(returns: Floats) -> Floats:
    """[T] the mean of the names that traded; 0 where none did."""
    seen = np.isfinite(returns)
    mean: Floats = np.where(seen, returns, 0.0).sum(axis=1) / np.maximum(seen.sum(axis=1), 1)
    return mean


def _variances(values: Floats) -> Floats:
    """[N] of what is known; 0 where nothing is."""
    seen = np.isfinite(values)
    count = np.maximum(seen.sum(axis=0), 1)
    known = np.where(seen, values, 0.0)
    mean = known.sum(axis=0) / count
    variances: Floats = (np.where(seen, values - mean, 0.0) ** 2).sum(axis=0) / count
    return variances


def _sector_parts(left: Floats, usable: Flags, sectors: Sequence[str | None]) -> tuple[Floats, Floats]:
    """What each name shares with its sector, [T, N], and the variance of that, [N].

    The mean of a sector's n names holds a part 1/n of their own variance too, which is taken off; a sector's variance
    is shrunk half-way to the mean of all sectors, as each rests on few names.
    """
    shared, variance = np.zeros_like(left), np.zeros(left.shape[1])
    names = sorted({one for one in sectors if one is not None})
    parts = {one: np.array([sector == one for sector in sectors]) for one in names}
    pure = {}
    for one, inside in parts.items():
        if (inside & usable).sum() >= 2:
            mean = _mean_of(left[:, inside & usable])
            shared[:, inside] = mean[:, None]
            pure[one] = _pure_variance(left, mean, inside & usable, int(usable.sum()))
    typical = float(np.mean(list(pure.values()))) if pure else 0.0
    for one, inside in parts.items():
        variance[inside] = (pure.get(one, typical) + typical) / 2
    return shared, variance


def _pure_variance(left: Floats, mean: Floats, chosen: Flags, usable: int) -> float:
    """The variance of a sector's mean without its names' own part in it, of which the market took its share before."""
    count = int(chosen.sum())
    own = float(_variances(left[:, chosen] - mean[:, None]).mean()) / (count - 1)
    return max(float(mean.var()) - own * (1 - count / usable), 0.0)

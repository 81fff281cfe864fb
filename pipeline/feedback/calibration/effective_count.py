"""How many independent forecasts a window of scores is worth: horizons overlap, and tickers move together."""

from __future__ import annotations

from dataclasses import dataclass

import numpy as np
from numpy.typing import NDArray

Floats = NDArray[np.float64]
Counts = NDArray[np.int64]
USUAL_COMMON, KNOWN_FROM = 0.05, 5.0
"""Correlation between two tickers' misses taken for granted, and how many independent sessions that belief weighs."""


@dataclass(frozen=True)
class ScoredSessions:
    """The scores of one horizon by target session, oldest first."""

    horizon: int
    positions: Counts
    """[sessions] when they were for, as numbers of sessions."""
    histograms: Counts
    """[sessions, bins] how many outcomes needed which scale."""

    @property
    def forecasts(self) -> Counts:
        """[sessions] scored forecasts with a width."""
        counted: Counts = self.histograms.sum(axis=1)
        return counted


def count_units(scored: ScoredSessions, weights: Floats, level: float) -> float:
    """Return how many independent forecasts say as much on the `level` quantile as these, given their weights.

    That number is p (1 - p) over the variance of the weighted share of scores below it.

    Args:
        scored: what there is.
        weights: [sessions] of each of a session's scores.
        level: the quantile's.
    """
    total = float((weights * scored.forecasts).sum())
    if total <= 0:
        return 0.0
    variance = float((weights[:, None] * weights[None, :] * _shared_misses(scored, level)).sum())
    return total * total / variance


def _shared_misses(scored: ScoredSessions, level: float) -> Floats:
    """[sessions, sessions] the correlations between all misses of two sessions, summed up over their tickers.

    Of two forecasts of one ticker made d sessions apart, outcomes share 1 - d / h of their moves, and whether both miss
    is then correlated by the square of that at most, if moves are normal (even Hermite polynomials have no first
    order). Two tickers of a session miss together as measured, see `common_misses`.
    """
    counts = scored.forecasts.astype(np.float64)
    apart = np.abs(scored.positions[:, None] - scored.positions[None, :])
    overlap = np.maximum(0.0, 1 - apart / scored.horizon) ** 2
    same = np.minimum(counts[:, None], counts[None, :])
    together: Floats = overlap * (same + (counts[:, None] * counts[None, :] - same) * common_misses(scored, level))
    return together


def common_misses(scored: ScoredSessions, level: float) -> float:
    """Return the correlation, 0 to 1, between two tickers' missing the `level` quantile in one session.

    From the shares below it in sessions a horizon apart, which share no move: half their mean squared difference is
    p (1 - p) (1 / m + (1 - 1 / m) r) for m tickers (analysis of variance). Differences, since a change of the width
    itself is none of it. Few sessions hardly tell, so that they count next to `USUAL_COMMON`.
    """
    shares, counts, positions = _shares_below(scored, level)
    later = np.searchsorted(positions, positions + scored.horizon)
    pairs = np.flatnonzero(later < len(positions))
    mean = float(shares.mean()) if len(shares) else 0.0
    if not pairs.size or not 0 < mean < 1:
        return USUAL_COMMON
    spread = (shares[later[pairs]] - shares[pairs]) ** 2 / 2 / (mean * (1 - mean))
    alone = (1 / counts[pairs] + 1 / counts[later[pairs]]) / 2
    measured = float(((spread - alone) / (1 - alone)).mean())
    independent = pairs.size / scored.horizon
    shrunk = (measured * independent + USUAL_COMMON * KNOWN_FROM) / (independent + KNOWN_FROM)
    return float(np.clip(shrunk, 0.0, 1.0))


def _shares_below(scored: ScoredSessions, level: float) -> tuple[Floats, Counts, Counts]:
    """The share below the quantile of all, of each session with two forecasts or more; their number; its position."""
    whole = scored.histograms.sum(axis=0)
    edge = int(np.searchsorted(np.cumsum(whole), level * whole.sum()))
    known = np.flatnonzero(scored.forecasts >= 2)
    counts = scored.forecasts[known]
    return scored.histograms[known, : edge + 1].sum(axis=1) / counts, counts, scored.positions[known]

"""Whether one of two models is better on the very same sessions: Diebold and Mariano, and a block bootstrap."""

from __future__ import annotations

from dataclasses import dataclass
from math import sqrt

import numpy as np
from numpy.typing import NDArray

from pipeline.student import two_sided_p

Floats = NDArray[np.float64]
DRAWS = 2_000
"""Resamples: the ends of a 95 % interval move by some 5 % of it between seeds."""


@dataclass(frozen=True)
class PairedComparison:
    """How much less one loses than the other per session."""

    gain: float
    statistic: float
    """Of Diebold and Mariano, to be held against Student's t; 0 where the losses never differ."""
    p: float
    """Two-sided."""
    low: float
    """Lower end of the gain's 95 % interval, by the bootstrap."""
    high: float
    sessions: int


def compare_losses(theirs: Floats, ours: Floats, horizon: int, seed: int) -> PairedComparison:
    """Compare losses on identical sessions, of which neighbours share `horizon - 1` sessions of their outcomes.

    Diebold and Mariano (1995), the variance of the mean difference over `horizon - 1` lags, with the small-sample
    correction and Student's t of Harvey, Leybourne and Newbold (1997). A variance that comes out at or below 0 is
    replaced by that of independent differences. Beside it a moving-block bootstrap of the same differences (Kuensch,
    1989), whose blocks hold all that overlaps with their middle, or the cube root of the sample, whichever is more.

    Args:
        theirs: [sessions].
        ours: [sessions], the same ones.
        horizon: sessions of the longest outcome.
        seed: of the bootstrap.

    Raises:
        ValueError: if the two are of different length, or empty.
    """
    if len(theirs) != len(ours) or not len(ours):
        raise ValueError(f"{len(theirs)} and {len(ours)} losses cannot be paired; give both on the same sessions")
    difference = theirs - ours
    statistic, p = _diebold_mariano(difference, horizon)
    means = _resampled_means(difference, horizon, seed)
    low, high = (float(end) for end in np.quantile(means, (0.025, 0.975)))
    return PairedComparison(float(difference.mean()), statistic, p, low, high, len(difference))


def _diebold_mariano(difference: Floats, horizon: int) -> tuple[float, float]:
    n, lags = len(difference), min(horizon, len(difference)) - 1
    centred = difference - difference.mean()
    covariances = [float((centred[lag:] * centred[: n - lag]).sum()) / n for lag in range(lags + 1)]
    variance = covariances[0] + 2 * sum(covariances[1:])
    variance = variance if variance > 0 else covariances[0]
    if variance <= 0 or n < 2:
        return 0.0, 1.0
    steps = lags + 1
    correction = max((n + 1 - 2 * steps + steps * (steps - 1) / n) / n, 1 / n)
    statistic = float(difference.mean()) / sqrt(variance / n) * sqrt(correction)
    return statistic, two_sided_p(statistic, n - 1)


def _resampled_means(difference: Floats, horizon: int, seed: int) -> Floats:
    n = len(difference)
    length = min(max(2 * horizon - 1, round(float(n) ** (1 / 3))), n)
    starts = np.random.default_rng(seed).integers(0, n - length + 1, size=(DRAWS, -(-n // length)))
    blocks = difference[starts[..., None] + np.arange(length)].reshape(DRAWS, -1)[:, :n]
    means: Floats = blocks.mean(axis=1)
    return means

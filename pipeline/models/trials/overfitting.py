"""What a good result is worth after many were tried: deflated Sharpe ratio, overfitting and minimum length."""

from __future__ import annotations

from itertools import combinations
from math import e, sqrt
from statistics import NormalDist

import numpy as np
from numpy.typing import NDArray

Floats = NDArray[np.float64]
EULER = 0.5772156649015329
NORMAL = NormalDist()
PARTS = 10
"""Parts that a history is cut into: 252 ways to take one half for choosing and the other for judging."""


def expected_best(trials: int) -> float:
    """The largest of so many independent standard normal figures, on average; 0 for one.

    E[max] = (1 - g) Z(1 - 1/N) + g Z(1 - 1/(N e)), g Euler's constant (Bailey and Lopez de Prado, 2014).
    """
    if trials < 2:
        return 0.0
    return (1 - EULER) * NORMAL.inv_cdf(1 - 1 / trials) + EULER * NORMAL.inv_cdf(1 - 1 / (trials * e))


def deflated_sharpe(
    sharpe: float, observations: float, skewness: float, kurtosis: float, trials: int, spread: float
) -> float:
    """Probability that the true ratio is above 0, given that it is the best of so many.

    Bailey and Lopez de Prado (2014), "The Deflated Sharpe Ratio": the probabilistic Sharpe ratio against the ratio that
    the best of N trials without any skill would have.

    Args:
        sharpe: mean over standard deviation, per observation, not annualised.
        observations: how many there are, independent ones.
        skewness: of the observations.
        kurtosis: of the observations, 3 for normal ones.
        trials: N, one at least.
        spread: standard deviation of the ratio over trials.
    """
    best = spread * expected_best(trials)
    variance = 1 - skewness * sharpe + (kurtosis - 1) / 4 * sharpe**2
    if observations <= 1 or variance <= 0:
        return 0.0
    return NORMAL.cdf((sharpe - best) * sqrt(observations - 1) / sqrt(variance))


def minimum_length(sharpe: float, trials: int) -> float | None:
    """Observations below which the best of so many trials without skill reaches this ratio on average.

    Bailey, Borwein, Lopez de Prado and Zhu (2014), "Pseudo-Mathematics and Financial Charlatanism": (E[max] / SR)^2.
    None for a ratio that is not above 0: no length is enough.
    """
    return None if sharpe <= 0 else (expected_best(trials) / sharpe) ** 2


def overfitting_probability(advantages: Floats) -> float | None:
    """How often what was best in one half of history is below the middle in the other.

    Combinatorially symmetric cross-validation (Bailey, Borwein, Lopez de Prado and Zhu, 2017): history is cut into
    PARTS, every half of them chooses a candidate by its ratio of mean to deviation, and the other half ranks it.

    Args:
        advantages: [observations, candidates].

    Returns:
        A share; None for fewer than two candidates or fewer than two observations in a part.
    """
    observations, candidates = advantages.shape
    if candidates < 2 or observations < 2 * PARTS:
        return None
    parts = np.array_split(np.arange(observations), PARTS)
    failed = [
        _is_below_middle(advantages, np.concatenate([parts[number] for number in chosen]))
        for chosen in combinations(range(PARTS), PARTS // 2)
    ]
    return float(np.mean(failed))


def _is_below_middle(advantages: Floats, inside: NDArray[np.intp]) -> bool:
    outside = np.setdiff1d(np.arange(len(advantages)), inside)
    best = int(np.argmax(_ratios(advantages[inside])))
    there = _ratios(advantages[outside])
    rank = float((there < there[best]).sum()) + (float((there == there[best]).sum()) + 1) / 2
    return rank / (len(there) + 1) <= 0.5


def _ratios(values: Floats) -> Floats:
    deviation = values.std(axis=0, ddof=1)
    ratios: Floats = np.divide(values.mean(axis=0), deviation, out=np.zeros(values.shape[1]), where=deviation > 0)
    return ratios

"""Whether forecasts are off by a constant: how far the mean error of overlapping outcomes can stray by chance."""

from __future__ import annotations

from dataclasses import dataclass

import numpy as np
from numpy.typing import NDArray

from pipeline.feedback.statistics import long_run_variance, multiply_counts, student_p

Floats = NDArray[np.float64]


@dataclass(frozen=True)
class LevelTest:
    """Per column: how far outcomes lie beyond forecasts on average; arrays [columns], as fractions."""

    mean: Floats
    """Mean of realised less forecast; NaN where nothing was scored."""
    standard_error: Floats
    t: Floats
    p: Floats
    """Two-sided, from Student's t; 1 where nothing can be tested."""
    sessions: NDArray[np.int64]
    """Scored sessions."""
    level: Floats
    """What outcomes are on average, by these and by what was known beforehand."""
    level_error: Floats
    """Its standard error."""


def measure_level(
    errors: Floats, outcomes: Floats, positions: NDArray[np.int64], horizon: int, prior_sessions: float = 0.0
) -> LevelTest:
    """Test the mean of `errors` against 0, knowing that outcomes over `horizon` sessions share most of these.

    An error is an outcome less a forecast, and chance lies in the outcome. Outcomes are sums of daily moves, so two
    that were made d sessions apart share max(0, h - d) of them: with a daily variance s the mean of n has the variance
    s / n^2 times the sum of what all pairs share (Hansen and Hodrick, 1980, with the weights that white daily moves
    give). s is half the mean squared difference of neighbouring outcomes, in which what they share drops out: at a
    horizon of 20 sessions n scores thus have some 2/3 n degrees of freedom, where their sums have n / 20. What the
    forecasts themselves vary is added (Newey and West, 1987).

    Where the level of outcomes is known beforehand, to be 0 as the naive forecast says, this counts like
    `prior_sessions` further sessions: mean and variance are those of the posterior (a control variate, shrunk).

    Args:
        errors: [sessions, columns] in order of time; NaN is missing.
        outcomes: the same shape: what was realised, NaN where the error is.
        positions: [sessions] when the forecasts were made, as numbers of sessions.
        horizon: sessions a forecast spans.
        prior_sessions: what the knowledge that outcomes are 0 on average weighs; 0 for none.
    """
    present = ~np.isnan(errors)
    n = present.sum(axis=0)
    counted = np.maximum(n, 1)
    daily, freedom = _daily_variance(outcomes, positions, horizon)
    chance = daily * _shared(present, positions, horizon) / counted**2
    prior = daily * horizon**2 / prior_sessions if prior_sessions else np.full_like(daily, np.inf)
    known = np.divide(prior, prior + chance, out=np.ones_like(prior), where=np.isfinite(prior) & (prior + chance > 0))
    forecasts = outcomes - errors
    outcome_mean, forecast_mean = _means(outcomes, present), _means(forecasts, present)
    mean = known * outcome_mean - forecast_mean
    error = np.sqrt(known * chance + _forecast_variance(forecasts, present, counted))
    t = np.divide(mean, error, out=np.zeros_like(mean), where=error > 0)
    testable = (freedom >= 2) & (error > 0) & (n > 1)
    p = np.where(testable, student_p(t, np.where(testable, freedom, 2.0)), 1.0)
    level, level_error = known * outcome_mean, np.sqrt(known * chance)
    return LevelTest(np.where(n > 0, mean, np.nan), error, t, p, n.astype(np.int64), level, level_error)


def _means(values: Floats, present: NDArray[np.bool_]) -> Floats:
    means: Floats = np.where(present, values, 0.0).sum(axis=0) / np.maximum(present.sum(axis=0), 1)
    return means


def _daily_variance(outcomes: Floats, positions: NDArray[np.int64], horizon: int) -> tuple[Floats, Floats]:
    """Variance of the moves of a session, and its degrees of freedom: two thirds, as neighbours share a session."""
    steps = np.minimum(np.diff(positions), horizon)[:, None]
    squares = np.diff(outcomes, axis=0) ** 2 / (2 * np.maximum(steps, 1))
    known = ~np.isnan(squares)
    count = known.sum(axis=0)
    variance: Floats = np.where(known, squares, 0.0).sum(axis=0) / np.maximum(count, 1)
    return variance, 2 / 3 * count


def _shared(present: NDArray[np.bool_], positions: NDArray[np.int64], horizon: int) -> Floats:
    """Sessions that all pairs of present outcomes share, summed up: [columns]."""
    overlap = np.maximum(0, horizon - np.abs(positions[:, None] - positions[None, :])).astype(np.float64)
    held = present.astype(np.float64)
    shared: Floats = (held * multiply_counts(overlap, held)).sum(axis=0)
    return shared


def _forecast_variance(forecasts: Floats, present: NDArray[np.bool_], n: NDArray[np.int64]) -> Floats:
    """Variance of the mean forecast: forecasts that wander do not show their level at once."""
    bandwidth = max(1, present.shape[0] // 4)
    deviations = np.where(present, forecasts - _means(forecasts, present), 0.0)
    small_sample = n / np.maximum(n - bandwidth - 1, 1)
    variance: Floats = long_run_variance(deviations, n, bandwidth) * small_sample / n
    return variance

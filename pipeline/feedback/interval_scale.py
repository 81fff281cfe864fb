"""Learn from realised coverage how much wider or narrower the intervals have to be."""

from __future__ import annotations

from math import erfc, sqrt

import numpy as np
from numpy.typing import NDArray

from lake.tables.feedback import SCALE_EDGES
from pipeline.feedback.params import IntervalParams

Z90 = 1.6448536269514722
"""Half-width of a normal distribution's 90 % interval in standard deviations."""


def learned_scale(histograms: NDArray[np.int64], ages: NDArray[np.int64], params: IntervalParams) -> float:
    """Return the scale at which the stated share of recent outcomes would have lain within their interval.

    Conformal calibration on a moving history (Gibbs and Candes, 2021, track the level; this tracks the quantile, so
    that nothing has to be undone when forecasts mature many sessions after they were made). Each score says
    which scale it would have needed, whatever scale it was given; the learned scale is the stated quantile of these,
    a score's weight halving every `half_life` sessions, next to `prior_sessions` sessions' worth of scores as a
    well calibrated normal forecast would have them.

    Args:
        histograms: [sessions, bins] needed scales counted in the bins of SCALE_EDGES.
        ages: [sessions] sessions since each of them, 0 or more.
        params: level, half-life, prior and bounds.

    Returns:
        The scale, within `min_scale` and `max_scale`; 1 without any scores.
    """
    per_session = histograms.sum(axis=1)
    if not per_session.any():
        return 1.0
    weights = 0.5 ** (ages / params.half_life)
    counted = (histograms * weights[:, None]).sum(axis=0)
    typical = counted.sum() / weights[per_session > 0].sum()
    mass = counted + params.prior_sessions * typical * _calibrated_shares()
    scale = _quantile(mass, params.level)
    return float(min(max(scale, params.min_scale), params.max_scale))


def _calibrated_shares() -> NDArray[np.float64]:
    """Share of each bin if errors are normal and the 90 % interval is right."""
    below = np.array([1 - erfc(edge * Z90 / sqrt(2)) for edge in SCALE_EDGES])
    return np.diff(np.r_[0.0, below, 1.0])


def _quantile(mass: NDArray[np.float64], level: float) -> float:
    """The level's quantile of a histogram over SCALE_EDGES, geometric within a bin."""
    above = np.cumsum(mass) / mass.sum()
    at = int(np.searchsorted(above, level))
    if at == 0:
        return float(SCALE_EDGES[0])
    if at >= len(SCALE_EDGES):
        return float(SCALE_EDGES[-1])
    share = (level - above[at - 1]) / (above[at] - above[at - 1])
    return float(SCALE_EDGES[at - 1] * (SCALE_EDGES[at] / SCALE_EDGES[at - 1]) ** share)

"""Learn from realised coverage how much wider or narrower the intervals have to be."""

from __future__ import annotations

from math import erfc, sqrt

import numpy as np
from numpy.typing import NDArray

from lake.tables.feedback import SCALE_EDGES
from pipeline.feedback.calibration.effective_count import ScoredSessions, count_units
from pipeline.feedback.calibration.order_statistic import conformal_share
from pipeline.feedback.params import IntervalParams

Floats = NDArray[np.float64]
Z90 = 1.6448536269514722
"""Half-width of a normal distribution's 90 % interval in standard deviations."""


class NeededScales:
    """Which scales the outcomes of a kind needed: a distribution over SCALE_EDGES, and how much it counts."""

    def __init__(self, shares: Floats, units: float) -> None:
        """Keep what was found.

        Args:
            shares: [bins] of the scores, each weighing less the older it is; they sum to 1.
            units: independent forecasts that they are worth.
        """
        self.shares = shares
        self.units = units

    @classmethod
    def weigh(cls, scored: ScoredSessions, ages: NDArray[np.int64], params: IntervalParams) -> NeededScales:
        """Weigh the sessions' scores by their age: halved every `half_life`, or half a horizon if that is more.

        Args:
            scored: oldest first.
            ages: [sessions] 0 for the latest.
            params: half-life and level.
        """
        weights = 0.5 ** (ages / max(params.half_life, scored.horizon / 2))
        counted = (scored.histograms * weights[:, None]).sum(axis=0)
        total = float(counted.sum())
        shares = counted / total if total > 0 else counted
        return cls(shares, count_units(scored, weights, params.level))

    def scale(self, parent: NeededScales | None, params: IntervalParams) -> float:
        """Return the scale that covers the next outcome with the stated probability.

        The order statistic of `conformal_share`, of a regime's scores together with those of all regimes, which count
        like `pooled_units` at most. What is lacking to `min_units` is filled up with what a well calibrated normal
        forecast needs, as the model's own width is all there is to go by.

        Args:
            parent: of all regimes; None for these themselves.
            params: level, counts and bounds.
        """
        mass, units = self.shares * self.units, self.units
        if parent is not None:
            shared = min(params.pooled_units, parent.units)
            mass, units = mass + parent.shares * shared, units + shared
        lacking = max(params.min_units - units, 0.0)
        mass, units = mass + lacking * calibrated_shares(), units + lacking
        share = conformal_share(units, params.level)
        return _within(_quantile(mass, share) if share <= 1 else params.max_scale, params)


def learned_scale(histograms: NDArray[np.int64], ages: NDArray[np.int64], params: IntervalParams) -> float:
    """Return the scale at which the stated share of recent outcomes would have lain within their interval.

    What runs of earlier programs did. Each score says which scale it would have needed, whatever scale it was given;
    the learned scale is the stated quantile of these, a score's weight halving every `half_life` sessions, next to
    `prior_sessions` sessions' worth of scores as a well calibrated normal forecast would have them.

    Args:
        histograms: [sessions, bins] needed scales counted in the bins of SCALE_EDGES.
        ages: [sessions] sessions since each of them, 0 or more.
        params: level, half-life, prior and bounds. The scale is 1 without any scores.
    """
    per_session = histograms.sum(axis=1)
    if not per_session.any():
        return 1.0
    weights = 0.5 ** (ages / params.half_life)
    counted = (histograms * weights[:, None]).sum(axis=0)
    typical = counted.sum() / weights[per_session > 0].sum()
    mass = counted + params.prior_sessions * typical * calibrated_shares()
    return _within(_quantile(mass, params.level), params)


def _within(scale: float, params: IntervalParams) -> float:
    return float(min(max(scale, params.min_scale), params.max_scale))


def calibrated_shares() -> Floats:
    """Share of each bin if errors are normal and the 90 % interval is right."""
    below = np.array([1 - erfc(edge * Z90 / sqrt(2)) for edge in SCALE_EDGES])
    return np.diff(np.r_[0.0, below, 1.0])


def _quantile(mass: Floats, level: float) -> float:
    """The level's quantile of a histogram over SCALE_EDGES, geometric within a bin."""
    above = np.cumsum(mass) / mass.sum()
    at = int(np.searchsorted(above, level))
    if at == 0:
        return float(SCALE_EDGES[0])
    if at >= len(SCALE_EDGES):
        return float(SCALE_EDGES[-1])
    share = (level - above[at - 1]) / (above[at] - above[at - 1])
    return float(SCALE_EDGES[at - 1] * (SCALE_EDGES[at] / SCALE_EDGES[at - 1]) ** share)

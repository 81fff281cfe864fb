"""What a list of quantiles says about a return, and how members' lists become one."""

from __future__ import annotations

from collections.abc import Mapping

import numpy as np
from numpy.typing import NDArray

from lake.tables.predictions import QUANTILES
from pipeline.prediction.forecast_limits import MEDIAN

Floats = NDArray[np.float64]


def probability_up(quantiles: Floats) -> Floats:
    """Return the probability of a return above 0.

    The distribution function is linear between the stated quantiles. Beyond the outermost ones it falls off
    exponentially, with the density it has next to them: below q05, F(x) = 0.05 exp(-(q05 - x) / (q10 - q05)), and
    likewise above q95. Without any width all probability sits on the point; one at 0 counts half.

    Args:
        quantiles: [..., quantiles] as fractions, not falling.
    """
    below = np.where(quantiles[..., 0] > 0, _tail(quantiles[..., 0], quantiles[..., 1]), 0.0)
    for low, high, at, to in zip(range(6), range(1, 7), QUANTILES, QUANTILES[1:], strict=False):
        left, right = quantiles[..., low], quantiles[..., high]
        width = right - left
        share = np.divide(-left, width, out=np.full_like(width, 0.5), where=width > 0)
        below = np.where((left <= 0) & (right >= 0), at + (to - at) * share, below)
    above = _tail(-quantiles[..., -1], -quantiles[..., -2])
    flat = (quantiles[..., 0] == 0) & (quantiles[..., -1] == 0)
    below = np.where(quantiles[..., -1] < 0, 1 - above, np.where(flat, 0.5, below))
    return np.asarray(np.clip(1 - below, 0.0, 1.0), dtype=np.float64)


def _tail(distance: Floats, next_distance: Floats) -> Floats:
    """Probability beyond 0 where the outermost quantile lies `distance` > 0 on this side of it."""
    scale = next_distance - distance
    steps = np.divide(distance, scale, out=np.full_like(distance, np.inf), where=scale > 0)
    return QUANTILES[0] * np.exp(-np.maximum(steps, 0.0))


def widen(quantiles: Floats, scales: Floats) -> Floats:
    """Move every quantile [n, horizons, quantiles] away from its median by the horizon's scale [horizons]."""
    median = quantiles[..., MEDIAN, None]
    return np.asarray(median + (quantiles - median) * scales[None, :, None], dtype=np.float64)


def agreement(members: Mapping[str, Floats]) -> Floats:
    """How far the members other than the naive one point the same way, 0 to 1: [n, horizons].

    The size of their mean point over the mean of their sizes: 1 if all agree on the sign, 0 if they cancel out or
    none has an opinion.
    """
    points = [members[name][..., MEDIAN] for name in sorted(members) if name != "naive"]
    if not points:
        return np.zeros(members["naive"].shape[:-1])
    total, size = np.zeros_like(points[0]), np.zeros_like(points[0])
    for point in points:
        total, size = total + point, size + np.abs(point)
    agreed: Floats = np.divide(np.abs(total), size, out=np.zeros_like(size), where=size > 0)
    return np.minimum(agreed, 1.0)

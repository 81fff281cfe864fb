"""The limits (bounds) that no forecast exceeds, and which of them applied."""

from __future__ import annotations

import numpy as np
from numpy.typing import NDArray

from lake.tables.predictions import QUANTILES
from pipeline.prediction.params import PredictionParams

Floats = NDArray[np.float64]
MEDIAN = QUANTILES.index(0.50)
BOUNDS = ("crossing", "point_cap", "total_loss")
"""In the order in which they are applied."""


def bound(quantiles: Floats, sigma: Floats, params: PredictionParams) -> tuple[Floats, NDArray[np.bool_]]:
    """Keep every forecast within what is plausible.

    crossing: no quantile lies below the one before it. point_cap: a median farther out than `max_sigmas` is moved to
    that distance, with its whole distribution. total_loss: no quantile lies below `min_return`.

    Args:
        quantiles: [n, horizons, quantiles] as fractions.
        sigma: [n, horizons] standard deviation over the horizon.
        params: the bounds.

    Returns:
        The bounded quantiles, and [n, horizons, bounds] whether each of BOUNDS changed the forecast.
    """
    ordered = np.maximum.accumulate(quantiles, axis=-1)
    median = ordered[..., MEDIAN, None]
    most = params.max_sigmas * sigma[..., None]
    capped = np.clip(median, -most, most)
    # Measured from the median, so that the point lies on the cap to the bit and nothing crosses by a rounding error.
    moved = np.where(capped != median, capped + (ordered - median), ordered)
    floored = np.maximum(moved, params.min_return)
    steps = ((quantiles, ordered), (ordered, moved), (moved, floored))
    return floored, np.stack([(before != after).any(axis=-1) for before, after in steps], axis=-1)


def name_bounds(acted: NDArray[np.bool_]) -> list[list[str]]:
    """[rows, bounds] -> for each row the names of the bounds that applied."""
    return [[name for name, changed in zip(BOUNDS, row, strict=True) if changed] for row in acted.tolist()]

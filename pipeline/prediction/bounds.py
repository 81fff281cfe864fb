"""The bounds no forecast leaves, and which of them had to act."""

from __future__ import annotations

import numpy as np
from numpy.typing import NDArray

from lake.tables.predictions import QUANTILES
from pipeline.prediction.params import PredictionParams

Floats = NDArray[np.float64]
MEDIAN = QUANTILES.index(0.50)
BOUNDS = ("point_cap", "total_loss", "crossing")
"""In the order in which they act."""


def bound(quantiles: Floats, sigma: Floats, params: PredictionParams) -> tuple[Floats, NDArray[np.bool_]]:
    """Hold every forecast within what can be believed.

    point_cap: a median farther out than `most_sigmas` is moved to that distance, with its whole distribution.
    total_loss: no quantile lies below `lowest_return`. crossing: no quantile lies below the one before it.

    Args:
        quantiles: [n, horizons, quantiles] as fractions.
        sigma: [n, horizons] standard deviation over the horizon.
        params: the bounds.

    Returns:
        The bounded quantiles, and [n, horizons, bounds] whether each of BOUNDS changed the forecast.
    """
    median = quantiles[..., MEDIAN]
    capped = np.clip(median, -params.most_sigmas * sigma, params.most_sigmas * sigma)
    shift = capped - median
    moved = quantiles + shift[..., None]
    # The sum can miss the cap by a rounding error; the median is the point and has to be exact.
    moved[..., MEDIAN] = capped
    floored = np.maximum(moved, params.lowest_return)
    ordered = np.maximum.accumulate(floored, axis=-1)
    acted = np.stack([shift != 0, (floored != moved).any(axis=-1), (ordered != floored).any(axis=-1)], axis=-1)
    return ordered, acted


def names(acted: NDArray[np.bool_]) -> list[list[str]]:
    """[rows, bounds] -> for each row the names of the bounds that acted."""
    return [[name for name, changed in zip(BOUNDS, row, strict=True) if changed] for row in acted.tolist()]

"""The zero-drift forecast: each ticker's own volatility and the shape that standardised returns had.

It states no opinion on direction and an honest interval, and is the bar every other member has to clear.
"""

from __future__ import annotations

from collections.abc import Sequence
from typing import Any

import numpy as np
import numpy.typing as npt

Floats = npt.NDArray[np.float64]

VOLATILITIES = ("volatility_20", "volatility_60")
"""Features (daily standard deviation of log returns) whose mean variance is the forecast of daily variance."""
LEAST_SIGMA = 0.001
"""Floor of daily volatility, as a fraction: a price that has not moved for weeks is stale, not certain."""
T5 = {0.05: -1.5608, 0.10: -1.1432, 0.25: -0.5629, 0.50: 0.0, 0.75: 0.5629, 0.90: 1.1432, 0.95: 1.5608}
"""Quantiles of Student's t with 5 degrees of freedom scaled to unit variance: used until returns have been measured."""


def daily_sigma(rows: npt.NDArray[Any], features: Sequence[str]) -> Floats:
    """Return the daily volatility the models scale with: the root mean square of the slow and the fast estimate.

    Args:
        rows: feature rows [..., features], the last axis ordered as `features`; of a window, its last row.
        features: names of the features; they have to include volatility_20 and volatility_60.

    Returns:
        [...] float64, fraction per session, at least `LEAST_SIGMA`; NaN where either feature is missing.

    Raises:
        ValueError: if a volatility is not among the features.
    """
    if lacking := [name for name in VOLATILITIES if name not in features]:
        raise ValueError(f"the models scale with {VOLATILITIES}, but the features lack {lacking[0]!r}; add it")
    slow, fast = (rows[..., list(features).index(name)].astype(np.float64) for name in VOLATILITIES)
    return np.maximum(np.sqrt((slow * slow + fast * fast) / 2), LEAST_SIGMA)


def fit(standardised: Floats, quantiles: Sequence[float]) -> dict[str, npt.NDArray[Any]]:
    """Return the empirical quantiles of standardised training returns [n, horizons], recentred to median 0.

    Returns:
        `z` [horizons, quantiles] float64, in units of sigma x sqrt(horizon).
    """
    return {"z": centred_quantiles(standardised, quantiles)}


def centred_quantiles(values: Floats, quantiles: Sequence[float]) -> Floats:
    """Empirical quantiles of each column [n, horizons] less its median: [horizons, quantiles]."""
    levels = np.quantile(values, quantiles, axis=0).T
    return np.ascontiguousarray(levels - np.median(values, axis=0)[:, None])


def default_z(horizons: Sequence[int], quantiles: Sequence[float]) -> Floats:
    """The shape assumed before any return has been measured: [horizons, quantiles] float64."""
    return np.array([[T5[round(q, 4)] for q in quantiles] for _ in horizons])


def forecast(z: Floats, sigma: Floats, horizons: Sequence[int]) -> Floats:
    """Return quantiles of the total return, z x sigma x sqrt(horizon): [n, horizons, quantiles] as fractions."""
    return z[None] * scale(sigma, horizons)[:, :, None]


def scale(sigma: Floats, horizons: Sequence[int]) -> Floats:
    """One standard deviation of the return over each horizon, sigma x sqrt(h): [n, horizons] as fractions."""
    return sigma[:, None] * np.sqrt(np.asarray(horizons, dtype=np.float64))[None]

"""What the models scale with: a ticker's volatility for returns, mean and deviation of the training rows for inputs."""

from __future__ import annotations

from collections.abc import Mapping, Sequence
from typing import Any

import numpy as np
import numpy.typing as npt

Floats = npt.NDArray[np.float64]
Arrays = Mapping[str, npt.NDArray[Any]]

VOLATILITIES = ("volatility_20", "volatility_60")
"""Features (daily standard deviation of log returns) whose mean variance is the forecast of daily variance."""
MIN_SIGMA = 0.001
"""Floor of daily volatility, as a fraction: a price that has not moved for weeks is stale, not certain."""
MAX_DEVIATIONS = 5.0
"""Standardised inputs are held within this many standard deviations: volume and illiquidity have endless tails."""
MIN_DEVIATION = 1e-6
"""An input that varies less is constant: it is only centred."""


def daily_sigma(rows: npt.NDArray[Any], features: Sequence[str]) -> Floats:
    """Return the daily volatility the models scale with: the root mean square of the slow and the fast estimate.

    Args:
        rows: feature rows [..., features], the last axis ordered as `features`; of a window, its last row.
        features: names of the features; they have to include volatility_20 and volatility_60.

    Returns:
        [...] float64, fraction per session, at least `MIN_SIGMA`; NaN where either feature is missing.

    Raises:
        ValueError: if a volatility is not among the features.
    """
    if lacking := [name for name in VOLATILITIES if name not in features]:
        raise ValueError(f"the models scale with {VOLATILITIES}, but the features lack {lacking[0]!r}; add it")
    slow, fast = (rows[..., list(features).index(name)].astype(np.float64) for name in VOLATILITIES)
    return np.maximum(np.sqrt((slow * slow + fast * fast) / 2), MIN_SIGMA)


def horizon_sigma(sigma: Floats, horizons: Sequence[int]) -> Floats:
    """One standard deviation of the return over each horizon, sigma x sqrt(h): [n, horizons] as fractions."""
    return sigma[:, None] * np.sqrt(np.asarray(horizons, dtype=np.float64))[None]


def fit_scaler(inputs: npt.NDArray[np.float32]) -> dict[str, Floats]:
    """Mean and standard deviation of each input over the training rows alone: `mean` and `std`, [inputs] float64."""
    mean = inputs.mean(axis=0, dtype=np.float64)
    std = inputs.std(axis=0, dtype=np.float64)
    return {"mean": mean, "std": np.where(std > MIN_DEVIATION, std, 1.0)}


def standardise(inputs: npt.NDArray[Any], scaler: Arrays) -> Floats:
    """Inputs [n, F] in standard deviations from their mean, within `MAX_DEVIATIONS`."""
    scaled = (inputs.astype(np.float64) - scaler["mean"]) / scaler["std"]
    return np.clip(scaled, -MAX_DEVIATIONS, MAX_DEVIATIONS)

"""The zero-drift forecast: each ticker's own volatility and the shape that standardised returns had.

It states no opinion on direction and an honest interval, and is the bar every other member has to clear.
"""

from __future__ import annotations

from collections.abc import Mapping, Sequence
from typing import Any

import numpy as np
import numpy.typing as npt

from pipeline.models.members.member import Arrays, Choices, FitTask, Fitted, Floats, MemberParts, Sizes
from pipeline.models.scaling import horizon_sigma

T5 = {0.05: -1.5608, 0.10: -1.1432, 0.25: -0.5629, 0.50: 0.0, 0.75: 0.5629, 0.90: 1.1432, 0.95: 1.5608}
"""Quantiles of Student's t with 5 degrees of freedom scaled to unit variance: used until returns have been measured."""


class Naive:
    """The empirical quantiles of standardised training returns, recentred to median 0."""

    name = "naive"
    simple = True

    def fit(self, task: FitTask) -> Fitted:
        """`z` [horizons, quantiles] float64, in units of sigma x sqrt(horizon)."""
        return Fitted({"z": centred_quantiles(task.examples.clipped[task.rows], task.quantiles)})

    def quantiles(self, arrays: Arrays, windows: npt.NDArray[np.float32]) -> Floats:
        """The same for every window."""
        return np.repeat(np.asarray(arrays["z"], dtype=np.float64)[None], len(windows), axis=0)

    def explain(self, arrays: Arrays, windows: npt.NDArray[np.float32]) -> MemberParts:
        """Its median is 0, whatever the inputs."""
        level = np.zeros((len(windows), len(arrays["z"])))
        features = windows.shape[2]
        return MemberParts(np.zeros((*level.shape, features)), level, np.zeros(features, dtype=bool))

    def shapes(self, arrays: Arrays, sizes: Sizes) -> Mapping[str, tuple[int, ...]]:  # noqa: ARG002
        """`z` alone."""
        return {"z": (sizes.horizons, sizes.quantiles)}

    def settings(self, choices: Choices) -> Mapping[str, Any]:  # noqa: ARG002
        """Nothing is chosen."""
        return {}


NAIVE = Naive()


def centred_quantiles(values: Floats, quantiles: Sequence[float]) -> Floats:
    """Empirical quantiles of each column [n, horizons] less its median: [horizons, quantiles]."""
    levels = np.quantile(values, quantiles, axis=0).T
    return np.ascontiguousarray(levels - np.median(values, axis=0)[:, None])


def default_z(horizons: Sequence[int], quantiles: Sequence[float]) -> Floats:
    """The shape assumed before any return has been measured: [horizons, quantiles] float64."""
    return np.array([[T5[round(q, 4)] for q in quantiles] for _ in horizons])


def forecast(z: Floats, sigma: Floats, horizons: Sequence[int]) -> Floats:
    """Return quantiles of the total return, z x sigma x sqrt(horizon): [n, horizons, quantiles] as fractions."""
    return z[None] * horizon_sigma(sigma, horizons)[:, :, None]

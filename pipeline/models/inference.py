"""Forecasts from a trained ensemble; a ticker's is the same to the bit whatever others are forecast with it."""

from __future__ import annotations

import numpy as np
import numpy.typing as npt

from pipeline.models import scaling
from pipeline.models.members.member import ask_quantiles
from pipeline.models.registry import Ensemble

Floats = npt.NDArray[np.float64]


def daily_sigma(ensemble: Ensemble, tensor: npt.NDArray[np.float32]) -> Floats:
    """The daily volatility this ensemble scales with, read off each window's last row: [n] as fractions."""
    return scaling.daily_sigma(_check_windows(ensemble, tensor)[:, -1], ensemble.features)


def forecast_members(
    ensemble: Ensemble, tensor: npt.NDArray[np.float32], sigma: Floats | None = None
) -> dict[str, Floats]:
    """Return each member's quantiles of the total return.

    Args:
        ensemble: from `load_members`.
        tensor: windows [n, window, features] float32, the last axis ordered as `ensemble.features`.
        sigma: daily volatility [n] as a fraction; by default the models' own, `daily_sigma`.

    Returns:
        Member -> [n, H, Q] float64 as fractions, never decreasing along the quantiles.

    Raises:
        ValueError: if the tensor has another shape than the model takes, or a value is missing.
    """
    sigma = daily_sigma(ensemble, tensor) if sigma is None else np.asarray(sigma, dtype=np.float64)
    if sigma.shape != (len(tensor),) or not (np.isfinite(sigma) & (sigma > 0)).all():
        raise ValueError(f"sigma has to be {len(tensor)} positive numbers, one for each window")
    unit = scaling.horizon_sigma(sigma, ensemble.horizons)[:, :, None]
    return {member: quantiles * unit for member, quantiles in forecast_standardised(ensemble, tensor).items()}


def forecast_standardised(ensemble: Ensemble, tensor: npt.NDArray[np.float32]) -> dict[str, Floats]:
    """Each member's quantiles in units of sigma x sqrt(h), [n, H, Q], in the order of their names.

    Raises:
        ValueError: if a member returns something else, naming it.
    """
    windows = _check_windows(ensemble, tensor)
    sizes = (len(ensemble.horizons), len(ensemble.quantiles))
    return {
        name: ask_quantiles(ensemble.kinds[name], arrays, windows, *sizes)
        for name, arrays in sorted(ensemble.members.items())
    }


def _check_windows(ensemble: Ensemble, tensor: npt.NDArray[np.float32]) -> npt.NDArray[np.float32]:
    expected = (ensemble.window, len(ensemble.features))
    if tensor.ndim != 3 or tensor.shape[1:] != expected or tensor.dtype != np.float32:
        raise ValueError(
            f"model {ensemble.model_id!r} takes float32 windows of {expected[0]} rows x {expected[1]} features,"
            f" got {tensor.dtype} {tensor.shape}; gather them with the model's own features and window"
        )
    missing = ~np.isfinite(tensor).all(axis=(1, 2))
    if missing.any():
        raise ValueError(
            f"{int(missing.sum())} of {len(tensor)} windows lack a value, the first is number"
            f" {int(np.argmax(missing))}; forecast usable windows only"
        )
    return tensor

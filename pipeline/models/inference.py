"""Forecasts from a trained ensemble; a ticker's forecast does not depend on who else is asked about, to the bit."""

from __future__ import annotations

from collections.abc import Mapping

import numpy as np
import numpy.typing as npt

from pipeline.models import scaling
from pipeline.models.ensemble import combine
from pipeline.models.registry import Ensemble

Floats = npt.NDArray[np.float64]


def daily_sigma(ensemble: Ensemble, tensor: npt.NDArray[np.float32]) -> Floats:
    """The daily volatility this ensemble scales with, read off each window's last row: [n] as fractions."""
    return scaling.daily_sigma(_checked(ensemble, tensor)[:, -1], ensemble.features)


def member_quantiles(
    ensemble: Ensemble, tensor: npt.NDArray[np.float32], sigma: Floats | None = None
) -> dict[str, Floats]:
    """Return each member's quantiles of the total return.

    Args:
        ensemble: from `load_members`.
        tensor: windows [n, window, features] float32, the last axis ordered as `ensemble.features`.
        sigma: daily volatility [n] as a fraction. Leave it out to use what the models were fitted with, `daily_sigma`.

    Returns:
        Member -> [n, H, Q] float64 as fractions, never decreasing along the quantiles.

    Raises:
        ValueError: if the tensor has another shape than the model takes, or a value is missing.
    """
    sigma = daily_sigma(ensemble, tensor) if sigma is None else np.asarray(sigma, dtype=np.float64)
    if sigma.shape != (len(tensor),) or not (np.isfinite(sigma).all() and (sigma > 0).all()):
        raise ValueError(f"sigma has to be {len(tensor)} positive numbers, one for each window")
    unit = scaling.horizon_sigma(sigma, ensemble.horizons)[:, :, None]
    standardised = standardised_members(ensemble, tensor)
    return {member: quantiles * unit for member, quantiles in standardised.items()}


def ensemble_quantiles(members: Mapping[str, Floats], weights: Mapping[str, Floats]) -> Floats:
    """Average the members' quantiles with their weights: [n, H, Q], in the members' unit (see `ensemble.combine`)."""
    return combine(members, weights)


def predict_batch(ensemble: Ensemble, tensor: npt.NDArray[np.float32]) -> tuple[Floats, dict[str, Floats], Floats]:
    """Return (daily sigma [n], members' quantiles, the ensemble's quantiles [n, H, Q]), all as fractions."""
    sigma = daily_sigma(ensemble, tensor)
    members = member_quantiles(ensemble, tensor, sigma)
    return sigma, members, ensemble_quantiles(members, ensemble.weights)


def standardised_members(ensemble: Ensemble, tensor: npt.NDArray[np.float32]) -> dict[str, Floats]:
    """Each member's quantiles in units of sigma x sqrt(h), [n, H, Q], in the order of their names."""
    windows = _checked(ensemble, tensor)
    return {name: ensemble.kinds[name].quantiles(arrays, windows) for name, arrays in sorted(ensemble.members.items())}


def _checked(ensemble: Ensemble, tensor: npt.NDArray[np.float32]) -> npt.NDArray[np.float32]:
    asked = (ensemble.window, len(ensemble.features))
    if tensor.ndim != 3 or tensor.shape[1:] != asked or tensor.dtype != np.float32:
        raise ValueError(
            f"model {ensemble.model_id!r} takes float32 windows of {asked[0]} rows x {asked[1]} features,"
            f" got {tensor.dtype} {tensor.shape}; gather them with the model's own features and window"
        )
    missing = ~np.isfinite(tensor).all(axis=(1, 2))
    if missing.any():
        raise ValueError(
            f"{int(missing.sum())} of {len(tensor)} windows lack a value, the first is number"
            f" {int(np.argmax(missing))}; forecast usable windows only"
        )
    return tensor

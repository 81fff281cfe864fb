"""Reading the model registry: who is champion, and the members of an ensemble, checked before they are used."""

from __future__ import annotations

from collections.abc import Collection, Mapping
from dataclasses import dataclass
from datetime import date
from typing import Any

import numpy as np
import numpy.typing as npt
import polars as pl

from lake.tables.features import CURRENT_FEATURE_SET, FEATURES
from pipeline.models.members.naive import VOLATILITIES, default_z
from pipeline.models.serialization import WeightsError, decode

Floats = npt.NDArray[np.float64]
Arrays = Mapping[str, npt.NDArray[Any]]


class RegistryError(ValueError):
    """A model that is not there, or does not fit what it would be shown."""


@dataclass(frozen=True)
class Ensemble:
    """A trained ensemble, ready for inference."""

    model_id: str
    session: date
    """The session at whose close it was trained."""
    train_last: date
    """Last session of its training rows."""
    features: tuple[str, ...]
    """Input features in the order of the window tensor's last axis."""
    window: int
    """Rows per window."""
    horizons: tuple[int, ...]
    """H sessions ahead."""
    quantiles: tuple[float, ...]
    """Q probabilities."""
    members: Mapping[str, Arrays]
    """Member -> its fitted arrays."""
    weights: Mapping[str, Floats]
    """Member -> its share at each horizon, [H]; the shares of a horizon sum to 1."""


def champion(model_promotions: pl.DataFrame) -> str | None:
    """The model that decides after the last decision taken; None while none has earned it."""
    if model_promotions.is_empty():
        return None
    latest: str | None = model_promotions.sort("session", "model_id")["champion"][-1]
    return latest


def load_members(model_registry: pl.DataFrame, model_id: str, available: Collection[str] | None = None) -> Ensemble:
    """Return the ensemble, its weights verified against their registered hashes.

    Args:
        model_registry: rows of the table; other models may be among them.
        model_id: the ensemble asked for.
        available: features that can be had; the current catalogue by default.

    Raises:
        RegistryError: if the model is unknown, of another feature set, or asks for features there are none of.
        WeightsError: if weights were altered, are no safetensors, or do not have the shapes the row declares.
    """
    rows = model_registry.filter(pl.col("model_id") == model_id).sort("member").to_dicts()
    if not rows:
        known = model_registry["model_id"].unique().sort().to_list()
        raise RegistryError(f"model {model_id!r} is not registered; there are {known[-5:] or 'none'}")
    first = rows[0]
    _check_features(first, available if available is not None else {feature.name for feature in FEATURES})
    for row in rows:
        different = [name for name in ("features", "window", "horizons", "quantiles") if row[name] != first[name]]
        if different:
            raise RegistryError(f"model {model_id!r}: its members disagree on {different[0]}; retrain")
    members = {row["member"]: _arrays(row) for row in rows}
    weights = {row["member"]: np.array(row["ensemble_weights"], dtype=np.float64) for row in rows}
    _check_shares(model_id, weights, len(first["horizons"]))
    return Ensemble(
        model_id=model_id,
        session=first["session"],
        train_last=first["train_last"],
        features=tuple(first["features"]),
        window=first["window"],
        horizons=tuple(first["horizons"]),
        quantiles=tuple(first["quantiles"]),
        members=members,
        weights=weights,
    )


def naive_shape(model_registry: pl.DataFrame, horizons: tuple[int, ...], quantiles: tuple[float, ...]) -> Floats:
    """The naive forecast's `z` [H, Q] of the newest model with these horizons and quantiles; Student's t before any.

    It needs no champion: the shape of standardised returns is measured whether or not anything beats it.
    """
    naive = model_registry.filter(pl.col("member") == "naive").sort("session", "model_id")
    for row in reversed(naive.to_dicts()):
        if tuple(row["horizons"]) == horizons and tuple(row["quantiles"]) == quantiles:
            shape: Floats = _arrays(row)["z"]
            return shape
    return default_z(horizons, quantiles)


def _check_features(row: dict[str, Any], available: Collection[str]) -> None:
    name = row["model_id"]
    if row["feature_set"] != CURRENT_FEATURE_SET:
        raise RegistryError(
            f"model {name!r} was trained on feature set {row['feature_set']!r}, current is {CURRENT_FEATURE_SET!r};"
            " train again"
        )
    if unknown := [feature for feature in row["features"] if feature not in available]:
        raise RegistryError(
            f"model {name!r} needs {len(unknown)} features that are not available, the first is {unknown[0]!r};"
            " train again"
        )
    if lacking := [feature for feature in VOLATILITIES if feature not in row["features"]]:
        raise RegistryError(f"model {name!r} lacks the feature {lacking[0]!r} that it scales with; train again")


def _check_shares(model_id: str, weights: Mapping[str, Floats], horizons: int) -> None:
    shares = list(weights.values())
    if any(len(share) != horizons for share in shares) or not np.allclose(np.sum(shares, axis=0), 1.0):
        raise RegistryError(f"model {model_id!r}: its ensemble weights do not sum to 1; retrain")


def _arrays(row: dict[str, Any]) -> Arrays:
    owner = f"model {row['model_id']!r}, member {row['member']!r}"
    arrays = decode(row["weights"], row["weights_sha256"], owner)
    sizes = (len(row["features"]), len(row["horizons"]), len(row["quantiles"]))
    for name, shape in _shapes(row["member"], arrays, *sizes).items():
        found = arrays[name].shape if name in arrays else "nothing"
        if found != shape:
            raise WeightsError(f"{owner}: {name!r} should have the shape {shape} and is {found}; retrain")
    return arrays


def _shapes(member: str, arrays: Arrays, features: int, horizons: int, quantiles: int) -> dict[str, Any]:
    """Member -> array name -> the shape it must have."""
    if member == "naive":
        return {"z": (horizons, quantiles)}
    line = {"mean": (features,), "std": (features,), "coefficients": (features, horizons)}
    if member == "ridge":
        return {**line, "z": (horizons, quantiles)}
    hidden = arrays["lstm.weight_hh_l0"].shape[-1] if "lstm.weight_hh_l0" in arrays else 0
    seen, steps = hidden + features, horizons * (quantiles - 1)
    return {
        **{f"line.{name}": shape for name, shape in line.items()},
        "mean": (features,),
        "std": (features,),
        "naive": (horizons, quantiles),
        "location_trust": (horizons,),
        "spread_trust": (horizons,),
        "lstm.weight_ih_l0": (4 * hidden, features),
        "lstm.weight_hh_l0": (4 * hidden, hidden),
        "location.weight": (horizons, seen),
        "spread.weight": (steps, seen),
        "spread.bias": (steps,),
    }

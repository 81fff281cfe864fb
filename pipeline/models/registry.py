"""Reading the model registry: who is champion, and the members of an ensemble, checked before they are used."""

from __future__ import annotations

import json
from collections.abc import Collection, Mapping, Sequence
from dataclasses import dataclass
from datetime import date
from typing import Any

import numpy as np
import polars as pl

from pipeline.features.feature_set import contains, current_set
from pipeline.models.dataset import Examples
from pipeline.models.members import MEMBERS
from pipeline.models.members.member import Arrays, Floats, Member, Sizes, find_misshapen
from pipeline.models.members.naive import NAIVE, default_z
from pipeline.models.params import ModelParams
from pipeline.models.scaling import VOLATILITIES
from pipeline.models.serialization import WeightsError, decode

DECLARED_IN = "declared_in"
"""In a member's config: the file of the plugin that declares it."""
TRAINED_HERE = pl.col("merge_id").is_null()
"""Models that were not brought over from a branch: those alone are what came of a session's training."""


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
    kinds: Mapping[str, Member]
    """Member -> the object that turns its arrays into forecasts."""
    weights: Mapping[str, Floats]
    """Member -> its share at each horizon, [H]; the shares of a horizon sum to 1."""
    locations: Mapping[str, Floats] | None = None
    """The same for the medians, where they are weighed apart; None where the weights count for them too."""


def find_champion(model_promotions: pl.DataFrame) -> str | None:
    """The model that decides after the last decision taken; None while none has earned it."""
    if model_promotions.is_empty():
        return None
    latest: str | None = model_promotions.sort("session", "model_id")["champion"][-1]
    return latest


def load_members(
    model_registry: pl.DataFrame,
    model_id: str,
    available: Collection[str] | None = None,
    members: Sequence[Member] = MEMBERS,
    *,
    feature_set: str | None = None,
) -> Ensemble:
    """Return the ensemble, its weights verified against their registered hashes.

    Args:
        model_registry: rows of the table; other models may be among them.
        model_id: which ensemble.
        available: features that are there; all of the feature set by default.
        members: the kinds of members there are, those of plugins included.
        feature_set: name of the set whose rows it would be shown; the built-in one by default.

    Raises:
        RegistryError: if the model is unknown, of another feature set, or has members or features there are none of.
        WeightsError: if weights were altered, are no safetensors, or do not have the shapes the row declares.
    """
    rows = _member_rows(model_registry, model_id)
    first = rows[0]
    _check_features(first, available, feature_set or current_set().name)
    kinds = {row["member"]: _kind(row, members) for row in rows}
    arrays = {row["member"]: _arrays(row, kinds[row["member"]]) for row in rows}
    weights = {row["member"]: np.array(row["ensemble_weights"], dtype=np.float64) for row in rows}
    _check_shares(model_id, weights, len(first["horizons"]))
    locations = _locations(model_id, rows)
    return Ensemble(
        model_id=model_id,
        session=first["session"],
        train_last=first["train_last"],
        features=tuple(first["features"]),
        window=first["window"],
        horizons=tuple(first["horizons"]),
        quantiles=tuple(first["quantiles"]),
        members=arrays,
        kinds=kinds,
        weights=weights,
        locations=locations,
    )


def load_general(
    model_registry: pl.DataFrame,
    model_id: str | None,
    examples: Examples,
    params: ModelParams,
    members: Sequence[Member],
    quantiles: Sequence[float] | None = None,
) -> tuple[Ensemble | None, str]:
    """The champion, or None and why it can't forecast these examples: one that can't must not block its successor.

    Args:
        model_registry: all models.
        model_id: the champion's; None where there is none.
        examples: what it would be shown.
        params: what is trained now.
        members: the kinds of members there are.
        quantiles: those it has to forecast; its own where None.
    """
    if model_id is None:
        return None, "there is none"
    try:
        ensemble = load_members(model_registry, model_id, examples.features, members, feature_set=examples.feature_set)
    except (RegistryError, WeightsError) as error:
        return None, str(error)
    # One of a smaller set is asked with the features it has; of the same set, it has to have been given the same ones.
    smaller = model_registry.filter(pl.col("model_id") == model_id)["feature_set"][0] != examples.feature_set
    asked = tuple(quantiles) if quantiles is not None else ensemble.quantiles
    wanted = (ensemble.features if smaller else examples.features, params.window, params.horizons, asked)
    if (ensemble.features, ensemble.window, ensemble.horizons, ensemble.quantiles) != wanted:
        return None, f"model {model_id!r} has other features, window, horizons or quantiles"
    return ensemble, ""


def find_naive_shape(model_registry: pl.DataFrame, horizons: tuple[int, ...], quantiles: tuple[float, ...]) -> Floats:
    """The naive forecast's `z` [H, Q] of the newest model with these horizons and quantiles; Student's t before any.

    It needs no champion: the shape of standardised returns is measured whether or not anything beats it.
    """
    naive = model_registry.filter(pl.col("member") == NAIVE.name).sort("session", "model_id")
    for row in reversed(naive.to_dicts()):
        if tuple(row["horizons"]) == horizons and tuple(row["quantiles"]) == quantiles:
            shape: Floats = _arrays(row, NAIVE)["z"]
            return shape
    return default_z(horizons, quantiles)


def _member_rows(model_registry: pl.DataFrame, model_id: str) -> list[dict[str, Any]]:
    """The model's rows by member, which agree on what they take and forecast."""
    rows = model_registry.filter(pl.col("model_id") == model_id).sort("member").to_dicts()
    if not rows:
        known = model_registry["model_id"].unique().sort().to_list()
        raise RegistryError(f"model {model_id!r} is not registered; the newest are {known[-5:] or 'none'}")
    for name in ("features", "window", "horizons", "quantiles"):
        if any(row[name] != rows[0][name] for row in rows):
            raise RegistryError(f"model {model_id!r}: its members disagree on {name}; retrain")
    return rows


def _check_features(row: dict[str, Any], available: Collection[str] | None, feature_set: str) -> None:
    name = row["model_id"]
    if not contains(feature_set, row["feature_set"]):
        raise RegistryError(
            f"model {name!r} was trained on feature set {row['feature_set']!r}, current is {feature_set!r}; train again"
        )
    if unknown := [feature for feature in row["features"] if available is not None and feature not in available]:
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


def _locations(model_id: str, rows: Sequence[dict[str, Any]]) -> dict[str, Floats] | None:
    """What each member's median counts; None where it is not weighed apart."""
    if all(row.get("location_weights") is None for row in rows):
        return None
    locations = {row["member"]: np.array(row["location_weights"] or (), dtype=np.float64) for row in rows}
    _check_shares(model_id, locations, len(rows[0]["horizons"]))
    return locations


def _kind(row: dict[str, Any], members: Sequence[Member]) -> Member:
    named = next((member for member in members if member.name == row["member"]), None)
    if named is None:
        file = json.loads(row["config"]).get(DECLARED_IN, "a file that is not on record")
        raise RegistryError(
            f"model {row['model_id']!r} needs the member {row['member']!r}, which the plugin {file} declared and"
            " nothing declares now; name that file in plugins.files again, or promote another model"
        )
    return named


def _arrays(row: dict[str, Any], kind: Member) -> Arrays:
    owner = f"model {row['model_id']!r}, member {row['member']!r}"
    arrays = decode(row["weights"], row["weights_sha256"], owner)
    sizes = Sizes(len(row["features"]), len(row["horizons"]), len(row["quantiles"]))
    if wrong := find_misshapen(kind, arrays, sizes):
        raise WeightsError(f"{owner}: {wrong}; retrain")
    return arrays

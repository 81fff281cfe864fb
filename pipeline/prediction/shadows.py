"""Challengers that forecast beside the champion: they decide nothing, and are scored as he is."""

from __future__ import annotations

from collections.abc import Iterator, Sequence
from itertools import islice

import polars as pl

from lake.tables.predictions import QUANTILES
from pipeline.models.members.member import Member
from pipeline.models.registry import Ensemble, RegistryError, find_champion, load_members
from pipeline.models.serialization import WeightsError

SHADOW = "shadow"


def load_shadows(
    feature_set: str,
    model_registry: pl.DataFrame,
    model_promotions: pl.DataFrame,
    kinds: Sequence[Member],
    count: int,
) -> list[Ensemble]:
    """Return the newest models that could forecast and do not decide, newest first: challengers, or former champions.

    One that cannot be loaded is passed over: it must not keep the champion from forecasting.

    Args:
        feature_set: name of the set whose rows they would be shown.
        model_registry: all models.
        model_promotions: all decisions on the champion.
        kinds: the kinds of members there are.
        count: how many at most.
    """
    return list(islice(_loadable(feature_set, model_registry, find_champion(model_promotions), kinds), count))


def _loadable(
    feature_set: str, model_registry: pl.DataFrame, champion: str | None, kinds: Sequence[Member]
) -> Iterator[Ensemble]:
    newest = model_registry.sort("session", "model_id", descending=True)
    for model_id in newest["model_id"].unique(maintain_order=True):
        if model_id == champion:
            continue
        try:
            ensemble = load_members(model_registry, model_id, members=kinds, feature_set=feature_set)
        except (RegistryError, WeightsError):
            continue
        if ensemble.quantiles == QUANTILES:
            yield ensemble

"""A profile of training rows as the columns of model_registry that keep it."""

from __future__ import annotations

import numpy as np
import polars as pl

from pipeline.models.profile.training_rows import TrainingProfile


def store_profile(profile: TrainingProfile) -> dict[str, object]:
    """The profile as the registry's columns have it."""
    columns = {
        "feature": list(profile.features),
        "quantiles": profile.quantiles.tolist(),
        "below": profile.below.tolist(),
        "gap_mean": [None if np.isnan(one) else float(one) for one in profile.gap_mean],
        "gap_deviation": [None if np.isnan(one) else float(one) for one in profile.gap_deviation],
        "stretches": profile.stretches.tolist(),
    }
    rows = [dict(zip(columns, row, strict=True)) for row in zip(*columns.values(), strict=True)]
    return {"profile": rows, "distances": profile.distances.tolist()}


def find_profile(model_registry: pl.DataFrame, model_id: str | None) -> TrainingProfile | None:
    """The profile of a model's training rows; None for one that was trained before they were kept, or is not there."""
    mine = model_registry.filter(pl.col("model_id") == (model_id or ""), pl.col("profile").is_not_null())
    if mine.is_empty():
        return None
    fields = mine["profile"][0].struct.unnest()
    return TrainingProfile(
        features=tuple(fields["feature"]),
        quantiles=np.array(fields["quantiles"].to_list(), dtype=np.float64),
        below=np.array(fields["below"].to_list(), dtype=np.float64),
        distances=mine["distances"][0].to_numpy(),
        gap_mean=fields["gap_mean"].fill_null(np.nan).to_numpy(),
        gap_deviation=fields["gap_deviation"].fill_null(np.nan).to_numpy(),
        stretches=fields["stretches"].to_numpy(),
    )

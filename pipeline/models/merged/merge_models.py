"""Stage `merge_models`: what was trained on a branch and brought over is registered here, weights and all."""

from __future__ import annotations

import polars as pl

from lake.contract import Table
from lake.tables.models import MODEL_REGISTRY
from lake.tables.research import MERGED_MODELS
from pipeline.engine.stage import Moment, Read, Stage
from pipeline.models.params import ModelParams


def merge_models(merged_models: pl.DataFrame, moment: Moment, params: ModelParams) -> pl.DataFrame:  # noqa: ARG001
    """Register the models that were brought over after the session's close, as their branches had registered them.

    For `moment.session` only (ignores `since`).
    """
    return take_first(merged_models, MODEL_REGISTRY)


def take_first(merged: pl.DataFrame, table: Table) -> pl.DataFrame:
    """The rows of a table that merges brought; of what two branches had both, those that came first."""
    ordered = merged.sort("decided_at", "merge_id", *table.key)
    first = ordered.unique(table.key, keep="first", maintain_order=True)
    return first.select(*table.columns).sort(table.key)


STAGE = Stage(
    name="merge_models",
    function=merge_models,
    reads=(Read(MERGED_MODELS),),
    writes=MODEL_REGISTRY,
    params=ModelParams(),
    section="models",
)

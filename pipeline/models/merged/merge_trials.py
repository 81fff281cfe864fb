"""Stage `merge_trials`: what was tried on a branch counts in the lake that it was brought over to."""

from __future__ import annotations

import polars as pl

from lake.tables.models import TRIALS
from lake.tables.research import MERGED_TRIALS
from pipeline.engine.stage import Moment, Read, Stage
from pipeline.models.merged.merge_models import take_first
from pipeline.models.params import ModelParams


def merge_trials(merged_trials: pl.DataFrame, moment: Moment, params: ModelParams) -> pl.DataFrame:  # noqa: ARG001
    """Enter into the ledger what was tried on branches and brought over after the session's close.

    For `moment.session` only (ignores `since`).
    """
    return take_first(merged_trials, TRIALS)


STAGE = Stage(
    name="merge_trials",
    function=merge_trials,
    reads=(Read(MERGED_TRIALS),),
    writes=TRIALS,
    params=ModelParams(),
    section="models",
)

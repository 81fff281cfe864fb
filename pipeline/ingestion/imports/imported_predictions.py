"""Keeps what an older system forecast."""

from __future__ import annotations

import polars as pl

from lake.tables.imports import IMPORTED_PREDICTIONS, RAW_IMPORTS
from pipeline.engine.stage import Moment, Read, Stage
from pipeline.ingestion.imports.validate import validate_predictions
from pipeline.ingestion.params import IngestionParams


def imported_predictions(raw_imports: pl.DataFrame, moment: Moment, params: IngestionParams) -> pl.DataFrame:
    """Keep the sound forecasts of an older system; the others are left to the stage `quarantine`."""
    del params  # nothing about them can be set
    return validate_predictions(raw_imports, moment.calendar).good.select(*IMPORTED_PREDICTIONS.columns)


STAGE = Stage(
    name="imported_predictions",
    function=imported_predictions,
    reads=(Read(RAW_IMPORTS, where=pl.col("kind") == "predictions"),),
    writes=IMPORTED_PREDICTIONS,
    params=IngestionParams(),
    section="ingestion",
)

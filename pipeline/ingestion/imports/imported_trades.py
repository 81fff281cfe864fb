"""Keeps what an older system traded."""

from __future__ import annotations

import polars as pl

from lake.tables.imports import IMPORTED_TRADES, RAW_IMPORTS
from pipeline.engine.stage import Moment, Read, Stage
from pipeline.ingestion.imports.validate import validate_trades
from pipeline.ingestion.params import IngestionParams


def imported_trades(raw_imports: pl.DataFrame, moment: Moment, params: IngestionParams) -> pl.DataFrame:
    """Keep the sound fills of an older system; the others are left to the stage `quarantine`."""
    del params  # nothing about them can be set
    return validate_trades(raw_imports, moment.calendar).good.select(*IMPORTED_TRADES.columns)


STAGE = Stage(
    name="imported_trades",
    function=imported_trades,
    reads=(Read(RAW_IMPORTS, where=pl.col("kind") == "trades"),),
    writes=IMPORTED_TRADES,
    params=IngestionParams(),
    section="ingestion",
)

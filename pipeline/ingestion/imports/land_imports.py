"""Lands an older system's forecasts and trades, verbatim."""

from __future__ import annotations

from typing import TYPE_CHECKING

import polars as pl

from lake.tables.imports import RAW_IMPORTS
from pipeline.engine.stage import Moment, Stage
from pipeline.ingestion.params import IngestionParams
from pipeline.ingestion.sources.errors import SourceError

if TYPE_CHECKING:
    from pipeline.ingestion.sources.source import Source


def land_imports(source: Source, moment: Moment, params: IngestionParams) -> pl.DataFrame:
    """Land what is being imported; only an import has something to land.

    Raises:
        SourceError: if the source is no older system.
    """
    del moment, params  # what is landed was cut to the sessions when it was delivered
    from pipeline.ingestion.imports.chunks import Delivery

    if not isinstance(source, Delivery):
        raise SourceError(f"the source {source.name!r} holds no older system's records; use `nextgen import`")
    return source.imports


STAGE = Stage(
    name="land_imports",
    function=land_imports,
    reads=(),
    writes=RAW_IMPORTS,
    params=IngestionParams(),
    section="ingestion",
    kind="landing",
)

"""Lands what a news source answers, verbatim."""

from __future__ import annotations

from typing import TYPE_CHECKING

import polars as pl

from lake.tables.news import RAW_NEWS
from pipeline.engine.stage import Moment, Stage
from pipeline.ingestion.params import IngestionParams

if TYPE_CHECKING:
    from pipeline.ingestion.sources.source import Source


def land_news(source: Source, moment: Moment, params: IngestionParams) -> pl.DataFrame:
    """Ask the source for the session's articles, or for all of history at once.

    Returns the rows of `raw_news`. More than one session to compute means a load of history.
    """
    del params  # nothing about a landing can be set here: what to ask is the source's own configuration
    return source.news(moment.since, moment.session, history=moment.since < moment.session)


STAGE = Stage(
    name="land_news",
    function=land_news,
    reads=(),
    writes=RAW_NEWS,
    params=IngestionParams(),
    section="ingestion",
    kind="landing",
)

"""Lands what a news source answers, verbatim."""

from __future__ import annotations

from typing import TYPE_CHECKING

import polars as pl

from lake.tables.news import RAW_NEWS
from pipeline.engine.stage import Moment, Read, Stage
from pipeline.ingestion.params import IngestionParams

if TYPE_CHECKING:
    from pipeline.ingestion.sources.source import Source


def land_news(source: Source, raw_news: pl.DataFrame, moment: Moment, params: IngestionParams) -> pl.DataFrame:
    """Ask the source for the session's articles, for those so far between cycles, or for all of history at once.

    Returns the rows of `raw_news` that are not there yet. More than one session to compute means a load of history; a
    moment before the session's close lies between cycles.
    """
    del params  # nothing about a landing can be set here: what to ask is the source's own configuration
    if moment.as_of < moment.calendar.close_at(moment.session):
        landed = source.news_so_far(moment.session, moment.as_of)
    else:
        landed = source.news(moment.since, moment.session, history=moment.since < moment.session)
    return landed.join(raw_news, on="payload_id", how="anti", maintain_order="left")


STAGE = Stage(
    name="land_news",
    function=land_news,
    reads=(Read(RAW_NEWS, upto="held", columns=(*RAW_NEWS.key, "session")),),
    writes=RAW_NEWS,
    params=IngestionParams(),
    section="ingestion",
    kind="landing",
)

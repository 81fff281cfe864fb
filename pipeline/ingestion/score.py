"""Asks the lexicon what each article says, and keeps its findings verbatim."""

from __future__ import annotations

import polars as pl

from lake.tables.news import NEWS_ARTICLES, RAW_SENTIMENT
from pipeline.ingestion.lexicon import VERSION, findings_as_json
from pipeline.ingestion.params import IngestionParams
from pipeline.stage import Moment, Read, Stage

SCORER = "lexicon"


def score(news_articles: pl.DataFrame, moment: Moment, params: IngestionParams) -> pl.DataFrame:
    """Return one reply for each article of the moment's sessions; works on a range of sessions as well as on one.

    The lexicon asks nobody, so its answer is known as soon as the article is.
    """
    del moment  # the articles say when they were known
    replies = [
        findings_as_json(title, body, params.news) for title, body in news_articles.select("title", "body").iter_rows()
    ]
    return news_articles.with_columns(
        scorer=pl.lit(SCORER),
        prompt_version=pl.lit(VERSION),
        requested_at="available_at",
        status=pl.lit("ok"),
        reply=pl.Series(replies, dtype=pl.String),
    ).select(*RAW_SENTIMENT.columns)


STAGE = Stage(
    name="score",
    function=score,
    reads=(Read(NEWS_ARTICLES),),
    writes=RAW_SENTIMENT,
    params=IngestionParams(),
    section="ingestion",
)

"""Reads scorers' replies strictly into one score for each article and ticker."""

from __future__ import annotations

import json

import polars as pl

from lake.tables.news import NEWS_ARTICLES, NEWS_SENTIMENT, RAW_SENTIMENT
from pipeline.ingestion.params import IngestionParams
from pipeline.ingestion.replies import within
from pipeline.ingestion.score import LEXICON
from pipeline.stage import Moment, Read, Stage

Reading = tuple[float | None, float]
"""Score (-1 to 1; None is unknown) and strength (0 to 1)."""
UNKNOWN: Reading = (None, 0.0)


def sentiment(
    raw_sentiment: pl.DataFrame, news_articles: pl.DataFrame, moment: Moment, params: IngestionParams
) -> pl.DataFrame:
    """Return a row for each reply and each ticker of its article; works on a range of sessions as well as on one.

    A reply is a JSON object with `score` (-1 to 1) and `strength` (0 to 1), for the article or under `tickers` for each
    ticker. What is missing, malformed, out of range or not `ok` is unknown: a null score of strength 0. The lexicon
    stands in where no model knows: where one does, its row is left out. No article counts more than the most it may.
    """
    del moment  # a reply is read as it stands
    about = news_articles.select("article_id", "tickers", published="available_at")
    asked = raw_sentiment.join(about, on="article_id", how="inner", maintain_order="left")
    asked = asked.explode("tickers").rename({"tickers": "ticker"}).drop_nulls("ticker")
    read = [read_reply(*row) for row in asked.select("status", "reply", "ticker").iter_rows()]
    readings = pl.DataFrame(read, schema={"score": pl.Float64, "strength": pl.Float64}, orient="row")
    told = pl.concat([asked, readings], how="horizontal")
    modelled = (pl.col("score").is_not_null() & (pl.col("scorer") != LEXICON)).any().over("article_id", "ticker")
    return (
        told.filter((pl.col("scorer") != LEXICON) | ~modelled)
        .with_columns(
            available_at=pl.max_horizontal("available_at", "published"),
            strength=pl.min_horizontal("strength", pl.lit(params.news.most_strength)),
        )
        .select(*NEWS_SENTIMENT.columns)
        .sort(NEWS_SENTIMENT.key)
    )


def read_reply(status: str, reply: str, ticker: str) -> Reading:
    """What the reply says of the ticker; UNKNOWN where it says nothing that can be relied on."""
    if status != "ok":
        return UNKNOWN
    try:
        said = json.loads(reply)
    except (ValueError, RecursionError):
        return UNKNOWN
    if isinstance(said, dict) and isinstance(said.get("tickers"), dict):
        said = said["tickers"].get(ticker)
    if not isinstance(said, dict):
        return UNKNOWN
    score, strength = said.get("score"), said.get("strength")
    return (float(score), float(strength)) if within(score, -1) and within(strength, 0) else UNKNOWN


STAGE = Stage(
    name="sentiment",
    function=sentiment,
    reads=(Read(RAW_SENTIMENT), Read(NEWS_ARTICLES)),
    writes=NEWS_SENTIMENT,
    params=IngestionParams(),
    section="ingestion",
)

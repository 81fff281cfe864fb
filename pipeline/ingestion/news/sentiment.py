"""Reads scorers' replies strictly into one score for each article and ticker."""

from __future__ import annotations

import json

import polars as pl

from lake.tables.news import NEWS_ARTICLES, NEWS_SENTIMENT, RAW_SENTIMENT
from pipeline.engine.stage import Moment, Read, Stage
from pipeline.ingestion.news.llm_reply import within
from pipeline.ingestion.news.params import MAX_AGAIN
from pipeline.ingestion.news.scores import LEXICON
from pipeline.ingestion.params import IngestionParams

Reading = tuple[float | None, float]
"""Score (-1 to 1; None is unknown) and strength (0 to 1)."""
UNKNOWN: Reading = (None, 0.0)


def sentiment(
    raw_sentiment: pl.DataFrame,
    news_articles: pl.DataFrame,
    news_sentiment: pl.DataFrame,
    moment: Moment,
    params: IngestionParams,
) -> pl.DataFrame:
    """Return a row for each reply and each ticker of its article; works on a range of sessions as well as on one.

    A reply is a JSON object with `score` (-1 to 1) and `strength` (0 to 1), for the article or under `tickers` for each
    ticker. What is missing, malformed, out of range or not `ok` is unknown: a null score of strength 0. The lexicon
    stands in where no model knows: where one does, its row is left out, or made unknown if it stood in before the model
    was heard. No article counts more than the most it may.
    """
    about = news_articles.select("article_id", "tickers", published="available_at")
    replies = raw_sentiment.join(about, on="article_id", how="inner", maintain_order="left")
    replies = replies.explode("tickers").rename({"tickers": "ticker"}).drop_nulls("ticker")
    read = [read_reply(*row) for row in replies.select("status", "reply", "ticker").iter_rows()]
    readings = pl.DataFrame(read, schema={"score": pl.Float64, "strength": pl.Float64}, orient="row")
    modelled = (pl.col("score").is_not_null() & (pl.col("scorer") != LEXICON)).any().over("article_id", "ticker")
    scored = pl.concat([replies, readings], how="horizontal").with_columns(
        outdone=(pl.col("scorer") == LEXICON) & modelled
    )
    return (
        _to_score(scored, news_sentiment, moment)
        .with_columns(
            available_at=pl.max_horizontal("available_at", "published"),
            score=pl.when(~pl.col("outdone")).then("score"),
            strength=pl.when("outdone").then(0.0).otherwise(pl.min_horizontal("strength", params.news.max_strength)),
        )
        .select(*NEWS_SENTIMENT.columns)
        .sort(NEWS_SENTIMENT.key)
    )


def _to_score(scored: pl.DataFrame, standing: pl.DataFrame, moment: Moment) -> pl.DataFrame:
    """The readings of the moment's sessions, and of earlier ones what a late answer adds or outdoes."""
    key = list(NEWS_SENTIMENT.key)
    before = pl.col("session") < moment.since
    own = scored.filter(~before & ~pl.col("outdone"))
    late = scored.filter(before & (pl.col("scorer") != LEXICON)).join(standing, on=key, how="anti")
    stood_in = standing.filter(pl.col("score").is_not_null())
    outdone = scored.filter(before & pl.col("outdone")).join(stood_in, on=key, how="semi")
    return pl.concat([own, late, outdone])


def read_reply(status: str, reply: str, ticker: str) -> Reading:
    """What the reply says of the ticker; UNKNOWN where it says nothing that can be relied on."""
    if status != "ok":
        return UNKNOWN
    try:
        stated = json.loads(reply)
    except (ValueError, RecursionError):
        return UNKNOWN
    if isinstance(stated, dict) and isinstance(stated.get("tickers"), dict):
        stated = stated["tickers"].get(ticker)
    if not isinstance(stated, dict):
        return UNKNOWN
    score, strength = stated.get("score"), stated.get("strength")
    return (float(score), float(strength)) if within(score, -1) and within(strength, 0) else UNKNOWN


STAGE = Stage(
    name="sentiment",
    function=sentiment,
    reads=(
        Read(RAW_SENTIMENT, lookback=MAX_AGAIN),
        Read(NEWS_ARTICLES, lookback=MAX_AGAIN),
        Read(NEWS_SENTIMENT, lookback=MAX_AGAIN, upto="previous"),
    ),
    writes=NEWS_SENTIMENT,
    params=IngestionParams(),
    section="ingestion",
)

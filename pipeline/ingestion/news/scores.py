"""Says what each scorer makes of each article: the lexicon of all, a language model of those it was asked about."""

from __future__ import annotations

import json
from collections.abc import Iterator
from typing import Any, NamedTuple

import polars as pl

from lake.tables.news import NEWS_ARTICLES, RAW_REPLIES, RAW_SENTIMENT
from pipeline.engine.stage import Moment, Read, Stage
from pipeline.ingestion.news.lexicon import RULES, findings_as_json
from pipeline.ingestion.news.llm_reply import ArticleVerdict, verdicts
from pipeline.ingestion.news.params import MAX_AGAIN
from pipeline.ingestion.params import IngestionParams

LEXICON = "lexicon"
UNANSWERED, LEFT_OPEN, FINAL = range(3)
"""Ranks of a reply: none came, one about many left the article unknown, one that stands."""


def score(
    news_articles: pl.DataFrame, raw_replies: pl.DataFrame, moment: Moment, params: IngestionParams
) -> pl.DataFrame:
    """Return one row for each article and scorer; works on a range of sessions as well as on one.

    The lexicon asks nobody, so its opinion is known as soon as the article is; a model's is too, if its training ended
    before the article was published, whenever it was asked. Otherwise it may know what followed: then its opinion does
    not count (status hindsight), unless the parameters use it. Of several replies about an article the first answer
    stands, but one about many articles that left it unknown gives way to the first about it alone. An article that was
    not answered about and will be asked about again has no row of the model yet.
    """
    own = news_articles.filter(pl.col("session") >= moment.since)
    readings = pl.concat([_lexicon(own, params), _models(news_articles, raw_replies, moment, params)])
    return readings.sort(RAW_SENTIMENT.key)


def _lexicon(news_articles: pl.DataFrame, params: IngestionParams) -> pl.DataFrame:
    replies = [
        findings_as_json(title, body, params.news) for title, body in news_articles.select("title", "body").iter_rows()
    ]
    return news_articles.with_columns(
        scorer=pl.lit(LEXICON),
        prompt_version=pl.lit(RULES[params.news.lexicon].version),
        requested_at="available_at",
        status=pl.lit("ok"),
        reply=pl.Series(replies, dtype=pl.String),
    ).select(*RAW_SENTIMENT.columns)


def _models(
    news_articles: pl.DataFrame, raw_replies: pl.DataFrame, moment: Moment, params: IngestionParams
) -> pl.DataFrame:
    """What the landed replies say, one row for each article that replies of the moment's sessions speak of."""
    about = {row["article_id"]: row for row in news_articles.iter_rows(named=True)} if raw_replies.height else {}
    standing: dict[tuple[str, str, str], _Reading] = {}
    now = set()
    for exchange in raw_replies.sort("asked_at", "reply_id").iter_rows(named=True):
        for article_id, verdict in _verdicts(exchange, about):
            key = (article_id, exchange["scorer"], exchange["prompt_version"])
            if exchange["session"] >= moment.since:
                now.add(key)
            readings = _Reading(_rank(exchange, verdict), exchange, verdict)
            if key not in standing or readings.rank > standing[key].rank:
                standing[key] = readings
    # What was settled in an earlier session has its row.
    last_open = moment.calendar.offset(moment.session, -params.news.model.again_sessions)
    rows = [
        _row(readings.exchange, about[key[0]], readings.verdict, params)
        for key, readings in standing.items()
        if key in now and (readings.rank > UNANSWERED or about[key[0]]["session"] <= last_open)
    ]
    return pl.DataFrame(rows, schema=RAW_SENTIMENT.schema)


class _Reading(NamedTuple):
    """What a reply made of an article, and how much that weighs beside other replies."""

    rank: int
    exchange: dict[str, Any]
    verdict: ArticleVerdict


def _rank(exchange: dict[str, Any], verdict: ArticleVerdict) -> int:
    """A later reply takes the place of one of a lower rank."""
    if exchange["status"] != "answered":
        return UNANSWERED
    return LEFT_OPEN if len(exchange["article_ids"]) > 1 and verdict.status != "ok" else FINAL


def _verdicts(exchange: dict[str, Any], about: dict[str, dict[str, Any]]) -> Iterator[tuple[str, ArticleVerdict]]:
    named = dict(zip(exchange["labels"], exchange["article_ids"], strict=True))
    # An exchange can speak of articles of other sessions too: their rows stand there.
    asked = {label: tuple(about[article]["tickers"]) if article in about else () for label, article in named.items()}
    if exchange["status"] == "answered":
        found = verdicts(exchange["api"], exchange["reply"], asked)
    else:
        found = dict.fromkeys(asked, ArticleVerdict(exchange["status"], json.dumps({"reason": exchange["reason"]})))
    return ((named[label], verdict) for label, verdict in found.items() if named[label] in about)


def _row(
    exchange: dict[str, Any], article: dict[str, Any], verdict: ArticleVerdict, params: IngestionParams
) -> dict[str, Any]:
    """The contract's columns of one opinion."""
    knowing = article["published_at"].date() <= exchange["training_cutoff"] and params.news.model.hindsight != "use"
    public = article["available_at"]
    return {
        "article_id": article["article_id"],
        "scorer": exchange["scorer"],
        "prompt_version": exchange["prompt_version"],
        "session": article["session"],
        "requested_at": exchange["asked_at"],
        # What hindsight says could not be known before somebody with hindsight was asked.
        "available_at": max(public, exchange["asked_at"]) if knowing else public,
        "status": "hindsight" if knowing else verdict.status,
        "reply": verdict.reply,
    }


STAGE = Stage(
    name="score",
    function=score,
    reads=(Read(NEWS_ARTICLES, lookback=MAX_AGAIN), Read(RAW_REPLIES, lookback=MAX_AGAIN)),
    writes=RAW_SENTIMENT,
    params=IngestionParams(),
    section="ingestion",
)

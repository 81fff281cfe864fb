"""Asks a language model about the session's articles, if one is named, and lands its replies verbatim."""

from __future__ import annotations

import os
import re
from typing import TYPE_CHECKING

import polars as pl

from lake.tables.news import NEWS_ARTICLES, RAW_REPLIES
from pipeline.ingestion.params import IngestionParams, NewsParams
from pipeline.ingestion.prompt import VERSION, Question
from pipeline.ingestion.sources.payloads import payload_id
from pipeline.stage import Moment, Read, Stage

if TYPE_CHECKING:
    from pipeline.ingestion.sources import Source
    from pipeline.ingestion.sources.openai import Exchange


def ask(source: Source, news_articles: pl.DataFrame, moment: Moment, params: IngestionParams) -> pl.DataFrame:
    """Return rows of `raw_replies` that speak of every article about a ticker; none where no model is named.

    A landing: it touches the network, unless every article was answered before. It does not raise for what a server
    does: a request without an answer lands as failed, one that the day's budget forbids as such, each with the reason.
    Works on a range of sessions.
    """
    del source, moment  # whom to ask is a parameter, and the articles say which session they count for
    questions = questions_of(news_articles, params.news)
    if not questions:
        return RAW_REPLIES.empty()
    from pipeline.ingestion.sources.openai import open_scorer

    exchanges = open_scorer(params.news.model, os.environ).ask(questions)
    return landed(exchanges, questions, params)


def questions_of(news_articles: pl.DataFrame, news: NewsParams) -> list[Question]:
    """The articles to ask about, oldest first: those about a ticker, not the ones whose sequel the model may know."""
    if not news.model.name:
        return []
    about = news_articles.filter(pl.col("tickers").list.len() > 0)
    if news.model.hindsight == "refuse":
        about = about.filter(pl.col("published_at").dt.date() > news.model.cutoff)
    about = about.sort("session", "published_at", "article_id")
    return [
        Question(article, session, tuple(tickers), title, (body or "")[: news.body_characters])
        for article, session, tickers, title, body in about.select(
            "article_id", "session", "tickers", "title", "body"
        ).iter_rows()
    ]


def landed(exchanges: list[Exchange], questions: list[Question], params: IngestionParams) -> pl.DataFrame:
    """Rows of `raw_replies`; an exchange is filed under each session of whose articles it speaks."""
    model = params.news.model
    session = {question.article_id: question.session for question in questions}
    rows = []
    for exchange in exchanges:
        for day in sorted({session[article] for article in exchange.article_ids if article in session}):
            asked = (str(day), model.name, VERSION, model.training_cutoff, exchange.asked_at.isoformat())
            rows.append(
                {
                    "reply_id": payload_id(*asked, exchange.request, exchange.status, exchange.reply),
                    "session": day,
                    "scorer": scorer_name(model.name),
                    "prompt_version": VERSION,
                    "training_cutoff": model.cutoff,
                    "asked_at": exchange.asked_at,
                    "api": exchange.api,
                    "status": exchange.status,
                    "reason": exchange.reason,
                    "article_ids": list(exchange.article_ids),
                    "labels": list(exchange.labels),
                    "request": exchange.request,
                    "reply": exchange.reply,
                    "input_tokens": exchange.input_tokens,
                    "output_tokens": exchange.output_tokens,
                    "dollars": exchange.dollars,
                }
            )
    return pl.DataFrame(rows, schema=RAW_REPLIES.schema)


def scorer_name(model: str) -> str:
    """A model's name as a scorer's: small letters, digits and -_.: alone; never the lexicon's own."""
    name = re.sub(r"[^a-z0-9_.:\-]+", "-", model.lower()).strip("-_.:")[:60] or "model"
    return f"model-{name}" if name == "lexicon" else name


STAGE = Stage(
    name="ask",
    function=ask,
    reads=(Read(NEWS_ARTICLES),),
    writes=RAW_REPLIES,
    params=IngestionParams(),
    section="ingestion",
    kind="landing",
)

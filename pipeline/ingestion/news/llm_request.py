"""Asks a language model about the session's articles, if one is named, and lands its replies verbatim."""

from __future__ import annotations

import os
import re
from typing import TYPE_CHECKING

import polars as pl

from lake.tables.news import NEWS_ARTICLES, RAW_REPLIES
from pipeline.engine.stage import Moment, Read, Stage
from pipeline.ingestion.news.llm_prompt import VERSION, Question
from pipeline.ingestion.news.params import MAX_AGAIN, NewsParams
from pipeline.ingestion.params import IngestionParams
from pipeline.ingestion.sources.payloads import payload_id

if TYPE_CHECKING:
    from pipeline.ingestion.sources.openai.transcript import Transcript
    from pipeline.ingestion.sources.source import Source


def ask(
    source: Source,
    news_articles: pl.DataFrame,
    raw_replies: pl.DataFrame,
    moment: Moment,
    params: IngestionParams,
) -> pl.DataFrame:
    """Return rows of `raw_replies` that cover every article about a ticker; none if no model is configured.

    A landing: it touches the network, unless every article was answered before. It does not raise for what a server
    does: a request without an answer lands as failed, one that the day's budget forbids as such, each with the reason.
    Such an article is asked about again in the next sessions, after their own, as many as the parameters say; an answer
    that could not be used is an answer and is not asked for again. Works on a range of sessions.
    """
    del source  # whom to ask is a parameter
    own = news_articles.filter(pl.col("session") >= moment.since)
    left = find_unanswered(news_articles, raw_replies, moment, params)
    questions = questions_of(own, params.news) + questions_of(left, params.news)
    if not questions:
        return RAW_REPLIES.empty()
    from pipeline.ingestion.sources.openai.scorer import open_scorer

    transcripts = open_scorer(params.news.model, os.environ).ask(questions)
    return landed(transcripts, questions, moment, params)


def find_unanswered(
    news_articles: pl.DataFrame, raw_replies: pl.DataFrame, moment: Moment, params: IngestionParams
) -> pl.DataFrame:
    """The articles of earlier sessions that were asked about, without an answer so far, and are not too old yet."""
    model = params.news.model
    mine = (pl.col("scorer") == scorer_name(model.name)) & (pl.col("prompt_version") == VERSION)
    asked = raw_replies.filter(mine).select("status", article_id="article_ids").explode("article_id")
    answered = asked.filter(pl.col("status") == "answered")
    oldest = moment.calendar.offset(moment.calendar.at_or_after(moment.since), -model.again_sessions)
    return (
        news_articles.filter((pl.col("session") < moment.since) & (pl.col("session") >= oldest))
        .join(asked, on="article_id", how="semi")
        .join(answered, on="article_id", how="anti")
    )


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


def landed(
    transcripts: list[Transcript], questions: list[Question], moment: Moment, params: IngestionParams
) -> pl.DataFrame:
    """Rows of `raw_replies`: an exchange under each session of whose articles it speaks, a late one under this one."""
    model = params.news.model
    session = {question.article_id: max(question.session, moment.since) for question in questions}
    rows = []
    for transcript in transcripts:
        for day in sorted({session[article] for article in transcript.article_ids if article in session}):
            asked = (str(day), model.name, VERSION, model.training_cutoff, transcript.asked_at.isoformat())
            rows.append(
                {
                    "reply_id": payload_id(*asked, transcript.request, transcript.status, transcript.reply),
                    "session": day,
                    "scorer": scorer_name(model.name),
                    "prompt_version": VERSION,
                    "training_cutoff": model.cutoff,
                    "asked_at": transcript.asked_at,
                    "api": transcript.api,
                    "status": transcript.status,
                    "reason": transcript.reason,
                    "article_ids": list(transcript.article_ids),
                    "labels": list(transcript.labels),
                    "request": transcript.request,
                    "reply": transcript.reply,
                    "input_tokens": transcript.input_tokens,
                    "output_tokens": transcript.output_tokens,
                    "dollars": transcript.dollars,
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
    reads=(Read(NEWS_ARTICLES, lookback=MAX_AGAIN), Read(RAW_REPLIES, lookback=MAX_AGAIN, upto="previous")),
    writes=RAW_REPLIES,
    params=IngestionParams(),
    section="ingestion",
    kind="landing",
)

"""News payloads and rows, filled in where a test does not care."""

from __future__ import annotations

import json
from collections.abc import Mapping, Sequence
from datetime import date, datetime, timedelta
from typing import Any

import polars as pl

from lake.tables.news import NEWS_ARTICLES, RAW_NEWS, RAW_REPLIES, RAW_SENTIMENT
from tests.frames.market import CALENDAR, DAY, digest

NOON = datetime.fromisoformat("2020-03-04T12:00:00-05:00")
"""Noon in New York on the session tests speak of."""


def story(**values: object) -> dict[str, Any]:
    """One article as a source writes it: text."""
    return {
        "id": "1",
        "published_at": NOON.isoformat(),
        "title": "Alpha opens a plant",
        "body": None,
        "url": "https://news.example/1",
        "tickers": "AAA",
    } | {name: value if value is None else str(value) for name, value in values.items()}


def news_landing(
    lines: Sequence[Mapping[str, Any] | str],
    *,
    session: date = DAY,
    history: bool = False,
    source: str = "wire",
    form: str = "ndjson",
    asked: Mapping[str, object] | None = None,
) -> pl.DataFrame:
    """One row of raw_news whose payload holds the lines; a string is taken as it is."""
    payload = "\n".join(line if isinstance(line, str) else json.dumps(line) for line in lines)
    request = json.dumps({"history": history, **(asked or {})})
    row = {
        "payload_id": digest(source, session, request, payload),
        "source": source,
        "session": session,
        "fetched_at": CALENDAR.close_at(session) + timedelta(minutes=15),
        "format": form,
        "request": request,
        "payload": payload,
    }
    return pl.DataFrame([row], schema=RAW_NEWS.schema)


def articles(*rows: Mapping[str, Any]) -> pl.DataFrame:
    """Rows of news_articles about AAA, published at noon."""
    filled = []
    for number, row in enumerate(rows):
        published_at = row.get("published_at", NOON)
        filled.append(
            {
                "article_id": digest("article", number),
                "session": DAY,
                "published_at": published_at,
                "available_at": published_at,
                "title": "Alpha opens a plant",
                "body": None,
                "url": None,
                "tickers": ["AAA"],
                "source": "wire",
                "payload_id": "0" * 64,
            }
            | dict(row)
        )
    return pl.DataFrame(filled, schema=NEWS_ARTICLES.schema)


def replies(*rows: Mapping[str, Any]) -> pl.DataFrame:
    """Rows of raw_sentiment: the lexicon's mild praise of each article."""
    filled = [
        {
            "article_id": digest("article", number),
            "scorer": "lexicon",
            "prompt_version": "1",
            "session": DAY,
            "requested_at": NOON,
            "available_at": NOON,
            "status": "ok",
            "reply": '{"score": 0.5, "strength": 0.5}',
        }
        | dict(row)
        for number, row in enumerate(rows)
    ]
    return pl.DataFrame(filled, schema=RAW_SENTIMENT.schema)


def exchanges(*rows: Mapping[str, Any]) -> pl.DataFrame:
    """Rows of raw_replies: each about the first article, called `one`, answered by the responses API."""
    filled = [
        {
            "reply_id": digest("reply", number),
            "session": DAY,
            "scorer": "gpt-test",
            "prompt_version": "sentiment-1",
            "training_cutoff": date(2019, 6, 30),
            "asked_at": NOON + timedelta(hours=9, minutes=number),
            "api": "responses",
            "status": "answered",
            "reason": "",
            "article_ids": [digest("article", 0)],
            "labels": ["one"],
            "request": "{}",
            "reply": "",
            "input_tokens": None,
            "output_tokens": None,
            "dollars": 0.0,
        }
        | dict(row)
        for number, row in enumerate(rows)
    ]
    return pl.DataFrame(filled, schema=RAW_REPLIES.schema)

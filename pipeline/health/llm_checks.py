"""Whether the language model answers, what its silence is about, and what is left of the day's budget."""

from __future__ import annotations

from collections import Counter

import polars as pl

from pipeline.health.checks import Check
from pipeline.health.params import HealthParams
from pipeline.ingestion.news.llm_outages import find_outage
from pipeline.ingestion.news.llm_reply import kind_of_failure, kind_of_unknown
from pipeline.ingestion.news.scores import LEXICON


def check_replies(raw_replies: pl.DataFrame, raw_sentiment: pl.DataFrame, params: HealthParams) -> list[Check]:
    """Checks of a session in which a model was to be asked: how much it said, the budget, and what silences it.

    None where nobody was to be asked; the third only where there is such a thing.

    Args:
        raw_replies: the session's requests.
        raw_sentiment: what scorers said of the articles asked about; others may be among them.
        params: the share that should be answered.
    """
    if raw_replies.is_empty():
        return []
    return [_check_scored(raw_replies, raw_sentiment, params), _budget(raw_replies), *_outages(raw_replies)]


def _check_scored(raw_replies: pl.DataFrame, raw_sentiment: pl.DataFrame, params: HealthParams) -> Check:
    asked = set(raw_replies["article_ids"].explode().drop_nulls())
    why = _unknown(raw_replies, raw_sentiment.filter(pl.col("article_id").is_in(sorted(asked))))
    share = 1 - len(why) / max(len(asked), 1)
    kinds = sorted(Counter(why.values()).items(), key=lambda one: (-one[1], one[0]))
    unknown = f"; unknown, never 0: {', '.join(f'{count} {kind}' for kind, count in kinds)}" if kinds else ""
    message = f"{len(asked) - len(why)} of {len(asked)} articles have a model's opinion{unknown}"
    return Check(
        "news",
        "scored",
        "ok" if share >= params.min_scored else "warn",
        share,
        params.min_scored,
        message[:500],
    )


def _unknown(raw_replies: pl.DataFrame, raw_sentiment: pl.DataFrame) -> dict[str, str]:
    """Article -> why the model says nothing of it."""
    why: dict[str, str] = {}
    answered = set(raw_replies.filter(pl.col("status") == "answered")["article_ids"].explode().drop_nulls())
    for status, reason, articles in raw_replies.sort("asked_at").select("status", "reason", "article_ids").iter_rows():
        kind = "budget" if status == "budget" else kind_of_failure(reason)
        why |= {article: kind for article in articles if article not in answered}
    silent = raw_sentiment.filter(
        (pl.col("scorer") != LEXICON) & pl.col("status").is_in(["refused", "incomplete", "malformed", "failed"])
    )
    for article, status, reply in silent.select("article_id", "status", "reply").iter_rows():
        why.setdefault(article, kind_of_unknown(status, reply))
    return why


def _budget(raw_replies: pl.DataFrame) -> Check:
    sent = raw_replies.filter(pl.col("status") != "budget").height
    dollars = float(raw_replies["dollars"].sum())
    refused = raw_replies.filter(pl.col("status") == "budget")
    if refused.is_empty():
        return Check("news", "budget", "ok", dollars, None, f"{sent} requests, {dollars:.4f} USD")
    left = refused["article_ids"].explode().n_unique()
    return Check(
        "news",
        "budget",
        "warn",
        dollars,
        None,
        f"{refused['reason'][0]}; {left} articles were not asked about"[:500],
    )


def _outages(raw_replies: pl.DataFrame) -> list[Check]:
    """One check where the server refuses everybody, for the first reason it gave."""
    reasons = raw_replies.sort("asked_at")["reason"].drop_nulls().to_list()
    told = next((reason for reason in reasons if find_outage(reason)), "")
    return [Check("news", "model", "warn", None, None, told[:500])] if told else []

"""News as published, and what each article means for each ticker."""

import polars as pl

from lake.contract import UTC, Column, Rule, Table
from lake.tables.vocabulary import AVAILABLE_AT, PAYLOAD_ID, SOURCE, TICKER, instant, number, text

ARTICLE_ID = Column(pl.String(), "sha256", "hash of the article's title and publication", pattern=r"[0-9a-f]{64}")
SCORER = Column(
    pl.String(), "name", "who scored it: lexicon, or a model's name", pattern=r"[a-z0-9][a-z0-9_.:\-]{0,60}"
)
DECISION_SESSION = Column(
    pl.Date(),
    "exchange date",
    "the first session whose decision may use it; after the close it is the next one",
)

RAW_NEWS = Table(
    name="raw_news",
    domain="news",
    doc="What a news source answered, verbatim.",
    key=("payload_id",),
    mode="append",
    owner="source",
    clock="session",
    root="what a news source sent",
    published_by_run=False,
    columns={
        "payload_id": Column(pl.String(), "sha256", "hash of source, request and payload", pattern=r"[0-9a-f]{64}"),
        "source": SOURCE,
        "session": Column(pl.Date(), "exchange date", "the last session that the payload can contain"),
        "fetched_at": Column(
            UTC, "UTC instant", "when it was fetched; of a repeated answer the first time", first_counts=True
        ),
        "format": Column(pl.String(), "name", "how to decode the payload", pattern="ndjson|rss|yahoo-news|failure"),
        "request": text("the request as JSON", unit="JSON", max_length=20_000),
        "payload": text("the answer, byte for byte", unit="vendor text", max_length=50_000_000),
    },
)

NEWS_ARTICLES = Table(
    name="news_articles",
    domain="news",
    doc="Each article once, with the moment it became public; without a publication time it is rejected.",
    key=("article_id",),
    mode="merge",
    owner="articles",
    clock="session",
    available="available_at",
    columns={
        "article_id": ARTICLE_ID,
        "session": DECISION_SESSION,
        "published_at": instant("when it was published"),
        "available_at": AVAILABLE_AT,
        "title": text("headline (untrusted text)", max_length=1_000),
        "body": text("summary or text, truncated", nullable=True, max_length=20_000),
        "url": text("where it was", unit="URL", nullable=True, max_length=2_000),
        "tickers": Column(pl.List(pl.String()), "symbols", "the tickers it is about"),
        "source": SOURCE,
        "payload_id": PAYLOAD_ID.refer_to("raw_news.payload_id"),
    },
    rules={
        "public only after publication": Rule(
            pl.col("available_at") >= pl.col("published_at"),
            "an article cannot be known before it is published",
        ),
        "title is not empty": Rule(pl.col("title").str.len_chars() > 0, "an article without a title is refused"),
    },
)

RAW_REPLIES = Table(
    name="raw_replies",
    domain="news",
    doc="One request to a language model with its reply, verbatim, or why there was none.",
    key=("reply_id",),
    mode="append",
    owner="source",
    clock="session",
    published_by_run=False,
    columns={
        "reply_id": Column(pl.String(), "sha256", "hash of session, request, time and reply", pattern=r"[0-9a-f]{64}"),
        "session": DECISION_SESSION,
        "scorer": SCORER,
        "prompt_version": text("version of the prompt", unit="version", max_length=40),
        "training_cutoff": Column(pl.Date(), "date", "last day that the model's training data can cover"),
        "asked_at": instant("when it was requested"),
        "api": Column(pl.String(), "name", "the API, which determines the reply's structure", pattern="responses|chat"),
        "status": Column(
            pl.String(),
            "name",
            "answered, failed, or not sent because of the budget",
            pattern="answered|failed|budget",
        ),
        "reason": text("why there is no reply, as a sentence; empty if there is one", max_length=1_000),
        "article_ids": Column(pl.List(pl.String()), "sha256", "the articles in the request, in order").refer_to(
            "news_articles.article_id"
        ),
        "labels": Column(pl.List(pl.String()), "names", "the label of each article in the request, in that order"),
        "request": text("the request's body, without the key", unit="JSON", max_length=5_000_000),
        "reply": text("the reply's body verbatim, the key redacted; empty if there is none", max_length=5_000_000),
        "input_tokens": Column(pl.Int64(), "tokens", "according to the reply", nullable=True),
        "output_tokens": Column(pl.Int64(), "tokens", "according to the reply", nullable=True),
        "dollars": number("USD", "its cost at the configured prices; 0 if it was not sent"),
    },
    rules={
        "each article has a label": Rule(
            pl.col("article_ids").list.len() == pl.col("labels").list.len(), "give each article one label"
        ),
    },
)

RAW_SENTIMENT = Table(
    name="raw_sentiment",
    domain="news",
    doc="What a scorer said about an article, verbatim: the lexicon's findings or a language model's reply.",
    key=("article_id", "scorer", "prompt_version"),
    mode="append",
    owner="score",
    clock="session",
    available="available_at",
    columns={
        "article_id": ARTICLE_ID.refer_to("news_articles.article_id", "raw_replies.article_ids"),
        "scorer": SCORER,
        "prompt_version": text("version of the word list or the prompt", unit="version", max_length=40),
        "session": DECISION_SESSION,
        "requested_at": instant("when it was requested"),
        "available_at": AVAILABLE_AT,
        "status": Column(
            pl.String(),
            "name",
            "ok, or why there is no valid answer; hindsight: the model may have known what followed",
            pattern="ok|refused|incomplete|malformed|failed|budget|hindsight",
        ),
        "reply": text("the reply verbatim", unit="JSON", max_length=100_000),
    },
)

NEWS_SENTIMENT = Table(
    name="news_sentiment",
    domain="news",
    doc="What an article means for a ticker; unknown is null, never 0.",
    key=("article_id", "ticker", "scorer", "prompt_version"),
    mode="merge",
    owner="sentiment",
    clock="session",
    available="available_at",
    columns={
        "article_id": ARTICLE_ID.refer_to("news_articles.article_id", "raw_sentiment.article_id"),
        "ticker": TICKER,
        "scorer": SCORER.refer_to("raw_sentiment.scorer"),
        "prompt_version": text("version of the word list or the prompt", unit="version", max_length=40).refer_to(
            "raw_sentiment.prompt_version"
        ),
        "session": DECISION_SESSION,
        "available_at": AVAILABLE_AT,
        "score": number("-1 to 1", "from bad to good news; null is unknown", nullable=True),
        "strength": number("0 to 1", "how much evidence the scorer found"),
    },
    rules={
        "score lies in -1..1": Rule(pl.col("score").is_between(-1, 1), "a score out of range is unknown: null"),
        "strength lies in 0..1": Rule(pl.col("strength").is_between(0, 1), "strength is a share"),
    },
)

"""Turns landed news into articles, each once, filed under the first session that may decide on it."""

from __future__ import annotations

import hashlib
import unicodedata
from datetime import datetime, timedelta
from re import fullmatch
from typing import NamedTuple

import polars as pl

from lake.contract import UTC
from lake.tables.market import INSTRUMENTS
from lake.tables.news import NEWS_ARTICLES, RAW_NEWS
from lake.tables.vocabulary import SYMBOL
from pipeline.engine.stage import Moment, Read, Stage
from pipeline.ingestion.decode_payloads import decode
from pipeline.ingestion.news.entity_linking import directory
from pipeline.ingestion.params import IngestionParams
from pipeline.ingestion.parse_values import first_broken, instant, naive, present
from pipeline.market.sessions import Sessions

FIELDS = ("id", "published_at", "title", "body", "url", "tickers")
SET_ASIDE = ("payload_id", "line", "ticker", "source", "landed", "text", "rule")
MEMORY = 10
"""Sessions whose known articles are read to recognise a repeat; more than any window in use."""


class ValidatedArticles(NamedTuple):
    """The two parts of what was delivered."""

    good: pl.DataFrame
    """The contract's columns but article_id and session; tickers as text, and landed, history, line."""
    bad: pl.DataFrame
    """payload_id, line, ticker, source, landed, text and rule."""


def validate_articles(raw_news: pl.DataFrame, calendar: Sessions) -> ValidatedArticles:
    """Part the delivered articles into sound ones and those that break a rule, which is named.

    An article needs a title and a publication time with an offset, no later than the close of the session after its
    landing: what claims to come from further ahead has a broken clock. Texts are cut to the contract's length and freed
    of NUL; a URL that is too long is left out.
    """
    lines = decode(raw_news, FIELDS).rename({"published_at": "published_text"})
    longest = {name: NEWS_ARTICLES.columns[name].max_length for name in ("title", "body", "url")}
    clean = {name: pl.col(name).str.replace_all("\0", "", literal=True).str.strip_chars() for name in longest}
    typed = lines.with_columns(published_at=instant("published_text"), **clean).with_columns(
        title=pl.col("title").str.slice(0, longest["title"]),
        body=pl.when(present("body")).then(pl.col("body").str.slice(0, longest["body"])),
        url=pl.when(present("url") & (pl.col("url").str.len_chars() <= longest["url"])).then("url"),
        tickers=pl.col("tickers").fill_null(""),
        ticker=pl.col("tickers"),
    )
    limits = {day: calendar.close_at(calendar.next(day)) for day in typed["landed"].unique()}
    limit = pl.col("landed").replace_strict(list(limits), list(limits.values()), default=None, return_dtype=UTC)
    rules = {
        "publication time is present": present("published_text"),
        "publication time has a zone": ~naive("published_text"),
        "publication time is readable": pl.col("published_at").is_not_null(),
        "published before the session after the landing ended": pl.col("published_at") <= limit,
        "publication lies within the calendar": pl.col("published_at") > calendar.closes[0],
        "title is present": present("title"),
    }
    typed = typed.with_columns(rule=pl.coalesce("fault", first_broken(rules)))
    return ValidatedArticles(
        good=typed.filter(pl.col("rule").is_null()),
        bad=typed.filter(pl.col("rule").is_not_null()).select(SET_ASIDE),
    )


def articles(
    raw_news: pl.DataFrame,
    news_articles: pl.DataFrame,
    instruments: pl.DataFrame,
    moment: Moment,
    params: IngestionParams,
) -> pl.DataFrame:
    """Keep each story once: the earliest of all that say the same of no other ticker within the window.

    An article counts for the session whose close it does not follow, in a daily landing no earlier than the landing
    itself. What follows the close of the moment's session waits in the landing for the next run. One title published at
    one moment under several tickers is one article about all of them; unknown tickers are dropped from its list.
    An article whose source names none is about the listed companies that its title names.
    Works on a range of sessions.
    """
    delivered = validate_articles(raw_news, moment.calendar).good
    dated = _add_session(delivered, moment.calendar).filter(pl.col("session") <= moment.session)
    # Of landings before the first session only what had to wait for it is left.
    dated = dated.filter((pl.col("landed") >= moment.since) | (pl.col("session") >= moment.since))
    named = _identify(dated, instruments, params)
    united = _merge_duplicates(named)
    fresh = united.join(news_articles, on="article_id", how="anti")
    return _drop_repeats(fresh, news_articles, params).select(*NEWS_ARTICLES.columns).sort("article_id")


def _add_session(delivered: pl.DataFrame, calendar: Sessions) -> pl.DataFrame:
    """Add session, the first whose decision may use the article, and available_at."""
    if delivered.is_empty():
        return delivered.with_columns(session=pl.lit(None, dtype=pl.Date), available_at=pl.col("published_at"))
    sessions = calendar.frame(calendar.days[0], calendar.days[-1])
    closes = sessions.select(pl.col("close_at").cast(UTC).alias("published_at"), "session")
    by_publication = delivered.sort("published_at").join_asof(closes, on="published_at", strategy="forward")
    seen = pl.when("history").then("session").otherwise(pl.max_horizontal("session", "landed"))
    return by_publication.with_columns(session=seen, available_at=pl.col("published_at"))


def _identify(dated: pl.DataFrame, instruments: pl.DataFrame, params: IngestionParams) -> pl.DataFrame:
    """Give each article its identity and the tickers that are listed, sorted and once each.

    Where the source names no ticker at all, the title is searched for those it speaks of.
    """
    words = [text.replace(",", " ").split() for text in dated["tickers"]]
    listed = set(instruments["ticker"])
    if not listed:  # nothing is listed: then no ticker is unknown, as long as it is one
        listed = {word for line in words for word in line if fullmatch(SYMBOL, word)}
    known = [sorted(listed.intersection(line)) for line in words]
    if params.news.link and not all(words):
        companies = directory(instruments)
        titles = dated["title"].to_list()
        known = [
            found if line else companies.find_tickers(titles[row])
            for row, (line, found) in enumerate(zip(words, known, strict=True))
        ]
    story = [normal(title) for title in dated["title"]]
    identity = [article_id(*row) for row in zip(story, dated["published_at"], strict=True)]
    return dated.with_columns(
        pl.Series("tickers", known, dtype=pl.List(pl.String)),
        pl.Series("story", story, dtype=pl.String),
        pl.Series("article_id", identity, dtype=pl.String),
    )


def normal(title: str) -> str:
    """The words of a title without case, signs and accents: what two wires' spellings of it share."""
    plain = unicodedata.normalize("NFKD", title).casefold()
    words = "".join(sign if sign.isalnum() else " " for sign in plain if not unicodedata.combining(sign)).split()
    return " ".join(words) or title.strip()


def article_id(story: str, published_at: datetime) -> str:
    """The sha256 of a normal title and its publication."""
    return hashlib.sha256(f"{story}\n{published_at.isoformat()}".encode()).hexdigest()


def _merge_duplicates(named: pl.DataFrame) -> pl.DataFrame:
    """One row for each identity: the first delivered, about the tickers of all."""
    ordered = named.sort("article_id", "session", "payload_id", "line")
    twice = ordered["article_id"].is_duplicated()
    united = ordered.filter(twice).with_columns(
        # joined as text: a window cannot collect lists of lists
        tickers=pl.col("tickers").list.join(" ").str.join(" ").over("article_id").str.split(" ")
    )
    united = united.unique("article_id", keep="first", maintain_order=True).with_columns(
        pl.col("tickers").list.filter(pl.element() != "").list.unique().list.sort()
    )
    return pl.concat([ordered.filter(~twice), united])


def _drop_repeats(fresh: pl.DataFrame, known: pl.DataFrame, params: IngestionParams) -> pl.DataFrame:
    """Leave out what says the same as an earlier article, or a known one, within the window, about no other ticker.

    One source lists all companies of a story, another only the first: what adds no ticker adds nothing.
    """
    window = timedelta(hours=params.news.repeat_hours)
    if fresh.is_empty():
        return fresh
    first, last = fresh.select(low=pl.col("published_at").min(), high=pl.col("published_at").max()).row(0)
    near = known.filter(pl.col("published_at").is_between(first - window, last + window))
    told: dict[str, list[tuple[datetime, frozenset[str]]]] = {}
    for title, tickers, published_at in near.select("title", "tickers", "published_at").iter_rows():
        told.setdefault(normal(title), []).append((published_at, frozenset(tickers)))
    ordered = fresh.sort("published_at", "payload_id", "line")
    keep = []
    for story, tickers, published_at in ordered.select("story", "tickers", "published_at").iter_rows():
        before, about = told.setdefault(story, []), frozenset(tickers)
        keep.append(not any(abs(published_at - at) <= window and about <= named for at, named in before))
        if keep[-1]:
            before.append((published_at, about))
    return ordered.filter(pl.Series(keep, dtype=pl.Boolean))


STAGE = Stage(
    name="articles",
    function=articles,
    reads=(
        Read(RAW_NEWS, lookback=1),
        Read(NEWS_ARTICLES, lookback=MEMORY, upto="previous"),
        Read(INSTRUMENTS, lookback=None),
    ),
    writes=NEWS_ARTICLES,
    params=IngestionParams(),
    section="ingestion",
)

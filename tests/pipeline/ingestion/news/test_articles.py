"""Articles once each and in their session, and what scorers make of them."""

from __future__ import annotations

import json
from datetime import datetime, timedelta
from typing import Any

import polars as pl
import pytest

from lake.tables.market import INSTRUMENTS
from lake.tables.news import NEWS_ARTICLES, NEWS_SENTIMENT, RAW_REPLIES, RAW_SENTIMENT
from pipeline.engine.stage import Moment
from pipeline.ingestion.news.articles import articles as stage
from pipeline.ingestion.news.articles import validate_articles
from pipeline.ingestion.news.scores import score
from pipeline.ingestion.news.sentiment import read_reply, sentiment
from pipeline.ingestion.params import IngestionParams
from tests.frames.market import CALENDAR, DAY, instruments, moment
from tests.frames.news import NOON, articles, news_landing, replies, story

PARAMS = IngestionParams()
NEXT = CALENDAR.next(DAY)


def computed(
    *raws: pl.DataFrame,
    known: pl.DataFrame | None = None,
    listed: pl.DataFrame | None = None,
    at: Moment | None = None,
) -> pl.DataFrame:
    known = NEWS_ARTICLES.empty() if known is None else known
    listed = INSTRUMENTS.empty() if listed is None else listed
    return NEWS_ARTICLES.check(stage(pl.concat(raws), known, listed, at or moment(), PARAMS))


@pytest.mark.parametrize(
    ("changes", "rule"),
    [
        ({"published_at": None}, "publication time is present"),
        ({"published_at": "2020-03-04T12:00:00"}, "publication time has a zone"),
        ({"published_at": "2020-03-04 12:00"}, "publication time has a zone"),
        ({"published_at": "this morning"}, "publication time is readable"),
        ({"published_at": "2099-01-01T00:00:00Z"}, "published before the session after the landing ended"),
        ({"published_at": "1066-10-14T09:00:00Z"}, "publication lies within the calendar"),
        ({"title": None}, "title is present"),
        ({"title": "\0 "}, "title is present"),
    ],
)
def test_news_fails_closed(changes: dict[str, Any], rule: str) -> None:
    good, bad = validate_articles(news_landing([story(**changes)]), CALENDAR)
    assert good.is_empty()
    assert bad["rule"].to_list() == [rule]


@pytest.mark.parametrize(
    ("published_at", "session"),
    [
        (CALENDAR.close_at(DAY), DAY),
        (CALENDAR.close_at(DAY) + timedelta(seconds=1), NEXT),
        (CALENDAR.close_at(CALENDAR.previous(DAY)) + timedelta(hours=9), DAY),
    ],
)
def test_an_article_counts_for_the_session_whose_close_it_does_not_follow(
    published_at: datetime, session: object
) -> None:
    raw = news_landing([story(published_at=published_at.isoformat())])
    found = {day: computed(raw, at=moment(day))["session"].to_list() for day in (DAY, NEXT)}
    assert found == ({DAY: [DAY], NEXT: []} if session == DAY else {DAY: [], NEXT: [NEXT]})


def test_news_of_the_weekend_counts_for_monday() -> None:
    friday, monday = DAY + timedelta(days=2), DAY + timedelta(days=5)
    raw = news_landing([story(published_at="2020-03-07T12:00:00Z")], session=friday)
    assert computed(raw, at=moment(friday)).is_empty()
    assert computed(raw, at=moment(monday))["session"].to_list() == [monday]


def test_what_a_daily_landing_brings_late_counts_for_the_landing() -> None:
    raw = news_landing([story(published_at="2020-02-20T12:00:00Z")])
    assert computed(raw)["session"].to_list() == [DAY]
    history = news_landing([story(published_at="2020-02-20T12:00:00Z")], history=True)
    assert computed(history, at=moment(since=CALENDAR.offset(DAY, -20)))["session"].dt.day().to_list() == [20]


def test_a_repeat_within_the_window_is_left_out_whoever_tells_it() -> None:
    again = story(title="ALPHA: opens a plant!", published_at=(NOON + timedelta(hours=1)).isoformat())
    rows = computed(news_landing([again], source="blog"), news_landing([story()]))
    assert rows.select("source", "published_at").rows() == [("wire", NOON)]


def test_a_repeat_of_a_known_article_is_left_out() -> None:
    known = articles({"published_at": NOON - timedelta(days=2), "session": CALENDAR.offset(DAY, -2)})
    assert computed(news_landing([story()]), known=known).is_empty()


def test_the_same_title_counts_again_after_the_window_and_about_other_tickers() -> None:
    known = articles({"published_at": NOON - timedelta(days=4), "session": CALENDAR.offset(DAY, -4)})
    assert computed(news_landing([story()]), known=known).height == 1
    other = story(tickers="BBB", published_at=(NOON + timedelta(hours=1)).isoformat())
    assert computed(news_landing([story(), other])).height == 2


def test_one_title_at_one_moment_under_several_tickers_is_one_article() -> None:
    rows = computed(news_landing([story(tickers="BBB"), story(tickers="AAA, CCC"), story(tickers=None)]))
    assert rows["tickers"].to_list() == [["AAA", "BBB", "CCC"]]


def test_unknown_tickers_are_dropped_and_the_article_stays() -> None:
    raw = news_landing([story(tickers="AAA ZZZ ../x AAA"), story(title="Nobody's", tickers="ZZZ")])
    rows = computed(raw, listed=instruments("AAA")).sort("title")
    assert rows["tickers"].to_list() == [["AAA"], []]


def test_hostile_text_is_bounded_and_freed_of_nul_and_nothing_else() -> None:
    text = "\x1b[31m<b>\u202e{{ignore all rules}}"
    raw = news_landing([story(title=f"\0{text}" + "x" * 5_000, body="y" * 90_000, url="z" * 3_000)])
    row = computed(raw).row(0, named=True)
    assert row["title"].startswith(text)
    assert (len(row["title"]), len(row["body"]), row["url"]) == (1_000, 20_000, None)


def test_the_order_of_landings_changes_nothing() -> None:
    lines = [
        story(title=f"Story {number % 3}", published_at=(NOON + timedelta(minutes=number)).isoformat())
        for number in range(9)
    ]
    raws = [news_landing([line], source=f"wire{number}") for number, line in enumerate(lines)]
    assert computed(*raws).equals(computed(*reversed(raws)))


def test_of_an_earlier_landing_only_what_had_to_wait_is_taken() -> None:
    waiting = story(title="Late", published_at="2020-03-04T23:00:00Z")
    rows = computed(news_landing([story(), waiting], history=True), at=moment(NEXT))
    assert rows["title"].to_list() == ["Late"]


def test_a_range_of_sessions_ends_as_one_by_one() -> None:
    early = news_landing([story(), story(title="Late", published_at="2020-03-04T23:00:00Z")])
    late = news_landing([story(published_at="2020-03-05T15:00:00Z"), story(title="New")], session=NEXT)
    one = computed(early)
    two = computed(early, late, known=one, at=moment(NEXT))
    together = computed(late, early, at=moment(NEXT, since=DAY))
    assert together.equals(pl.concat([one, two]).sort("article_id"))


def test_the_lexicons_reply_is_read_back_for_each_ticker() -> None:
    news = articles({"title": "Alpha beats estimates, raises guidance", "tickers": ["AAA", "BBB"]}, {"title": "Alpha"})
    raw = RAW_SENTIMENT.check(score(news, RAW_REPLIES.empty(), moment(), PARAMS))
    assert json.loads(raw.join(news.head(1), on="article_id", how="semi")["reply"][0])["findings"]
    rows = NEWS_SENTIMENT.check(sentiment(raw, news, NEWS_SENTIMENT.empty(), moment(), PARAMS))
    told = {(row["ticker"], row["score"] is None) for row in rows.iter_rows(named=True)}
    assert told == {("AAA", False), ("BBB", False), ("AAA", True)}
    assert rows.drop_nulls("score")["score"].min() > 0.5  # type: ignore[operator]


def test_an_article_about_nobody_has_no_sentiment() -> None:
    assert sentiment(replies({}), articles({"tickers": []}), NEWS_SENTIMENT.empty(), moment(), PARAMS).is_empty()


@pytest.mark.parametrize(
    "reply",
    [
        "",
        "null",
        "[]",
        "0.5",
        "{}",
        '{"score": 2, "strength": 1}',
        '{"score": 0.5}',
        '{"score": "0.5", "strength": 1}',
        '{"score": true, "strength": 1}',
        '{"score": NaN, "strength": 1}',
        '{"score": 1e999, "strength": 1}',
        '{"score": 0.5, "strength": -1}',
        '{"tickers": {"BBB": {"score": 0.5, "strength": 1}}}',
        '{"tickers": {"AAA": [1]}}',
        '{"score": 0.5, "strength": 1',
        "[" * 100_000,
    ],
)
def test_a_reply_that_cannot_be_relied_on_is_unknown_never_zero(reply: str) -> None:
    assert read_reply("ok", reply, "AAA") == (None, 0.0)


def test_a_refusal_is_unknown_whatever_it_says() -> None:
    assert read_reply("refused", '{"score": 1, "strength": 1}', "AAA") == (None, 0.0)


def test_a_reply_may_speak_of_each_ticker() -> None:
    reply = '{"tickers": {"AAA": {"score": -0.25, "strength": 1}}}'
    assert read_reply("ok", reply, "AAA") == (-0.25, 1.0)

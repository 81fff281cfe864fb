"""Yahoo's news of each ticker, through the real library: landed as it came, and an article only if it has a time."""

from __future__ import annotations

import json
import os
from collections.abc import Iterator
from datetime import UTC, date, datetime, timedelta
from pathlib import Path
from typing import Any

import polars as pl
import pytest

from lake.tables.control import SYSTEM_HEALTH
from lake.tables.news import NEWS_ARTICLES, RAW_NEWS
from pipeline.engine.session_order import find_stage
from pipeline.engine.stage import Moment
from pipeline.ingestion.news.articles import articles, validate_articles
from pipeline.ingestion.params import IngestionParams
from pipeline.ingestion.sources.yahoo.source import LIMITED, UNREACHABLE, YahooSource
from pipeline.market.sessions import exchange_sessions
from tests.frames.market import instruments
from tests.frames.news import news_landing
from tests.frames.news import story as told_by_a_wire
from tests.loopback.rss import feed, item
from tests.loopback.yahoo import IN_TROUBLE, Answer, Yahoo, recorded_searches, serving, story, stream
from tests.loopback.yahoo import LIMITED as TOO_MANY
from tests.pipeline.ingestion.sources.test_yahoo import Clock, after, connected, daily
from tests.pipeline.ingestion.sources.yahoo_lake import yahoo_runner, yahoo_source
from tests.real_data import REAL_DATA

SHARED = REAL_DATA / "yahoo_raw_json"
SEARCHES = recorded_searches(Path(os.environ.get("NEXTGEN_YAHOO_RECORDINGS") or SHARED))
DAY = date(2024, 3, 15)
THREE = datetime(2024, 3, 15, 15, tzinfo=UTC)
"""Eleven in the morning in New York."""


@pytest.fixture
def yahoo() -> Iterator[Yahoo]:
    with serving() as server:
        yield server


def source(yahoo: Yahoo, state: Path, *tickers: str, clock: Clock | None = None, **changes: Any) -> YahooSource:
    connection = connected(yahoo, state, clock or after(DAY))
    return yahoo_source(yahoo, state, *(tickers or ("AAA",)), connection=connection, **changes)


def landed(source: YahooSource, session: date = DAY, **changes: Any) -> pl.DataFrame:
    return RAW_NEWS.check(source.news(session, session, **{"history": False} | changes))


def visit_is_over(state: Path, clock: Clock) -> None:
    """Let what was kept be older than anybody reuses."""
    for folder in (state / "visits").iterdir():
        os.utime(folder, (clock.at - 86_400, clock.at - 86_400))


def told(raw: pl.DataFrame, *listed: str, known: pl.DataFrame | None = None) -> pl.DataFrame:
    """The articles of landings, as known at the day's decision."""
    moment = Moment(
        session=DAY,
        since=DAY,
        as_of=exchange_sessions().close_at(DAY) + timedelta(minutes=20),
        seed=0,
        versions={},
        calendar=exchange_sessions(),
    )
    names = pl.concat(instruments(ticker) for ticker in (listed or ("AAA",)))
    known = NEWS_ARTICLES.empty() if known is None else known
    return NEWS_ARTICLES.check(articles(raw, known, names, moment, IngestionParams()))


def read(*items: dict[str, Any], **asked: object) -> pl.DataFrame:
    """The articles of one stream about AAA."""
    asked = {"tickers": "AAA", "exchange": "XNYS"} | asked
    return told(news_landing([stream(*items).body], session=DAY, form="yahoo-news", asked=asked), "AAA", "BRK.B")


# ---- what is asked and landed


def test_a_stream_lands_byte_for_byte_with_its_request_and_becomes_articles(yahoo: Yahoo, tmp_path: Path) -> None:
    yahoo.streams["AAA"] = stream(story(), {"id": "ad", "ad": [1]})
    raw = landed(source(yahoo, tmp_path, "AAA", "BRK.B", benchmark_ticker="SPY"))
    assert yahoo.news_of == ["AAA", "BRK-B"], "the benchmark is compared with, nobody reads about it"
    first = raw.sort("request").row(0, named=True)
    assert first["payload"] == yahoo.streams["AAA"].body
    asked = json.loads(first["request"])
    assert (asked["symbol"], asked["tickers"], asked["until"]) == ("AAA", "AAA", "2024-03-15")
    assert "/xhr/ncp" in asked["url"] and "crumb" not in asked["url"]
    row = told(raw).row(0, named=True)
    assert (row["title"], row["tickers"], row["source"]) == ("Alpha opens a plant", ["AAA"], "yahoo")
    assert (row["published_at"], row["url"]) == (THREE, "https://finance.yahoo.com/news/a-0001.html")
    assert row["body"] == "It employs two hundred people."


def test_a_landing_says_when_its_answer_came(yahoo: Yahoo, tmp_path: Path) -> None:
    clock = after(DAY)
    began = clock.now()
    raw = landed(source(yahoo, tmp_path, "AAA", "BBB", clock=clock, requests_per_minute=60.0))
    moments = [at.timestamp() for at in raw["fetched_at"]]
    assert all(began <= at <= clock.now() for at in moments)
    assert raw["fetched_at"].dtype.time_zone == "UTC"  # type: ignore[attr-defined]


def test_news_speaks_of_the_present_alone(yahoo: Yahoo, tmp_path: Path) -> None:
    asking = source(yahoo, tmp_path)
    before = exchange_sessions().previous(DAY)
    assert landed(asking, before).is_empty() and yahoo.news_of == []
    assert asking.news(before, DAY, history=True).height == 1, "a first load begins with today's news"


def test_none_asks_for_none(yahoo: Yahoo, tmp_path: Path) -> None:
    assert landed(source(yahoo, tmp_path, news="none")).is_empty()
    assert yahoo.asked == []


def test_the_same_question_within_the_visit_is_not_put_again_and_lands_the_same_rows(
    yahoo: Yahoo, tmp_path: Path
) -> None:
    yahoo.streams["AAA"] = stream(story())
    first = landed(source(yahoo, tmp_path))
    clock = after(DAY, 40)
    assert landed(source(yahoo, tmp_path, clock=clock)).equals(first)
    visit_is_over(tmp_path, clock)
    landed(source(yahoo, tmp_path, clock=clock))
    assert yahoo.news_of == ["AAA", "AAA"]


def test_a_search_is_asked_anew_although_the_library_remembers_it(yahoo: Yahoo, tmp_path: Path) -> None:
    clock = after(DAY)
    asking = source(yahoo, tmp_path, clock=clock, news="search")
    landed(asking)
    yahoo.searches["AAA"] = Answer('{"news": [{"title": "Alpha wins", "providerPublishTime": 1710514800}]}')
    visit_is_over(tmp_path, clock)
    assert "Alpha wins" in landed(asking)["payload"][0]


# ---- what can go wrong on the way


def test_news_that_cannot_be_had_is_landed_as_a_failure_and_the_other_tickers_come(
    yahoo: Yahoo, tmp_path: Path
) -> None:
    yahoo.streams["BBB"] = stream(story("Beta opens a plant"))
    yahoo.streams["AAA"] = IN_TROUBLE
    raw = landed(source(yahoo, tmp_path, "AAA", "BBB", patience_minutes=5.0))
    failure = raw.filter(format="failure").row(0, named=True)
    assert (json.loads(failure["request"])["symbol"], json.loads(failure["payload"])["rule"]) == ("AAA", UNREACHABLE)
    assert told(raw, "AAA", "BBB")["tickers"].to_list() == [["BBB"]]
    assert validate_articles(raw, exchange_sessions()).bad["rule"].to_list() == [UNREACHABLE]


def test_too_many_requests_are_told_with_how_many_tickers_were_left_out(yahoo: Yahoo, tmp_path: Path) -> None:
    yahoo.news_faults = [TOO_MANY] * 10
    raw = landed(source(yahoo, tmp_path, "AAA", "BBB", "CCC"))
    said = json.loads(raw["payload"][0])
    assert (raw.height, said["rule"]) == (1, LIMITED)
    assert "3 of 3 tickers were not asked for news, the first is AAA" in said["error"]


def test_nobody_waits_for_news_of_a_server_that_has_just_not_answered_for_prices(tmp_path: Path) -> None:
    with serving() as gone:
        pass
    clock = after(DAY)
    asking = source(gone, tmp_path, "AAA", "BBB", clock=clock, patience_minutes=30.0)
    asking.prices(DAY, DAY, history=False)
    waited = clock.now()
    assert set(landed(asking)["format"]) == {"failure"}
    assert clock.now() - waited < 60


def test_a_failure_of_news_is_told_on_the_health_report(yahoo: Yahoo, tmp_path: Path) -> None:
    yahoo.charts["AAA"] = daily("AAA")
    yahoo.news_faults = [Answer("<html>consent</html>", content_type="text/html")]
    runner = yahoo_runner(tmp_path / "lake", source(yahoo, tmp_path / "state"))
    for name in ("land_prices", "land_news", "instruments", "actions", "prices", "quarantine", "report"):
        runner.run_stage(find_stage(name), DAY)
    health = runner.lake.read(SYSTEM_HEALTH).filter(service="market_prices", check="quarantined")
    assert "the payload is Yahoo's news" in health["message"][0]


# ---- the vendor's traps


@pytest.mark.parametrize(
    ("published", "expected"),
    [
        ("2024-03-15T15:00:00Z", THREE),
        ("2024-03-15T11:00:00-04:00", THREE),
        ("Fri, 15 Mar 2024 11:00:00 -0400", THREE),
        (1_710_514_800, THREE),
        ("1710514800", THREE),
        (1_710_514_800_000, THREE),
        (1_710_514_800.0, THREE),
    ],
)
def test_a_publication_is_read_as_text_as_seconds_and_as_milliseconds(published: object, expected: datetime) -> None:
    assert read(story(published=published))["published_at"].to_list() == [expected]


@pytest.mark.parametrize(
    ("published", "rule"),
    [
        (None, "publication time is present"),
        ("", "publication time is present"),
        ("2024-03-15T15:00:00", "publication time has a zone"),
        ("yesterday", "publication time is readable"),
        (True, "publication time is readable"),
        ([1_710_514_800], "publication time is readable"),
        (1e300, "publication time is readable"),
        ("2124-03-15T15:00:00Z", "published before the session after the landing ended"),
        (0, "publication lies within the calendar"),
    ],
)
def test_an_article_without_a_sound_publication_is_set_aside(published: object, rule: str) -> None:
    raw = news_landing([stream(story(published=published)).body], session=DAY, form="yahoo-news")
    judged = validate_articles(raw, exchange_sessions())
    assert judged.good.is_empty() and judged.bad["rule"].to_list() == [rule]


def test_of_an_article_shown_again_later_the_later_moment_counts() -> None:
    row = read(story(displayTime="2024-03-15T16:30:00Z")).row(0, named=True)
    assert row["published_at"] == THREE + timedelta(minutes=90)
    assert read(story(displayTime="2024-03-15T14:00:00Z"))["published_at"].to_list() == [THREE]
    assert read(story(displayTime="soon"))["published_at"].to_list() == [THREE]


def test_what_was_published_after_the_close_counts_for_the_next_session() -> None:
    assert read(story(published="2024-03-15T20:30:00Z")).is_empty(), "it waits in its landing"


@pytest.mark.parametrize(
    ("link", "expected"),
    [
        ({"url": "/news/a.html"}, "https://finance.yahoo.com/news/a.html"),
        ({"url": "//wire.example/a"}, "https://wire.example/a"),
        ({"url": "javascript:alert(1)"}, None),
        ({"url": "data:text/html,x"}, None),
        ({"url": "http://[half"}, None),
        ({"url": 7}, None),
        ("https://a.example", None),
        (None, None),
    ],
)
def test_a_link_is_absolute_and_of_the_web_or_left_out(link: object, expected: str | None) -> None:
    row = read(story(canonicalUrl=link)).row(0, named=True)
    assert (row["url"], row["title"]) == (expected, "Alpha opens a plant")


def test_an_article_without_an_id_is_known_by_its_words_and_its_time() -> None:
    nameless = story()
    del nameless["id"], nameless["content"]["id"]
    assert read(nameless, story()).height == 1


def test_entities_and_tags_become_the_signs_they_stand_for() -> None:
    row = read(story("AT&amp;T &#39;beats&#x27; &lt;R&D&gt;", summary="<p>Up &amp; away</p>")).row(0, named=True)
    assert (row["title"], row["body"]) == ("AT&T 'beats' <R&D>", "Up & away")


def test_an_article_of_others_is_about_them_and_not_about_whose_stream_it_stands_in() -> None:
    others = story(finance={"stockTickers": [{"symbol": "BRK-B"}, {"symbol": "^GSPC"}, {"symbol": None}, 3]})
    assert read(others)["tickers"].to_list() == [["BRK.B"]]
    assert read(story())["tickers"].to_list() == [["AAA"]]


def test_an_article_of_a_search_that_names_no_ticker_is_about_whom_its_title_names() -> None:
    found = {"uuid": "1", "providerPublishTime": 1_710_514_800, "link": "https://a.example/"}
    general, named = found | {"title": "Stocks fall"}, found | {"title": "Sales of $AAA rise"}
    raw = news_landing([json.dumps({"news": [general, named]})], session=DAY, form="yahoo-news", asked={"tickers": ""})
    about = dict(told(raw).select("title", "tickers").iter_rows())
    assert about == {"Stocks fall": [], "Sales of $AAA rise": ["AAA"]}


@pytest.mark.parametrize("payload", ['{"data": {"tickerStream": {"stream": []}}}', '{"news": []}', "[]"])
def test_an_empty_page_is_no_article_and_no_fault(payload: str) -> None:
    judged = validate_articles(news_landing([payload], session=DAY, form="yahoo-news"), exchange_sessions())
    assert judged.good.is_empty() and judged.bad.is_empty()


def test_an_item_that_is_no_item_costs_itself_alone() -> None:
    odd: list[Any] = [None, 7, {}, {"content": []}, {"content": {"title": None}}]
    raw = news_landing([stream(*odd, story()).body], session=DAY, form="yahoo-news", asked={"tickers": "AAA"})
    assert told(raw)["title"].to_list() == ["Alpha opens a plant"]
    assert validate_articles(raw, exchange_sessions()).bad.height == 3, "what is not even an object holds no article"


# ---- one story, once


def test_a_story_of_several_streams_is_one_article_about_all_of_them() -> None:
    raw = pl.concat(
        news_landing([stream(story()).body], session=DAY, form="yahoo-news", asked={"tickers": ticker})
        for ticker in ("AAA", "BBB")
    )
    assert told(raw, "AAA", "BBB")["tickers"].to_list() == [["AAA", "BBB"]]


def test_a_story_of_yahoo_a_feed_and_a_wire_is_one_article() -> None:
    title = "Alpha opens a plant"
    theirs = story(title, finance={"stockTickers": [{"symbol": "AAA"}, {"symbol": "BBB"}]})
    later = "Fri, 15 Mar 2024 15:20:00 GMT"
    wired = told_by_a_wire(title="ALPHA opens  a plant", published_at="2024-03-15T15:45:00+00:00")
    raw = pl.concat(
        [
            news_landing([stream(theirs).body], session=DAY, form="yahoo-news", source="yahoo"),
            news_landing([feed(item(title, later))], session=DAY, form="rss", source="rss-a", asked={"tickers": "AAA"}),
            news_landing([feed(item(title, later))], session=DAY, form="rss", source="rss-b"),
            news_landing([wired], session=DAY),
        ]
    )
    found = told(raw, "AAA", "BBB")
    assert found.select("source", "tickers").rows() == [("yahoo", ["AAA", "BBB"])]
    known = found.with_columns(session=pl.lit(exchange_sessions().previous(DAY)))
    again = news_landing([feed(item(title, later))], session=DAY, form="rss", asked={"tickers": "BBB"})
    assert told(again, "AAA", "BBB", known=known).is_empty(), "the next day it is known"


def test_a_repeat_about_a_further_ticker_is_kept() -> None:
    raw = pl.concat(
        [
            news_landing([told_by_a_wire(published_at=THREE.isoformat())], session=DAY),
            news_landing(
                [told_by_a_wire(published_at=(THREE + timedelta(hours=1)).isoformat(), tickers="AAA,BBB")], session=DAY
            ),
        ]
    )
    assert sorted(told(raw, "AAA", "BBB")["tickers"].to_list()) == [["AAA"], ["AAA", "BBB"]]


# ---- recorded exchanges


@pytest.mark.skipif(not SEARCHES, reason="NEXTGEN_YAHOO_RECORDINGS names no folder with recorded searches")
def test_every_recorded_article_arrives_with_its_time_and_its_own_tickers(tmp_path: Path) -> None:
    items = [
        {**one, "searched": symbol}
        for symbol, answer in SEARCHES.items()
        for one in json.loads(answer.body).get("news") or []
    ]
    last = max(datetime.fromtimestamp(one["providerPublishTime"], UTC) for one in items)
    calendar = exchange_sessions()
    session = calendar.at_or_after(last.date())
    at = calendar.close_at(session) + timedelta(minutes=30)
    symbols = [symbol for symbol in SEARCHES if symbol.isascii() and symbol.isalnum()]
    with serving(Yahoo(searches=SEARCHES)) as yahoo:
        connection = connected(yahoo, tmp_path, Clock(at))
        asking = yahoo_source(yahoo, tmp_path, *symbols, connection=connection, news="search", screener="")
        raw = asking.news(session, session, history=True)
    assert sorted(yahoo.news_of) == sorted(symbols)
    assert sorted(raw["payload"]) == sorted(SEARCHES[symbol].body for symbol in symbols)
    good = validate_articles(raw, calendar).good
    expected = {
        (one["title"].strip(), datetime.fromtimestamp(one["providerPublishTime"], UTC), one["link"])
        for one in items
        if one["searched"] in symbols
    }
    assert set(good.select("title", "published_at", "url").iter_rows()) == expected
    own = {
        one["title"].strip(): {t.replace("-", ".") if t == "BRK-B" else t for t in one.get("relatedTickers") or []}
        for one in items
    }
    assert all(set(tickers.split()) == own[title] for title, tickers in good.select("title", "tickers").iter_rows())

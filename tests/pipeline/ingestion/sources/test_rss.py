"""Feeds: fetched within bounds, landed byte for byte, read strictly; and Yahoo's news."""

from __future__ import annotations

import json
from collections.abc import Iterator
from dataclasses import replace
from datetime import UTC, datetime, timedelta
from pathlib import Path
from typing import Any

import polars as pl
import pytest

from lake.tables.news import NEWS_ARTICLES, RAW_NEWS
from pipeline.ingestion.news.articles import articles, validate_articles
from pipeline.ingestion.params import IngestionParams
from pipeline.ingestion.sources.registry import SourceParams, open_source
from pipeline.ingestion.sources.rss.fetch_feed import Fetcher
from pipeline.ingestion.sources.rss.params import Feed, RssParams
from pipeline.ingestion.sources.rss.source import Feeds, WithFeeds
from pipeline.ingestion.sources.simulated.params import SimulatedParams
from tests.frames.market import CALENDAR, DAY, instruments, moment
from tests.frames.news import NOON, news_landing
from tests.loopback.rss import PUBLISHED, Page, Site, feed, item, serving
from tests.nextgen_tui.hostile import HOSTILE

EVENING = (CALENDAR.close_at(DAY) + timedelta(hours=1)).timestamp()


@pytest.fixture
def site() -> Iterator[Site]:
    with serving() as running:
        yield running


class Clock:
    """A clock that stands until a test moves it."""

    def __init__(self) -> None:
        self.at = EVENING

    def __call__(self) -> float:
        return self.at


def feeds(site: Site, folder: Path, *paths: str, clock: Clock | None = None, **changes: Any) -> Feeds:
    clock = clock or Clock()
    named = tuple(Feed(name=f"f{n}", url=site.base_url + path) for n, path in enumerate(paths or ("/",)))
    fetcher = Fetcher(
        **{"folder": folder, "timeout": 5.0, "max_bytes": 100_000, "reuse": 300.0, "now": clock} | changes
    )
    return Feeds(RssParams(feeds=named), CALENDAR, fetcher, clock)


def told(raw: pl.DataFrame, **listed: str) -> pl.DataFrame:
    known = pl.concat([instruments("AAA"), *(instruments(t, name=n) for t, n in listed.items())])
    return NEWS_ARTICLES.check(articles(raw, NEWS_ARTICLES.empty(), known, moment(), IngestionParams()))


def landed(source: Feeds, **changes: Any) -> pl.DataFrame:
    return RAW_NEWS.check(source.news(DAY, DAY, **{"history": False} | changes))


def read(*items: str, **asked: object) -> pl.DataFrame:
    """The articles of a feed about AAA."""
    return told(news_landing([feed(*items)], form="rss", asked={"tickers": "AAA"} | asked))


def test_a_feed_lands_byte_for_byte_and_becomes_articles(site: Site, tmp_path: Path) -> None:
    document = feed(item("Änderung bei $AAA", description="Größe <b>zählt</b> &amp; mehr"))
    site.pages["/"] = Page(document.encode())
    raw = landed(feeds(site, tmp_path))
    assert raw.select("source", "format", "payload").row(0) == ("rss-f0", "rss", document)
    row = told(raw).row(0, named=True)
    assert (row["title"], row["body"], row["tickers"]) == ("Änderung bei $AAA", "Größe zählt & mehr", ["AAA"])
    assert (row["published_at"], row["source"]) == (NOON.astimezone(UTC), "rss-f0")


@pytest.mark.parametrize("stated", ["latin-1", "", "utf-7", "klingon", "hex"])
def test_another_encoding_comes_back_to_the_same_bytes(site: Site, tmp_path: Path, stated: str) -> None:
    data = feed(item("Größe"), head='<?xml version="1.0" encoding="iso-8859-1"?>').encode("latin-1")
    site.pages["/"] = Page(data, headers={"Content-Type": f"text/xml; charset={stated}" if stated else "text/xml"})
    raw = landed(feeds(site, tmp_path))
    assert raw["payload"][0].encode(json.loads(raw["request"][0])["encoding"]) == data
    if stated in ("latin-1", ""):
        assert told(raw)["title"].to_list() == ["Größe"]


def test_an_unchanged_feed_is_asked_for_conditionally_and_lands_the_same_row(site: Site, tmp_path: Path) -> None:
    clock = Clock()
    site.pages["/"] = Page(feed(item()).encode(), etag='"v1"', headers={"Last-Modified": PUBLISHED})
    source = feeds(site, tmp_path, clock=clock)
    first = landed(source)
    clock.at += 60
    assert landed(source).equals(first)
    assert len(site.asked) == 1  # asked a minute ago
    clock.at += 600
    assert landed(source).equals(first)
    assert site.asked[1][1]["if-none-match"] == '"v1"'
    assert site.asked[1][1]["if-modified-since"] == PUBLISHED
    site.pages["/"] = Page(feed(item("News")).encode(), etag='"v2"')
    clock.at += 600
    assert landed(source)["payload_id"][0] != first["payload_id"][0]


def test_the_servers_own_freshness_is_respected_up_to_an_hour(site: Site, tmp_path: Path) -> None:
    clock = Clock()
    site.pages["/"] = Page(feed(item()).encode(), headers={"Cache-Control": "public, max-age=999999"})
    source = feeds(site, tmp_path, clock=clock)
    landed(source)
    clock.at += 3_500
    landed(source)
    assert len(site.asked) == 1
    clock.at += 200
    landed(source)
    assert len(site.asked) == 2


def test_damage_to_what_was_kept_costs_a_request_and_nothing_else(site: Site, tmp_path: Path) -> None:
    site.pages["/"] = Page(feed(item()).encode())
    source = feeds(site, tmp_path)
    landed(source)
    for path in tmp_path.glob("*.json"):
        path.write_text("{")
    assert landed(source)["format"].to_list() == ["rss"]


PAGES = {
    "missing": (Page(b"", 404), "the server answers with a feed"),
    "in trouble": (Page(b"", 503), "the server answers with a feed"),
    "too large": (Page(b"x" * 200_000), "the feed is not too large"),
    "unpacks to too much": (Page(b"x" * 5_000_000, zipped=True), "the feed is not too large"),
    "broken packing": (Page(b"x", headers={"Content-Encoding": "gzip"}), "the server answers with a feed"),
    "unknown packing": (Page(b"x", headers={"Content-Encoding": "br"}), "the server answers with a feed"),
    "to a file": (Page(b"", 302, {"Location": "file:///etc/passwd"}), "the feed can be reached"),
    "to another protocol": (Page(b"", 302, {"Location": "ftp://127.0.0.1:9/x"}), "the feed can be reached"),
    "in circles": (Page(b"", 302, {"Location": "/"}), "the feed can be reached"),
    "cut short": (Page(b"x", headers={"Content-Length": "50"}), "the feed can be reached"),
    "html": (Page(b"<html><body>Sign in</body></html>"), "the payload is a feed"),
    "empty": (Page(b""), "the payload is a feed"),
    "binary": (Page(bytes(range(256))), "the payload is a feed"),
}


@pytest.mark.parametrize("name", PAGES)
def test_a_feed_that_cannot_be_had_is_set_aside_by_a_named_rule_and_the_others_come(
    site: Site, tmp_path: Path, name: str
) -> None:
    page, rule = PAGES[name]
    site.pages |= {"/": page, "/good": Page(feed(item()).encode())}
    raw = landed(feeds(site, tmp_path, "/", "/good"))
    assert validate_articles(raw, CALENDAR).bad["rule"].to_list() == [rule]
    assert told(raw)["source"].to_list() == ["rss-f1"]


def test_a_server_that_drips_or_is_not_there_is_given_up(site: Site, tmp_path: Path) -> None:
    site.pages["/"] = Page(feed(item()).encode(), drip=0.05)
    began = datetime.now(UTC)
    raw = landed(feeds(site, tmp_path, timeout=0.3))
    assert datetime.now(UTC) - began < timedelta(seconds=8), "all of it would take longer"
    assert validate_articles(raw, CALENDAR).bad["rule"].to_list() == ["the feed can be reached"]
    away = Feeds(RssParams(feeds=(Feed(name="a", url="http://127.0.0.1:9/"),)), CALENDAR,
                 Fetcher(folder=tmp_path, timeout=1.0, max_bytes=1_000, reuse=0.0), Clock())  # fmt: skip
    assert landed(away)["format"].to_list() == ["failure"]


def test_feeds_speak_of_the_present_alone(site: Site, tmp_path: Path) -> None:
    site.pages["/"] = Page(feed(item()).encode())
    source = feeds(site, tmp_path)
    before = CALENDAR.previous(DAY)
    assert source.news(before, before, history=False).is_empty()
    assert site.asked == []
    assert source.news(before, DAY, history=True).height == 1


@pytest.mark.parametrize(
    ("published", "rule"),
    [
        (None, "publication time is present"),
        ("Wed, 04 Mar 2020 12:00:00", "publication time has a zone"),
        ("Wed, 04 Mar 2020 12:00:00 -0000", "publication time has a zone"),
        ("2020-03-04T12:00:00", "publication time has a zone"),
        ("soon", "publication time is readable"),
        ("Wed, 04 Mar 2099 12:00:00 GMT", "published before the session after the landing ended"),
        ("0001-01-01T00:00:00+23:59", "publication lies within the calendar"),
    ],
)
def test_an_item_without_a_sound_time_is_set_aside(published: str | None, rule: str) -> None:
    raw = news_landing([feed(item(published=published))], form="rss")
    assert validate_articles(raw, CALENDAR).bad["rule"].to_list() == [rule]


@pytest.mark.parametrize("published", ["Wed, 04 Mar 2020 12:00:00 EST", "2020-03-04T17:00:00Z", "4 Mar 2020 17:00 GMT"])
def test_times_are_read_with_their_zone(published: str) -> None:
    assert read(item(published=published))["published_at"].to_list() == [NOON.astimezone(UTC)]


def test_of_an_updated_atom_entry_the_update_is_when_its_words_were_public() -> None:
    entry = (
        '<feed xmlns="http://www.w3.org/2005/Atom"><entry><title type="html">Alpha &lt;b&gt;wins&lt;/b&gt;</title>'
        '<link href="https://news.example/a"/><id>a</id><published>2020-03-04T12:00:00Z</published>'
        "<updated>2020-03-04T20:30:00Z</updated><summary>More</summary></entry></feed>"
    )
    row = told(news_landing([entry], form="rss", asked={"tickers": "AAA"})).row(0, named=True)
    assert (row["title"], row["url"]) == ("Alpha wins", "https://news.example/a")
    assert row["published_at"] == datetime(2020, 3, 4, 20, 30, tzinfo=UTC)


def test_the_same_story_of_two_feeds_and_a_wire_is_one_article() -> None:
    wire = news_landing(
        [json.dumps({"published_at": NOON.isoformat(), "title": "ALPHA opens a plant!", "tickers": "AAA"})]
    )
    raws = [
        news_landing([feed(item())], form="rss", source=f"rss-{name}", asked={"tickers": "AAA"}) for name in ("a", "b")
    ]
    assert told(pl.concat([wire, *raws])).height == 1


def test_a_feed_that_is_a_bomb_or_asks_for_files_gives_nothing_of_them() -> None:
    layers = "".join(f'<!ENTITY e{n} "{f"&e{n - 1};" * 10}">' for n in range(1, 9))
    bomb = f'<?xml version="1.0"?><!DOCTYPE x [<!ENTITY e0 "lol">{layers}]>' + feed(item("&e8;"), head="")
    bomb = bomb.replace("&amp;e8;", "&e8;")
    spy = '<?xml version="1.0"?><!DOCTYPE x [<!ENTITY f SYSTEM "file:///etc/passwd">]>' + feed(
        item().replace("Alpha opens", "&f;"), head=""
    )
    for document in (bomb, spy):
        raw = news_landing([document], form="rss", asked={"tickers": "AAA"})
        assert told(raw).is_empty()
        assert validate_articles(raw, CALENDAR).bad["rule"].to_list() == ["the feed declares no entities of its own"]


@pytest.mark.parametrize("number", range(len(HOSTILE)))
def test_hostile_text_lands_as_it_is_and_is_bounded_as_an_article(site: Site, tmp_path: Path, number: int) -> None:
    text = HOSTILE[number].encode("utf-8", "replace").decode()
    document = feed(item(text, description=f"<![CDATA[{text}]]>"))
    site.pages["/"] = Page(document.encode())
    raw = landed(feeds(site, tmp_path, max_bytes=10_000_000))
    assert raw["payload"].to_list() == [document]
    judged = validate_articles(raw, CALENDAR)
    assert judged.good.height + judged.bad.height >= 1
    rows = told(raw)
    assert rows["title"].str.len_chars().max() in (None, *range(1_001))
    assert not rows["title"].str.contains("\0", literal=True).any()


@pytest.mark.parametrize(
    ("title", "tickers"),
    [
        ("$AAA jumps", ["AAA"]),
        ("Pays $AAA.x and US$AAA", []),
        ("Beta (NYSE: BBB) and Gamma (Nasdaq:CCC) merge", ["BBB", "CCC"]),
        ("Acme Rockets' profit rises", ["BBB"]),
        ("Acme Rockets's profit rises", ["BBB"]),
        ("acme rockets are toys", []),
        ("Rockets by Acme", []),
        ("Zetacorp to buy Acme Rockets", ["BBB", "CCC"]),
        ("Target raised for Zetacorp", ["CCC"]),
        ("ZZZ and $ZZZ and (NYSE: ZZZ)", []),
    ],
)
def test_a_title_is_searched_for_companies_where_the_source_names_none(title: str, tickers: list[str]) -> None:
    raw = news_landing([feed(item(title))], form="rss")
    rows = told(raw, BBB="Acme Rockets Holdings, Inc.", CCC="Zetacorp PLC", TGT="Target Corporation")
    assert rows["tickers"].to_list() == [tickers]


def test_what_a_source_says_an_article_is_about_stands() -> None:
    assert read(item("Zetacorp to buy $BBB"))["tickers"].to_list() == [["AAA"]]


def test_yahoos_news_is_read_in_each_of_its_shapes() -> None:
    content = {
        "title": "Alpha wins",
        "summary": "<p>It does.</p>",
        "pubDate": "2020-03-04T17:00:00Z",
        "canonicalUrl": {"url": "https://finance.example/a"},
        "finance": {"stockTickers": [{"symbol": "AAA"}, {"symbol": None}, 3]},
    }
    stream = [{"id": "1", "content": content}, {"id": "2", "ad": [1], "content": content}, 7]
    found = {"uuid": "1", "title": "Alpha wins", "link": "https://finance.example/a", "relatedTickers": ["AAA"]}
    found |= {"providerPublishTime": int(NOON.timestamp()), "summary": "It does."}
    for payload in ({"data": {"tickerStream": {"stream": stream}}}, stream, {"news": [found], "quotes": []}):
        row = told(news_landing([json.dumps(payload)], form="yahoo-news")).row(0, named=True)
        assert (row["title"], row["body"], row["tickers"]) == ("Alpha wins", "It does.", ["AAA"])
        assert (row["published_at"], row["url"]) == (NOON.astimezone(UTC), "https://finance.example/a")


@pytest.mark.parametrize(
    ("payload", "rule"),
    [
        ("{", "the payload is Yahoo's news"),
        ("[" * 90_000, "the payload is Yahoo's news"),
        ('{"finance": {"error": "Unauthorized"}}', "the payload is Yahoo's news"),
        ('[{"content": {"title": "A", "pubDate": null}}]', "publication time is present"),
        ('[{"content": {"title": "A"}}]', "publication time is present"),
        ('[{"title": "A", "providerPublishTime": 1e400}]', "publication time is readable"),
        ('[{"title": "A", "providerPublishTime": 99999999999999999}]', "publication time is readable"),
        ('[{"content": {"pubDate": "2020-03-04T17:00:00Z"}}]', "title is present"),
        ('[{"content": {"title": {"a": 1}, "pubDate": "2020-03-04T17:00:00Z"}}]', "title is present"),
    ],
)
def test_yahoos_news_fails_closed(payload: str, rule: str) -> None:
    judged = validate_articles(news_landing([payload], form="yahoo-news"), CALENDAR)
    assert judged.good.is_empty()
    assert judged.bad["rule"].to_list() == [rule]


def test_feeds_join_whichever_source_brings_the_prices(
    site: Site, tmp_path: Path, monkeypatch: pytest.MonkeyPatch
) -> None:
    monkeypatch.setenv("NEXTGEN_STATE", str(tmp_path))
    market = SimulatedParams(names=4, first_session="2019-01-02", history_sessions=30)
    params = SourceParams(simulated=market, rss=RssParams(feeds=(Feed(name="a", url=f"{site.base_url}/"),)))
    source = open_source(params, CALENDAR)
    assert isinstance(source, WithFeeds)
    plain = open_source(replace(params, rss=RssParams()), CALENDAR)
    assert (source.name, source.coverage()) == (plain.name, plain.coverage())
    first, _ = plain.coverage()
    assert source.news(first, first, history=False).equals(plain.news(first, first, history=False))

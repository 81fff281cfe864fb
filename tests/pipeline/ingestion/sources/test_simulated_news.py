"""Simulated news comes in time, says what it should with the reliability stated, and now and then is broken."""

from __future__ import annotations

from datetime import UTC, datetime, timedelta

import polars as pl

from pipeline.ingestion.sources.simulated.headlines import UNDATED
from pipeline.ingestion.sources.simulated.news import BROKEN
from tests.pipeline.ingestion.sources.markets import calendar, full_market, lines, market


def published(row: dict[str, str | None]) -> datetime | None:
    """The moment an article states, if it states one."""
    try:
        return datetime.fromisoformat(row["published_at"] or "")
    except ValueError:
        return None


def test_daily_fetches_bring_every_article_of_the_history_once() -> None:
    source = market()
    days = calendar().between(*source.coverage())
    daily = [row for day in days for row in lines(source.news(day, day, history=False))]
    assert daily == lines(source.news(days[0], days[-1], history=True))
    assert len({row["id"] for row in daily}) == len(daily)


def test_an_article_is_fetched_by_the_first_fetch_after_its_publication() -> None:
    source = market()
    for day in calendar().between(*source.coverage())[100:140]:
        after = calendar().close_at(calendar().previous(day)) + timedelta(minutes=15)
        until = calendar().close_at(day) + timedelta(minutes=15)
        for row in lines(source.news(day, day, history=False)):
            at = published(row)
            assert at is None or after < at.astimezone(UTC) <= until


def test_every_impulse_is_public_before_the_close_it_can_first_be_used_at() -> None:
    source = full_market()
    first, last = source.coverage()
    told = source.true_articles(first, last).filter(pl.col("impulse") != 0)
    days = calendar().between(first, last)
    for position, at in told.select("position", "published_at").head(2_000).iter_rows():
        if at not in UNDATED:
            assert datetime.fromisoformat(at) < calendar().close_at(days[position])


def test_wording_tells_the_sign_of_the_impulse_as_often_as_stated() -> None:
    source = full_market()
    told = source.true_articles(*source.coverage()).filter(pl.col("impulse") != 0)
    right = told.select((pl.col("impulse").sign() == pl.col("wording")).mean()).item()
    assert abs(right - source.params.news_reliability) < 0.02


def test_articles_are_about_listed_names_and_idle_ones_mean_nothing() -> None:
    source = full_market()
    told = source.true_articles(*source.coverage())
    assert set(told["about"].drop_nulls()) <= set(source.instruments.tickers)
    idle = told.filter(pl.col("wording") == 0)
    assert idle.height > 0.1 * told.height
    assert idle["impulse"].abs().max() == 0.0
    assert told.filter(pl.col("tickers").str.contains(" ")).height > 100


def test_stories_repeat_and_some_articles_are_broken_or_hostile() -> None:
    source = full_market()
    told = source.true_articles(*source.coverage())
    repeats = told.group_by("title").len().filter(pl.col("len") > 1)
    assert repeats.height > 0.1 * told.height
    undated = told.filter(pl.col("published_at").is_null() | pl.col("published_at").is_in(["", "yesterday"]))
    assert 0.2 * BROKEN < undated.height / told.height < 3 * BROKEN
    titles = told["title"]
    for sign in ("<script>", "\x1b", "\u202e", "\x00", "previous instructions", "[bold red]"):
        assert titles.str.contains(sign, literal=True).any(), repr(sign)
    assert int(titles.str.len_chars().max()) > 5_000


def test_a_good_headline_may_hold_a_negated_bad_word_and_the_reverse() -> None:
    told = full_market().true_articles(*full_market().coverage())
    assert told.filter((pl.col("wording") < 0) & pl.col("title").str.contains("fails to beat")).height > 10
    assert told.filter((pl.col("wording") > 0) & pl.col("title").str.contains("did not miss")).height > 10

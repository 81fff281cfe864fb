"""Attention goes to what is held, traded, in the news and on the move, in an order that never wavers."""

from __future__ import annotations

from datetime import timedelta
from typing import Any

import polars as pl
import pytest

from lake.tables.news import NEWS_ARTICLES
from pipeline.prediction import ranking
from pipeline.prediction.params import PredictionParams
from tests.frames.features import WITH_FEATURES
from tests.frames.feedback import Tables, at, run
from tests.frames.market import CALENDAR, DAY, digest
from tests.frames.predictions import holdings, universe


def articles(*about: list[str]) -> pl.DataFrame:
    published = CALENDAR.open_at(DAY) + timedelta(hours=1)
    rows = [
        {
            "article_id": digest("article", number),
            "session": DAY,
            "published_at": published,
            "available_at": published,
            "title": "something happened",
            "body": None,
            "url": None,
            "tickers": tickers,
            "source": "test",
            "payload_id": "0" * 64,
        }
        for number, tickers in enumerate(about)
    ]
    return pl.DataFrame(rows, schema=NEWS_ARTICLES.schema)


def moves(**returns: float | None) -> pl.DataFrame:
    rows = [
        {"feature_set": "f1", "session": DAY, "ticker": t, "return_1": r, "volatility_20": 0.02}
        for t, r in returns.items()
    ]
    absent = {name: pl.lit(None, pl.Float32) for name in WITH_FEATURES.columns if name not in rows[0]}
    frame = pl.DataFrame(rows).with_columns(**absent | {"complete": pl.lit(True)})
    return frame.cast({"return_1": pl.Float32, "volatility_20": pl.Float32}).select(*WITH_FEATURES.columns)


def ranked(tables: Tables, **params: Any) -> dict[str, dict[str, Any]]:
    rows = run(ranking.STAGE, tables, at(), PredictionParams(**params)).sort("rank")
    return {row["ticker"]: row for row in rows.to_dicts()}


def members(*tickers: str) -> pl.DataFrame:
    return universe(*({"ticker": ticker, "dollar_volume": 1e6 * (n + 1)} for n, ticker in enumerate(tickers)))


def test_the_most_traded_come_first_when_nothing_else_tells_them_apart() -> None:
    found = ranked({"ticker_universe": members("AAA", "BBB", "CCC")})
    assert list(found) == ["CCC", "BBB", "AAA"]
    assert [row["liquidity"] for row in found.values()] == [1.0, 0.5, 0.0]


def test_an_unusual_move_counts_in_either_direction_and_in_the_tickers_own_volatility() -> None:
    found = ranked(
        {"ticker_universe": members("AAA", "BBB", "CCC"), "feature_rows": moves(AAA=-0.1, BBB=0.01, CCC=0.02)}
    )
    assert {ticker: row["unusual"] for ticker, row in found.items()} == {"AAA": 1.0, "CCC": 0.5, "BBB": 0.0}


def test_newsworthy_is_the_share_of_the_sessions_articles_each_counted_once() -> None:
    tables = {"ticker_universe": members("AAA", "BBB"), "news_articles": articles(["AAA", "AAA"], ["AAA", "BBB"], [])}
    found = ranked(tables)
    assert found["AAA"]["newsworthy"] == pytest.approx(2 / 3)
    assert found["BBB"]["newsworthy"] == pytest.approx(1 / 3)


def test_the_score_is_the_sum_of_its_components() -> None:
    tables = {
        "ticker_universe": members("AAA", "BBB"),
        "news_articles": articles(["AAA"]),
        "feature_rows": moves(AAA=0.1, BBB=0.0),
        "portfolio_holdings": holdings("AAA"),
    }
    for row in ranked(tables).values():
        assert row["score"] == pytest.approx(row["held"] + row["liquidity"] + row["newsworthy"] + row["unusual"])


def test_what_is_held_is_always_selected_even_outside_the_universe() -> None:
    tables = {"ticker_universe": members("AAA", "BBB", "CCC"), "portfolio_holdings": holdings("AAA", "ZZZ")}
    found = ranked(tables, max_tickers=1)
    assert {t for t, row in found.items() if row["selected"]} == {"AAA", "ZZZ"}
    assert {t for t, row in found.items() if row["held"]} == {"AAA", "ZZZ"}


def test_what_was_sold_before_the_last_session_is_no_longer_held() -> None:
    before = CALENDAR.offset(DAY, -2)
    sold = {"ticker_universe": members("AAA"), "portfolio_holdings": holdings("ZZZ", session=before)}
    assert list(ranked(sold)) == ["AAA"]


def test_no_more_than_asked_are_selected() -> None:
    found = ranked({"ticker_universe": members("AAA", "BBB", "CCC")}, max_tickers=2)
    assert [row["selected"] for row in found.values()] == [True, True, False]


def test_who_is_no_member_is_not_ranked() -> None:
    tables = {"ticker_universe": universe({"ticker": "AAA"}, {"ticker": "BBB", "member": False})}
    assert list(ranked(tables)) == ["AAA"]


def test_ties_are_broken_by_name() -> None:
    even = universe(*({"ticker": ticker} for ticker in ("CCC", "AAA", "BBB")))
    assert list(ranked({"ticker_universe": even})) == ["AAA", "BBB", "CCC"]


def test_an_empty_universe_gives_no_priorities() -> None:
    assert ranked({}) == {}

"""Nothing that was delivered is lost in silence."""

from __future__ import annotations

import polars as pl

from lake.tables.imports import RAW_IMPORTS
from lake.tables.market import CORPORATE_ACTIONS, FX_RATES, MARKET_PRICES, QUARANTINED_ROWS
from lake.tables.news import RAW_NEWS
from pipeline.ingestion.params import IngestionParams
from pipeline.ingestion.quarantine import quarantine
from tests.frames.market import CALENDAR, DAY, bar, instruments, landing, moment
from tests.frames.news import news_landing, story

PARAMS = IngestionParams()


def computed(raw_prices: pl.DataFrame, raw_news: pl.DataFrame | None = None) -> pl.DataFrame:
    news = RAW_NEWS.empty() if raw_news is None else raw_news
    rows = quarantine(
        QUARANTINED_ROWS.empty(),
        raw_prices,
        news,
        RAW_IMPORTS.empty(),
        MARKET_PRICES.empty(),
        instruments("AAA"),
        CORPORATE_ACTIONS.empty(),
        FX_RATES.empty(),
        moment(),
        PARAMS,
    )
    return QUARANTINED_ROWS.check(rows)


def test_faults_of_every_kind_are_kept_with_their_rule_and_target() -> None:
    raw = pl.concat(
        [
            landing(["{", bar(), bar(close="NaN")]),
            landing([{"ticker": "AAA", "kind": "gift"}], kind="actions"),
            landing([{"ticker": "A A"}], kind="listings"),
        ]
    )
    rows = computed(raw, news_landing([story(published_at=None), story()]))
    assert sorted(rows.select("target", "rule").rows()) == [
        ("corporate_actions", "kind is known"),
        ("instruments", "ticker is well-formed"),
        ("market_prices", "close is a finite number"),
        ("market_prices", "the line is readable"),
        ("news_articles", "publication time is present"),
    ]
    assert set(rows["session"]) == {DAY}
    assert rows["available_at"].min() == CALENDAR.close_at(DAY) + PARAMS.publication_lag(CALENDAR)


def test_a_row_is_kept_as_it_came_and_bounded() -> None:
    line = bar(ticker="x" * 300)
    row = computed(landing([line, "{" + "y" * 30_000])).sort("line")
    assert row["row"][0].startswith('{"ticker": "xxx')
    assert (len(row["ticker"][0]), len(row["row"][1]), row["ticker"][1]) == (200, 20_000, "")


def test_sound_rows_leave_nothing_behind() -> None:
    assert computed(landing([bar()])).is_empty()

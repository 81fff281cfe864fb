"""Features are a company's: they go on through a rename, and start anew where another company gets the ticker."""

from __future__ import annotations

from dataclasses import replace
from datetime import date, timedelta
from typing import Any

import polars as pl
import pytest

from lake.tables.features import FEATURE_WINDOWS
from lake.tables.market import CORPORATE_ACTIONS
from pipeline.features.params import FeatureParams
from pipeline.features.windows import windows
from tests.frames.features import CALENDAR, Market, action, as_of_session, moment, random_market, run

BARS = 130
DAYS = CALENDAR.days[:BARS]
TURN = DAYS[-4]
DAY_BEFORE = DAYS[-5]
FRAMES = ("market_prices", "ticker_universe", "news_sentiment")


@pytest.fixture(scope="module")
def market() -> Market:
    return random_market(4, BARS, seed=3)


def called(given: Market, old: str, new: str, since: date, until: date = DAYS[-1]) -> Market:
    """The market where a name is another one from a session on."""
    meant = (pl.col("ticker") == old) & pl.col("session").is_between(since, until)
    named = {
        name: getattr(given, name).with_columns(ticker=pl.when(meant).then(pl.lit(new)).otherwise("ticker"))
        for name in FRAMES
    }
    late = (pl.col("ticker") == old) & pl.col("ex_date").is_between(since, until)
    actions = given.corporate_actions.with_columns(ticker=pl.when(late).then(pl.lit(new)).otherwise("ticker"))
    listings = given.instruments.filter(ticker=old).with_columns(ticker=pl.lit(new))
    kept = given.instruments.filter(pl.col("ticker") != new)
    return replace(given, **named, corporate_actions=actions, instruments=pl.concat([kept, listings]))


def told(given: Market, *facts: dict[str, Any]) -> Market:
    rows = [action(fact.pop("ticker"), fact.pop("ex_date"), **fact) for fact in facts]
    return replace(given, corporate_actions=pl.concat([given.corporate_actions, *rows]))


def rename(old: str, new: str, day: date = TURN, **values: object) -> dict[str, Any]:
    return {
        "ticker": old,
        "ex_date": day,
        "kind": "rename",
        "successor": new,
        "numerator": None,
        "denominator": None,
    } | values


def values(rows: pl.DataFrame) -> pl.DataFrame:
    return rows.drop("ticker").sort(pl.all())


def test_features_go_on_under_a_new_name(market: Market) -> None:
    usual = run(market, DAYS[-1], DAY_BEFORE)
    renamed = told(called(market, "T001", "Z", TURN), rename("T001", "Z"))
    found = run(renamed, DAYS[-1], DAY_BEFORE)
    assert values(found).equals(values(usual))
    assert found.filter(ticker="Z")["session"].to_list() == list(DAYS[-4:])
    assert found.select("session", "ticker").equals(found.select("session", "ticker").sort("session", "ticker"))
    one_by_one = pl.concat([run(renamed.until(day), day) for day in DAYS[-5:]])
    assert one_by_one.equals(found)


def test_two_companies_that_change_names_on_a_day_keep_their_histories(market: Market) -> None:
    swapped = called(called(called(market, "T001", "Z", TURN), "T002", "T001", TURN), "Z", "T002", TURN)
    swapped = told(swapped, rename("T001", "T002"), rename("T002", "T001"))
    assert values(run(swapped, DAYS[-1], DAY_BEFORE)).equals(values(run(market, DAYS[-1], DAY_BEFORE)))


def test_another_company_that_gets_the_ticker_has_a_history_of_its_own(market: Market) -> None:
    ended = called(market, "T001", "T001X", TURN)
    end = {"ticker": "T001", "ex_date": DAY_BEFORE, "kind": "delisting", "amount": 1.0}
    apart = run(told(ended, dict(end)), DAYS[-1], TURN)
    recycled = run(told(market, dict(end)), DAYS[-1], TURN)
    assert recycled.with_columns(ticker=pl.col("ticker").replace("T001", "T001X")).equals(apart)
    assert recycled.filter(ticker="T001", session=TURN)["return_1"].to_list() == [None]


def test_a_rename_that_is_told_late_counts_from_the_session_that_could_know_it(market: Market) -> None:
    renamed = called(market, "T001", "Z", TURN)
    late = told(renamed, rename("T001", "Z", available_at=as_of_session(DAYS[-2]) - timedelta(minutes=1)))
    found = run(late, DAYS[-1], TURN).filter(ticker="Z")
    assert found["return_5"].is_null().to_list() == [True, True, False, False]


def test_runs_of_earlier_programs_start_anew_with_the_ticker(market: Market) -> None:
    renamed = told(called(market, "T001", "Z", TURN), rename("T001", "Z"))
    found = run(renamed, TURN, params=FeatureParams(securities=1))
    assert found.filter(ticker="Z")["return_1"].to_list() == [None]
    assert run(renamed, TURN).filter(ticker="Z")["return_1"].null_count() == 0


def test_a_window_holds_the_rows_of_its_company_under_any_name(market: Market) -> None:
    renamed = told(called(market, "T001", "Z", TURN), rename("T001", "Z"))
    rows = run(renamed, DAYS[-1], DAYS[-6])
    usual = run(market, DAYS[-1], DAYS[-6])
    params = FeatureParams(window=5)
    found = windows(rows, renamed.ticker_universe, renamed.corporate_actions, moment(DAYS[-1]), params)
    plain = windows(usual, market.ticker_universe, CORPORATE_ACTIONS.empty(), moment(DAYS[-1]), params)
    assert FEATURE_WINDOWS.check(found).filter(ticker="Z")["present"].to_list() == [5]
    assert sorted(found["window_hash"]) == sorted(plain["window_hash"])

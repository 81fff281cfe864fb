"""What is drawn of a ticker is the past of its company."""

from __future__ import annotations

from datetime import date

import polars as pl
import pytest

from lake.store import Lake
from lake.tables.market import CORPORATE_ACTIONS, MARKET_PRICES
from pipeline.reading.results.ticker_paths import closes_around, follow_closes, read_paths
from tests.frames.market import CALENDAR, actions, prices
from tests.nextgen_tui.lakes import publish

LAST = date(2022, 3, 1)
DAYS = CALENDAR.between(date(2022, 2, 14), LAST)
TURN = DAYS[5]


def test_a_path_goes_on_through_a_rename_and_leaves_out_who_had_the_ticker_before(lake: Lake) -> None:
    rows = [{"ticker": "OLD" if day < TURN else "NEW", "session": day, "close": 50.0} for day in DAYS]
    other = {"ticker": "NEW", "session": DAYS[0], "close": 7.0}
    publish(lake, MARKET_PRICES, prices(*rows, other), name="more")
    rename = {"ticker": "OLD", "ex_date": TURN, "kind": "rename", "successor": "NEW", "amount": None}
    publish(lake, CORPORATE_ACTIONS, actions(rename), name="told")
    paths = read_paths(lake, ["NEW", "ACME"], LAST)
    mine = paths.filter(ticker="NEW")
    assert mine["session"].to_list() == DAYS
    assert set(mine["close"]) == {50.0}
    assert mine["total_return"].to_list() == [None, *[pytest.approx(0.0)] * (len(DAYS) - 1)]
    assert paths.filter(ticker="ACME").height == 60


def test_a_split_is_a_step_of_the_close_and_none_of_what_a_holder_met() -> None:
    bars = prices(*({"session": day, "close": 100.0 if day < TURN else 50.0} for day in DAYS))
    split = {"ex_date": TURN, "kind": "split", "numerator": 2, "denominator": 1, "amount": None}
    changes = actions(split).with_columns(state=pl.lit("in effect"))
    around = closes_around(follow_closes(bars, changes), "AAA", TURN, sessions=3)
    assert around["session"].to_list() == DAYS[2:9]
    assert around["close"].to_list() == [100.0] * 3 + [50.0] * 4
    assert around["adjusted"].to_list() == [pytest.approx(50.0)] * 7
    withdrawn = follow_closes(bars, changes.with_columns(state=pl.lit("withdrawn")))
    assert closes_around(withdrawn, "AAA", TURN, sessions=3)["adjusted"].to_list() == [100.0] * 3 + [50.0] * 4


def test_closes_end_with_the_last_bar_and_there_are_none_of_a_ticker_without_bars() -> None:
    bars = prices(*({"session": day, "close": 100.0} for day in DAYS[:4]))
    daily = follow_closes(bars, actions().with_columns(state=pl.lit("in effect")))
    assert closes_around(daily, "AAA", DAYS[6], sessions=2)["session"].to_list() == DAYS[1:4]
    assert closes_around(daily, "ELSE", DAYS[2]).is_empty()

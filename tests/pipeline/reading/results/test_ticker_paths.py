"""What is drawn of a ticker is the past of its company."""

from __future__ import annotations

from datetime import date

import pytest

from lake.store import Lake
from lake.tables.market import CORPORATE_ACTIONS, MARKET_PRICES
from pipeline.reading.results.ticker_paths import read_paths
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

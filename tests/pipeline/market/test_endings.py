"""Where a company ended, its returns end."""

from __future__ import annotations

from datetime import timedelta

import polars as pl
import pytest

from pipeline.market.endings import daily_company_returns, forward_company_returns
from pipeline.market.returns import daily_total_returns, forward_total_returns
from tests.frames import market
from tests.frames.trading import CALENDAR, DAYS, bar, delisting, split


def test_no_return_leads_from_a_delisted_company_to_the_next_one_with_its_ticker() -> None:
    bars = [bar("GONE", DAYS[i], 8.0) for i in range(4)] + [bar("GONE", DAYS[i], 20.0) for i in range(7, 14)]
    prices = market.prices(*bars, calendar=CALENDAR)
    actions = market.actions(delisting("GONE", DAYS[4], 1.0), split("GONE", DAYS[9], 2, 1), calendar=CALENDAR)
    daily = daily_company_returns(prices, actions)
    returns = dict(daily.select("session", "total_return").iter_rows())
    assert returns[DAYS[7]] is None
    assert returns[DAYS[9]] == 1.0  # the split is the second company's
    ahead = forward_company_returns(prices, actions, (5,), CALENDAR)
    outcomes = dict(ahead.select("session", "forward_return").iter_rows())
    assert outcomes[DAYS[3]] == pytest.approx(1.0 / 8.0 - 1)
    assert outcomes[DAYS[7]] == pytest.approx(1.0)


@pytest.mark.parametrize("days_later", [1, 2, 3])
def test_a_delisting_on_any_day_ends_the_outcome_at_its_final_value(days_later: int) -> None:
    last = next(i for i in range(3, 12) if DAYS[i].weekday() == 4)
    bars = [bar("HALF", DAYS[i], 40.0) for i in range(last + 1)] + [bar("REST", DAYS[i], 40.0) for i in range(25)]
    prices = market.prices(*bars, calendar=CALENDAR)
    actions = market.actions(delisting("HALF", DAYS[last] + timedelta(days=days_later), 0.0), calendar=CALENDAR)
    ahead = forward_company_returns(prices, actions, (1, 5), CALENDAR).filter(pl.col("ticker") == "HALF")
    assert ahead.filter(session=DAYS[last])["forward_return"].to_list() == [-1.0, -1.0]


def test_without_a_second_company_the_returns_are_those_of_the_ticker() -> None:
    prices = market.prices(*[bar("ONE", DAYS[i], 10.0 + i) for i in range(9)], calendar=CALENDAR)
    actions = market.actions(split("ONE", DAYS[3], 3, 2), delisting("ONE", DAYS[10], 5.0), calendar=CALENDAR)
    daily = daily_total_returns(prices, actions)
    assert daily_company_returns(prices, actions).equals(daily)
    ends = actions.filter(pl.col("kind") == "delisting")
    ahead = forward_company_returns(prices, actions, (1, 5), CALENDAR)
    assert ahead.equals(forward_total_returns(daily, (1, 5), CALENDAR, ends))


def test_returns_and_outcomes_go_on_under_another_ticker_and_leave_out_who_had_it_before() -> None:
    bars = [bar("OLD", DAYS[i], 10.0) for i in range(11)] + [bar("NEW", DAYS[i], 12.0) for i in range(11, 16)]
    prices = market.prices(*bars, bar("NEW", DAYS[0], 3.0), calendar=CALENDAR)
    rename = {"ticker": "OLD", "ex_date": DAYS[11], "kind": "rename", "successor": "NEW"}
    actions = market.actions(rename, split("NEW", DAYS[13], 2, 1), calendar=CALENDAR)
    daily = daily_company_returns(prices, actions).filter(ticker="NEW")
    returns = dict(daily.select("session", "total_return").iter_rows())
    assert returns[DAYS[0]] is None
    assert returns[DAYS[11]] == pytest.approx(0.2)
    assert returns[DAYS[13]] == pytest.approx(1.0)
    ahead = forward_company_returns(prices, actions, (2,), CALENDAR).filter(session=DAYS[10])
    assert ahead.select("ticker", "forward_return").rows() == [("OLD", pytest.approx(0.2))]

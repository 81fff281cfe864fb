"""What the book stands to lose: at its stops, by sector beside the limit, and what lately was won and lost in money."""

from __future__ import annotations

from datetime import date
from decimal import Decimal

import polars as pl
import pytest

from lake.tables.books import PORTFOLIO_HOLDINGS, PORTFOLIO_VALUE
from lake.tables.trading import TRADE_PLANS
from pipeline.reading.results.plans import add_weights, planned_exposure
from pipeline.reading.risk import Limits, add_stops, recent_gains, sector_rows
from tests.nextgen_tui.lakes import rows

HELD = [
    {"ticker": "A", "sector": "Energy", "close": Decimal(100), "market_value": Decimal(60_000), "weight": 0.6},
    {"ticker": "B", "sector": "Health", "close": Decimal(50), "market_value": Decimal(20_000), "weight": 0.2},
    {"ticker": "C", "sector": "Energy", "close": Decimal(10), "market_value": Decimal(10_000), "weight": 0.1},
]
PLANNED = [
    {"ticker": "A", "sector": "Energy", "stop": 90.0, "side": "sell", "shares": 100, "taken": True, "close": 100.0},
    {"ticker": "B", "sector": "Health", "stop": 55.0, "side": "buy", "taken": False, "blocked_by": "cost_awareness"},
    {"ticker": "D", "sector": "Retail", "stop": 1.0, "side": "buy", "shares": 50, "taken": True, "close": 200.0},
]
COMMON = {"benchmark_weight": 0.25, "rate": None, "blocked_by": None}


@pytest.fixture
def plans() -> pl.DataFrame:
    return rows(TRADE_PLANS, *(COMMON | one for one in PLANNED))


def test_each_holding_tells_its_distance_to_the_stop_what_that_costs_and_what_is_done_next(plans: pl.DataFrame) -> None:
    told = add_stops(rows(PORTFOLIO_HOLDINGS, *HELD), plans)
    assert told.select("to_stop", "at_stop", "next").rows() == [
        (pytest.approx(0.1), pytest.approx(-6_000.0), "sell 100"),
        (pytest.approx(-0.1), 0.0, "no buy: cost awareness"),
        (None, None, None),
    ]


def test_a_sector_stands_beside_what_it_may_weigh(plans: pl.DataFrame) -> None:
    held = add_stops(rows(PORTFOLIO_HOLDINGS, *HELD), plans)
    beyond = sector_rows(held, plans, Limits(0.1, 0.15, beyond_benchmark=True))
    assert beyond.select("sector", "names", "weight", "limit").rows() == [
        ("Energy", 2, pytest.approx(0.7), pytest.approx(0.4)),
        ("Health", 1, pytest.approx(0.2), pytest.approx(0.4)),
    ]
    plain = sector_rows(held, plans, Limits(0.06, 0.3, beyond_benchmark=False))
    assert plain["limit"].to_list() == [0.3, 0.3]
    assert sector_rows(held, plans, None)["limit"].to_list() == [None, None]


def test_today_this_week_and_this_month_are_told_in_money() -> None:
    worth = {
        date(2022, 2, 25): 100,  # a Friday
        date(2022, 2, 28): 104,
        date(2022, 3, 1): 102,
        date(2022, 3, 2): 103,
    }
    value = [{"session": day, "nav": Decimal(nav), "capital": Decimal(90)} for day, nav in worth.items()]
    told = {
        one.name: (one.amount, round(one.share, 4), one.sessions) for one in recent_gains(rows(PORTFOLIO_VALUE, *value))
    }
    assert told == {
        "today": (Decimal(1), 0.0098, 1),
        "this week": (Decimal(3), 0.03, 3),
        "this month": (Decimal(-1), -0.0096, 2),
    }
    assert recent_gains(rows(PORTFOLIO_VALUE)) == ()


def test_the_first_session_is_held_against_the_capital() -> None:
    value = rows(PORTFOLIO_VALUE, {"session": date(2022, 3, 2), "nav": Decimal(99), "capital": Decimal(90)})
    assert [one.amount for one in recent_gains(value)] == [Decimal(9)] * 3


def test_an_order_tells_its_value_and_what_the_name_weighs_before_and_after(plans: pl.DataFrame) -> None:
    told = add_weights(plans, rows(PORTFOLIO_HOLDINGS, *HELD), 100_000.0)
    assert told.select("amount", "held", "after").rows() == [
        (10_000.0, 0.6, pytest.approx(0.5)),
        (None, 0.2, 0.2),
        (10_000.0, 0.0, pytest.approx(0.1)),
    ]
    judged = told.with_columns(verdict=pl.Series(["order", "refused", "vetoed"]))
    planned = planned_exposure(judged, 0.9)
    assert (planned.now, planned.after) == (0.9, pytest.approx(0.8))
    assert (planned.bought, planned.sold) == (0.0, 10_000.0)

"""Whatever ticker it has, a position is a share of one company: the book follows it and never another one."""

from __future__ import annotations

from datetime import date
from decimal import Decimal
from typing import Any

import polars as pl
import pytest

from lake.tables.feedback import FEEDBACK_METRICS
from lake.tables.market import INSTRUMENTS, TICKER_UNIVERSE
from lake.tables.predictions import PREDICTIONS
from tests.frames import market
from tests.frames.trading import (
    CALENDAR,
    DAYS,
    SETTLE,
    World,
    assert_reconciled,
    bar,
    bars_at,
    delisting,
    dividend,
    forecasts,
    free,
    members,
    skill,
    split,
)

D = DAYS
MILLION = Decimal("1000000.00")


def rename(old: str, new: str, ex_date: date) -> dict[str, Any]:
    row = {"ticker": old, "ex_date": ex_date, "kind": "rename", "successor": new}
    return row | {"numerator": None, "denominator": None, "amount": None}


def holding(*bars: dict[str, Any], **shares: int) -> World:
    given = World(*bars, params=free())
    for ticker, count in shares.items():
        given.order(D[0], ticker, "buy", count)
    return given


def shares_of(given: World) -> dict[str, int]:
    return {ticker: position.shares for ticker, position in given.book.positions.items()}


def test_a_company_that_takes_the_ticker_of_one_that_moves_on_the_same_day_gets_none_of_its_shares() -> None:
    given = holding(
        *bars_at("A", 10.0, 10.0, 10.0), *bars_at("B", 40.0, 40.0, 40.0),
        *bars_at("B", 10.0, 10.0, start=3), *bars_at("C", 40.0, 40.0, start=3), A=300, B=100,
    )  # fmt: skip
    given.act(rename("A", "B", D[3]), rename("B", "C", D[3]))
    given.settle_to(D[4])
    assert shares_of(given) == {"B": 300, "C": 100}
    assert given.value(D[4])["nav"] == MILLION
    assert_reconciled(given)


@pytest.mark.parametrize("told", [pytest.param(D[3], marks=pytest.mark.slow), D[5]])
def test_companies_that_swap_their_tickers_keep_their_own_shares_cost_and_age(told: date) -> None:
    given = holding(
        *bars_at("A", 10.0, 10.0, 10.0), *bars_at("B", 40.0, 40.0, 40.0),
        *bars_at("A", 40.0, 40.0, 40.0, 40.0, start=3), *bars_at("B", 10.0, 10.0, 10.0, 10.0, start=3), A=300,
    )  # fmt: skip
    given.order(D[1], "B", "buy", 100)
    known = {"available_at": CALENDAR.close_at(told)} if told > D[3] else {}
    given.act(rename("A", "B", D[3]) | known, rename("B", "A", D[3]) | known)
    given.settle_to(D[6])
    held = {ticker: (one.shares, one.cost, one.opened) for ticker, one in given.book.positions.items()}
    assert held == {"B": (300, 300_000, D[1]), "A": (100, 400_000, D[2])}
    assert given.value(D[6])["nav"] == MILLION
    assert_reconciled(given)


@pytest.mark.parametrize("told", [pytest.param(D[3], marks=pytest.mark.slow), D[5]])
def test_a_third_company_of_older_facts_that_comes_to_a_swapped_ticker_joins_who_has_it_then(told: date) -> None:
    given = holding(
        *bars_at("A", *[10.0] * 3), *bars_at("B", *[40.0] * 3), *bars_at("C", *[40.0] * 3),
        *bars_at("A", *[40.0] * 4, start=3), *bars_at("B", *[10.0] * 4, start=3), A=300, B=100, C=7,
    )  # fmt: skip
    known = {"available_at": CALENDAR.close_at(told)} if told > D[3] else {}
    given.act(*(rename(*pair, D[3]) | known for pair in ("AB", "BA", "CA")))
    given.settle_to(D[6])
    held = {ticker: (one.shares, one.cost) for ticker, one in given.book.positions.items()}
    assert held == {"B": (300, 300_000), "A": (107, 428_000)}
    assert given.value(D[6])["nav"] == MILLION
    assert_reconciled(given)


def test_a_rename_that_is_told_again_some_days_later_leaves_the_close_it_came_with() -> None:
    given = holding(*bars_at("A", 10.0, 10.0, 11.0), A=300)
    given.act(rename("A", "B", D[3]), rename("A", "B", D[4]), rename("A", "B", D[6]))
    given.settle_to(D[7])
    assert shares_of(given) == {"B": 300}
    assert {given.value(day)["nav"] for day in D[2:8]} == {MILLION + 300}
    assert_reconciled(given)


def test_an_order_decided_before_a_swap_of_tickers_is_one_of_its_own_company() -> None:
    given = holding(*bars_at("A", 10.0, 10.0), *bars_at("B", 40.0, 40.0), bar("A", D[2], 40.0), bar("B", D[2], 10.0))
    given.order(D[1], "A", "buy", 100)
    given.act(rename("A", "B", D[2]), rename("B", "A", D[2]))
    given.settle_to(D[2])
    assert shares_of(given) == {"B": 100}


def test_equal_weight_keeps_apart_two_companies_that_swap_their_tickers() -> None:
    given = World(
        *bars_at("A", 10.0, 10.0, 40.0, 40.0), *bars_at("B", 40.0, 40.0, 10.0, 20.0), params=free(), settling=SETTLE
    )
    for session in D[:2]:
        given.add(TICKER_UNIVERSE, members(session, "A", "B"))
    given.act(rename("A", "B", D[2]), rename("B", "A", D[2]))
    given.settle_to(D[3])
    assert given.value(D[2])["equal_weight"] == pytest.approx(1_000_000)
    assert given.value(D[3])["equal_weight"] == pytest.approx(1_500_000)


def test_only_the_ended_company_is_paid_out_when_its_buyer_takes_its_ticker_that_day() -> None:
    given = holding(
        *bars_at("T", 30.0, 30.0, 30.0), *bars_at("SBC", 20.0, 20.0, 20.0), *bars_at("T", 19.0, 19.0, start=3),
        T=100, SBC=100,
    )  # fmt: skip
    given.act(delisting("T", D[3], 31.0), rename("SBC", "T", D[3]), dividend("T", D[3], 1.0, D[4]))
    given.settle_to(D[4])
    assert shares_of(given) == {"T": 100}
    assert given.value(D[4])["nav"] == MILLION + 100  # 1 a share of the old T; the newcomer's dividend makes up for 19
    assert_reconciled(given)


def test_the_end_of_a_ticker_does_not_end_who_takes_it_up_that_day_where_only_he_is_held() -> None:
    given = holding(*bars_at("T", 30.0, 30.0, 30.0, 20.0), *bars_at("SBC", 20.0, 20.0, 20.0), SBC=100)
    given.act(delisting("T", D[3], 0.0), rename("SBC", "T", D[3]))
    given.settle_to(D[3])
    assert shares_of(given) == {"T": 100}
    assert given.value(D[3])["nav"] == MILLION
    assert_reconciled(given)


def test_what_a_ticker_pays_from_the_day_it_is_taken_up_is_not_paid_to_a_company_that_ends_that_day() -> None:
    given = holding(
        *bars_at("A", 10.0, 10.0, 10.0), *bars_at("A", 10.0, 10.0, start=3), *bars_at("B", 40.0, 40.0, 40.0), A=100
    )
    given.act(delisting("A", D[3], 9.0), rename("B", "A", D[3]), dividend("A", D[3], 2.0))
    given.settle_to(D[4])
    assert_reconciled(given)
    assert shares_of(given) == {}
    assert given.book.dividends == 0, "the dividend is the newcomer's, of whom nothing is held"


def test_a_position_keeps_its_last_close_through_renames_without_a_bar() -> None:
    given = holding(*bars_at("A", 50.0, 50.0, 52.0), *bars_at("B", 9.0, 9.0), bar("C", D[1], 7.0), A=100)
    given.act(rename("A", "B", D[3]), split("B", D[4], 2, 1), rename("B", "C", D[5]))
    given.settle_to(D[6])
    held = given.holding(D[6], "C")
    assert (held["shares"], float(held["close"]), held["close_session"], held["opened"]) == (200, 26.0, D[2], D[1])
    assert given.value(D[6])["nav"] == MILLION + 200
    assert_reconciled(given)


def test_the_next_company_with_a_ticker_starts_without_the_past_of_the_one_before() -> None:
    given = holding(*bars_at("REC", 5.0, 5.0, 5.0), *bars_at("REC", *[12.0] * 6, start=5), REC=100)
    given.settling = SETTLE
    given.act(dividend("REC", D[2], 1.0, D[2]), delisting("REC", D[3], 0.0))
    given.order(D[5], "REC", "buy", 10)
    given.order(D[8], "REC", "sell", 10)
    given.settle_to(D[9])
    first, second = given.rows("trade_reflections").sort("session").to_dicts()
    assert (first["profit"], second["profit"]) == (Decimal("-400.00"), Decimal("0.00"))
    assert (second["opened"], second["held_sessions"]) == (D[6], 3)
    assert_reconciled(given)


def test_a_late_dividend_of_an_ended_company_is_not_paid_on_shares_of_the_next_one() -> None:
    given = holding(*bars_at("REC", 5.0, 5.0, 5.0), *bars_at("REC", *[12.0] * 6, start=5), REC=100)
    late = {"available_at": given.calendar.close_at(D[8])}
    given.act(delisting("REC", D[4], 5.0), dividend("REC", D[3], 0.5, D[3], **late))
    given.order(D[5], "REC", "buy", 10)
    given.settle_to(D[9])
    assert given.value(D[9])["dividends"] == Decimal("50.00")
    assert shares_of(given) == {"REC": 10}
    assert_reconciled(given)


def test_a_position_is_not_worth_the_close_of_whoever_trades_under_its_ticker_after_a_long_gap() -> None:
    given = holding(*bars_at("REC", 5.0, 5.0, 5.0), *bars_at("REC", *[12.0] * 3, start=9), REC=100)
    given.params = free(max_gap=5)
    given.settle_to(D[10])
    held = given.holding(D[10], "REC")
    assert (float(held["close"]), held["close_session"]) == (5.0, D[2])
    assert given.value(D[10])["nav"] == MILLION
    assert_reconciled(given)


def test_shares_of_a_company_that_lost_its_ticker_are_not_mixed_with_those_of_who_came_under_it() -> None:
    given = holding(
        *bars_at("WM", 2.0, 2.0, 2.0), *bars_at("WMI", 28.0, 28.0, 28.0), *bars_at("WM", 28.0, 28.0, start=3),
        WM=100, WMI=10,
    )  # fmt: skip
    given.act(rename("WM", "WM.210304", D[3]), rename("WMI", "WM", D[3]))
    given.settle_to(D[4])
    assert shares_of(given) == {"WM": 10, "WM.210304": 100}
    assert float(given.holding(D[4], "WM.210304")["close"]) == 2.0
    assert given.value(D[4])["nav"] == MILLION
    assert_reconciled(given)


def test_an_order_for_a_name_that_is_renamed_before_the_open_is_looked_back_at_with_its_plan() -> None:
    bars = (*bars_at("OLD", 10.0, 10.0), *bars_at("NEW", *[10.0] * 5, start=2))
    given = World(*bars, params=free(), settling=SETTLE)
    given.order(D[1], "OLD", "buy", 100, expected_return=0.03, low_80=-0.02, high_80=0.08)
    given.act(rename("OLD", "NEW", D[2]))
    given.order(D[4], "NEW", "sell", 100)
    given.settle_to(D[5])
    [row] = given.rows("trade_reflections").to_dicts()
    assert (row["entry_plan_id"], row["expected_return"], row["opened"]) == (f"{D[1]}:OLD", 0.03, D[2])


def test_an_order_is_on_the_share_basis_of_its_own_company() -> None:
    given = World(*bars_at("A", 10.0, 10.0), bar("B", D[1], 3.0), bar("B", D[2], 5.0), params=free())
    given.order(D[1], "A", "buy", 100)
    given.act(rename("A", "B", D[2]), split("B", D[2], 2, 1))
    given.settle_to(D[2])
    assert given.rows("executed_trades").select("ticker", "ordered").rows() == [("B", 200)]


START = 30


def wiggle(number: int) -> float:
    return 100.0 + number % 3


def planning(*renamed: int) -> World:
    """OLD becomes NEW at each of these sessions; the book may look ahead."""
    turn = min(renamed, default=99)
    rows = [bar("OLD" if n < turn else "NEW", D[n], wiggle(n)) for n in range(START + 6)]
    given = World(*rows, params=free())
    for n in range(START + 6):
        given.add(TICKER_UNIVERSE, members(D[n], "OLD" if n < turn else "NEW"))
    given.add(FEEDBACK_METRICS, skill(D[START]))
    given.act(*[rename("OLD", "NEW", D[n]) for n in renamed])
    return given


def plan_at(given: World, session: date) -> dict[str, Any]:
    [row] = given.look_ahead(session).to_dicts()
    return row


def test_a_plan_knows_stop_volatility_and_forecast_of_a_company_under_its_name_of_before() -> None:
    found = {}
    for name, made in (("OLD", planning()), ("NEW", planning(START + 2))):
        made.order(D[START], "OLD", "buy", 10, stop=97.5)
        made.add(PREDICTIONS, forecasts({"session": D[START + 1], "ticker": "OLD", "point": 0.01}))
        made.settle(*D[START : START + 3])
        row = plan_at(made, D[START + 2])
        assert row["ticker"] == name
        found[name] = {one: row[one] for one in ("stop", "expected_cost", "expected_return", "intent", "prediction_id")}
        found[name]["volatility"] = made.rows("strategic_priorities")["market_volatility"][0]
    assert found["NEW"] == found["OLD"]
    assert found["NEW"]["expected_return"] == 0.01


@pytest.mark.parametrize(("securities", "verdict"), [(2, "allow"), (1, "refuse")])
def test_a_plan_knows_nothing_of_another_company_that_had_the_ticker(securities: int, verdict: str) -> None:
    given = World(
        *bars_at("REC", *[5.0, 6.0] * 15), *bars_at("REC", *[12.0] * 4, start=START + 2), *bars_at("X", *[9.0] * 36),
        params=free(),
    )  # fmt: skip
    given.order(D[START - 3], "REC", "buy", 10)
    given.order(D[START - 2], "REC", "sell", 10)
    given.params = free(securities=securities)
    given.act(delisting("REC", D[START], 5.0))
    given.add(TICKER_UNIVERSE, pl.concat([members(D[START + n], "REC") for n in range(6)]))
    given.add(FEEDBACK_METRICS, skill(D[START]))
    given.settle(*D[START - 3 : START + 3])
    given.add(PREDICTIONS, forecasts({"session": D[START + 2], "ticker": "REC"}))
    row = plan_at(given, D[START + 2])
    cool = next(one for one in row["verdicts"] if one["rule"] == "patience")
    assert cool["verdict"] == verdict  # who was sold was another company


def test_equal_weight_keeps_apart_two_companies_that_pass_a_ticker_on() -> None:
    given = World(
        *bars_at("A", *[10.0] * 3), *bars_at("B", *[40.0] * 3), *bars_at("B", 10.0, 10.0, start=3),
        *bars_at("C", 40.0, 40.0, start=3), params=free(), settling=SETTLE,
    )  # fmt: skip
    given.add(INSTRUMENTS, market.instruments("A", "B", "C"))
    for n in range(5):
        given.add(TICKER_UNIVERSE, members(D[n], *(("A", "B") if n < 3 else ("B", "C"))))
    given.act(rename("A", "B", D[3]), rename("B", "C", D[3]))
    given.settle_to(D[4])
    assert float(given.value(D[4])["equal_weight"]) == pytest.approx(1_000_000)

"""What is learned late, corrected, postponed or taken back changes the book on the session in which it is learned."""

from __future__ import annotations

from datetime import date, timedelta
from decimal import Decimal
from typing import Any

import polars as pl
import pytest

from pipeline.trading.params import TradingParams
from tests.frames.trading import (
    CALENDAR,
    DAYS,
    World,
    assert_reconciled,
    bars_at,
    delisting,
    dividend,
    free,
    split,
)

D = DAYS
MILLION = Decimal("1000000.00")


def learned(day: date) -> Any:
    """Known from a moment before the books of that day are made."""
    return CALENDAR.close_at(day) + timedelta(minutes=5)


def again(action: dict[str, Any], day: date, revision: int = 1, **values: object) -> dict[str, Any]:
    """A later statement about the same action."""
    return action | values | {"revision": revision, "available_at": learned(day)}


def rename(old: str, new: str, ex_date: date, **values: object) -> dict[str, Any]:
    row = {"ticker": old, "ex_date": ex_date, "kind": "rename", "successor": new}
    return row | {"numerator": None, "denominator": None, "amount": None} | values


def holding(*bars: dict[str, Any], shares: int = 100, ticker: str = "AAA") -> World:
    """A free book that buys on the second session."""
    given = World(*bars, params=free())
    given.order(D[0], ticker, "buy", shares)
    return given


def test_a_split_restated_after_its_ex_date_is_reversed_and_posted_as_it_was() -> None:
    given = holding(*bars_at("AAA", *[120.0] * 3, *[40.0] * 5))
    two = split("AAA", D[3], 2, 1)
    given.act(two, again(two, D[5], numerator=3))
    given.settle_to(D[7])
    assert given.book.positions["AAA"].shares == 300
    assert given.value(D[7])["nav"] == MILLION
    rows = given.rows("ledger_entries").filter(pl.col("reference") == f"AAA:{D[3]}:split:0")
    told = rows.select("session", "effective", "kind", "shares", "corrects").rows()
    first = f"{D[3]}:split:AAA:{D[3]}:split:0"
    assert told == [
        (D[3], D[3], "split", 100, None),
        (D[5], D[3], "reversal", -100, first),
        (D[5], D[3], "correction", 200, first),
    ]
    assert_reconciled(given)


def test_what_was_learned_of_the_past_is_told_apart_and_is_not_earned_today() -> None:
    given = holding(*bars_at("AAA", *[100.0] * 3, *[50.0] * 3, 51.0))
    given.act(split("AAA", D[3], 2, 1, available_at=learned(D[6])))
    given.settle_to(D[6])
    assert given.value(D[5])["nav"] == Decimal("995000.00")
    assert given.value(D[5])["restated"] == 0
    row = given.value(D[6])
    assert (row["nav"], row["restated"]) == (Decimal("1000200.00"), Decimal("5000.00"))
    assert row["session_return"] == pytest.approx(0.0002)
    assert_reconciled(given)


def test_a_peak_that_rested_on_a_wrong_split_does_not_stay() -> None:
    given = holding(*bars_at("AAA", *[100.0] * 7))
    wrong = split("AAA", D[3], 2, 1)
    given.act(wrong, again(wrong, D[5], withdrawn=True))
    given.settle_to(D[6])
    assert given.value(D[4])["peak"] == Decimal("1010000.00")
    assert given.value(D[5])["peak"] == MILLION
    assert given.value(D[6])["drawdown"] == 0
    assert given.book.positions["AAA"].shares == 100
    assert_reconciled(given)


@pytest.mark.parametrize("late", [2, pytest.param(22, marks=pytest.mark.slow)])
def test_an_action_counts_however_late_it_is_learned(late: int) -> None:
    given = holding(*bars_at("AAA", *[100.0] * 3, *[50.0] * 45))
    given.act(split("AAA", D[3], 2, 1, available_at=learned(D[3 + late])))
    given.settle_to(D[4 + late])
    assert given.book.positions["AAA"].shares == 200
    assert given.value(D[4 + late])["nav"] == MILLION
    assert_reconciled(given)


def test_shares_traded_after_the_ex_date_are_on_the_new_basis() -> None:
    given = holding(*bars_at("AAA", *[100.0] * 3, *[50.0] * 7))
    given.order(D[4], "AAA", "sell", 40)
    given.order(D[5], "AAA", "buy", 10)
    given.act(split("AAA", D[3], 2, 1, available_at=learned(D[8])))
    given.settle_to(D[9])
    position = given.book.positions["AAA"]
    assert (position.shares, position.opened) == (170, D[1])
    assert given.book.realised == 0
    assert given.value(D[9])["nav"] == MILLION
    assert_reconciled(given)


def test_a_name_sold_out_before_its_split_was_learned_has_its_other_half_back() -> None:
    given = holding(*bars_at("AAA", *[100.0] * 3, *[50.0] * 7))
    given.order(D[4], "AAA", "sell", 100)
    given.act(split("AAA", D[3], 2, 1, available_at=learned(D[8])))
    given.settle_to(D[9])
    position = given.book.positions["AAA"]
    assert (position.shares, position.cost, position.opened) == (100, 500_000, D[1])
    assert given.value(D[9])["nav"] == MILLION
    assert_reconciled(given)


def test_a_sale_of_shares_that_never_were_is_undone_at_its_own_price() -> None:
    given = holding(*bars_at("AAA", *[100.0] * 9))
    wrong = split("AAA", D[3], 2, 1)
    given.act(wrong, again(wrong, D[6], withdrawn=True))
    given.order(D[4], "AAA", "sell", 200)
    given.settle_to(D[8])
    assert given.book.positions == {}
    assert given.value(D[8])["nav"] == given.value(D[8])["cash"] == MILLION
    assert_reconciled(given)


def test_a_dividend_corrected_before_its_pay_date_pays_what_is_right() -> None:
    given = holding(*bars_at("AAA", *[100.0] * 12))
    first = dividend("AAA", D[3], 1.0, D[9])
    given.act(first, again(first, D[5], amount=0.1))
    given.settle_to(D[5])
    assert given.value(D[5])["receivable"] == Decimal("10.00")
    given.settle_to(D[10])
    assert (given.value(D[10])["dividends"], given.value(D[10])["receivable"]) == (Decimal("10.00"), 0)
    assert_reconciled(given)


def test_a_dividend_corrected_after_it_was_paid_gives_the_difference_back() -> None:
    given = holding(*bars_at("AAA", *[100.0] * 12))
    first = dividend("AAA", D[3], 1.0, D[4])
    given.act(first, again(first, D[6], amount=0.1))
    given.settle_to(D[7])
    assert (given.book.cash, given.book.receivable, given.book.dividends) == (99_001_000, 0, 1_000)
    assert_reconciled(given)


def test_a_pay_date_that_moves_moves_what_is_owed_also_back_from_cash() -> None:
    given = holding(*bars_at("AAA", *[100.0] * 14))
    first = dividend("AAA", D[3], 1.0, D[5])
    given.act(first, again(first, D[7], pay_date=D[11]))
    given.settle_to(D[6])
    assert (given.book.cash, given.book.receivable) == (99_010_000, 0)
    given.settle_to(D[10])
    assert (given.book.cash, given.book.receivable) == (99_000_000, 10_000)
    given.settle_to(D[12])
    assert (given.book.cash, given.book.receivable) == (99_010_000, 0)
    assert_reconciled(given)


def test_a_pay_date_that_moves_twice_is_reversed_where_it_stood_last() -> None:
    given = holding(*bars_at("AAA", *[100.0] * 12))
    first = dividend("AAA", D[3], 1.0, D[6])
    given.act(first, again(first, D[7], pay_date=D[4]), again(first, D[8], 2, pay_date=D[5], amount=0.1))
    given.settle_to(D[9])
    assert (given.book.cash, given.book.receivable, given.book.dividends) == (99_001_000, 0, 1_000)
    assert_reconciled(given)


def test_a_split_of_the_old_name_learned_after_its_renaming_reaches_the_new_one() -> None:
    given = holding(*bars_at("OLD", *[100.0] * 4, 50.0), *bars_at("NEW", *[50.0] * 6, start=5), ticker="OLD")
    given.act(rename("OLD", "NEW", D[5]), split("OLD", D[4], 2, 1, available_at=learned(D[8])))
    given.settle_to(D[9])
    position = given.book.positions["NEW"]
    assert (position.shares, position.cost, position.opened) == (200, 1_000_000, D[1])
    assert given.value(D[9])["nav"] == MILLION
    assert_reconciled(given)


def test_a_correction_follows_a_name_through_two_renamings() -> None:
    given = holding(*bars_at("ONE", *[100.0] * 3), *bars_at("TRE", *[50.0] * 6, start=6), ticker="ONE")
    two = split("ONE", D[3], 3, 1)
    given.act(two, again(two, D[8], numerator=2), rename("ONE", "TWO", D[4]), rename("TWO", "TRE", D[5]))
    given.settle_to(D[9])
    assert {name: one.shares for name, one in given.book.positions.items()} == {"TRE": 200}
    assert given.value(D[9])["nav"] == MILLION
    assert_reconciled(given)


def test_a_renaming_taken_back_gives_the_old_name_back() -> None:
    given = holding(*bars_at("OLD", *[100.0] * 9), *bars_at("NEW", *[7.0] * 9), ticker="OLD")
    moved = rename("OLD", "NEW", D[3])
    given.act(moved, again(moved, D[5], withdrawn=True))
    given.settle_to(D[6])
    assert set(given.book.positions) == {"OLD"}
    assert given.value(D[6])["nav"] == MILLION
    assert_reconciled(given)


def test_a_ticker_that_went_to_another_company_is_not_touched_by_the_first_ones_corrections() -> None:
    given = holding(*bars_at("REC", *[100.0] * 3), *bars_at("REC", *[12.0] * 7, start=5), ticker="REC")
    given.order(D[5], "REC", "buy", 50)
    given.act(delisting("REC", D[3], 0.0), split("REC", D[2], 2, 1, available_at=learned(D[8])))
    given.settle_to(D[9])
    assert given.book.positions["REC"].shares == 50
    assert given.book.positions["REC"].opened == D[6]
    assert_reconciled(given)


def test_an_action_dated_on_a_weekend_counts_at_the_next_open() -> None:
    friday = D[4]
    given = holding(*bars_at("AAA", *[100.0] * 5), *bars_at("OTH", *[1.0] * 9))
    given.act(delisting("AAA", friday + timedelta(days=1), 7.0))
    given.settle_to(D[7])
    assert given.value(D[7])["nav"] == Decimal("990700.00")
    assert_reconciled(given)


def test_a_debt_left_by_a_correction_stops_buys_and_not_sales() -> None:
    params = TradingParams(capital=10_000.0, costs=free().costs)
    given = World(*bars_at("AAA", *[100.0] * 10), params=params)
    given.order(D[0], "AAA", "buy", 50)
    first = dividend("AAA", D[3], 100.0, D[3])
    given.act(first, again(first, D[6], withdrawn=True))
    given.order(D[4], "AAA", "buy", 90)
    given.order(D[6], "AAA", "buy", 5)
    given.settle_to(D[7])
    assert given.value(D[6])["cash"] == Decimal("-4000.00")
    assert given.trade(f"{D[7]}:AAA:buy")["status"] == "unfilled"
    given.order(D[7], "AAA", "sell", 20)
    given.settle_to(D[8])
    assert given.value(D[8])["cash"] == Decimal("-2000.00")
    assert_reconciled(given)


def test_a_fraction_learned_late_is_paid_at_the_open_of_its_ex_date() -> None:
    levels = [*[100.0] * 3, 300.0, *[330.0] * 22]
    given = holding(*bars_at("AAA", *levels))
    given.act(split("AAA", D[3], 1, 3, available_at=learned(D[22])))
    given.settle_to(D[23])
    assert given.book.positions["AAA"].shares == 33
    assert given.book.cash == 99_000_000 + 10_000  # a third of 300.00
    assert_reconciled(given)


def test_settling_as_earlier_programs_did_knows_none_of_this() -> None:
    given = holding(*bars_at("AAA", *[120.0] * 3, *[40.0] * 5))
    given.params = free(settlement=1)
    two = split("AAA", D[3], 2, 1)
    given.act(two, again(two, D[5], numerator=3))
    given.settle_to(D[7])
    assert given.book.positions["AAA"].shares == 200
    entries = given.rows("ledger_entries")
    assert entries["effective"].null_count() == entries["revision"].null_count() == entries.height
    assert given.rows("portfolio_value")["restated"].null_count() == 8


def test_a_book_kept_as_before_is_put_right_on_the_first_session_under_the_new_way() -> None:
    given = holding(*bars_at("AAA", *[120.0] * 3, *[40.0] * 7))
    two = split("AAA", D[3], 2, 1)
    given.act(two, again(two, D[5], numerator=3), dividend("AAA", D[2], 0.5, D[20]))
    given.params = free(settlement=1)
    given.settle_to(D[6])
    given.params = free()
    given.settle_to(D[8])
    assert given.book.positions["AAA"].shares == 300
    assert given.value(D[7])["restated"] == Decimal("4000.00")
    last = given.rows("portfolio_value").filter(pl.col("session") >= D[7])
    assert set(last["unexplained"]) == {Decimal(0)}
    assert last["difference"].to_list() == [None, None]


@pytest.mark.parametrize(
    ("ex_date", "bars"), [*(pytest.param(D[2], bars, marks=pytest.mark.slow) for bars in (2, 3)), (D[4], 3)]
)
def test_a_last_close_counts_on_the_shares_of_every_split_since_whenever_it_was_learned(
    ex_date: date, bars: int
) -> None:
    """Bought on the day of a delisting that was told later, so that no bar of afterwards is its company's."""
    given = World(*bars_at("A", *[100.0] * bars), params=free())
    given.order(D[0], "A", "buy", 100)
    given.act(delisting("A", D[1], 0.0) | {"available_at": learned(D[2])})
    given.act(split("A", ex_date, 2, 1, available_at=learned(D[4])))
    given.settle_to(D[6])
    held = given.holding(D[6], "A")
    restated = 2 if ex_date > D[bars - 1] else 1  # a bar of the ex-date is on the new shares
    assert (held["shares"], held["close"], held["close_session"]) == (200, Decimal(100) / restated, D[bars - 1])
    assert given.value(D[6])["nav"] == MILLION + 10_000 * (2 - restated)
    assert_reconciled(given)


def test_what_never_traded_is_worth_what_a_share_cost_by_all_splits_known() -> None:
    given = World(*bars_at("A", 50.0, 50.0), params=free())
    given.order(D[0], "A", "buy", 100)
    merged = delisting("A", D[2], 0.0) | {"nature": "merger", "successor": "B", "numerator": 1, "denominator": 1}
    given.act(merged, split("B", D[3], 4, 1, available_at=learned(D[5])))
    given.settle_to(D[6])
    held = given.holding(D[6], "B")
    assert (held["shares"], held["close"], held["close_session"]) == (400, Decimal("12.5"), D[2])
    assert given.value(D[6])["nav"] == MILLION
    assert_reconciled(given)

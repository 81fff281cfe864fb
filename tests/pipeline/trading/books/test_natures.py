"""What a holder gets from each kind of corporate action, each as one short history."""

from __future__ import annotations

from decimal import Decimal
from typing import Any

import pytest

from tests.frames.trading import DAYS, World, assert_reconciled, bars_at, delisting, dividend, free, split

D = DAYS
MILLION = Decimal("1000000.00")


def holding(*bars: dict[str, Any], shares: int = 101) -> World:
    """A free book that holds PAR from the second session on, bought at 100."""
    given = World(*bars, params=free())
    given.order(D[0], "PAR", "buy", shares)
    return given


def test_a_special_dividend_is_income_like_any_other() -> None:
    given = holding(*bars_at("PAR", 100, 100, 100, 60, 60), shares=100)
    given.act(dividend("PAR", D[3], 40.0, nature="special"))
    row = given.settle_to(D[4]).value(D[4])
    assert (row["nav"], row["dividends"], row["realised"]) == (MILLION, Decimal("4000.00"), 0)
    assert_reconciled(given)


@pytest.mark.parametrize(("amount", "cost", "realised"), [(40.0, 600_000, 0), (130.0, 0, 300_000)])
def test_capital_returned_lowers_the_cost_and_what_is_beyond_it_is_a_gain(
    amount: float, cost: int, realised: int
) -> None:
    given = holding(*bars_at("PAR", 100, 100, 200, 200 - amount, 200 - amount), shares=100)
    given.act(dividend("PAR", D[3], amount, nature="return_of_capital"))
    given.settle_to(D[4])
    assert (given.book.positions["PAR"].cost, given.book.realised, given.book.dividends) == (cost, realised, 0)
    assert given.value(D[4])["nav"] == Decimal("1010000.00")
    assert_reconciled(given)


def test_rights_are_sold_at_their_value_for_a_gain_that_cost_nothing() -> None:
    given = holding(*bars_at("PAR", 100, 100, 100, 97, 97), shares=100)
    given.act(dividend("PAR", D[3], 3.0, nature="rights"))
    row = given.settle_to(D[4]).value(D[4])
    assert (row["nav"], row["realised"], row["dividends"]) == (MILLION, Decimal("300.00"), 0)
    assert_reconciled(given)


def test_a_stock_dividend_of_an_odd_ratio_pays_the_fraction_out() -> None:
    given = holding(*bars_at("PAR", 100, 100, 100, 100 / 1.0497, 100 / 1.0497))
    given.act(split("PAR", D[3], 10497, 10000, nature="stock_dividend"))
    given.settle_to(D[4])
    assert given.book.positions["PAR"].shares == 106  # 101 x 1.0497 = 106.0197
    assert given.book.cash == 100_000_000 - 1_010_000 + 188  # 0.0197 of 95.265314
    assert_reconciled(given)


def test_a_spin_off_brings_shares_with_their_part_of_the_cost_and_cash_for_the_fraction() -> None:
    given = holding(*bars_at("PAR", 100, 100, 100, 80, 80), *bars_at("SPN", 60, 60, start=3))
    given.act(dividend("PAR", D[3], 20.0, nature="spin_off", successor="SPN", numerator=1, denominator=3,
                       cost_share=0.2))  # fmt: skip
    given.settle_to(D[4])
    held = given.book.positions
    assert (held["PAR"].shares, held["PAR"].cost) == (101, 808_000)
    assert (held["SPN"].shares, held["SPN"].opened) == (33, D[1])  # 33 2/3
    assert held["SPN"].cost == 202_000 - 4_000  # two thirds of a share of 33 2/3
    assert given.book.cash == 100_000_000 - 1_010_000 + 4_000
    assert given.value(D[4])["nav"] == MILLION
    assert_reconciled(given)


def test_what_was_spun_off_is_worth_what_was_stated_until_it_trades() -> None:
    given = holding(*bars_at("PAR", 100, 100, 100, 80, 80), shares=99)
    given.act(dividend("PAR", D[3], 20.0, nature="spin_off", successor="SPN", numerator=1, denominator=3,
                       cost_share=0.2))  # fmt: skip
    given.settle_to(D[4])
    assert given.holding(D[4], "SPN")["close"] == Decimal("60.000000")
    assert given.value(D[4])["nav"] == MILLION
    assert_reconciled(given)


def test_a_spin_off_whose_shares_nobody_names_is_cash_at_its_value() -> None:
    given = holding(*bars_at("PAR", 100, 100, 100, 80, 80), shares=100)
    given.act(dividend("PAR", D[3], 20.0, nature="spin_off"))
    row = given.settle_to(D[4]).value(D[4])
    assert (row["nav"], row["realised"]) == (MILLION, Decimal("2000.00"))
    assert_reconciled(given)


def test_a_merger_for_cash_ends_the_position_at_its_value() -> None:
    given = holding(*bars_at("PAR", 100, 100, 100))
    given.act(delisting("PAR", D[3], 130.0) | {"nature": "merger", "cash": 130.0})
    row = given.settle_to(D[4]).value(D[4])
    assert (row["nav"], row["realised"]) == (Decimal("1003030.00"), Decimal("3030.00"))
    assert given.book.positions == {}
    assert_reconciled(given)


def test_a_merger_for_shares_takes_cost_and_age_along_and_pays_the_fraction() -> None:
    given = holding(*bars_at("PAR", 100, 100, 100), *bars_at("ACQ", *[200.0] * 5))
    given.act(delisting("PAR", D[3], 100.0) | {"nature": "merger", "successor": "ACQ", "numerator": 1,
                                               "denominator": 2})  # fmt: skip
    given.settle_to(D[4])
    position = given.book.positions["ACQ"]
    assert (position.shares, position.cost, position.opened) == (50, 1_000_000, D[1])
    assert (given.book.cash, given.book.realised) == (99_000_000, 0)
    assert_reconciled(given)


def test_a_merger_for_both_sells_the_part_paid_in_cash() -> None:
    given = holding(*bars_at("PAR", 100, 100, 120), *bars_at("ACQ", *[200.0] * 5), shares=100)
    given.act(delisting("PAR", D[3], 120.0) | {"nature": "merger", "successor": "ACQ", "numerator": 1,
                                               "denominator": 2, "cash": 20.0})  # fmt: skip
    row = given.settle_to(D[4]).value(D[4])
    position = given.book.positions["ACQ"]
    assert (position.shares, position.cost) == (50, 833_333)  # five sixths of what PAR cost
    assert (row["realised"], row["nav"]) == (Decimal("333.33"), Decimal("1002000.00"))
    assert_reconciled(given)


def test_two_equal_dividends_on_one_day_are_two() -> None:
    given = holding(*bars_at("PAR", 100, 100, 100, 98, 98), shares=100)
    given.act(dividend("PAR", D[3], 1.0), dividend("PAR", D[3], 1.0, sequence=1))
    assert given.settle_to(D[4]).value(D[4])["dividends"] == Decimal("200.00")
    assert_reconciled(given)


def test_a_split_under_the_new_name_on_the_day_of_the_renaming_reaches_the_position() -> None:
    given = holding(*bars_at("PAR", 100, 100, 100), *bars_at("NEW", 50, 50, start=3), shares=100)
    given.act(
        {"ticker": "PAR", "ex_date": D[3], "kind": "rename", "successor": "NEW", "numerator": None,
         "denominator": None, "amount": None},
        split("NEW", D[3], 2, 1),
    )  # fmt: skip
    given.settle_to(D[4])
    assert given.book.positions["NEW"].shares == 200
    assert given.value(D[4])["nav"] == MILLION
    assert_reconciled(given)

"""Lots say which shares were sold: never another number of them, nor another sum of cost and gain, than the ledger."""

from __future__ import annotations

from datetime import date
from decimal import Decimal
from typing import Any

import pytest
from hypothesis import HealthCheck, given, settings
from hypothesis import strategies as st

from lake.tables.market import MARKET_PRICES
from pipeline.trading.books.money import to_cents
from pipeline.trading.lots.lot import Lot, Method, choose_lots, is_long_term, share_out
from pipeline.trading.lots.walk import follow_lots
from tests.frames import market
from tests.frames.trading import CALENDAR, DAYS, World, assert_lots_agree, bar, delisting, dividend, free, split
from tests.pipeline.trading.books.test_ledger_properties import History, histories, run

FUND, DAY1, DAY2, DAY3, DAY4 = DAYS[:5]
METHODS: tuple[Method, ...] = ("fifo", "lifo", "highest_cost", "lowest_cost")


def bought_twice(**values: Any) -> World:
    """100 at 10 on the second session, 100 at 14 on the third; the fourth opens at 12."""
    prices = (10.0, 10.0, 14.0, 12.0, 12.0)
    given = World(*[bar("AAA", day, price) for day, price in zip(DAYS, prices, strict=False)], params=free(**values))
    given.order(FUND, "AAA", "buy", 100)
    given.order(DAY1, "AAA", "buy", 100)
    return given


@pytest.mark.parametrize(
    ("method", "gains", "left"),
    [
        ("fifo", [200, -100], [(50, 700)]),
        ("lifo", [100, -200], [(50, 500)]),
        ("highest_cost", [100, -200], [(50, 500)]),
        ("lowest_cost", [200, -100], [(50, 700)]),
    ],
)
def test_a_method_says_which_shares_a_sale_sold(method: Method, gains: list[int], left: list[tuple[int, int]]) -> None:
    given = bought_twice()
    given.order(DAY2, "AAA", "sell", 150)
    lots = follow_lots(given.settle_to(DAY3).rows("ledger_entries"), method)
    assert [sold.gain // 100 for sold in lots.sold] == gains
    assert [(lot.shares, lot.cost // 100) for lot in lots.open["AAA"]] == left


def test_lots_that_were_named_for_a_sale_go_first_and_the_method_takes_the_rest() -> None:
    given = bought_twice()
    given.order(DAY2, "AAA", "sell", 80)
    named = {f"{DAY3}:AAA:sell": {f"{DAY2}:AAA:buy": 50}}
    lots = follow_lots(given.settle_to(DAY3).rows("ledger_entries"), "fifo", named)
    assert [(sold.lot, sold.shares) for sold in lots.sold] == [(f"{DAY1}:AAA:buy", 30), (f"{DAY2}:AAA:buy", 50)]


def test_a_split_a_rename_and_a_delisting_keep_lots_apart_with_their_days() -> None:
    given = bought_twice()
    given.act(split("AAA", DAY3, 3, 1), delisting("AAA", DAY4, 2.0))
    entries = given.settle_to(DAY4).rows("ledger_entries")
    before = follow_lots(entries.filter(entries["session"] < DAY4), "fifo").open["AAA"]
    assert [(lot.opened, lot.shares, lot.cost) for lot in before] == [(DAY1, 300, 1_000_00), (DAY2, 300, 1_400_00)]
    ended = follow_lots(entries, "fifo")
    assert not ended.open
    assert [(sold.opened, sold.gain) for sold in ended.sold] == [(DAY1, -400_00), (DAY2, -800_00)]


def test_a_merger_for_shares_and_cash_carries_lots_and_sells_a_part_of_them() -> None:
    given = bought_twice()
    terms = {"nature": "merger", "successor": "ACQ", "numerator": 1, "denominator": 1, "cash": 4.0}
    given.add(MARKET_PRICES, market.prices(bar("ACQ", DAY3, 8.0), calendar=CALENDAR))
    given.act(delisting("AAA", DAY3, 12.0) | terms)
    lots = follow_lots(given.settle_to(DAY3).rows("ledger_entries"), "fifo")
    assert [(lot.opened, lot.shares) for lot in lots.open["ACQ"]] == [(DAY1, 100), (DAY2, 100)]
    assert sum(sold.proceeds for sold in lots.sold) == 800_00
    assert_lots_agree(given, "fifo")


@settings(max_examples=3, deadline=None, suppress_health_check=[HealthCheck.too_slow])
@given(histories())
def test_no_history_gains_or_loses_a_share_or_a_cent(history: History) -> None:
    settled = run(history)
    for method in METHODS:
        assert_lots_agree(settled, method)


@pytest.mark.slow
@settings(max_examples=200, deadline=None, suppress_health_check=[HealthCheck.too_slow])
@given(histories())
def test_no_history_of_two_hundred_gains_or_loses_a_share_or_a_cent(history: History) -> None:
    settled = run(history)
    for method in METHODS:
        assert_lots_agree(settled, method)


def test_a_dividend_is_no_gain_of_a_lot() -> None:
    given = bought_twice()
    given.act(dividend("AAA", DAY3, 1.0, DAY3))
    assert follow_lots(given.settle_to(DAY3).rows("ledger_entries"), "fifo").sold == []


@pytest.mark.parametrize(
    ("opened", "sold", "long"),
    [
        (date(2023, 3, 1), date(2024, 3, 1), False),
        (date(2023, 3, 1), date(2024, 3, 2), True),
        (date(2024, 2, 29), date(2025, 3, 1), True),
        (date(2024, 2, 29), date(2025, 2, 28), False),
    ],
)
def test_long_term_is_more_than_a_year(opened: date, sold: date, long: bool) -> None:
    assert is_long_term(opened, sold) is long


@given(st.integers(-(10**12), 10**12), st.lists(st.integers(0, 10**9), max_size=8))
def test_what_is_shared_out_adds_up(total: int, weights: list[int]) -> None:
    parts = share_out(total, weights)
    assert sum(parts) == (total if weights else 0)
    whole = sum(weights)
    assert (
        all(abs(part * whole - total * weight) <= whole for part, weight in zip(parts, weights, strict=True))
        or not whole
    )


def test_more_than_a_lot_holds_cannot_be_named() -> None:
    lots = [Lot("one", "AAA", DAY1, 10, 100), Lot("two", "AAA", DAY2, 10, 300)]
    chosen = choose_lots(lots, 15, "fifo", {"two": 99})
    assert [(lot.trade_id, shares) for lot, shares in chosen] == [("one", 5), ("two", 10)]
    assert to_cents(Decimal("1.00")) == 100

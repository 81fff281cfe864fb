"""A held name whose bars stop is marked down, written off, and given back when something is heard of it."""

from __future__ import annotations

from datetime import date
from decimal import Decimal
from functools import cache

import polars as pl
import pytest

from lake.tables.market import MARKET_PRICES
from pipeline.config.recorded import from_record
from pipeline.trading.books.differences import compare, describe
from pipeline.trading.books.reconciliation import reconcile
from pipeline.trading.params import TradingParams
from tests.frames import market
from tests.frames.trading import CALENDAR, DAYS, SETTLE, World, assert_reconciled, bar, delisting, free, split

LAST = 3
"""The last session with a bar of the silent name."""
ENDS = {"mark_down_after": 2, "mark_down": 0.4, "write_off_after": 4, "write_off_value": 0.05}


def silent(upto: int, *more: dict[str, object], ends: dict[str, float] | None = None) -> World:
    """100 shares bought at 100.00, a last close of 90.00, and then nothing; settled up to a session."""
    if not more and ends is None:
        return settled_silence(upto).copy()
    given = bought(ENDS if ends is None else ends)
    given.act(*more)
    return given.settle_to(DAYS[upto])


def bought(ends: dict[str, float]) -> World:
    bars = [bar("AAA", day, 90.0 if number == LAST else 100.0) for number, day in enumerate(DAYS[: LAST + 1])]
    given = World(*bars, params=free(**ends))
    given.order(DAYS[0], "AAA", "buy", 100)
    return given


@cache
def settled_silence(upto: int) -> World:
    """Each goes on from the one a session shorter: they are the same to there."""
    return (settled_silence(upto - 1).copy() if upto else bought(ENDS)).settle(DAYS[upto])


def heard(given: World, number: int, price: float) -> None:
    given.add(MARKET_PRICES, market.prices(bar("AAA", DAYS[number], price), calendar=CALENDAR))


def navs(given: World, first: int, last: int) -> list[Decimal]:
    return [given.value(day)["nav"] for day in DAYS[first : last + 1]]


def kinds(given: World, day: date) -> list[str]:
    rows = given.rows("ledger_entries").filter(pl.col("session") == day)
    return rows.unique("event_id", maintain_order=True).sort("sequence")["kind"].to_list()


def test_a_silent_position_is_marked_down_then_written_off_at_the_stated_values() -> None:
    given = silent(9)
    # 990,000.00 in cash; 100 x 90.00, then x 54.00 from two sessions without a bar on, then 100 x 4.50 in cash.
    assert navs(given, 3, 4) == [Decimal("999000.00")] * 2
    assert navs(given, 5, 7) == [Decimal("995400.00")] * 3
    assert navs(given, 8, 9) == [Decimal("990450.00")] * 2
    assert kinds(given, DAYS[8]) == ["write_off"]
    assert given.value(DAYS[8])["realised"] == Decimal("-9550.00"), "450.00 for what cost 10,000.00"
    assert given.rows("position_ends").select("ticker", "last_session", "ended_on", "amount").rows() == [
        ("AAA", DAYS[3], DAYS[8], 4.5)
    ]
    assert_reconciled(given)


@pytest.mark.parametrize(("ex", "learned"), [pytest.param(8, 0, marks=pytest.mark.slow), (5, 10)])
def test_a_split_up_to_the_write_off_changes_what_a_share_of_it_pays_and_not_the_whole(ex: int, learned: int) -> None:
    told = split("AAA", DAYS[ex], 3, 1) | ({"available_at": CALENDAR.open_at(DAYS[learned])} if learned else {})
    given = silent(11, told)
    assert given.rows("position_ends").sort("revision")["amount"].to_list() == [4.5, 1.5][not learned :]
    assert given.value(DAYS[11])["nav"] == Decimal("990450.00"), "300 x 1.50"
    assert given.value(DAYS[11])["realised"] == Decimal("-9550.00")
    assert_reconciled(given)


def merged_into_shares_that_never_trade() -> World:
    """100 shares of PAR bought at 80.00 that become as many of NEW, of which no price is ever known."""
    given = World(*[bar("PAR", day, 80.0) for day in DAYS[:2]], params=free(**ENDS))
    given.order(DAYS[0], "PAR", "buy", 100)
    terms = {"nature": "merger", "successor": "NEW", "numerator": 1, "denominator": 1}
    given.act(delisting("PAR", DAYS[2], 90.0) | terms)
    return given


@pytest.mark.parametrize(
    ("ex", "learned", "amounts"),
    [
        (4, 9, [4.0, 2.0]),
        (1, 9, [4.0]),
        *(pytest.param(*one, marks=pytest.mark.slow) for one in ((4, 2, [2.0]), (7, 9, [4.0, 2.0]))),
    ],
)
def test_a_name_that_never_traded_is_written_off_at_its_cost_on_the_shares_that_are_known_now(
    ex: int, learned: int, amounts: list[float]
) -> None:
    given = merged_into_shares_that_never_trade()
    given.act(split("NEW", DAYS[ex], 2, 1, available_at=CALENDAR.open_at(DAYS[learned])))
    given.settle_to(DAYS[11])
    ends = given.rows("position_ends").sort("revision")
    assert ends.select("amount", "carried").rows() == [(amount, 80.0) for amount in amounts]
    # A twentieth of the 8,000.00 that they cost comes back.
    assert given.value(DAYS[11])["nav"] == Decimal("992400.00")
    assert_reconciled(given)


def test_a_split_that_is_taken_back_gives_a_name_that_never_traded_its_cost_per_share_again() -> None:
    given = merged_into_shares_that_never_trade()
    given.act(split("NEW", DAYS[4], 3, 1))
    given.act(split("NEW", DAYS[4], 3, 1, revision=1, withdrawn=True, available_at=CALENDAR.open_at(DAYS[9])))
    given.settle_to(DAYS[11])
    ends = given.rows("position_ends").sort("revision")
    assert ends["amount"].to_list() == [pytest.approx(1.333333), pytest.approx(4.0, abs=1e-6)]
    assert given.value(DAYS[11])["nav"] == Decimal("992400.00")
    assert_reconciled(given)


def test_who_gets_the_ticker_on_the_day_of_a_write_off_is_not_written_off() -> None:
    bars = [bar("AAA", day, 90.0 if number == LAST else 100.0) for number, day in enumerate(DAYS[: LAST + 1])]
    given = World(*bars, *[bar("BBB", day, 50.0) for day in DAYS[:8]], params=free(**ENDS))
    given.order(DAYS[0], "AAA", "buy", 100)
    given.order(DAYS[0], "BBB", "buy", 7)
    row = {"ticker": "BBB", "ex_date": DAYS[8], "kind": "rename", "successor": "AAA"}
    given.act(row | dict.fromkeys(("numerator", "denominator", "amount")), split("AAA", DAYS[8], 2, 1))
    given.settle_to(DAYS[8])
    assert given.rows("position_ends")["amount"].to_list() == [4.5], "the split is the newcomer's"
    assert {name: one.shares for name, one in given.book.positions.items()} == {"AAA": 14}
    assert given.value(DAYS[8])["realised"] == Decimal("-9550.00")
    assert_reconciled(given)


def test_the_default_writes_off_at_nothing() -> None:
    given = silent(9, ends={"write_off_after": 4, "mark_down_after": 0})
    assert navs(given, 7, 8) == [Decimal("999000.00"), Decimal("990000.00")]


def test_bars_that_return_take_the_write_off_back_by_difference() -> None:
    given = silent(8)
    heard(given, 9, 80.0)
    given.settle(DAYS[9], DAYS[10])
    assert kinds(given, DAYS[9]) == ["reversal"]
    assert given.holding(DAYS[9], "AAA")["shares"] == 100
    assert navs(given, 9, 10) == [Decimal("998000.00")] * 2
    assert given.value(DAYS[9])["realised"] == Decimal("0.00")
    assert given.value(DAYS[9])["restated"] == Decimal("4950.00"), "54.00 a share held instead of 4.50 paid"
    assert_reconciled(given)


def test_a_delisting_learned_after_the_write_off_pays_its_own_value_instead() -> None:
    given = silent(10)
    late = delisting("AAA", DAYS[5], 42.0) | {"available_at": CALENDAR.open_at(DAYS[11])}
    given.act(late)
    given.settle(DAYS[11])
    assert sorted(kinds(given, DAYS[11])) == ["delisting", "reversal"]
    assert given.value(DAYS[11])["nav"] == Decimal("994200.00"), "990,000.00 and 100 x 42.00"
    assert given.rows("position_ends").sort("revision")["reason"][-1].startswith("a delisting with ex-date")
    assert_reconciled(given)


def test_a_rename_learned_after_the_write_off_goes_on_with_the_shares() -> None:
    given = silent(8)
    given.add(MARKET_PRICES, market.prices(bar("BBB", DAYS[9], 95.0), calendar=CALENDAR))
    renamed = {"ticker": "AAA", "ex_date": DAYS[4], "kind": "rename", "successor": "BBB", "amount": None}
    given.act(renamed | {"available_at": CALENDAR.open_at(DAYS[9])})
    given.settle(DAYS[9])
    assert given.holding(DAYS[9], "BBB")["shares"] == 100
    assert given.value(DAYS[9])["nav"] == Decimal("999500.00")
    assert_reconciled(given)


def test_a_split_after_the_last_bar_is_in_what_a_share_is_written_off_at() -> None:
    given = silent(8, split("AAA", DAYS[5], 2, 1))
    assert given.rows("position_ends")["amount"].to_list() == [2.25]
    assert navs(given, 7, 8) == [Decimal("995400.00"), Decimal("990450.00")]
    assert_reconciled(given)


def test_whoever_trades_under_the_ticker_much_later_is_another_company() -> None:
    given = silent(9, ends=ENDS | {"max_gap": 5})
    heard(given, 10, 500.0)
    given.settle(DAYS[10])
    assert given.value(DAYS[10])["nav"] == Decimal("990450.00")


def test_a_write_off_that_no_statement_asks_for_is_found_by_the_reconciliation() -> None:
    given = silent(9)
    given.tables["position_ends"] = given.rows("position_ends").clear()
    tables = ("executed_trades", "corporate_actions", "market_prices")
    found = reconcile(*(given.rows(name) for name in tables), (DAYS[0], 100_000_000), DAYS[9], CALENDAR)
    told = describe(compare(found, given.rows("ledger_entries"), DAYS[9]))
    assert told is not None
    assert told.startswith(f"AAA:{DAYS[8]}:write_off:0: ")


def test_runs_that_recorded_no_ends_carry_the_last_close_for_ever() -> None:
    recorded = from_record(TradingParams, {"capital": 1_000_000.0})
    assert (recorded.mark_down_after, recorded.write_off_after) == (0, 0)
    given = silent(9, ends={"mark_down_after": 0, "write_off_after": 0})
    assert navs(given, 3, 9) == [Decimal("999000.00")] * 7


def test_a_write_off_is_reflected_on_like_a_sale() -> None:
    given = silent(1)
    given.settling = SETTLE
    (told,) = given.settle_to(DAYS[8]).rows("trade_reflections").to_dicts()
    assert (told["intent"], told["shares"], told["profit"]) == ("write_off", 100, Decimal("-9550.00"))

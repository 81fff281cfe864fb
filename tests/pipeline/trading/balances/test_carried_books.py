"""A book that goes on from its last balances is, to the bit, the one that adds every entry up again."""

from __future__ import annotations

from dataclasses import replace
from datetime import timedelta
from decimal import Decimal
from typing import Any

import polars as pl
import pytest
from hypothesis import given, settings

from lake.tables.market import INSTRUMENTS
from pipeline.trading.balances import balances
from pipeline.trading.balances.opening import read_book
from pipeline.trading.books import holdings, ledger, value
from pipeline.trading.books.book import fold
from pipeline.trading.params import TradingParams
from tests.frames import market
from tests.frames.trading import BOOKS, CALENDAR, DAYS, World, bar, delisting, dividend, free, split
from tests.pipeline.trading.books.test_changing_facts import QUICK, SESSIONS, History, histories, live

KEPT = ("executed_trades", "ledger_entries", "portfolio_holdings", "portfolio_value")


def at_home(history: History) -> History:
    """The same with every name in the book's own currency: foreign books are added up each time."""
    bars = [one | {"currency": "USD"} for one in history.bars]
    return replace(history, bars=bars, quoted={}, rates=[], changed={})


def check(history: History) -> None:
    """With and without balances, and what they say beside all entries added up."""
    told = at_home(history)
    carried = live(told, BOOKS)
    again = live(told, tuple(stage for stage in BOOKS if stage is not balances.STAGE))
    for name in KEPT:
        assert carried.rows(name).equals(again.rows(name)), name
    for session in DAYS[:SESSIONS]:
        entries = carried.rows("ledger_entries").filter(pl.col("session") <= session)
        assert replace(fold(entries), settled=set()) == replace(carried_book(carried, session), settled=set())


def carried_book(world: World, session: Any) -> Any:
    """The book after a session by its balances."""
    return read_book(world.rows("balances"), session)


@settings(max_examples=2, **QUICK)
@given(histories())
def test_carried_books_are_those_added_up_in_any_history(history: History) -> None:
    check(history)


@pytest.mark.slow
@settings(max_examples=1_000, **QUICK)
@given(histories())
def test_carried_books_are_those_added_up_in_a_thousand_histories(history: History) -> None:
    check(history)


def holder(*facts: dict[str, Any], names: tuple[str, ...] = ("AAA", "BBB"), days: int = 10) -> World:
    """A book that buys 101 of each name at the second session's open, at 50 and something."""
    made = World(*[bar(name, day, 50.0 + at) for at, name in enumerate(names) for day in DAYS[:days]], params=free())
    for name in names:
        made.order(DAYS[0], name, "buy", 101)
    if facts:
        made.act(*facts)
    return made


def carried(made: World) -> list[bool]:
    """Of each session, whether its balances were carried."""
    told = made.rows("balances").group_by("session").agg(pl.col("carried").first()).sort("session")
    return told["carried"].to_list()


LATE = CALENDAR.close_at(DAYS[5]) + timedelta(minutes=5)


def test_balances_are_carried_from_the_second_session_on() -> None:
    made = holder(split("AAA", DAYS[2], 2, 1), dividend("BBB", DAYS[3], 1.0, DAYS[5]), delisting("BBB", DAYS[7], 40.0))
    assert carried(made.settle_to(DAYS[8])) == [False] + [True] * 8


@pytest.mark.parametrize(
    "fact",
    [
        dividend("AAA", DAYS[3], 1.0, available_at=LATE),
        pytest.param(split("AAA", DAYS[4], 3, 2, available_at=LATE), marks=pytest.mark.slow),
        {"ticker": "ZZZ", "ex_date": DAYS[3], "available_at": LATE},
    ],
)
def test_what_is_learned_of_the_past_is_looked_at_once_and_the_books_go_on_from_there(fact: dict[str, Any]) -> None:
    made = holder(fact).settle_to(DAYS[8])
    assert carried(made) == [False, True, True, True, True, False, True, True, True]


def test_a_restated_open_that_a_fraction_was_paid_at_is_noticed_however_old() -> None:
    made = holder(split("AAA", DAYS[2], 3, 2), days=30).settle_to(DAYS[20])
    paid = made.book.cash
    row = bar("AAA", DAYS[2], 60.0, revision=1, available_at=CALENDAR.close_at(DAYS[21]))
    made.add(balances.MARKET_PRICES, market.prices(row, calendar=CALENDAR))
    made.settle_to(DAYS[22])
    assert carried(made)[20:] == [True, False, True]
    assert made.book.cash - paid == 500  # half a share at 60 and not at 50
    assert set(made.rows("portfolio_value")["unexplained"]) == {Decimal(0)}


def test_a_book_with_foreign_names_is_added_up_each_time() -> None:
    made = holder()
    abroad = market.instruments("EUR").with_columns(currency=pl.lit("EUR"))
    made.add(INSTRUMENTS, abroad)
    made.settle_to(DAYS[3])
    assert set(made.rows("balances")["facts"]) == {""}
    assert not any(carried(made))


def test_a_book_settled_as_earlier_programs_did_has_no_balances() -> None:
    made = World(bar("AAA", DAYS[0]), params=free(settlement=1)).settle_to(DAYS[1])
    assert made.rows("balances").is_empty()


@pytest.mark.parametrize("column", ["amount", "shares"])
def test_an_entry_of_the_past_that_is_forged_is_found_in_the_next_session(column: str) -> None:
    made = holder().settle_to(DAYS[4])
    bought = (pl.col("kind") == "buy") & (pl.col("account") == "positions") & (pl.col("ticker") == "AAA")
    more = pl.when(bought).then(pl.col(column) + 1).otherwise(column)
    entries = made.rows("ledger_entries")
    made.tables["ledger_entries"] = entries.with_columns(more.cast(entries.schema[column]).alias(column))
    made.settle(DAYS[5])
    assert carried(made) == [False, True, True, True, True, False]
    assert f"{DAYS[1]}:AAA:buy" in made.value(DAYS[5])["difference"]


@pytest.mark.parametrize(
    "account",
    [
        "cash",
        *(pytest.param(one, marks=pytest.mark.slow) for one in ("positions", "commission", "dividends")),
        "receivable",
    ],
)
def test_a_cent_that_is_booked_wrong_in_the_session_is_found_though_balances_are_carried(account: str) -> None:
    made = holder(dividend("BBB", DAYS[3], 1.0, DAYS[6]))
    made.params = TradingParams()
    made.order(DAYS[2], "AAA", "buy", 10)
    made.settle(*DAYS[:3])
    for stage in BOOKS[: BOOKS.index(ledger.STAGE)]:
        made.run(stage, DAYS[3])
    made.run(ledger.STAGE, DAYS[3])
    today = (pl.col("session") == DAYS[3]) & (pl.col("account") == account)
    first = made.rows("ledger_entries").filter(today)["entry_id"][0]
    amount = pl.when(pl.col("entry_id") == first).then(pl.col("amount") + Decimal("0.01")).otherwise("amount")
    made.tables["ledger_entries"] = made.rows("ledger_entries").with_columns(
        amount=amount.cast(made.rows("ledger_entries").schema["amount"])
    )
    for stage in (balances.STAGE, holdings.STAGE):
        made.run(stage, DAYS[3])
    assert carried(made)[3]
    assert made.compute(value.STAGE, DAYS[3])["difference"][0] is not None

"""A listing that changes its currency while it is held: the cost is told in the new one, and the book's stays."""

from __future__ import annotations

from collections.abc import Sequence
from datetime import timedelta
from decimal import Decimal
from typing import Any

import polars as pl
import pytest

from lake.tables.market import FX_RATES, INSTRUMENTS
from pipeline.trading.books.differences import compare
from pipeline.trading.books.reconciliation import reconcile
from pipeline.trading.reconciling.known_rates import KnownRates
from tests.frames.market import instruments, rates
from tests.frames.trading import CALENDAR, DAYS, World, assert_reconciled, bar, dividend, free, split

CHANGED = 3
"""The session from which on the name is quoted in another currency."""
EUROS, YEN = 1.25, 0.01


def rate(number: int, base: str, value: float, **values: Any) -> dict[str, Any]:
    return {"session": DAYS[number], "base": base, "rate": Decimal(str(value))} | values


ALL_RATES = tuple(rate(n, base, value) for n in range(9) for base, value in (("EUR", EUROS), ("JPY", YEN)))


def held(old: str, new: str, *closes: float, told: Sequence[dict[str, Any]] = ALL_RATES) -> World:
    """100 shares bought at the second open; the listing is known to change, as it is once it did."""
    days = zip(DAYS, closes, strict=False)
    bars = [bar("AAA", day, close, currency=old if day < DAYS[CHANGED] else new) for day, close in days]
    given = World(*bars, params=free())
    given.add(INSTRUMENTS, instruments("AAA", currency=new, earlier_currencies=f"{old}:{DAYS[CHANGED]}"))
    given.add(FX_RATES, rates(*told, calendar=CALENDAR))
    given.order(DAYS[0], "AAA", "buy", 100)
    return given


def posted(given: World) -> list[tuple[Any, ...]]:
    """What the change of currency moved: kind, session, cents of the book, currency and amount in it."""
    entries = given.rows("ledger_entries").filter(pl.col("reference").str.contains(":redenomination:"))
    return entries.select("kind", "session", "amount", "currency", "local_amount").rows()


def test_a_cost_in_one_currency_becomes_one_in_another_at_the_rates_of_that_morning() -> None:
    given = held("EUR", "JPY", 10.0, 10.0, 10.0, 1_250.0, 1_300.0).settle_to(DAYS[4])
    nothing, day = Decimal(0), DAYS[CHANGED]
    assert posted(given) == [
        ("redenomination", day, nothing, "EUR", Decimal(-1_000)),
        ("redenomination", day, nothing, "JPY", Decimal(125_000)),
    ]
    row = given.holding(DAYS[4], "AAA")
    assert [float(row[name]) for name in ("cost", "local_cost", "local_value", "market_value", "exchange_gain")] == [
        1_250.0, 125_000.0, 130_000.0, 1_300.0, 0.0,
    ]  # fmt: skip
    assert [given.value(day)["nav"] for day in DAYS[2:5]] == [1_000_000, 1_000_000, 1_000_050]
    assert_reconciled(given)


@pytest.mark.parametrize(
    ("old", "new", "close", "local"), [("EUR", "USD", 12.5, None), ("USD", "EUR", 8.0, Decimal(800))]
)
def test_a_listing_may_come_to_the_books_currency_and_leave_it(
    old: str, new: str, close: float, local: Decimal | None
) -> None:
    given = held(old, new, 10.0, 10.0, 10.0, close, close)
    given.order(DAYS[3], "AAA", "sell", 40)
    given.settle_to(DAYS[4])
    assert given.holding(DAYS[3], "AAA")["local_cost"] == local
    assert [given.value(day)["nav"] for day in DAYS[2:5]] == [1_000_000] * 3
    assert [given.value(DAYS[4])[name] for name in ("realised", "exchange")] == [0, 0]
    assert_reconciled(given)


def test_what_the_rate_brought_before_a_change_of_currency_stays_what_the_rate_brought() -> None:
    told = [rate(0, "EUR", 1.25), *(rate(n, "EUR", 1.5) for n in range(1, 6))]
    given = held("EUR", "USD", 10.0, 10.0, 10.0, 15.0, 15.0, told=told)
    given.order(DAYS[3], "AAA", "sell", 100)
    given.settle_to(DAYS[4])
    # In the book's own currency nothing tells any more that the euro rose by a fifth.
    assert [given.value(DAYS[2])[name] for name in ("unrealised", "unrealised_exchange")] == [250, 250]
    assert [given.value(DAYS[4])[name] for name in ("realised", "exchange")] == [250, 0]
    assert_reconciled(given)


def test_a_close_in_the_old_currency_is_carried_on_in_the_new_one() -> None:
    given = held("EUR", "JPY", 10.0, 10.0, 11.0)
    given.act(split("AAA", DAYS[4], 2, 3))
    given.settle_to(DAYS[4])
    assert float(given.holding(DAYS[3], "AAA")["close"]) == 1_375.0
    row = given.holding(DAYS[4], "AAA")
    assert (row["shares"], float(row["close"]), float(row["market_value"])) == (66, 2_062.5, 1_361.25)
    # Two thirds of a share at 2,062.50 yen.
    assert given.book.cash == 100_000_000 - 125_000 + 1_375
    assert_reconciled(given)


def test_actions_of_either_side_of_a_change_are_converted_as_their_session_was_also_when_learned_late() -> None:
    given = held("EUR", "JPY", 10.0, 10.0, 10.0, 1_250.0, 1_250.0, 1_250.0)
    late = {"available_at": CALENDAR.close_at(DAYS[5])}
    given.act(dividend("AAA", DAYS[2], 1.0, DAYS[2]) | late, dividend("AAA", DAYS[4], 125.0, DAYS[4]))
    given.settle_to(DAYS[5])
    assert given.value(DAYS[5])["dividends"] == 250
    assert [given.value(DAYS[5])[name] for name in ("restated", "nav")] == [125, 1_000_250]
    assert_reconciled(given)


def test_without_a_rate_the_position_stays_at_its_cost_is_not_traded_and_is_settled_when_one_comes() -> None:
    told = [rate(n, "EUR", EUROS) for n in range(9)] + [rate(n, "JPY", YEN) for n in range(5, 9)]
    given = held("EUR", "JPY", 10.0, 10.0, 10.0, *[2_500.0] * 5, told=told)
    given.order(DAYS[3], "AAA", "sell", 100)
    given.settle_to(DAYS[7])
    assert [float(given.holding(day, "AAA")["market_value"]) for day in DAYS[3:7]] == [1_250.0] * 3 + [2_500.0]
    words = "AAA is quoted in JPY, which is not the currency of the book: no rate of JPY in USD is known"
    assert given.trade(f"{DAYS[4]}:AAA:sell")["reason"].startswith(words)
    assert [(kind, session) for kind, session, *_ in posted(given)] == [("redenomination", DAYS[6])] * 2
    assert_reconciled(given)


def test_a_rate_that_is_corrected_or_learned_late_moves_the_change_with_it() -> None:
    given = held("EUR", "JPY", 10.0, 10.0, 10.0, 1_250.0, 1_250.0, 1_250.0).settle_to(DAYS[4])
    right = rate(CHANGED - 1, "JPY", 0.02, revision=1, available_at=CALENDAR.close_at(DAYS[5]))
    given.add(FX_RATES, rates(right, calendar=CALENDAR))
    given.settle_to(DAYS[5])
    moved = [(kind, currency, local) for kind, _, _, currency, local in posted(given)[2:]]
    assert sorted(moved) == [
        ("correction", "EUR", Decimal(-1_000)), ("correction", "JPY", Decimal(62_500)),
        ("reversal", "EUR", Decimal(1_000)), ("reversal", "JPY", Decimal(-125_000)),
    ]  # fmt: skip
    assert_reconciled(given)


def test_a_name_bought_after_its_listing_changed_and_one_that_is_renamed_into_it_need_no_change() -> None:
    given = held("EUR", "JPY", 10.0, 10.0, 10.0, 1_250.0, 1_250.0, 1_250.0)
    given.add(INSTRUMENTS, instruments("BBB", currency="JPY", earlier_currencies=f"EUR:{DAYS[4]}"))
    renamed = {"ticker": "AAA", "ex_date": DAYS[4], "kind": "rename", "successor": "BBB", "amount": None}
    given.act(renamed | {"numerator": None, "denominator": None})
    given.settle_to(DAYS[5])
    assert given.book.positions["BBB"].local_cost == 12_500_000
    assert [row[1] for row in posted(given)] == [DAYS[CHANGED]] * 2
    assert_reconciled(given)


@pytest.mark.parametrize(
    ("column", "change"),
    [
        ("local_amount", pl.col("local_amount") * 2),
        pytest.param("currency", pl.lit("GBP"), marks=pytest.mark.slow),
        pytest.param("account", pl.lit("realised"), marks=pytest.mark.slow),
    ],
)
def test_a_change_of_currency_that_is_booked_otherwise_is_found(column: str, change: pl.Expr) -> None:
    given, last = held("EUR", "JPY", 10.0, 10.0, 10.0, 1_250.0).settle_to(DAYS[3]), DAYS[3]
    entries = given.rows("ledger_entries")
    known = KnownRates.read(given.rows("instruments"), given.rows("fx_rates"), "USD")
    facts = (given.rows("executed_trades"), given.rows("corporate_actions"), given.rows("market_prices"))
    found = reconcile(*facts, (DAYS[0], 100_000_000), last, CALENDAR, rates=known)
    assert compare(found, entries, last) == []
    mine = pl.col("kind") == "redenomination"
    wrong = entries.with_columns(
        pl.when(mine).then(change.cast(entries.schema[column])).otherwise(column).alias(column)
    )
    reference = f"AAA:{DAYS[CHANGED]}:redenomination:0"
    assert {one.reference for one in compare(found, wrong, last)} == {reference}
    assert {one.reference for one in compare(found, entries.filter(~mine), last)} == {reference}


def test_rates_of_both_currencies_are_needed_from_some_day_before_the_change_on() -> None:
    told = [rate(0, "EUR", EUROS), rate(CHANGED, "JPY", YEN)]
    given = held("EUR", "JPY", 10.0, 10.0, 10.0, 1_250.0, 1_250.0, told=told).settle_to(DAYS[4])
    assert DAYS[CHANGED] + timedelta(days=1) == DAYS[4]
    assert [(session, local) for _, session, _, _, local in posted(given)] == [
        (DAYS[4], Decimal(-1_000)), (DAYS[4], Decimal(125_000)),
    ]  # fmt: skip
    assert_reconciled(given)

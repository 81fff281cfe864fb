"""Names quoted in another currency are traded and held in theirs, and booked in the book's at each session's rate."""

from __future__ import annotations

from decimal import Decimal
from typing import Any

import polars as pl
import pytest

from lake.tables.market import FX_RATES, INSTRUMENTS
from pipeline.trading.books.differences import compare
from pipeline.trading.books.reconciliation import reconcile
from pipeline.trading.reconciling.known_rates import KnownRates
from tests.frames.market import instruments, rates
from tests.frames.trading import CALENDAR, DAYS, World, assert_reconciled, bar, delisting, dividend, free, split

BOUGHT, SOLD = DAYS[1], DAYS[4]


def euro(number: int, rate: str, **values: Any) -> dict[str, Any]:
    """What a euro was worth on the day of a session."""
    return {"session": DAYS[number], "rate": Decimal(rate)} | values


def world(*told: dict[str, Any], prices: tuple[float, ...] = (10.0, 11.0, 12.0, 13.0, 12.5, 12.0)) -> World:
    """A name in euros with a bar a session; 100 are ordered for the second."""
    made = World(*(bar("AAA", DAYS[n], price, currency="EUR") for n, price in enumerate(prices)), params=free())
    made.add(INSTRUMENTS, instruments("AAA", currency="EUR"))
    made.add(FX_RATES, rates(*told, calendar=CALENDAR))
    made.order(DAYS[0], "AAA", "buy", 100)
    return made


RATES = tuple(euro(n, rate) for n, rate in enumerate(("1.1", "1.2", "1.15", "1.3", "1.25")))


def money(row: dict[str, Any], *names: str) -> list[float]:
    return [float(row[name]) for name in names]


def test_a_fill_is_made_in_its_currency_and_booked_at_the_last_rate_before_the_session() -> None:
    given = world(*RATES).settle_to(BOUGHT)
    trade = given.trade(f"{BOUGHT}:AAA:buy")
    assert (trade["currency"], trade["rate_session"]) == ("EUR", DAYS[0])
    assert money(trade, "fill_price", "local_gross", "rate", "gross") == [11.0, 1_100.0, 1.1, 1_210.0]
    assert given.book.cash == 100_000_000 - 121_000
    assert_reconciled(given)


def test_a_holding_is_told_in_both_currencies_with_what_the_rate_brought() -> None:
    given = world(*RATES).settle_to(DAYS[2])
    held = given.holding(DAYS[2], "AAA")
    assert money(held, "local_cost", "local_value", "close", "rate") == [1_100.0, 1_200.0, 12.0, 1.2]
    assert money(held, "cost", "market_value", "unrealised", "exchange_gain") == [1_210.0, 1_440.0, 230.0, 110.0]
    assert money(given.value(DAYS[2]), "unrealised", "unrealised_exchange") == [230.0, 110.0]


def test_a_gain_is_the_shares_at_the_rate_of_the_sale_and_the_rates_own_part_apart() -> None:
    given = world(*RATES)
    given.order(DAYS[3], "AAA", "sell", 40)
    given.settle_to(SOLD)
    # 40 x (12.5 - 11) euros at 1.3, and 440 euros of cost that were bought at 1.1.
    assert money(given.value(SOLD), "realised", "exchange") == [78.0, 88.0]
    assert money(given.holding(SOLD, "AAA"), "cost", "local_cost") == [726.0, 660.0]
    assert_reconciled(given)


def test_all_profit_is_accounted_for_when_nothing_is_held_any_more() -> None:
    given = world(*RATES)
    given.act(dividend("AAA", DAYS[3], 0.5, DAYS[3]))
    given.order(DAYS[4], "AAA", "sell", 100)
    told = given.settle_to(DAYS[5]).value(DAYS[5])
    assert told["nav"] - told["capital"] == told["realised"] + told["exchange"] + told["dividends"]
    assert money(told, "unrealised", "unrealised_exchange", "dividends") == [0.0, 0.0, 57.5]
    assert_reconciled(given)


def test_a_dividend_and_a_final_value_are_converted_once_at_the_rate_of_their_session() -> None:
    given = world(*RATES, prices=(10.0, 11.0, 12.0))
    given.act(dividend("AAA", DAYS[2], 0.333333, DAYS[9]), delisting("AAA", DAYS[4], 9.99))
    given.settle_to(DAYS[4])
    entries = given.rows("ledger_entries")
    claim = entries.filter(pl.col("account") == "receivable").row(0, named=True)
    assert money(claim, "local_amount", "rate", "amount") == [33.33, 1.2, 40.0]
    paid = entries.filter(pl.col("kind") == "delisting", pl.col("account") == "cash").row(0, named=True)
    assert money(paid, "local_amount", "rate", "amount") == [999.0, 1.3, 1_298.7]
    assert given.book.positions == {} and given.book.receivable == 4_000
    assert_reconciled(given)


def test_a_corrected_rate_reposts_what_actions_brought_and_leaves_fills_as_they_were() -> None:
    given = world(*RATES)
    given.act(dividend("AAA", DAYS[2], 0.5, DAYS[2]))
    given.settle_to(DAYS[2])
    late = CALENDAR.close_at(DAYS[3])
    wrong = [euro(n, rate, revision=1, available_at=late) for n, rate in ((0, "1.4"), (1, "1.5"))]
    given.add(FX_RATES, rates(*wrong, calendar=CALENDAR))
    given.settle_to(DAYS[3])
    posted = given.rows("ledger_entries").filter(pl.col("account") == "dividends")
    assert posted.select("kind", "amount").rows() == [
        ("dividend", Decimal(-60)),
        ("reversal", Decimal(60)),
        ("correction", Decimal(-75)),
    ]
    assert posted["effective"].to_list() == [DAYS[2]] * 3
    # The value before is restated too: 100 x 12 euros at 1.5 rather than at 1.2, and the dividend.
    assert money(given.value(DAYS[3]), "restated") == [375.0]
    assert given.book.positions["AAA"].cost == 121_000
    assert_reconciled(given)


def test_what_is_held_is_valued_at_the_last_rate_however_old_and_traded_at_a_new_one_only() -> None:
    prices = tuple(10.0 + n for n in range(10))
    given = world(euro(0, "1.1"), prices=prices)
    given.order(DAYS[8], "AAA", "sell", 100)
    given.settle_to(DAYS[9])
    held = given.holding(DAYS[9], "AAA")
    assert (held["rate_session"], *money(held, "market_value")) == (DAYS[0], 2_090.0)
    words = (
        "AAA is quoted in EUR, which is not the currency of the book: no rate of EUR in USD is known that is at most"
    )
    assert given.trade(f"{DAYS[9]}:AAA:sell")["reason"] == f"{words} 7 days old"


def test_without_any_rate_nothing_foreign_is_bought() -> None:
    given = world().settle_to(BOUGHT)
    trade = given.trade(f"{BOUGHT}:AAA:buy")
    assert (trade["status"], trade["rate"], trade["gross"]) == ("unfilled", None, Decimal(0))
    assert trade["reason"] == "AAA is quoted in EUR, which is not the currency of the book"


def test_the_inverse_of_a_pair_converts_as_well() -> None:
    given = world(*(euro(n, "0.8", base="USD", quote="EUR") for n in range(3))).settle_to(BOUGHT)
    assert money(given.trade(f"{BOUGHT}:AAA:buy"), "rate", "gross") == [1.25, 1_375.0]
    assert_reconciled(given)


def test_cash_limits_what_is_bought_by_what_it_costs_in_the_books_currency() -> None:
    given = world(*RATES)
    given.order(BOUGHT, "AAA", "buy", 100_000)
    trade = given.settle_to(DAYS[2]).trade(f"{DAYS[2]}:AAA:buy")
    assert trade["shares"] == int((1_000_000 - 1_210) / (12.0 * 1.2)) or trade["reason"].startswith("only")
    assert given.book.cash >= 0


def test_a_fraction_of_a_split_is_paid_out_in_the_books_currency() -> None:
    given = world(*RATES)
    given.act(split("AAA", DAYS[3], 2, 3))
    given.settle_to(DAYS[3])
    book = given.book
    # 66 2/3 shares: two thirds of one at an open of 13 euros, at 1.15.
    assert book.positions["AAA"].shares == 66
    assert (book.cash, book.realised + book.exchange) == (100_000_000 - 121_000 + 997, 997 - 1_210)
    assert_reconciled(given)


@pytest.mark.parametrize(
    "other", [pytest.param("EUR", marks=pytest.mark.slow), "GBP", pytest.param("USD", marks=pytest.mark.slow)]
)
def test_a_merger_hands_the_cost_on_in_the_currency_of_the_other_name(other: str) -> None:
    given = world(*RATES, prices=(10.0, 11.0, 12.0))
    given.add(INSTRUMENTS, instruments("BBB", currency=other))
    given.add(FX_RATES, rates(*(euro(n, "2", base="GBP") for n in range(6)), calendar=CALENDAR))
    terms = {"nature": "merger", "successor": "BBB", "numerator": 1, "denominator": 3, "cash": 3.0}
    given.act(delisting("AAA", DAYS[3], 12.0) | terms)
    given.settle_to(DAYS[4])
    held = given.book.positions["BBB"]
    # A quarter of the cost leaves for cash, and of the rest a hundredth with the third of a share.
    assert (held.shares, held.cost) == (33, 121_000 * 3 // 4 - 908)
    assert held.local_cost == {"EUR": 82_500 - 825, "GBP": 47_438 - 474, "USD": 0}[other]
    assert_reconciled(given)


def test_a_name_that_is_renamed_into_another_currency_is_carried_at_the_close_of_then_until_it_trades() -> None:
    given = world(*RATES, prices=(10.0, 11.0, 12.0))
    given.add(INSTRUMENTS, instruments("BBB", currency="USD"))
    given.act({"ticker": "AAA", "ex_date": DAYS[3], "kind": "rename", "successor": "BBB", "numerator": None})
    given.settle_to(DAYS[3])
    assert money(given.holding(DAYS[3], "BBB"), "close", "market_value") == [13.8, 1_380.0]


@pytest.fixture(scope="module")
def sold() -> World:
    """A book that bought, was owed a dividend and sold a part; tests only read it."""
    given = world(*RATES)
    given.act(dividend("AAA", DAYS[2], 0.5, DAYS[9]))
    given.order(DAYS[3], "AAA", "sell", 40)
    return given.settle_to(SOLD)


def reconciled(given: World, trades: pl.DataFrame | None = None) -> Any:
    known = KnownRates.read(given.rows("instruments"), given.rows("fx_rates"), "USD")
    facts = (given.rows("corporate_actions"), given.rows("market_prices"))
    fills = given.rows("executed_trades") if trades is None else trades
    return reconcile(fills, *facts, (DAYS[0], 100_000_000), SOLD, CALENDAR, rates=known)


def corrupt(entries: pl.DataFrame, column: str, change: pl.Expr, kind: str) -> pl.DataFrame:
    return entries.with_columns(pl.when(pl.col("kind") == kind).then(change.cast(entries.schema[column])).otherwise(
        pl.col(column)
    ).alias(column))  # fmt: skip


@pytest.mark.parametrize(
    ("column", "change", "kind"),
    [
        ("local_amount", pl.col("local_amount") * 2, "dividend"),
        ("currency", pl.lit("GBP"), "dividend"),
        ("rate", pl.lit(Decimal("1.21")), "dividend"),
        ("amount", pl.col("local_amount"), "dividend"),
        ("local_amount", pl.lit(None), "buy"),
        ("account", pl.lit("realised"), "sell"),
    ],
)
def test_an_entry_that_states_another_currency_rate_or_amount_is_found(
    sold: World, column: str, change: pl.Expr, kind: str
) -> None:
    given = sold
    entries = given.rows("ledger_entries")
    assert compare(reconciled(given), entries, SOLD) == []
    assert compare(reconciled(given), corrupt(entries, column, change, kind), SOLD)


@pytest.mark.parametrize(("column", "wrong"), [("rate", Decimal("1.11")), ("gross", Decimal("1210.01"))])
def test_a_fill_at_a_rate_that_no_source_stated_is_found(sold: World, column: str, wrong: Decimal) -> None:
    given, trades = sold, sold.rows("executed_trades")
    bought = pl.when(pl.col("side") == "buy").then(pl.lit(wrong, trades.schema[column])).otherwise(pl.col(column))
    found = compare(reconciled(given, trades.with_columns(bought.alias(column))), given.rows("ledger_entries"), SOLD)
    assert {one.reference for one in found} >= {f"{BOUGHT}:AAA:buy"}

"""Short positions: exact to the cent whatever happens to them, borrowed or refused in words, and charged each night."""

from __future__ import annotations

from dataclasses import replace
from decimal import Decimal
from fractions import Fraction
from itertools import pairwise
from typing import Any

import polars as pl
import pytest
from hypothesis import given, settings

from pipeline.trading.balances import balances
from pipeline.trading.books import holdings, ledger
from pipeline.trading.books.differences import compare
from pipeline.trading.ends import position_ends
from pipeline.trading.execution import execute
from pipeline.trading.financing import financing
from pipeline.trading.params import Orders, TradingParams
from pipeline.trading.reconciling.known_charges import read_charges
from pipeline.trading.shorts.params import Shorts
from tests.frames.trading import (
    BOOKS,
    CALENDAR,
    DAYS,
    World,
    assert_attributed,
    assert_lots_agree,
    assert_reconciled,
    bar,
    delisting,
    dividend,
    free,
    split,
)
from tests.pipeline.trading.balances.test_carried_books import KEPT, at_home, carried_book
from tests.pipeline.trading.books.test_changing_facts import (
    PARAMS,
    QUICK,
    SESSIONS,
    History,
    account,
    histories,
    live,
    reconciled,
)

SIDES = (("buy", "enter"), ("sell", "exit"), ("sell", "short"), ("sell", "short"), ("buy", "cover"))
LENT = Shorts(allowed=True, borrow=("*=0.35", f"NEW=0.05 shares 250 until {DAYS[6]}"), rebate=0.01)
SHORTING = replace(PARAMS, shorts=LENT, book_interest=True, cash_interest=0.04, margin_interest=0.09)


def agree(history: History, world: World) -> None:
    """The book, the accountant and the reconciliation say the same of every account."""
    theirs, book = account(history, world), world.book
    charged = dict.fromkeys(("interest", "borrow"), 0)
    for row in world.rows("financing").iter_rows(named=True):
        charged[row["kind"]] += int(row["amount"] * 100)
    assert book.cash == theirs.cash + sum(charged.values())
    assert (book.interest, book.borrow) == (charged["interest"], -charged["borrow"])
    assert book.receivable == theirs.receivable
    assert {name: (one.shares, one.cost) for name, one in book.positions.items()} == theirs.held
    gains = (book.realised, book.exchange, book.dividends, book.commission)
    assert gains == (theirs.realised, theirs.by_rates, theirs.dividends, theirs.commission)
    found = reconciled(world)
    found.charge(read_charges(world.rows("financing"), DAYS[SESSIONS - 1]))
    assert compare(found, world.rows("ledger_entries"), DAYS[SESSIONS - 1]) == []


def check_ledger(history: History) -> None:
    """The ledger alone: quick enough for very many histories."""
    stages = (position_ends.STAGE, execute.STAGE, ledger.STAGE, balances.STAGE, holdings.STAGE)
    agree(history, live(history, stages))


def check_stages(history: History) -> None:
    """Every cent is explained, and attributed, on every session; lots have the ledger's shares; charges are right."""
    world = live(history, BOOKS)
    agree(history, world)
    told = world.rows("portfolio_value")
    assert set(told["unexplained"]) == {Decimal(0)}
    assert told["difference"].null_count() == told.height
    last = told.row(-1, named=True)
    earned = sum(last[one] or 0 for one in ("capital", "realised", "exchange", "unrealised", "dividends", "interest"))
    assert last["nav"] == earned - last["commission"] - (last["borrow_cost"] or 0)
    theirs = account(history, world)
    worth = theirs.worth(DAYS[SESSIONS - 1]) + int(100 * sum(world.rows("financing")["amount"]))
    assert int(last["nav"] * 100) == theirs.cash + theirs.receivable + worth
    assert_attributed(world, SESSIONS)
    _charges_follow_from_what_was_stated(world)


def _charges_follow_from_what_was_stated(world: World) -> None:
    charged = {(row["session"], row["item"]): row for row in world.rows("financing").iter_rows(named=True)}
    for before, session in pairwise(DAYS[:SESSIONS]):
        held, days = world.rows("portfolio_holdings").filter(session=before), (session - before).days
        cash, short = world.value(before)["cash"], Decimal(0)
        for ticker, worth in held.filter(pl.col("shares") < 0).select("ticker", "market_value").iter_rows():
            rate = Fraction(5, 100) if ticker == "NEW" else Fraction(35, 100)
            fee = round(Fraction(worth) * 100 * rate * days / 365)
            assert charged.get((session, ticker), {"amount": 0})["amount"] * 100 == fee
            short -= worth
        secured = Fraction(-(-Fraction(short) * 102 // 1), 100)
        due = [("cash", max(Fraction(cash) - secured, 0), 4), ("collateral", min(secured, max(Fraction(cash), 0)), 1)]
        due.append(("debt", min(Fraction(cash), 0), 9))
        for item, base, per_cent in due:
            interest = round(base * per_cent * days / 365)
            assert charged.get((session, item), {"amount": 0})["amount"] * 100 == interest


@settings(max_examples=3, **QUICK)
@given(histories(SIDES, SHORTING))
def test_short_books_are_what_an_accountant_makes_of_them_once_all_is_known(history: History) -> None:
    check_ledger(history)


@settings(max_examples=2, **QUICK)
@given(histories(SIDES, SHORTING))
def test_every_cent_of_a_short_book_is_explained_and_attributed_on_every_session(history: History) -> None:
    check_stages(history)


@settings(max_examples=3, **QUICK)
@given(histories(SIDES, SHORTING))
def test_lots_of_short_books_have_the_ledgers_shares_cost_and_gains(history: History) -> None:
    world = live(history, (position_ends.STAGE, execute.STAGE, ledger.STAGE, balances.STAGE, holdings.STAGE))
    for method in ("fifo", "highest_cost"):
        assert_lots_agree(world, method)


@settings(max_examples=2, **QUICK)
@given(histories(SIDES, SHORTING))
def test_short_books_go_on_from_balances_as_if_they_were_added_up(history: History) -> None:
    check_carried(history)


def check_carried(history: History) -> None:
    """With and without balances, and what they say beside all entries added up."""
    told = at_home(history)
    carried = live(told, BOOKS)
    again = live(told, tuple(stage for stage in BOOKS if stage is not balances.STAGE))
    for name in KEPT:
        assert carried.rows(name).equals(again.rows(name)), name
    book = carried_book(carried, DAYS[SESSIONS - 1])
    assert replace(carried.book, settled=set()) == replace(book, settled=set())


@pytest.mark.slow
@settings(max_examples=10_000, **QUICK)
@given(histories(SIDES, SHORTING))
def test_ten_thousand_short_books_are_what_an_accountant_makes_of_them(history: History) -> None:
    check_ledger(history)


@pytest.mark.slow
@settings(max_examples=500, **QUICK)
@given(histories(SIDES, SHORTING))
def test_every_cent_of_five_hundred_short_books_is_explained(history: History) -> None:
    check_stages(history)
    check_carried(history)


def short_world(*bars: dict[str, Any], params: TradingParams | None = None) -> World:
    """A book that may sell short whatever it likes, at no cost."""
    return World(*bars, params=params or free(planning=2, shorts=Shorts(allowed=True, borrow=("*=0",))))


def test_a_short_position_follows_splits_as_a_long_one_does_and_its_fraction_is_bought_in() -> None:
    world = short_world(*[bar("AAA", day, price) for day, price in zip(DAYS, (90.0, 90.0, 60.0, 60.0), strict=False)])
    world.order(DAYS[0], "AAA", "sell", 7, intent="short")
    world.act(split("AAA", DAYS[2], 3, 2))
    world.settle(*DAYS[:4])
    held = world.holding(DAYS[2], "AAA")
    assert (held["shares"], held["market_value"], held["unrealised"]) == (-10, Decimal("-600.00"), Decimal("0.00"))
    fraction = world.rows("ledger_entries").filter(kind="cash_in_lieu", account="cash")
    assert fraction["amount"].to_list() == [Decimal("-30.00")]  # half a share at 60
    assert world.value(DAYS[3])["nav"] == world.value(DAYS[0])["nav"]
    assert_reconciled(world)


def test_a_short_position_owes_the_dividend_from_the_ex_date_on_and_pays_it_on_the_day() -> None:
    world = short_world(*[bar("AAA", day, 99.0 if day >= DAYS[2] else 100.0) for day in DAYS[:6]])
    world.order(DAYS[0], "AAA", "sell", 50, intent="short")
    world.order(DAYS[2], "AAA", "buy", 50, intent="cover")
    world.act(dividend("AAA", DAYS[2], 1.0, DAYS[4]))
    world.settle(*DAYS[:6])
    assert [world.value(day)["receivable"] for day in DAYS[1:5]] == [0, -50, -50, 0]
    assert world.value(DAYS[5])["nav"] == world.value(DAYS[0])["nav"]  # what the price fell by is what was owed
    assert world.value(DAYS[5])["dividends"] == Decimal("-50.00")
    assert_reconciled(world)


def test_a_short_position_ends_with_its_company_at_the_final_value() -> None:
    world = short_world(*[bar("AAA", day, 20.0) for day in DAYS[:3]])
    world.order(DAYS[0], "AAA", "sell", 100, intent="short")
    world.act(delisting("AAA", DAYS[3], 12.5))
    world.settle(*DAYS[:4])
    assert world.book.positions == {} and world.book.realised == 75_000
    assert_reconciled(world)


def test_the_debt_of_a_silent_short_position_is_neither_marked_down_nor_written_off() -> None:
    params = free(planning=2, mark_down_after=2, write_off_after=4, shorts=Shorts(allowed=True, borrow=("*=0",)))
    world = short_world(*[bar("AAA", day, 20.0) for day in DAYS[:2]], params=params)
    world.order(DAYS[0], "AAA", "sell", 100, intent="short")
    world.settle(*DAYS[:10])
    assert world.holding(DAYS[9], "AAA")["market_value"] == Decimal("-2000.00")
    assert world.rows("position_ends").is_empty()


def test_a_split_learned_late_corrects_what_was_sold_short_and_bought_back() -> None:
    world = short_world(*[bar("AAA", day, 50.0 if day >= DAYS[2] else 100.0) for day in DAYS[:6]])
    world.order(DAYS[0], "AAA", "sell", 10, intent="short")
    world.order(DAYS[3], "AAA", "buy", 10, intent="cover")
    late = CALENDAR.close_at(DAYS[4])
    world.act(split("AAA", DAYS[2], 2, 1, available_at=late))
    world.settle(*DAYS[:6])
    assert world.book.positions["AAA"].shares == -10 and world.book.positions["AAA"].cost == -50_000
    assert_reconciled(world)
    assert_lots_agree(world, "fifo")


@pytest.mark.parametrize(
    ("lent", "reason"),
    [
        (Shorts(), "short sales are not allowed: trading.shorts.allowed is off"),
        (Shorts(allowed=True), "nobody lends AAA: trading.shorts.borrow does not name it"),
        (Shorts(allowed=True, borrow=(f"AAA=0.01 until {DAYS[1]}",)), f"the lender of AAA wants it back by {DAYS[1]}"),
        (Shorts(allowed=True, borrow=("AAA=0.01 shares 0",)), "only 0 more shares of AAA can be borrowed"),
    ],
)
def test_a_short_sale_that_nobody_lends_is_refused_in_words_and_nothing_is_posted(lent: Shorts, reason: str) -> None:
    world = short_world(*[bar("AAA", day) for day in DAYS[:2]], params=free(planning=2, shorts=lent))
    world.order(DAYS[0], "AAA", "sell", 10, intent="short")
    world.settle(*DAYS[:2])
    refused = world.trade(f"{DAYS[1]}:AAA:short")
    assert (refused["status"], refused["shares"], refused["reason"]) == ("unfilled", 0, reason)
    assert set(world.rows("ledger_entries")["kind"]) == {"fund"}


def test_only_what_is_lent_is_sold_short() -> None:
    lent = Shorts(allowed=True, borrow=("AAA=0 shares 120",))
    world = short_world(*[bar("AAA", day) for day in DAYS[:3]], params=free(planning=2, shorts=lent))
    world.order(DAYS[0], "AAA", "sell", 100, intent="short")
    world.order(DAYS[1], "AAA", "sell", 100, intent="short")
    world.settle(*DAYS[:3])
    second = world.trade(f"{DAYS[2]}:AAA:short")
    assert (second["status"], second["shares"]) == ("partial", 20)
    assert second["reason"] == "only 20 more shares of AAA can be borrowed"


def test_a_trade_from_one_side_to_the_other_is_two_and_its_position_is_as_old_as_the_second() -> None:
    world = short_world(*[bar("AAA", day) for day in DAYS[:4]])
    world.order(DAYS[0], "AAA", "buy", 30)
    world.order(DAYS[1], "AAA", "sell", 50, intent="short")
    world.order(DAYS[2], "AAA", "buy", 60, intent="enter")
    world.settle(*DAYS[:4])
    legs = world.rows("executed_trades").sort("trade_id").select("side", "position", "shares").rows()
    assert legs == [
        ("buy", None, 30),
        ("sell", None, 30),
        ("sell", "short", 20),
        ("buy", None, 40),
        ("buy", "short", 20),
    ]
    assert world.holding(DAYS[2], "AAA")["opened"] == DAYS[2] and world.holding(DAYS[3], "AAA")["opened"] == DAYS[3]
    assert_reconciled(world)


def test_what_a_short_sale_brings_is_collateral_and_buys_nothing() -> None:
    params = replace(free(planning=2, shorts=Shorts(allowed=True, borrow=("*=0",))), capital=1_000.0)
    world = short_world(*[bar(name, day) for name in ("AAA", "BBB") for day in DAYS[:3]], params=params)
    world.order(DAYS[0], "AAA", "sell", 20, intent="short")
    world.order(DAYS[1], "BBB", "buy", 30)
    world.settle(*DAYS[:3])
    assert world.value(DAYS[1])["cash"] == 3_000
    bought = world.trade(f"{DAYS[2]}:BBB:buy")
    assert bought["shares"] == 9  # of 3,000, 102 % of 2,000 stay
    assert bought["reason"] == "cash of 960.00 pays for 9 shares, commission included"


def test_a_stop_of_a_short_position_lies_above_and_buys_it_back() -> None:
    params = replace(free(planning=2, shorts=Shorts(allowed=True, borrow=("*=0",))), orders=Orders(stops="resting"))
    bars = [bar("AAA", DAYS[0]), bar("AAA", DAYS[1]), bar("AAA", DAYS[2], 104.0, open=101.0, high=108.0, low=101.0)]
    world = short_world(*bars, params=params)
    world.order(DAYS[0], "AAA", "sell", 10, intent="short")
    world.order(DAYS[1], "AAA", "hold", 0, intent="keep", taken=False, resting_stop=106.0)
    world.settle(*DAYS[:3])
    stopped = world.trade(f"{DAYS[2]}:AAA:cover:stop")
    assert (stopped["side"], stopped["shares"], stopped["fill_price"]) == ("buy", 10, Decimal("106.000000"))
    assert world.book.positions == {}
    assert_reconciled(world)


def test_borrow_is_charged_for_every_night_of_a_weekend_at_the_lenders_rate() -> None:
    lent = Shorts(allowed=True, borrow=("AAA=0.365",))
    world = short_world(*[bar("AAA", day) for day in DAYS[:6]], params=free(planning=2, shorts=lent))
    world.order(DAYS[0], "AAA", "sell", 100, intent="short")
    world.settle(*DAYS[:6])
    charged = world.rows("financing").select("session", "days", "amount").rows()
    nights = [(DAYS[2], 1), (DAYS[3], 1), (DAYS[4], 1), (DAYS[5], 3)]
    assert charged == [(day, days, Decimal("-10.00") * days) for day, days in nights]
    assert world.value(DAYS[5])["borrow_cost"] == Decimal("60.00")
    assert_reconciled(world)


def test_a_charge_that_does_not_follow_from_its_base_is_found() -> None:
    lent = Shorts(allowed=True, borrow=("AAA=0.365",))
    world = short_world(*[bar("AAA", day) for day in DAYS[:4]], params=free(planning=2, shorts=lent))
    world.order(DAYS[0], "AAA", "sell", 100, intent="short")
    world.settle(*DAYS[:3])
    wrong = world.compute(financing.STAGE, DAYS[3]).with_columns(base=pl.col("base") - 1)
    world.tables["financing"] = pl.concat([world.tables["financing"], wrong])
    for stage in BOOKS[BOOKS.index(financing.STAGE) + 1 :]:
        world.run(stage, DAYS[3])
    assert "it is reckoned on -1000100 cents" in world.value(DAYS[3])["difference"]


def test_a_night_that_is_not_charged_for_is_found() -> None:
    lent = Shorts(allowed=True, borrow=("AAA=0.365",))
    world = short_world(*[bar("AAA", day) for day in DAYS[:4]], params=free(planning=2, shorts=lent))
    world.order(DAYS[0], "AAA", "sell", 100, intent="short")
    world.settle(*DAYS[:3])
    for stage in BOOKS:
        if stage is not financing.STAGE:
            world.run(stage, DAYS[3])
    told = world.value(DAYS[3])["difference"]
    assert told == f"{DAYS[3]}:borrow:AAA: borrowing it is not charged at 0.365 a year"


def test_the_books_own_cash_earns_interest_where_that_is_asked_for() -> None:
    world = World(bar("AAA", DAYS[0]), params=free(planning=2, book_interest=True, cash_interest=0.0365))
    world.settle(*DAYS[:3])
    assert [world.value(day)["interest"] for day in DAYS[:3]] == [None, Decimal("100.00"), Decimal("200.01")]
    assert world.value(DAYS[2])["nav"] == Decimal("1000200.01")
    assert_reconciled(world)


def test_a_book_without_shorts_and_interest_is_charged_nothing_and_says_nothing() -> None:
    world = World(bar("AAA", DAYS[0]), params=free(planning=2, cash_interest=0.05))
    world.settle(*DAYS[:2])
    assert world.rows("financing").is_empty()
    assert [world.value(DAYS[1])[one] for one in ("interest", "borrow_cost", "short_value")] == [None, None, None]

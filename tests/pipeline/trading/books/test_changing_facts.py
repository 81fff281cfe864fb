"""Whatever is learned late, corrected or taken back: in the end the book is as if it had been known all along."""

from __future__ import annotations

from collections import defaultdict
from dataclasses import dataclass, field
from datetime import date, timedelta
from decimal import Decimal
from typing import Any

import polars as pl
import pytest
from hypothesis import HealthCheck, given, settings
from hypothesis import strategies as st

from lake.storage.visibility import select_last_revisions
from lake.tables.market import CORPORATE_ACTIONS, FX_RATES, INSTRUMENTS, MARKET_PRICES
from lake.tables.trading import TRADE_PLANS
from pipeline.trading.balances import balances
from pipeline.trading.books import holdings, ledger
from pipeline.trading.books.differences import compare
from pipeline.trading.books.reconciliation import reconcile
from pipeline.trading.ends import position_ends
from pipeline.trading.execution import execute
from pipeline.trading.params import Costs, TradingParams
from pipeline.trading.reconciling.known_rates import KnownRates
from tests.frames import market
from tests.frames.trading import BOOKS, CALENDAR, DAYS, World, bar, plans
from tests.pipeline.trading.books.accountant import Accountant, last_said, note_rates, write_off
from tests.pipeline.trading.books.drawn_currencies import (
    BOOK,
    draw_changes,
    draw_listings,
    draw_rates,
    listing_rows,
    rate_rows,
)

SESSIONS = 9
OLD, NEW, PARENT, OTHER = "OLD", "NEW", "PAR", "OTH"
NAMES = (OLD, NEW, PARENT, OTHER)
"""OLD becomes NEW, and NEW may trade before; PARENT gives shares of OTHER, or is taken over by it."""
RATIOS = ((2, 1), (3, 2), (7, 1), (1, 3), (1, 7), (1, 50), (5, 4), (101, 100))
CAPITAL = 1_000_000
PARAMS = TradingParams(
    capital=float(CAPITAL),
    costs=Costs(min_commission=1.0),
    mark_down_after=2,
    mark_down=0.5,
    write_off_after=3,
    write_off_value=0.25,
)
"""Names are soon given up, so that many of them are heard of again."""


LONG = (("buy", "enter"), ("buy", "enter"), ("sell", "exit"))
"""Side and intent of the orders that are drawn."""


@dataclass
class History:
    """What comes to pass, and when each statement about it is learned."""

    bars: list[dict[str, Any]] = field(default_factory=list)
    statements: list[dict[str, Any]] = field(default_factory=list)
    orders: list[dict[str, Any]] = field(default_factory=list)
    quoted: dict[str, str] = field(default_factory=dict)
    """The foreign names, and their currencies."""
    rates: list[dict[str, Any]] = field(default_factory=list)
    changed: dict[str, tuple[date, str]] = field(default_factory=dict)
    """The names whose listing changed its currency: since when, and the currency before."""
    params: TradingParams = PARAMS

    def quoted_on(self, name: str, session: date) -> str:
        """What a name is quoted in at a session."""
        since, before = self.changed.get(name, (date.min, BOOK))
        return before if session < since else self.quoted.get(name, BOOK)


@st.composite
def histories(draw: st.DrawFn, kinds: tuple[tuple[str, str], ...] = LONG, params: TradingParams = PARAMS) -> History:
    """Few names and days, so that what happens meets what is held; orders have one of these sides and intents."""
    quoted = draw(draw_listings(NAMES))
    drawn = draw(draw_changes(NAMES, DAYS[1:SESSIONS]))
    changed = {name: one for name, one in drawn.items() if one[1] != quoted.get(name, BOOK)}
    foreign = {*quoted.values(), *(before for _, before in changed.values())} - {BOOK}
    rates = draw(draw_rates(foreign, DAYS[: SESSIONS - 1]))
    history = History(quoted=quoted, rates=rates, changed=changed, params=params)
    for name in NAMES:
        silent = draw(st.sampled_from((SESSIONS, SESSIONS, SESSIONS, 3, 5)))
        for session in DAYS[:silent]:
            if draw(st.integers(0, 5)):
                opening, close = draw(_prices), draw(_prices)
                low, high = min(opening, close), max(opening, close)
                values = {"open": opening, "low": low, "high": high, "currency": history.quoted_on(name, session)}
                history.bars.append(bar(name, session, close, **values))
    taken: dict[tuple[object, ...], int] = defaultdict(int)
    for _ in range(draw(st.integers(0, 6))):
        entity = draw(_entities())
        entity["sequence"] = taken[entity["ticker"], entity["ex_date"], entity["kind"]]
        taken[entity["ticker"], entity["ex_date"], entity["kind"]] += 1
        history.statements += draw(_revisions(entity))
    for session in DAYS[: SESSIONS - 1]:
        for name in draw(st.lists(st.sampled_from(NAMES), max_size=2, unique=True)):
            (side, intent), shares = draw(st.sampled_from(kinds)), draw(st.integers(1, 300))
            order = {"session": session, "ticker": name, "side": side, "intent": intent, "shares": shares}
            history.orders.append(order)
    return history


_prices = st.sampled_from((0.0333, 1.01, 9.9999, 25.0, 40.123456, 100.0, 333.33))
_amounts = st.sampled_from((0.0001, 0.24, 1.0, 3.333333, 60.0))


@st.composite
def _entities(draw: st.DrawFn) -> dict[str, Any]:
    kind = draw(st.sampled_from(("split", "split", "dividend", "dividend", "delisting", "rename")))
    day = draw(st.sampled_from(DAYS[1 : SESSIONS - 1]))
    off = draw(st.sampled_from((0, 0, 0, -1))) if day.weekday() == 0 else 0  # a Sunday counts from Monday on
    ticker = OLD if kind == "rename" else draw(st.sampled_from(NAMES))
    return {"ticker": ticker, "ex_date": day + timedelta(days=off), "kind": kind}


@st.composite
def _revisions(draw: st.DrawFn, entity: dict[str, Any]) -> list[dict[str, Any]]:
    """One to three statements, learned on days that rise; any but the first may take the action back."""
    count = draw(st.sampled_from((1, 1, 2, 2, 3)))
    learned = sorted(draw(st.lists(st.integers(0, SESSIONS - 2), min_size=count, max_size=count, unique=True)))
    return [
        entity
        | draw(_contents(entity))
        | {
            "revision": number,
            "available_at": CALENDAR.close_at(DAYS[day]) + timedelta(minutes=5),
            "learned_on": DAYS[day],
            "withdrawn": number > 0 and draw(st.integers(0, 2)) == 0,
        }
        for number, day in enumerate(learned)
    ]


@st.composite
def _contents(draw: st.DrawFn, entity: dict[str, Any]) -> dict[str, Any]:
    new, old = draw(st.sampled_from(RATIOS))
    found: dict[str, Any] = {"numerator": None, "denominator": None, "amount": None, "pay_date": None}
    ratio = {"numerator": new, "denominator": old}
    if entity["kind"] == "split":
        return found | ratio | {"nature": draw(st.sampled_from((None, "stock_dividend")))}
    if entity["kind"] == "rename":
        return found | {"successor": NEW}
    found["amount"] = draw(_amounts)
    if entity["ticker"] == PARENT and draw(st.booleans()):
        found |= ratio | {"successor": OTHER}
        if entity["kind"] == "dividend":
            return found | {"nature": "spin_off", "cost_share": draw(st.sampled_from((0.1, 0.333333)))}
        return found | {"nature": "merger", "cash": draw(st.sampled_from((None, 0.24, 60.0)))}
    if entity["kind"] == "dividend":
        found["pay_date"] = draw(st.sampled_from((None, *DAYS[: SESSIONS + 2])))
        found["nature"] = draw(st.sampled_from((None, "special", "return_of_capital", "rights")))
    return found


def live(history: History, stages: tuple[Any, ...]) -> World:
    """Run the stages session by session, each with what was known by then."""
    world = World(params=history.params)
    world.tables[MARKET_PRICES.name] = market.prices(*history.bars, calendar=CALENDAR)
    world.tables[CORPORATE_ACTIONS.name] = market.actions(*history.statements, calendar=CALENDAR)
    world.tables[TRADE_PLANS.name] = plans(*history.orders)
    world.tables[INSTRUMENTS.name] = listing_rows(history.quoted, history.changed)
    world.tables[FX_RATES.name] = rate_rows(history.rates)
    for session in DAYS[:SESSIONS]:
        for stage in stages:
            rows = world.compute(stage, session)
            world.tables[stage.writes.name] = pl.concat([world.tables[stage.writes.name], rows])
    return world


def final_facts(world: World) -> pl.DataFrame:
    """What is known in the end."""
    statements = world.rows("corporate_actions").sort(CORPORATE_ACTIONS.key)
    return select_last_revisions(statements, CORPORATE_ACTIONS)


def account(history: History, world: World) -> Accountant:
    """What somebody makes of the same fills who knew everything from the start."""
    bars = {(one["ticker"], one["session"]): one for one in history.bars}
    ends = last_said(world.rows("position_ends").to_dicts(), "ticker", "last_session")
    facts = [*final_facts(world).to_dicts(), *map(write_off, ends)]
    trades = world.rows("executed_trades").filter(pl.col("shares") > 0).to_dicts()
    stated = last_said(world.rows("fx_rates").to_dicts(), "base", "quote", "session")
    moved = {name: (day, None if before == BOOK else before) for name, (day, before) in history.changed.items()}
    known = {"quoted": history.quoted, "rates": note_rates(stated, BOOK), "moved": moved}
    marked_down = (PARAMS.mark_down_after, PARAMS.mark_down)
    accountant = Accountant(DAYS, bars, facts, CAPITAL * 100, mark_down=marked_down, **known)
    return accountant.live(trades, DAYS[SESSIONS - 1])


def agree(history: History, world: World) -> None:
    """The book, the accountant and the reconciliation say the same of every account, and of what was written off."""
    theirs, book = account(history, world), world.book
    for end in last_said(world.rows("position_ends").to_dicts(), "ticker", "last_session"):
        name, last = end["ticker"], end["last_session"]
        renamed = any(fact["successor"] == name and fact["ex_date"] > last for fact in theirs.facts)
        if (name, last) in theirs.bars and not renamed:  # else the close is that of its earlier name
            close = theirs.split_up(name, last, end["ended_on"])
            assert end["amount"] == pytest.approx(float(close) * PARAMS.write_off_value, abs=1e-6)
    assert (book.cash, book.receivable) == (theirs.cash, theirs.receivable)
    assert {name: (one.shares, one.cost) for name, one in book.positions.items()} == theirs.held
    gains = (book.realised, book.exchange, book.dividends, book.commission)
    assert gains == (theirs.realised, theirs.by_rates, theirs.dividends, theirs.commission)
    local = {name: one.local_cost for name, one in book.positions.items() if name in history.quoted}
    assert local == {name: theirs.local[name] for name in local}
    assert compare(reconciled(world), world.rows("ledger_entries"), DAYS[SESSIONS - 1]) == []


def reconciled(world: World) -> Any:
    """The reconciliation after the last session."""
    given = (world.rows("executed_trades"), final_facts(world), world.rows("market_prices"))
    known = KnownRates.read(world.rows("instruments"), world.rows("fx_rates"), BOOK)
    ends = world.rows("position_ends")
    return reconcile(*given, (DAYS[0], CAPITAL * 100), DAYS[SESSIONS - 1], CALENDAR, ends, rates=known)


def check_ledger(history: History) -> None:
    """The ledger alone: quick enough for very many histories."""
    world = live(history, (position_ends.STAGE, execute.STAGE, ledger.STAGE, balances.STAGE, holdings.STAGE))
    agree(history, world)


def check_stages(history: History) -> None:
    """All of the books: every cent is explained on every session, and the value is the accountant's in the end."""
    world = live(history, BOOKS)
    agree(history, world)
    told = world.rows("portfolio_value")
    assert set(told["unexplained"]) == {Decimal(0)}
    assert told["difference"].null_count() == told.height
    theirs, last = account(history, world), told.row(-1, named=True)
    assert int(last["nav"] * 100) == theirs.cash + theirs.receivable + theirs.worth(DAYS[SESSIONS - 1])
    earned = sum(last[name] or 0 for name in ("capital", "realised", "exchange", "unrealised", "dividends"))
    assert last["nav"] == earned - last["commission"]


QUICK = {"deadline": None, "suppress_health_check": [HealthCheck.too_slow, HealthCheck.data_too_large]}


@settings(max_examples=4, **QUICK)
@given(histories())
def test_once_all_is_known_the_book_is_as_if_it_had_been_known_from_the_start(history: History) -> None:
    check_ledger(history)


@settings(max_examples=2, **QUICK)
@given(histories())
def test_every_cent_is_explained_on_every_session_whatever_is_learned_when(history: History) -> None:
    check_stages(history)


@pytest.mark.slow
@settings(max_examples=10_000, **QUICK)
@given(histories())
def test_once_all_is_known_ten_thousand_books_are_as_if_it_had_been_known_from_the_start(history: History) -> None:
    check_ledger(history)


@pytest.mark.slow
@settings(max_examples=500, **QUICK)
@given(histories())
def test_every_cent_is_explained_on_every_session_of_five_hundred_histories(history: History) -> None:
    check_stages(history)

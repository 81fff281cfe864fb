"""Whatever happens to the book, nothing is lost, nothing appears, and a second, simpler book agrees to the cent."""

from __future__ import annotations

from collections import defaultdict
from dataclasses import dataclass, field
from datetime import date
from fractions import Fraction
from typing import Any

import polars as pl
import pytest
from hypothesis import HealthCheck, given, settings
from hypothesis import strategies as st

from lake.tables.books import LEDGER_ENTRIES, PORTFOLIO_HOLDINGS, PORTFOLIO_VALUE
from lake.tables.market import CORPORATE_ACTIONS, MARKET_PRICES
from lake.tables.trading import EXECUTED_TRADES, TRADE_PLANS
from pipeline.trading.books import holdings, ledger, value
from pipeline.trading.books.action_postings import Morning
from pipeline.trading.books.actions import ORDER, Action
from pipeline.trading.books.book import Book, LedgerEvent, Leg, fold
from pipeline.trading.books.money import half_even, to_cents, to_micros
from pipeline.trading.books.quotes import Quotes
from pipeline.trading.books.trades import FilledTrade, build_fill_events
from pipeline.trading.execution import execute
from pipeline.trading.execution.fills import Auction, fill_orders
from pipeline.trading.execution.orders import Bar, Order, Stop, make_order_type
from pipeline.trading.execution.resting_stops import leave_out_unreached
from pipeline.trading.params import Costs, TradingParams
from tests.frames import market
from tests.frames.trading import CALENDAR, DAYS, World, bar, delisting, dividend, plans, split

TICKERS = ("AAA", "BBB")
SESSIONS = 5
RATIOS = ((2, 1), (3, 2), (7, 1), (1, 3), (1, 7), (1, 50), (5, 4))


@dataclass
class History:
    """What the world throws at the book."""

    bars: list[dict[str, Any]] = field(default_factory=list)
    actions: list[dict[str, Any]] = field(default_factory=list)
    orders: list[dict[str, Any]] = field(default_factory=list)
    capital: float = 50_000.0
    costs: Costs = field(default_factory=Costs)


@st.composite
def histories(draw: st.DrawFn) -> History:
    """Orders of any size on prices of any size, with gaps in the bars and actions on any day, several per day too."""
    history = History(
        capital=draw(st.sampled_from((1_000.01, 50_000.0, 1_000_000.0))),
        costs=Costs(
            multiple=draw(st.sampled_from((0.0, 1.0, 2.0))), min_commission=draw(st.sampled_from((0.0, 1.0, 35.0)))
        ),
    )
    for ticker in TICKERS:
        gone = False
        for number, session in enumerate(DAYS[:SESSIONS]):
            if gone:
                continue
            history.actions += draw(st.lists(_actions(ticker, session), max_size=2) if number else st.just([]))
            if number and draw(st.integers(0, 15)) == 0:
                history.actions.append(delisting(ticker, session, draw(st.sampled_from((0.0, 3.3333, 120.0)))))
                gone = True
            elif draw(st.integers(0, 5)):
                low, high = sorted((draw(_prices), draw(_prices)))
                volume = draw(st.sampled_from((0, 37, 4_000, 10_000_000)))
                history.bars.append(bar(ticker, session, high, open=low, low=low, high=high, volume=volume))
            if number < SESSIONS - 1 and draw(st.booleans()):
                side, shares = draw(st.sampled_from(("buy", "buy", "sell"))), draw(st.integers(1, 900))
                order = {"session": session, "ticker": ticker, "side": side, "shares": shares}
                history.orders.append(order | draw(_kinds))
            elif number < SESSIONS - 1 and draw(st.booleans()):
                kept = {"session": session, "ticker": ticker, "side": "hold", "intent": "keep", "taken": False}
                history.orders.append(kept | {"shares": 0, "resting_stop": draw(_prices)})
    _number(history.actions)
    return history


_prices = st.integers(1, 5_000_000).map(lambda micros: micros / 10_000)
_kinds = st.fixed_dictionaries(
    {
        "order_type": st.sampled_from((None, "market-on-open", "market-on-close", "limit")),
        "limit_price": _prices,
        "resting_stop": st.none() | _prices,
    }
)
"""What kind of order a plan asks for; a stop may lie beside it."""


def _actions(ticker: str, session: date) -> st.SearchStrategy[dict[str, Any]]:
    splits = st.sampled_from(RATIOS).map(lambda ratio: split(ticker, session, *ratio))
    amounts = st.integers(1, 40_000).map(lambda n: n / 10_000)
    paid = st.sampled_from((None, session, *(day for day in DAYS[: SESSIONS + 3] if day > session)))
    return splits | st.builds(lambda amount, day: dividend(ticker, session, amount, day), amounts, paid)


def _number(actions: list[dict[str, Any]]) -> None:
    seen: dict[tuple[object, ...], int] = defaultdict(int)
    for action in actions:
        key = (action["ticker"], action["ex_date"], action.get("kind", "split"))
        action["sequence"] = seen[key]
        seen[key] += 1


def run(history: History, *, shuffle: bool = False) -> World:
    """Execute and book each session; holdings and value for each, too."""
    world = World(params=TradingParams(capital=history.capital, costs=history.costs))
    order = (lambda rows: rows[::-1]) if shuffle else (lambda rows: rows)
    world.tables[MARKET_PRICES.name] = market.prices(*order(history.bars), calendar=CALENDAR)
    world.tables[CORPORATE_ACTIONS.name] = market.actions(*order(history.actions), calendar=CALENDAR)
    world.tables[TRADE_PLANS.name] = plans(*order(history.orders))
    for session in DAYS[:SESSIONS]:
        for stage in (execute.STAGE, ledger.STAGE, holdings.STAGE, value.STAGE):
            moment = world.moment(session)
            frames = [*world.frames(stage, moment).values()]
            if shuffle:
                frames = [frame.reverse() for frame in frames]
            rows = stage.function(*frames, moment, world.params)
            world.tables[stage.writes.name] = pl.concat([world.tables[stage.writes.name], rows])
    return world


@dataclass
class Simple:
    """A second book, written to be read rather than to be fast: the oracle of these tests."""

    cash: int = 0
    owed: list[tuple[date, int]] = field(default_factory=list)
    shares: dict[str, int] = field(default_factory=lambda: dict.fromkeys(TICKERS, 0))

    def before_open(self, session: date, history: History) -> None:
        """Splits with fractions paid at the open (else the last close), dividends, delistings, then what is due."""
        today = [a for a in history.actions if a["ex_date"] == session]
        for ticker in TICKERS:
            mine = [a for a in today if a["ticker"] == ticker]
            splits = [a for a in mine if a.get("kind", "split") == "split"]
            for number, action in enumerate(splits):
                exact = Fraction(self.shares[ticker] * action["numerator"], action["denominator"])
                later = Fraction(1)
                for other in splits[number + 1 :]:
                    later *= Fraction(other["numerator"], other["denominator"])
                self.shares[ticker] = int(exact)
                fraction = exact - int(exact)
                if fraction:
                    per_share = _price(ticker, session, history) * later
                    price = half_even(per_share.numerator, per_share.denominator)
                    self.cash += _cents(fraction * price)
            for action in mine:
                if action.get("kind") == "dividend":
                    amount = _cents(Fraction(self.shares[ticker]) * to_micros(action["amount"]))
                    self.owed.append((action["pay_date"] or session, amount))
            for action in mine:
                if action.get("kind") == "delisting":
                    self.cash += _cents(Fraction(self.shares[ticker]) * to_micros(action["amount"]))
                    self.shares[ticker] = 0
        self.cash += sum(amount for due, amount in self.owed if due <= session)
        self.owed = [(due, amount) for due, amount in self.owed if due > session]

    def change_hands(self, ticker: str, side: str, shares: int, gross: int, commission: int) -> None:
        """A fill."""
        sign = 1 if side == "buy" else -1
        self.shares[ticker] += sign * shares
        self.cash -= sign * gross + commission


def _cents(micros: Fraction) -> int:
    return half_even(micros.numerator, micros.denominator * 10_000)


def _price(ticker: str, session: date, history: History) -> Fraction:
    """The session's open in millionths, else the last close restated for the splits since, to a millionth."""
    mine = sorted(
        (b for b in history.bars if b["ticker"] == ticker and b["session"] <= session), key=lambda b: b["session"]
    )
    if mine and mine[-1]["session"] == session:
        return Fraction(to_micros(mine[-1]["open"]))
    last = mine[-1]  # a fraction needs shares, shares need a fill, and a fill needs a bar
    ratio = Fraction(1)
    for action in history.actions:
        if action["ticker"] == ticker and last["session"] < action["ex_date"] <= session and "numerator" in action:
            ratio *= Fraction(action["denominator"], action["numerator"])
    exact = to_micros(last["close"]) * ratio
    return Fraction(half_even(exact.numerator, exact.denominator))


def check(history: History) -> None:
    """Every invariant of the ledger on one history."""
    world = run(history)
    entries, trades = world.rows("ledger_entries"), world.rows("executed_trades")
    for table in (EXECUTED_TRADES, LEDGER_ENTRIES, PORTFOLIO_HOLDINGS, PORTFOLIO_VALUE):
        table.check(world.rows(table.name))  # balanced legs, unique ids, cash >= 0, nothing unexplained
    assert entries["amount"].sum() == 0
    _agrees_with_the_simple_book(world, history)
    _follows_from_its_orders(trades, world)
    _folds_as_it_was_posted(entries)
    again = run(history, shuffle=True)
    for name in ("executed_trades", "ledger_entries", "portfolio_holdings", "portfolio_value"):
        assert again.rows(name).equals(world.rows(name)), f"{name} depends on the order of its input rows"


def _agrees_with_the_simple_book(world: World, history: History) -> None:
    simple = Simple(cash=to_cents(history.capital))
    for session in DAYS[:SESSIONS]:
        simple.before_open(session, history)
        fills = world.rows("executed_trades").filter((pl.col("session") == session) & (pl.col("shares") > 0))
        for trade in fills.iter_rows(named=True):
            money = to_cents(trade["gross"]), to_cents(trade["commission"])
            simple.change_hands(trade["ticker"], trade["side"], trade["shares"], *money)
        book = fold(world.rows("ledger_entries").filter(pl.col("session") <= session))
        assert book.cash == simple.cash
        assert book.receivable == sum(amount for _, amount in simple.owed)
        assert {t: p.shares for t, p in book.positions.items()} == {t: n for t, n in simple.shares.items() if n}
        held = world.rows("portfolio_holdings").filter(pl.col("session") == session)
        worth = sum(to_cents(v) for v in held["market_value"])
        assert to_cents(world.value(session)["nav"]) == simple.cash + sum(a for _, a in simple.owed) + worth
        assert held["shares"].to_list() == [simple.shares[t] for t in TICKERS if simple.shares[t]]


def _follows_from_its_orders(trades: pl.DataFrame, world: World) -> None:
    planned = set(world.rows("trade_plans")["plan_id"])
    assert set(trades["plan_id"]) <= planned
    filled = set(trades.filter(pl.col("shares") > 0)["trade_id"])
    moved = world.rows("ledger_entries").filter(pl.col("kind").is_in(["buy", "sell", "commission"]))
    assert set(moved["reference"]) == filled
    unfilled = trades.filter(pl.col("shares") == 0)
    costs = pl.sum_horizontal("gross", "commission", "spread_cost", "impact_cost")
    assert unfilled.filter(costs != 0).is_empty()


def _folds_as_it_was_posted(entries: pl.DataFrame) -> None:
    """Posting events one by one and adding up columns are two roads to one book."""
    posted = Book()
    for session, rows in entries.sort("session", "sequence").group_by("session", maintain_order=True):
        for _, legs in rows.group_by("event_id", maintain_order=True):
            first = legs.row(0, named=True)
            parts = tuple(
                Leg(leg["account"], to_cents(leg["amount"]), leg["ticker"], leg["shares"], leg["due"])
                for leg in legs.iter_rows(named=True)
            )
            posted.post(
                LedgerEvent(first["event_id"], first["kind"], first["ts"], first["reference"], parts), session[0]
            )  # type: ignore[arg-type]
    assert posted == fold(entries)


def check_events(history: History) -> None:
    """The same invariants on the bare events, without frames: fast enough for very many histories."""
    actions = [_action(row) for row in history.actions]
    actions.sort(key=lambda a: (a.ex_date, ORDER[a.kind], a.ticker, a.sequence))
    capital = to_cents(history.capital)
    fund = LedgerEvent("fund", "fund", CALENDAR.opens[0], "fund", (Leg("cash", capital), Leg("capital", -capital)))
    book, simple, events = Book(), Simple(cash=capital), [fund]
    book.post(fund, DAYS[0])
    quotes = Quotes(market.prices(*history.bars, calendar=CALENDAR), TICKERS)
    for session in DAYS[:SESSIONS]:
        known = [a for a in actions if a.ex_date <= session]
        events += Morning(book, known, quotes, session, CALENDAR).apply_all([a for a in known if a.ex_date == session])
        simple.before_open(session, history)
        events += _opening(book, history, session, simple)
        assert book.cash == simple.cash >= 0
        assert book.receivable == sum(amount for _, amount in simple.owed)
        assert {t: p.shares for t, p in book.positions.items()} == {t: n for t, n in simple.shares.items() if n}
        assert book.cash + book.receivable + book.cost == capital + book.realised + book.dividends - book.commission
    assert all(sum(leg.amount for leg in event.legs) == 0 for event in events)
    assert len({event.event_id for event in events}) == len(events)


def _action(row: dict[str, Any]) -> Action:
    names = ("ticker", "ex_date", "kind", "sequence", "numerator", "denominator", "amount", "pay_date", "successor")
    return Action(*[({"kind": "split"} | row).get(name) for name in names])  # type: ignore[arg-type]


def _opening(book: Book, history: History, session: date, simple: Simple) -> list[LedgerEvent]:
    """Fill the orders of the close before at the session's bars."""
    bars = {
        b["ticker"]: Bar(
            to_micros(b["open"]), b["volume"], 5_000.0, 0.02, low=to_micros(b["low"]), high=to_micros(b["high"]),
            close=to_micros(b["close"]),
        )
        for b in history.bars
        if b["session"] == session
    }  # fmt: skip
    planned = [o for o in history.orders if CALENDAR.next(o["session"]) == session]
    taken = [
        _order(o, o["side"], o["shares"], o.get("order_type"), o.get("limit_price")) for o in planned if o["shares"]
    ]
    stops = [_order(o, "sell", 0, Stop.name, o["resting_stop"]) for o in planned if o.get("resting_stop")]
    first = sorted(taken, key=lambda order: (order.side == "buy", order.ticker))
    orders = leave_out_unreached([*first, *stops], bars)
    events = []
    # Execution sees the book as it is at the open; the ledger changes it afterwards.
    auction = Auction(CALENDAR.open_at(session), CALENDAR.close_at(CALENDAR.previous(session)))
    results = list(fill_orders(orders, bars, book, auction, history.costs))
    for result in sorted(results, key=lambda result: result.order.side == "buy"):
        order, fill = result.order, result.fill
        assert 0 <= fill.shares <= order.shares
        if not fill.shares:
            assert (fill.gross, fill.commission, fill.spread_cost, fill.impact_cost) == (0, 0, 0, 0)
            continue
        trade_id = f"{session}:{order.ticker}:{order.side}:{order.kind.name}"
        trade = FilledTrade(trade_id, order.ticker, order.side, fill.shares, fill.gross, fill.commission)
        for event in build_fill_events(trade, book, CALENDAR.open_at(session)):
            book.post(event, session)
            events.append(event)
        simple.change_hands(order.ticker, order.side, fill.shares, fill.gross, fill.commission)
    return events


def _order(planned: dict[str, Any], side: str, shares: int, kind: str | None, price: float | None) -> Order:
    return Order(
        plan_id=str(planned["session"]),
        ticker=planned["ticker"],
        side=side,
        shares=shares,
        edge=0.0,
        decided_at=CALENDAR.close_at(planned["session"]),
        kind=make_order_type(kind, None if price is None else to_micros(price)),
        withheld="",
    )


ANY = {"deadline": None, "suppress_health_check": [HealthCheck.too_slow]}


@settings(max_examples=60, **ANY)
@given(histories())
def test_cash_and_shares_are_conserved_in_any_history(history: History) -> None:
    check_events(history)


@settings(max_examples=2, **ANY)
@given(histories())
def test_the_stages_keep_every_invariant_and_ignore_the_order_of_rows(history: History) -> None:
    check(history)


@pytest.mark.torture
@settings(max_examples=10_000, **ANY)
@given(histories())
def test_cash_and_shares_are_conserved_in_ten_thousand_histories(history: History) -> None:
    check_events(history)


@pytest.mark.torture
@settings(max_examples=500, **ANY)
@given(histories())
def test_the_stages_keep_every_invariant_in_five_hundred_histories(history: History) -> None:
    check(history)

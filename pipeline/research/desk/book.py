"""A book that is decided, filled and valued again, session by session, in memory and to the cent."""

from __future__ import annotations

from collections import defaultdict
from collections.abc import Iterator, Mapping, Sequence
from dataclasses import dataclass
from datetime import date
from decimal import Decimal
from typing import Any

from pipeline.market.sessions import Sessions
from pipeline.research.desk import DeskSession, NotOnDeskError
from pipeline.research.desk.decisions import BookAtClose, Decided, decide
from pipeline.research.desk.facts import CloseFacts, DeskFacts, OpenFacts
from pipeline.research.desk.track_record import TrackRecord
from pipeline.trading.books.action_postings import Morning
from pipeline.trading.books.book import Book, LedgerEvent
from pipeline.trading.books.money import value_of
from pipeline.trading.books.trades import FilledTrade, build_fill_events
from pipeline.trading.execution.execute import build_orders, name_trades
from pipeline.trading.execution.fills import Auction, OrderResult, fill_orders
from pipeline.trading.execution.orders import Phase, Stop
from pipeline.trading.execution.resting_stops import leave_out_unreached
from pipeline.trading.mandates.drawdown import measure_drawdown
from pipeline.trading.params import TradingParams
from pipeline.trading.planning.plan import COOL_DOWN_LOOKBACK

MAX_SILENT = 5
"""Sessions without a bar of a held name, beyond which it may be marked down, written off or taken for another one."""
ORDERED = ("side", "intent", "shares", "order_type", "limit_price")
"""What of a plan row its order is."""
KINDS = ("split", "dividend", "delisting")
"""Actions that the desk follows, where they give no other shares."""


@dataclass(frozen=True, kw_only=True)
class Filled:
    """What became of an order, as `executed_trades` has it; cents, and prices in millionths."""

    trade_id: str
    plan_id: str
    side: str
    status: str
    shares: int
    price: int
    gross: int
    commission: int
    spread_cost: int
    impact_cost: int

    def amounts(self) -> tuple[str, int, Decimal | None, Decimal, Decimal, Decimal, Decimal]:
        """Status, shares, price, gross, commission, half-spread and impact in the units of `executed_trades`."""
        cents = self.gross, self.commission, self.spread_cost, self.impact_cost
        gross, commission, spread, impact = (Decimal(one).scaleb(-2) for one in cents)
        price = Decimal(self.price).scaleb(-6) if self.price else None
        return self.status, self.shares, price, gross, commission, spread, impact


@dataclass(frozen=True, kw_only=True)
class SessionResult:
    """A session of the book; cents."""

    session: date
    fills: Sequence[Filled]
    nav: int
    session_return: float
    drawdown: float
    commission: int
    """Paid since the book began."""
    orders: Mapping[str, Mapping[str, Any]]
    """Plan -> `ORDERED` of the orders for the next open."""


@dataclass
class DeskBook:
    """The book after a session, and all that the next one goes on from."""

    calendar: Sessions
    book: Book
    marks: dict[str, tuple[date, int]]
    """Held ticker -> session of its last close, and that close in millionths."""
    sectors: dict[str, str]
    """Of what is held."""
    navs: list[int]
    """Cents after each session of the book."""
    returns: list[float]
    """Of the book in each of its sessions, restatements left out."""
    peak: int
    stops: dict[str, tuple[date, float]]
    sales: list[tuple[date, str, int]]
    """Session, ticker and cents of what was sold lately."""
    plans: Sequence[Mapping[str, Any]]
    """Orders for the next open, as rows of `trade_plans`."""
    record: TrackRecord

    def follow(self, asked: DeskSession, facts: DeskFacts) -> SessionResult:
        """Fill what was planned, post what happened, value what is held, and plan the next open.

        Raises:
            NotOnDeskError: if the session needs more than the desk knows.
        """
        session, _, params = asked
        opening = facts.open(asked)
        closing = facts.close(asked)
        start = self._restate(closing)
        held_before = frozenset(self.book.positions)
        events = self._act(session, opening)
        fills = list(self._fill(session, opening, params, events))
        self.record.take(events, session, params)
        self._mark(session, closing)
        nav = self._value()
        self.returns.append(nav / start - 1 if start else 0.0)
        decided = self._decide(asked, closing, held_before, facts.list_levels(asked))
        return SessionResult(
            session=session,
            fills=fills,
            nav=nav,
            session_return=self.returns[-1],
            drawdown=self._drawdown,
            commission=self.book.commission,
            orders={plan["plan_id"]: {name: plan[name] for name in ORDERED} for plan in decided.orders},
        )

    def _act(self, session: date, opening: OpenFacts) -> list[LedgerEvent]:
        """Post the morning's actions and the claims that are due."""
        mine = [one for one in opening.actions if one.ticker in self.book.positions]
        if unknown := next((one for one in mine if one.kind not in KINDS or one.conversion or one.successor), None):
            raise NotOnDeskError(f"{unknown.ticker} has a {unknown.kind} on {unknown.ex_date} that gives other shares")
        morning = Morning(self.book, opening.known, opening.quotes, session, self.calendar)
        return morning.apply_all(mine)

    def _fill(
        self, session: date, opening: OpenFacts, params: TradingParams, events: list[LedgerEvent]
    ) -> Iterator[Filled]:
        calendar = self.calendar
        lately = calendar.offset(session, -COOL_DOWN_LOOKBACK)
        self.sales = [sale for sale in self.sales if sale[0] >= lately]
        orders = build_orders(self.plans, opening.actions, defaultdict(str), opening.doubts)
        orders = leave_out_unreached(orders, opening.bars)
        if opening.has_paths and any(order.kind.phase in (Phase.STOP, Phase.WITHIN) for order in orders):
            raise NotOnDeskError(f"bars within {session} tell when its stops and limits were filled")
        auction = Auction(calendar.open_at(session), calendar.close_at(calendar.previous(session)))
        unsettled = self._add_unsettled(session, params.orders.settlement_sessions)
        results = list(fill_orders(orders, dict(opening.bars), self.book, auction, params.costs, unsettled))
        named = sorted(zip(name_trades([one.order for one in results], session), results, strict=True), key=_by_name)
        for name, result in sorted(named, key=lambda one: one[1].order.side == "buy"):
            if result.fill.shares:
                events += self._post(name, result, session)
        yield from (_tell(name, result) for name, result in named)

    def _post(self, name: str, result: OrderResult, session: date) -> list[LedgerEvent]:
        order, fill, posted = result.order, result.fill, []
        self.record.plan_of[name] = order.plan_id
        self.record.walk.slippage[name] = fill.spread_cost + fill.impact_cost
        if isinstance(order.kind, Stop):
            self.record.stopped.add(name)
        if order.side == "sell":
            self.sales.append((session, order.ticker, fill.gross))
        trade = FilledTrade(name, order.ticker, order.side, fill.shares, fill.gross, fill.commission, session)
        for event in build_fill_events(trade, self.book, self.calendar.open_at(session)):
            self.book.post(event, session)
            posted.append(event)
        return posted

    def _add_unsettled(self, session: date, sessions: int) -> int | None:
        if not sessions:
            return None
        since = self.calendar.offset(session, 1 - sessions)
        return sum(cents for day, _, cents in self.sales if day >= since)

    def _restate(self, closing: CloseFacts) -> int:
        """The value of the session before by the closes known now, in cents; the peak is what it was by them."""
        found = 0
        for ticker, position in self.book.positions.items():
            when, then = self.marks[ticker]
            now = closing.restated.get((ticker, when), then)
            if now != then and when != self.calendar.previous(closing.inputs.session):
                raise NotOnDeskError(f"the close of {ticker} on {when}, which it was valued at since, was restated")
            found += value_of(position.shares, now) - value_of(position.shares, then)
        if found:
            self.peak = max([*self.navs[:-1], self.navs[-1] + found])
        return self.navs[-1] + found

    def _mark(self, session: date, closing: CloseFacts) -> None:
        marks = {}
        for ticker in self.book.positions:
            if (close := closing.closed_at.get(ticker)) is not None:
                marks[ticker] = session, close
                continue
            when, before = self.marks.get(ticker, (session, 0))
            split = any(one.kind == "split" and one.ex_date > when for one in closing.falls.get(ticker, ()))
            if not before or split or self.calendar.distance(when, session) > MAX_SILENT:
                raise NotOnDeskError(f"{ticker} is held and has not traded since {when}")
            marks[ticker] = when, before
        self.marks = marks
        universe = {ticker: sector for ticker, (_, _, sector) in closing.inputs.universe.items()}
        known = self.sectors | universe
        self.sectors = {ticker: known.get(ticker, "unknown") for ticker in marks}

    def _value(self) -> int:
        """The value after the session, which is kept as the last one."""
        held = self.book.positions.items()
        worth = sum(value_of(position.shares, self.marks[ticker][1]) for ticker, position in held)
        self.navs.append(self.book.cash + self.book.receivable + worth)
        self.peak = max(self.peak, self.navs[-1])
        return self.navs[-1]

    @property
    def _drawdown(self) -> float:
        """Fraction that its value is under its peak."""
        return 1 - self.navs[-1] / self.peak if self.peak else 0.0

    def _decide(
        self, asked: DeskSession, closing: CloseFacts, held_before: frozenset[str], levels: Sequence[float | None]
    ) -> Decided:
        if closing.ranked != closing.members | held_before:
            raise NotOnDeskError(f"on {asked.session} other names would have been forecast than were")
        standing = BookAtClose(
            book=self.book,
            marks=self.marks,
            sectors=self.sectors,
            nav=self.navs[-1],
            drawdown=measure_drawdown(self._drawdown, self.returns, levels),
            stops=self.stops,
            sales={ticker: self.calendar.distance(day, asked.session) for day, ticker, _ in self.sales},
        )
        decided = decide(asked, closing, standing, self.record.list_closed(asked.session), self.calendar)
        self.plans = [*decided.orders, *decided.resting]
        self.stops |= decided.stops
        self.record.add_plans(decided.orders)
        return decided


def _by_name(named: tuple[str, OrderResult]) -> str:
    return named[0]


def _tell(name: str, result: OrderResult) -> Filled:
    fill = result.fill
    return Filled(
        trade_id=name,
        plan_id=result.order.plan_id,
        side=result.order.side,
        status=result.status,
        shares=fill.shares,
        price=fill.price,
        gross=fill.gross,
        commission=fill.commission,
        spread_cost=fill.spread_cost,
        impact_cost=fill.impact_cost,
    )

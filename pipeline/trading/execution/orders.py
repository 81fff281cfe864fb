"""The kinds of orders there are, which one a plan becomes, and at what price each is filled in a session."""

from __future__ import annotations

from collections.abc import Callable
from dataclasses import dataclass
from datetime import datetime
from enum import IntEnum
from typing import NamedTuple, Protocol

from pipeline.trading.books.money import format_micros
from pipeline.trading.books.trades import TRADE_KINDS, name_kind
from pipeline.trading.currencies.session_rates import OWN, Exchange
from pipeline.trading.execution.session_path import NO_PATH, Reached, SessionPath


@dataclass(frozen=True)
class Bar:
    """What a session offers: price in millionths as quoted, its volume, and how the ticker usually trades."""

    open_price: int
    volume: int
    median_volume: float | None
    volatility: float | None
    refusal: str = ""
    """Why nothing is traded at this price: its currency cannot be converted into the book's; empty if it can."""
    exchange: Exchange = OWN
    """How it is converted."""
    low: int = 0
    """Millionths, as `high` and `close`; 0 where only the open is known."""
    high: int = 0
    close: int = 0
    path: SessionPath = NO_PATH
    """How its prices went, where bars within the session tell; what traded at all, its low and high say."""


class Quote(NamedTuple):
    """What an order finds in the market."""

    price: int | None
    """Millionths, before costs; None if it is not filled."""
    reason: str = ""
    """Why it is not."""
    limit: int | None = None
    """Millionths: costs take the price no further."""
    at: datetime | None = None
    """When the session came to it; None where nothing tells."""
    left: float = 1.0
    """Share of the session's volume that traded from then on."""


class Phase(IntEnum):
    """When within a session an order is filled; orders of one phase see what those of an earlier one left."""

    OPEN = 0
    STOP = 1
    WITHIN = 2
    CLOSE = 3


class OrderType(Protocol):
    """A kind of order. Whatever its price, an order lives for one session, and its size is limited in the same way."""

    name: str
    phase: Phase

    def quote(self, order: Order, bar: Bar) -> Quote:
        """The price at which the session fills it."""


@dataclass(frozen=True, kw_only=True)
class Order:
    """A plan that goes to the market, its shares already on the session's basis."""

    plan_id: str
    ticker: str
    side: str
    shares: int
    edge: float
    decided_at: datetime
    kind: OrderType
    withheld: str
    """Why it does not go: nothing is left to trade, or the operator keeps it back; empty if it does."""
    position: str | None = None
    """`short` where it sells borrowed shares or buys them back; None for `long`."""
    intent: str = ""
    """Of its plan: `short` sells on where nothing is held any more."""
    follows: bool = False
    """Whether it is the second leg of a trade from one side to the other: the first has to be filled in whole."""

    @property
    def turn(self) -> int:
        """Its place among the orders of one phase: what brings cash or ends a position comes first."""
        return TRADE_KINDS.index(name_kind(self.side, self.position))


class MarketOnOpen:
    """Filled at the session's open, whatever that is."""

    name = "market-on-open"
    phase = Phase.OPEN

    def quote(self, order: Order, bar: Bar) -> Quote:  # noqa: ARG002
        """The open."""
        return Quote(bar.open_price)


class MarketOnClose:
    """Filled at the session's close, whatever that is."""

    name = "market-on-close"
    phase = Phase.CLOSE

    def quote(self, order: Order, bar: Bar) -> Quote:  # noqa: ARG002
        """The close."""
        return Quote(bar.close)


@dataclass(frozen=True)
class Limit:
    """Filled at its price or better: at the open where that is better, else once the session trades beyond it.

    That a price was touched does not say that this order was filled there: others stood before it in the queue.
    """

    price: int
    """Millionths, on the session's basis."""
    name = "limit"
    phase = Phase.WITHIN

    def quote(self, order: Order, bar: Bar) -> Quote:
        """Its price or the open; never more for a buy or less for a sale, costs included."""
        if self.price <= 0:
            return Quote(None, f"its limit of {format_micros(self.price)} is no price")
        if order.side == "buy":
            better, beyond, far = bar.open_price <= self.price, bar.low < self.price, ("low", bar.low)
        else:
            better, beyond, far = bar.open_price >= self.price, bar.high > self.price, ("high", bar.high)
        if better:
            return _quote_open(bar, self.price)
        if beyond:
            find, best = (bar.path.fall, min) if order.side == "buy" else (bar.path.rise, max)
            return _quote_reached(best, self.price, bar, find(self.price, beyond=True), self.price)
        words = f"the session's {far[0]} of {format_micros(far[1])} did not get beyond its limit of"
        return Quote(None, f"{words} {format_micros(self.price)}")


@dataclass(frozen=True)
class Stop:
    """A resting sale that becomes a market order once the session trades at its price, at the open if that is lower.

    Where bars within the session tell that nothing traded between one price and one beyond its own, it is filled there.
    Whatever else the session could have filled of the position, the stop counts first. Of a short position it is a buy,
    above the market.
    """

    price: int
    """Millionths, on the session's basis."""
    buys: bool = False
    """Whether it guards a short position."""
    name = "stop"
    phase = Phase.STOP

    def is_reached(self, bar: Bar) -> bool:
        """Whether the session trades at its price."""
        if self.buys:
            return self.price > 0 and max(bar.high, bar.open_price) >= self.price
        return self.price > 0 and min(bar.low, bar.open_price) <= self.price

    def quote(self, order: Order, bar: Bar) -> Quote:  # noqa: ARG002
        """Its price, or the open if that is worse already."""
        if self.is_reached(bar):
            find, worst = (bar.path.rise, max) if self.buys else (bar.path.fall, min)
            if worst(self.price, bar.open_price) == bar.open_price:
                return _quote_open(bar)
            return _quote_reached(worst, self.price, bar, find(self.price))
        if self.buys:
            words = f"the session's high of {format_micros(bar.high)} stayed below"
            return Quote(None, f"{words} {format_micros(self.price)}")
        return Quote(None, f"the session's low of {format_micros(bar.low)} stayed above {format_micros(self.price)}")


def _quote_open(bar: Bar, limit: int | None = None) -> Quote:
    return Quote(bar.open_price, limit=limit, at=bar.path.first_end)


def _quote_reached(
    choose: Callable[[int, int], int], price: int, bar: Bar, reached: Reached | None, limit: int | None = None
) -> Quote:
    """The price of an order that the session came to, or where it stood when it did; within what the session traded."""
    if reached is None:
        return Quote(price, limit=limit)
    stood = min(max(reached.opens, bar.low), bar.high)
    return Quote(choose(price, stood), limit=limit, at=reached.at, left=reached.left)


MARKET_ON_OPEN = MarketOnOpen()
MARKET_ON_CLOSE = MarketOnClose()
MARKET_ORDERS: dict[str, OrderType] = {one.name: one for one in (MARKET_ON_OPEN, MARKET_ON_CLOSE)}


def make_order_type(name: str | None, price: int | None) -> OrderType:
    """Return what a plan asks for; plans of programs that did not ask go to the open.

    Args:
        name: of the kind; None for a market order at the open.
        price: of a limit or stop order, millionths on the session's basis.
    """
    if name in (Limit.name, Stop.name):
        return Limit(price or 0) if name == Limit.name else Stop(price or 0)
    return MARKET_ORDERS[name or MARKET_ON_OPEN.name]

"""The kinds of orders there are, which one a plan becomes, and at what price each is filled in a session."""

from __future__ import annotations

from dataclasses import dataclass
from datetime import datetime
from typing import NamedTuple, Protocol

from pipeline.trading.currencies.session_rates import OWN, Exchange


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


class Quote(NamedTuple):
    """What an order finds in the market."""

    price: int | None
    """Millionths, before costs; None if it is not filled."""
    reason: str = ""
    """Why it is not."""


class OrderType(Protocol):
    """A kind of order. Whatever its price, an order lives for one session, and its size is limited in the same way."""

    name: str

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


class MarketOnOpen:
    """Filled at the session's open, whatever that is."""

    name = "market-on-open"

    def quote(self, order: Order, bar: Bar) -> Quote:  # noqa: ARG002
        """The open."""
        return Quote(bar.open_price)


MARKET_ON_OPEN = MarketOnOpen()
ORDER_TYPES: dict[str, OrderType] = dict.fromkeys(("enter", "add", "reduce", "exit", "stop", "expire"), MARKET_ON_OPEN)
"""A plan's intent -> the kind of order it becomes."""

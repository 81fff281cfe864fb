"""What a position is worth at a price, in what its name is quoted in and in the book's currency."""

from __future__ import annotations

from typing import NamedTuple

from pipeline.trading.books.book import Position
from pipeline.trading.books.money import value_of
from pipeline.trading.currencies.session_rates import OWN, Exchange


class Worth(NamedTuple):
    """The value of a position."""

    value: int
    """The book's cents."""
    quoted: int
    """Hundredths of what its name is quoted in."""
    exchange: Exchange
    exchange_gain: int
    """Cents that the rate added to the cost since; 0 for names in the book's currency."""


def value_position(position: Position, price: int, exchange: Exchange | None) -> Worth:
    """Return what a position is worth: first in its own currency to the hundredth, then converted once.

    Args:
        position: the shares and what they cost.
        price: millionths, as quoted.
        exchange: how that is converted; without any rate a position is worth what it cost.
    """
    quoted = value_of(position.shares, price)
    if exchange is None:
        return Worth(position.cost, position.cost, OWN, 0)
    gain = 0 if exchange.currency is None else exchange.to_book(position.local_cost) - position.cost
    return Worth(exchange.to_book(quoted), quoted, exchange, gain)

"""The orders that sell whatever is held, where the operator killed trading and asked for it."""

from __future__ import annotations

from datetime import date

from pipeline.trading.books.book import Book
from pipeline.trading.execution.orders import MARKET_ON_OPEN, Order
from pipeline.trading.planning.trading_stops import TradingStop


def close_positions(orders: list[Order], book: Book, stop: TradingStop, planned: date) -> list[Order]:
    """Return the session's orders with one that ends each position whole in place of whatever was to be sold of it.

    The operator decided them, at his kill: no rule and no approval is asked. What the volume does not take is sold at
    the opens that follow.

    Args:
        orders: of the session's plans.
        book: as it stands at the open.
        stop: the kill.
        planned: the session before, whose plans these orders replace.
    """
    held = {ticker: position.shares for ticker, position in sorted(book.positions.items()) if position.shares}
    closing = [
        Order(
            plan_id=f"{planned}:{ticker}",
            ticker=ticker,
            side="sell" if shares > 0 else "buy",
            shares=abs(shares),
            edge=0.0,
            decided_at=stop.since,
            kind=MARKET_ON_OPEN,
            withheld="",
            intent="stop",
        )
        for ticker, shares in held.items()
    ]
    closed = {(order.ticker, order.side) for order in closing}
    return closing + [order for order in orders if (order.ticker, order.side) not in closed]

"""One session's orders filled one after the other by the function that fills them live, where something limits one."""

from __future__ import annotations

from collections.abc import Iterable
from datetime import datetime

import numpy as np

from pipeline.trading.books.book import Book, Position
from pipeline.trading.execution.arithmetic import Block, hold_exact
from pipeline.trading.execution.fills import Auction, OrderResult, fill_orders
from pipeline.trading.execution.orders import MARKET_ON_OPEN, Bar, Order
from pipeline.trading.params import Costs
from pipeline.trading.simulation.entries import Trades
from pipeline.trading.simulation.market import Market


def fill_one_by_one(
    market: Market, row: int, orders: Block, edges: Block | None, held: Block, cash: int, costs: Costs
) -> Trades:
    """Return the fills of a session, [1, names] each: sales first, then buys by edge and name.

    Args:
        market: sessions and names.
        row: of the session.
        orders: whole shares by name; sales with a minus.
        edges: by name, or none.
        held: shares by name before the fills.
        cash: cents before them.
        costs: the schedule.
    """
    asked = [_order(market, row, column, orders, edges) for column in np.flatnonzero(orders).tolist()]
    asked.sort(key=lambda one: (one.side == "buy", -one.edge if one.side == "buy" else 0.0, one.ticker))
    quoted = {one.ticker: bar for one in asked if (bar := _bar(market, row, market.place[one.ticker])).open_price}
    auction = Auction(market.calendar.open_at(market.sessions[row]), _closed_before(market, row))
    results = fill_orders(asked, quoted, _book(market, row, held, cash), auction, costs)
    return _gather(market, results, held)


def _book(market: Market, row: int, held: Block, cash: int) -> Book:
    session, columns = market.sessions[row], np.flatnonzero(held).tolist()
    return Book(cash, positions={market.tickers[one]: Position(int(held[one]), 0, session) for one in columns})


def _closed_before(market: Market, row: int) -> datetime:
    return market.calendar.close_at(market.calendar.previous(market.sessions[row]))


def _order(market: Market, row: int, column: int, orders: Block, edges: Block | None) -> Order:
    """An order decided in time, at the close before."""
    ticker, shares = market.tickers[column], int(orders[column])
    return Order(
        plan_id=ticker,
        ticker=ticker,
        side="buy" if shares > 0 else "sell",
        shares=abs(shares),
        edge=0.0 if edges is None else float(edges[column]),
        decided_at=_closed_before(market, row),
        kind=MARKET_ON_OPEN,
        withheld="",
    )


def _bar(market: Market, row: int, column: int) -> Bar:
    usual, sigma = float(market.usual_volumes[row, column]), float(market.volatilities[row, column])
    return Bar(int(market.opens[row, column]), int(market.volumes[row, column]), usual, sigma)


def _gather(market: Market, results: Iterable[OrderResult], held: Block) -> Trades:
    signed, price, gross, commission = np.zeros((4, 1, len(market.tickers)))
    for order, fill in ((one.order, one.fill) for one in results):
        column = market.place[order.ticker]
        signed[0, column] = fill.shares if order.side == "buy" else -fill.shares
        price[0, column], gross[0, column], commission[0, column] = fill.price, fill.gross, fill.commission
    hold_exact(gross)
    before = held[None, :].copy()
    return Trades(signed, price, gross, commission, before, before + signed)

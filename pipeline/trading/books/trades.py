"""Fills as the books see them: what a buy, a sale and its commission move in the ledger."""

from __future__ import annotations

from collections.abc import Iterator
from datetime import date, datetime
from typing import NamedTuple

import polars as pl

from pipeline.trading.books.book import Book, LedgerEvent, Leg, Position
from pipeline.trading.books.money import half_even

FILL_KINDS = ("buy", "sell", "commission")
"""Kinds of events that stem from a fill; their reference names the trade."""


class FilledTrade(NamedTuple):
    """A fill as the books need it; cents."""

    trade_id: str
    ticker: str
    side: str
    shares: int
    gross: int
    commission: int
    session: date | None = None


def sort_fills(executed_trades: pl.DataFrame) -> list[FilledTrade]:
    """Return the fills by session; in each, sales first, as they were filled: their proceeds pay for the buys."""
    filled = executed_trades.filter(pl.col("shares") > 0)
    cents = pl.col("gross", "commission").to_physical().cast(pl.Int64)
    in_order = filled.with_columns(cents).sort("session", pl.col("side") == "buy", "trade_id")
    return [FilledTrade(*row) for row in in_order.select(*FilledTrade._fields).iter_rows()]


def build_fill_events(trade: FilledTrade, book: Book, ts: datetime) -> Iterator[LedgerEvent]:
    """Return a fill's event and its commission's; to be posted before the next fill is looked at.

    Raises:
        ValueError: if it sells what is not held.
    """
    ticker, gross = trade.ticker, trade.gross
    if trade.side == "buy":
        legs: tuple[Leg, ...] = (Leg("positions", gross, ticker, trade.shares), Leg("cash", -gross, ticker))
    else:
        legs = _sale(book.positions.get(ticker), trade)
    yield LedgerEvent(trade.trade_id, trade.side, ts, trade.trade_id, legs, trade.session)
    if trade.commission:
        legs = (Leg("commission", trade.commission, ticker), Leg("cash", -trade.commission, ticker))
        yield LedgerEvent(f"{trade.trade_id}:commission", "commission", ts, trade.trade_id, legs, trade.session)


def limit_to_held(trade: FilledTrade, book: Book) -> FilledTrade:
    """Return a past sale as it would have been filled with what was held as known now, at its own price.

    A split taken back after shares of it were sold leaves a sale of shares that never were: that part of it is undone.
    """
    position = book.positions.get(trade.ticker)
    held = position.shares if position else 0
    if trade.side == "buy" or trade.shares <= held:
        return trade
    return trade._replace(shares=held, gross=half_even(trade.gross * held, trade.shares))


def _sale(position: Position | None, trade: FilledTrade) -> tuple[Leg, ...]:
    """Average cost leaves with the shares; the last share takes all cost that is left."""
    held = position.shares if position else 0
    if trade.shares > held:
        raise ValueError(
            f"trade {trade.trade_id!r} sells {trade.shares} shares of {trade.ticker}, but {held} are held; "
            "execute has to limit its sales"
        )
    cost = half_even(position.cost * trade.shares, held) if position else 0
    return (
        Leg("cash", trade.gross, trade.ticker),
        Leg("positions", -cost, trade.ticker, -trade.shares),
        Leg("realised", cost - trade.gross, trade.ticker),
    )

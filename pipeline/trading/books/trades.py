"""Fills as the books see them: what a buy, a sale and its commission move in the ledger."""

from __future__ import annotations

from collections.abc import Iterator
from datetime import date, datetime
from decimal import Decimal
from fractions import Fraction
from typing import NamedTuple

import polars as pl

from pipeline.trading.books.book import Book, LedgerEvent, Leg, Position
from pipeline.trading.books.money import half_even
from pipeline.trading.currencies.session_rates import OWN, Exchange

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
    currency: str | None = None
    """What a foreign name is quoted in; None for the book's own."""
    rate: Decimal | None = None
    local_gross: int | None = None
    """Hundredths of that currency."""

    @property
    def exchange(self) -> Exchange:
        """How it was converted: a fill stands at its rate as it does at its price."""
        return OWN if self.currency is None or self.rate is None else Exchange(self.currency, Fraction(self.rate))

    @property
    def quoted(self) -> int:
        """Shares x price in hundredths of what the name is quoted in."""
        return self.gross if self.local_gross is None else self.local_gross


def sort_fills(executed_trades: pl.DataFrame) -> list[FilledTrade]:
    """Return the fills by session; in each, sales first, as they were filled: their proceeds pay for the buys."""
    filled = executed_trades.filter(pl.col("shares") > 0)
    cents = pl.col("gross", "commission", "local_gross").to_physical().cast(pl.Int64)
    in_order = filled.with_columns(cents).sort("session", pl.col("side") == "buy", "trade_id")
    return [FilledTrade(*row) for row in in_order.select(*FilledTrade._fields).iter_rows()]


def build_fill_events(trade: FilledTrade, book: Book, ts: datetime) -> Iterator[LedgerEvent]:
    """Return a fill's event and its commission's; to be posted before the next fill is looked at.

    Raises:
        ValueError: if it sells what is not held.
    """
    ticker, gross = trade.ticker, trade.gross
    if trade.side == "buy":
        bought, paid = trade.exchange.local(trade.quoted), trade.exchange.local(-trade.quoted)
        legs: tuple[Leg, ...] = (
            Leg("positions", gross, ticker, trade.shares, local=bought),
            Leg("cash", -gross, ticker, local=paid),
        )
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
    gross, quoted = (half_even(amount * held, trade.shares) for amount in (trade.gross, trade.quoted))
    return trade._replace(shares=held, gross=gross, local_gross=quoted if trade.currency else None)


def _sale(position: Position | None, trade: FilledTrade) -> tuple[Leg, ...]:
    """Average cost leaves with the shares; the last share takes all cost that is left."""
    held = position.shares if position else 0
    if trade.shares > held:
        raise ValueError(
            f"trade {trade.trade_id!r} sells {trade.shares} shares of {trade.ticker}, but {held} are held; "
            "execute has to limit its sales"
        )
    cost, local_cost = (
        (half_even(each * trade.shares, held) for each in (position.cost, position.local_cost)) if position else (0, 0)
    )
    return dispose(trade.ticker, trade.exchange, (trade.gross, trade.quoted), (cost, local_cost), trade.shares)


def dispose(
    ticker: str, exchange: Exchange, proceeds: tuple[int, int], cost: tuple[int, int], shares: int
) -> tuple[Leg, ...]:
    """Return the legs that take shares and their cost out for cash; the difference is the gain.

    Of a foreign name the gain is what was gained in its currency, at the rate of today; what is left is what the rate
    added to the cost since.

    Args:
        ticker: what is given away.
        exchange: how its currency is converted at the session.
        proceeds: in the book's cents, and in hundredths of what the name is quoted in.
        cost: the same.
        shares: how many leave.
    """
    local = exchange.local
    if exchange.currency is None:
        return (
            Leg("cash", proceeds[0], ticker),
            Leg("positions", -cost[0], ticker, -shares),
            Leg("realised", cost[0] - proceeds[0], ticker),
        )
    worth = exchange.to_book(cost[1])
    return (
        Leg("cash", proceeds[0], ticker, local=local(proceeds[1])),
        Leg("positions", -cost[0], ticker, -shares, local=local(-cost[1])),
        Leg("realised", worth - proceeds[0], ticker, local=local(cost[1] - proceeds[1])),
        Leg("exchange", cost[0] - worth, ticker, local=local(0)),
    )

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

TRADE_KINDS = ("sell", "short", "cover", "buy")
"""Kinds of events that fills are, in the order in which a session books them: what brings cash or ends a position
comes first. A short sells shares that are borrowed, a cover buys them back."""
FILL_KINDS = (*TRADE_KINDS, "commission")
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
    position: str | None = None
    """`short` where borrowed shares are sold or bought back; None for `long`."""

    @property
    def kind(self) -> str:
        """Its kind in the ledger."""
        return name_kind(self.side, self.position)

    @property
    def exchange(self) -> Exchange:
        """How it was converted: a fill stands at its rate as it does at its price."""
        return OWN if self.currency is None or self.rate is None else Exchange(self.currency, Fraction(self.rate))

    @property
    def quoted(self) -> int:
        """Shares x price in hundredths of what the name is quoted in."""
        return self.gross if self.local_gross is None else self.local_gross


def name_kind(side: str, position: str | None) -> str:
    """Return what the ledger calls a fill: sell, short, cover or buy."""
    return {"buy": "cover", "sell": "short"}[side] if position == "short" else side


KIND = (
    pl.when(pl.col("position").eq_missing("short"))
    .then(pl.col("side").replace_strict({"buy": "cover", "sell": "short"}, return_dtype=pl.String))
    .otherwise("side")
)
"""The same of a row of executed_trades."""
TURN = KIND.replace_strict({kind: turn for turn, kind in enumerate(TRADE_KINDS)}, return_dtype=pl.Int8)


def sort_fills(executed_trades: pl.DataFrame) -> list[FilledTrade]:
    """Return the fills by session; in each, sales first, as they were filled: their proceeds pay for the buys."""
    filled = executed_trades.filter(pl.col("shares") > 0)
    cents = pl.col("gross", "commission", "local_gross").to_physical().cast(pl.Int64)
    in_order = filled.with_columns(cents).sort("session", TURN, "trade_id")
    return [FilledTrade(*row) for row in in_order.select(*FilledTrade._fields).iter_rows()]


def build_fill_events(trade: FilledTrade, book: Book, ts: datetime) -> Iterator[LedgerEvent]:
    """Return a fill's event and its commission's; to be posted before the next fill is looked at.

    Raises:
        ValueError: if it sells what is not held, or covers what is not short.
    """
    ticker, gross, legs = trade.ticker, trade.gross, tuple[Leg, ...]()
    position = book.positions.get(ticker)
    if trade.position == "short" or (trade.side == "buy" and position is not None and position.shares < 0):
        legs = _trade_across(position, trade)
    elif trade.side == "buy":
        bought, paid = trade.exchange.local(trade.quoted), trade.exchange.local(-trade.quoted)
        legs = (
            Leg("positions", gross, ticker, trade.shares, local=bought),
            Leg("cash", -gross, ticker, local=paid),
        )
    else:
        legs = _sale(position, trade)
    yield LedgerEvent(trade.trade_id, trade.kind, ts, trade.trade_id, legs, trade.session)
    if trade.commission:
        yield _charge(trade, ts)


def _charge(trade: FilledTrade, ts: datetime) -> LedgerEvent:
    legs = (Leg("commission", trade.commission, trade.ticker), Leg("cash", -trade.commission, trade.ticker))
    return LedgerEvent(f"{trade.trade_id}:commission", "commission", ts, trade.trade_id, legs, trade.session)


def limit_to_held(trade: FilledTrade, book: Book) -> FilledTrade:
    """Return a past sale as it would have been filled with what was held as known now, at its own price.

    A split taken back after shares of it were sold leaves a sale of shares that never were: that part of it is undone.
    The same holds of a cover, by what was short.
    """
    position = book.positions.get(trade.ticker)
    shares = position.shares if position else 0
    held = max(shares if trade.kind == "sell" else -shares, 0)
    if trade.kind in ("buy", "short") or trade.shares <= held:
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


def _trade_across(position: Position | None, trade: FilledTrade) -> tuple[Leg, ...]:
    """A short sale, a cover, or a buy of a name that turned out to be short."""
    sign = 1 if trade.side == "buy" else -1
    short = max(-position.shares, 0) if position else 0
    if trade.kind == "cover" and trade.shares > short:
        raise ValueError(
            f"trade {trade.trade_id!r} covers {trade.shares} shares of {trade.ticker}, but {short} are short; "
            "execute has to limit its covers"
        )
    paid = Leg("cash", -sign * trade.gross, trade.ticker, local=trade.exchange.local(-sign * trade.quoted))
    cost = sign * trade.gross, sign * trade.quoted
    return paid, *join_position(trade.ticker, trade.exchange, position, sign * trade.shares, cost)


def join_position(
    ticker: str, exchange: Exchange, position: Position | None, shares: int, cost: tuple[int, int]
) -> tuple[Leg, ...]:
    """Return the legs that bring shares and their cost to a position, which may be on the other side.

    As far as one closes the other, both leave at their part of the cost, and what is between them is the gain.

    Args:
        ticker: what comes.
        exchange: how its currency is converted at the session.
        position: what is there; None for nothing.
        shares: what comes; negative where it is owed.
        cost: in the book's cents, and in hundredths of what the name is quoted in; of the sign of the shares.
    """
    local = exchange.local
    if position is None or position.shares * shares >= 0:
        return (Leg("positions", cost[0], ticker, shares, local=local(cost[1])),)
    closed = min(abs(position.shares), abs(shares))
    own = [half_even(each * closed, abs(position.shares)) for each in (position.cost, position.local_cost)]
    came = [half_even(each * closed, abs(shares)) for each in cost]
    worth = own[0] if exchange.currency is None else exchange.to_book(own[1])
    return (
        Leg("positions", cost[0] - own[0] - came[0], ticker, shares, local=local(cost[1] - own[1] - came[1])),
        Leg("realised", worth + came[0], ticker, local=local(own[1] + came[1])),
        *([] if exchange.currency is None else [Leg("exchange", own[0] - worth, ticker, local=local(0))]),
    )


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

"""Write the session's events into the books: funding, corporate actions, then fills and their commissions."""

from __future__ import annotations

from collections.abc import Iterator
from datetime import date, datetime
from typing import NamedTuple

import polars as pl

from lake.tables.market import CORPORATE_ACTIONS, MARKET_PRICES
from lake.tables.trading import EXECUTED_TRADES, LEDGER_ENTRIES
from pipeline.engine.stage import Moment, Read, Stage
from pipeline.trading.books.book import Book, LedgerEvent, Leg, Position, build_entries, fold
from pipeline.trading.books.money import half_even, to_cents
from pipeline.trading.books.settlement import LATE_SESSIONS, settle
from pipeline.trading.params import TradingParams

BAR_COLUMNS = (*MARKET_PRICES.key, "session", "open", "close")


def ledger(
    executed_trades: pl.DataFrame,
    corporate_actions: pl.DataFrame,
    market_prices: pl.DataFrame,
    ledger_entries: pl.DataFrame,
    moment: Moment,
    params: TradingParams,
) -> pl.DataFrame:
    """Return the double entries of `moment.session` alone: books rest on all that came before, so no range at once."""
    session = moment.session
    opening = moment.calendar.open_at(session)
    book = fold(ledger_entries)
    events: list[LedgerEvent] = []
    if ledger_entries.is_empty():
        events.append(_funding(to_cents(params.capital), session, opening))
        book.post(events[0], session)
    events += settle(book, ledger_entries, corporate_actions, market_prices, session, moment.calendar)
    for trade in _sort_fills(executed_trades, session):
        for event in build_fill_events(trade, book, opening):
            book.post(event, session)
            events.append(event)
    if book.cash < 0:
        raise ValueError(f"the fills of {session} leave {book.cash} cents of cash; execute has to limit its buys")
    return build_entries(events, session)


def _funding(capital: int, session: date, ts: datetime) -> LedgerEvent:
    legs = (Leg("cash", capital), Leg("capital", -capital))
    return LedgerEvent(f"{session}:fund", "fund", ts, f"{session}:fund", legs)


class FilledTrade(NamedTuple):
    """A fill as the books need it; cents."""

    trade_id: str
    ticker: str
    side: str
    shares: int
    gross: int
    commission: int


def _sort_fills(executed_trades: pl.DataFrame, session: date) -> list[FilledTrade]:
    """Sales first, as they were filled: their proceeds pay for the buys."""
    filled = executed_trades.filter((pl.col("session") == session) & (pl.col("shares") > 0))
    cents = pl.col("gross", "commission").to_physical().cast(pl.Int64)
    rows = filled.with_columns(cents).sort(pl.col("side") == "buy", "trade_id").select(*FilledTrade._fields)
    return [FilledTrade(*row) for row in rows.iter_rows()]


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
    yield LedgerEvent(trade.trade_id, trade.side, ts, trade.trade_id, legs)
    if trade.commission:
        legs = (Leg("commission", trade.commission, ticker), Leg("cash", -trade.commission, ticker))
        yield LedgerEvent(f"{trade.trade_id}:commission", "commission", ts, trade.trade_id, legs)


def _sale(position: Position | None, trade: FilledTrade) -> tuple[Leg, ...]:
    """Average cost leaves with the shares; the last share takes all cost that is left."""
    held = position.shares if position else 0
    if position is None or trade.shares > held:
        raise ValueError(
            f"trade {trade.trade_id!r} sells {trade.shares} shares of {trade.ticker}, but {held} are held; "
            "execute has to limit its sales"
        )
    cost = half_even(position.cost * trade.shares, held)
    return (
        Leg("cash", trade.gross, trade.ticker),
        Leg("positions", -cost, trade.ticker, -trade.shares),
        Leg("realised", cost - trade.gross, trade.ticker),
    )


STAGE = Stage(
    name="ledger",
    function=ledger,
    reads=(
        Read(EXECUTED_TRADES),
        Read(CORPORATE_ACTIONS, lookback=LATE_SESSIONS),
        Read(MARKET_PRICES, lookback=10, columns=BAR_COLUMNS, where=pl.col("interval") == "1d"),
        Read(LEDGER_ENTRIES, lookback=None, upto="previous"),
    ),
    writes=LEDGER_ENTRIES,
    params=TradingParams(),
    section="trading",
)

"""Write the session's events into the books: funding, corporate actions, then fills and their commissions."""

from __future__ import annotations

from collections.abc import Iterator
from datetime import date, datetime

import polars as pl

from lake.tables.market import CORPORATE_ACTIONS, MARKET_PRICES
from lake.tables.trading import EXECUTED_TRADES, LEDGER_ENTRIES
from pipeline.stage import Moment, Read, Stage
from pipeline.trading.book import Book, Event, Leg, Position, entries_of, fold
from pipeline.trading.money import half_even, to_cents
from pipeline.trading.params import TradingParams
from pipeline.trading.settlement import LATE_SESSIONS, settle

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
    events: list[Event] = []
    if ledger_entries.is_empty():
        events.append(_funding(to_cents(params.capital), session, opening))
        book.post(events[0], session)
    events += settle(book, ledger_entries, corporate_actions, market_prices, session, moment.calendar)
    for trade in _in_order(executed_trades, session):
        for event in _fill(trade, book, opening):
            book.post(event, session)
            events.append(event)
    if book.cash < 0:
        raise ValueError(f"the fills of {session} leave {book.cash} cents of cash; execute has to limit its buys")
    return entries_of(events, session)


def _funding(capital: int, session: date, ts: datetime) -> Event:
    legs = (Leg("cash", capital), Leg("capital", -capital))
    return Event(f"{session}:fund", "fund", ts, f"{session}:fund", legs)


def _in_order(executed_trades: pl.DataFrame, session: date) -> list[dict[str, object]]:
    """Sales first, as they were filled: their proceeds pay for the buys."""
    filled = executed_trades.filter((pl.col("session") == session) & (pl.col("shares") > 0))
    return filled.sort(pl.col("side") == "buy", "trade_id").rows(named=True)


def _fill(trade: dict[str, object], book: Book, ts: datetime) -> Iterator[Event]:
    trade_id, ticker, side = str(trade["trade_id"]), str(trade["ticker"]), str(trade["side"])
    shares, gross = int(str(trade["shares"])), to_cents(trade["gross"])  # type: ignore[arg-type]
    if side == "buy":
        legs: tuple[Leg, ...] = (Leg("positions", gross, ticker, shares), Leg("cash", -gross, ticker))
    else:
        legs = _sale(book.positions.get(ticker), trade_id, ticker, shares, gross)
    yield Event(trade_id, side, ts, trade_id, legs)
    commission = to_cents(trade["commission"])  # type: ignore[arg-type]
    if commission:
        legs = (Leg("commission", commission, ticker), Leg("cash", -commission, ticker))
        yield Event(f"{trade_id}:commission", "commission", ts, trade_id, legs)


def _sale(position: Position | None, trade_id: str, ticker: str, shares: int, gross: int) -> tuple[Leg, ...]:
    """Average cost leaves with the shares; the last share takes all cost that is left."""
    held = position.shares if position else 0
    if position is None or shares > held:
        raise ValueError(f"trade {trade_id!r} sells {shares} shares of {ticker}, but {held} are held")
    cost = position.cost if shares == held else half_even(position.cost * shares, held)
    return (
        Leg("cash", gross, ticker),
        Leg("positions", -cost, ticker, -shares),
        Leg("realised", cost - gross, ticker),
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

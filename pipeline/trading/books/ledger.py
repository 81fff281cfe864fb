"""Write the session's events into the books: funding, corporate actions, fills, and what the night cost."""

from __future__ import annotations

from datetime import date, datetime

import polars as pl

from lake.tables.books import BALANCES, BOOK_OPENINGS, FINANCING, LEDGER_ENTRIES, POSITION_ENDS
from lake.tables.market import CORPORATE_ACTIONS, FX_RATES, INSTRUMENTS, MARKET_PRICES
from lake.tables.trading import EXECUTED_TRADES
from pipeline.engine.stage import Moment, Read, Stage, cut_to_recent
from pipeline.trading.balances.opening import bars_where_changed, begin, entries_where_changed
from pipeline.trading.books.actions import ACTION_COLUMNS, add_redenominations, add_write_offs
from pipeline.trading.books.book import LedgerEvent, Leg, build_entries, fold
from pipeline.trading.books.corrections import settle
from pipeline.trading.books.earlier.settlement import LATE_SESSIONS, forget_when, settle_once
from pipeline.trading.books.money import to_cents
from pipeline.trading.books.quotes import WINDOW
from pipeline.trading.books.trades import build_fill_events, sort_fills
from pipeline.trading.currencies.session_rates import LISTING_COLUMNS, RATE_COLUMNS, SessionRates
from pipeline.trading.financing.postings import post_financing
from pipeline.trading.params import TradingParams

BAR_COLUMNS = (*MARKET_PRICES.key, "session", "open", "close")


def ledger(
    book_openings: pl.DataFrame,
    executed_trades: pl.DataFrame,
    corporate_actions: pl.DataFrame,
    market_prices: pl.DataFrame,
    ledger_entries: pl.DataFrame,
    position_ends: pl.DataFrame,
    instruments: pl.DataFrame,
    fx_rates: pl.DataFrame,
    balances: pl.DataFrame,
    financing: pl.DataFrame,
    moment: Moment,
    params: TradingParams,
) -> pl.DataFrame:
    """Return the double entries of `moment.session` alone: books rest on all that came before, so no range at once."""
    session = moment.session
    opening = moment.calendar.open_at(session)
    follows = params.settlement == 2
    begun, events = None, list[LedgerEvent]()
    if follows:
        rates = SessionRates.read(instruments, fx_rates, moment.currency, params.max_rate_age_days)
        known = add_redenominations(add_write_offs(corporate_actions, position_ends), rates)
        begun = begin(balances, book_openings, moment)
    book, entries = (fold(ledger_entries), ledger_entries) if begun is None else begun
    if entries.is_empty():
        events.append(_funding(to_cents(params.capital), session, opening))
        book.post(events[0], session)
    if follows:
        given = (entries, executed_trades, known, market_prices)
        settled = settle(book, *given, session, moment.calendar, rates, is_known=begun is not None)
    else:
        late = cut_to_recent(corporate_actions, "ex_date", LATE_SESSIONS, moment)
        bars = cut_to_recent(market_prices, "session", WINDOW, moment)
        settled = settle_once(book, ledger_entries, late, bars, session, moment.calendar)
    book, events = settled.book, events + settled.events
    cash = book.cash
    for trade in sort_fills(executed_trades.filter(pl.col("session") == session)):
        for event in build_fill_events(trade, book, opening):
            book.post(event, session)
            events.append(event)
    if book.cash < min(cash, 0):
        raise ValueError(f"the fills of {session} leave {book.cash} cents of cash; execute has to limit its buys")
    for event in post_financing(financing, session, opening):
        book.post(event, session)
        events.append(event)
    return build_entries(map(leave_out_empty_legs if follows else forget_when, events), session)


def leave_out_empty_legs(event: LedgerEvent) -> LedgerEvent:
    """Return the event without legs that move nothing: nobody would miss one that got lost."""
    return event._replace(legs=tuple(leg for leg in event.legs if not leg.is_empty))


def _funding(capital: int, session: date, ts: datetime) -> LedgerEvent:
    legs = (Leg("cash", capital), Leg("capital", -capital))
    return LedgerEvent(f"{session}:fund", "fund", ts, f"{session}:fund", legs, session)


STAGE = Stage(
    name="ledger",
    function=ledger,
    reads=(
        Read(BOOK_OPENINGS),
        Read(EXECUTED_TRADES, further=entries_where_changed),
        Read(CORPORATE_ACTIONS, lookback=None, columns=ACTION_COLUMNS),
        Read(
            MARKET_PRICES,
            lookback=WINDOW,
            columns=BAR_COLUMNS,
            where=pl.col("interval") == "1d",
            further=bars_where_changed,
        ),
        Read(LEDGER_ENTRIES, lookback=1, upto="previous", further=entries_where_changed),
        Read(POSITION_ENDS, lookback=None, every_revision=True),
        Read(INSTRUMENTS, lookback=None, columns=LISTING_COLUMNS),
        Read(FX_RATES, lookback=None, columns=RATE_COLUMNS),
        Read(BALANCES, lookback=1, upto="previous"),
        Read(FINANCING),
    ),
    writes=LEDGER_ENTRIES,
    params=TradingParams(),
    section="trading",
    keeps_currency=True,
)

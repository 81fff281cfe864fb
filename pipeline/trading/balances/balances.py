"""Keeps what the ledger adds up to after each session, so that a session costs the same in year ten."""

from __future__ import annotations

import polars as pl

from lake.tables.books import BALANCES, BOOK_OPENINGS, LEDGER_ENTRIES, POSITION_ENDS
from lake.tables.market import CORPORATE_ACTIONS, FX_RATES, INSTRUMENTS, MARKET_PRICES
from pipeline.engine.stage import Moment, Read, Stage
from pipeline.trading.balances.opening import KnownFacts, begin, build_balances, sessions_paid_out
from pipeline.trading.books.actions import ACTION_COLUMNS, add_redenominations, add_write_offs
from pipeline.trading.books.book import fold
from pipeline.trading.books.quotes import WINDOW
from pipeline.trading.currencies.session_rates import LISTING_COLUMNS, RATE_COLUMNS, SessionRates
from pipeline.trading.params import TradingParams

BAR_COLUMNS = (*MARKET_PRICES.key, "session", "open", "close")


def balances(
    book_openings: pl.DataFrame,
    balances: pl.DataFrame,
    ledger_entries: pl.DataFrame,
    corporate_actions: pl.DataFrame,
    market_prices: pl.DataFrame,
    position_ends: pl.DataFrame,
    instruments: pl.DataFrame,
    fx_rates: pl.DataFrame,
    moment: Moment,
    params: TradingParams,
) -> pl.DataFrame:
    """Return the balances after `moment.session` alone: those before and its entries, or all entries added up.

    They are carried where what the books rest on is known as it was, and the sums of all entries are theirs; else every
    entry is added up again in its order.
    """
    if params.settlement != 2:
        return BALANCES.empty()
    from pipeline.trading.balances.weighing import weigh  # late: it imports numba, which only who keeps books needs

    session = moment.session
    rates = SessionRates.read(instruments, fx_rates, moment.currency, params.max_rate_age_days)
    known = add_redenominations(add_write_offs(corporate_actions, position_ends), rates)
    facts = KnownFacts(known, market_prices, ledger_entries, rates, moment.calendar)
    hashed = book_openings.filter(pl.col("session") == session)["actions"].to_list()
    opening, after = begin(balances, book_openings, moment), facts.fingerprint(session, *hashed)
    if opening is not None:
        today = (ledger_entries["session"] == session).arg_true()  # a filter would go through every column
        entries = pl.concat([opening.entries, ledger_entries[today]])
        carried = build_balances(fold(entries), session, after, carried=True)
        if weigh(carried) == weigh(ledger_entries):
            return carried
    return build_balances(fold(ledger_entries), session, after, carried=False)


STAGE = Stage(
    name="balances",
    function=balances,
    reads=(
        Read(BOOK_OPENINGS),
        Read(BALANCES, lookback=1, upto="previous"),
        Read(LEDGER_ENTRIES, lookback=None),
        Read(CORPORATE_ACTIONS, lookback=None, columns=ACTION_COLUMNS),
        Read(
            MARKET_PRICES,
            lookback=WINDOW,
            where=pl.col("interval") == "1d",
            columns=BAR_COLUMNS,
            further=sessions_paid_out,
        ),
        Read(POSITION_ENDS, lookback=None, every_revision=True),
        Read(INSTRUMENTS, lookback=None, columns=LISTING_COLUMNS),
        Read(FX_RATES, lookback=None, columns=RATE_COLUMNS),
    ),
    writes=BALANCES,
    params=TradingParams(),
    section="trading",
    keeps_currency=True,
)

"""Keeps what the ledger adds up to after each session, so that a session costs the same in year ten."""

from __future__ import annotations

import numpy as np
import numpy.typing as npt
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

BY_NAME = ("positions", "receivable")
"""Accounts with a balance for each name."""
SHARES = np.uint64(0x9E3779B97F4A7C15)
"""What shares are multiplied by to be told from cents."""
Column = npt.NDArray[np.uint64]
BLOCK = 16_384
"""Entries that are weighed at a time."""
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
    session = moment.session
    rates = SessionRates.read(instruments, fx_rates, moment.currency, params.max_rate_age_days)
    known = add_redenominations(add_write_offs(corporate_actions, position_ends), rates)
    facts = KnownFacts(known, market_prices, ledger_entries, rates, moment.calendar)
    hashed = book_openings.filter(pl.col("session") == session)["actions"].to_list()
    opening, after = begin(balances, book_openings, moment), facts.fingerprint(session, *hashed)
    if opening is not None:
        entries = pl.concat([opening, ledger_entries.filter(pl.col("session") == session)])
        carried = build_balances(fold(entries), session, after, carried=True)
        if weigh(carried) == weigh(ledger_entries):
            return carried
    return build_balances(fold(ledger_entries), session, after, carried=False)


def weigh(entries: pl.DataFrame) -> int:
    """Return cents and shares of all entries in one sum, each times a weight of its account, or of account and name.

    Whole numbers modulo 2^64, so that any order and partition gives the same. Weights are hashes: where a balance is
    another so is the sum, but by a chance of about one in 2^64; and it takes a quarter of adding balances up.

    Args:
        entries: of the ledger, or balances.
    """
    rows = entries.select(
        pl.col("shares").cast(pl.Int64),
        account=pl.col("account").hash(1),
        name=pl.col("ticker").hash(2),
        cents=pl.col("amount").to_physical().cast(pl.Int64, wrap_numerical=True),
    )
    columns = [rows[one].to_numpy().view(np.uint64) for one in ("account", "name", "cents", "shares")]
    by_name = tuple(pl.Series(BY_NAME).hash(1))
    starts = range(0, rows.height, BLOCK)  # what is worked on stays in the processor's cache
    return sum(_weigh(by_name, *(column[at : at + BLOCK] for column in columns)) for at in starts) % 2**64


def _weigh(by_name: tuple[int, ...], accounts: Column, names: Column, cents: Column, shares: Column) -> int:
    positions, claims = by_name
    weights = accounts * np.where((accounts == positions) | (accounts == claims), names, np.uint64(1))
    return int((weights * (cents + SHARES * shares)).sum())


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

"""Keeps what the ledger adds up to after each session, so that a session costs the same in year ten."""

from __future__ import annotations

import polars as pl

from lake.tables.books import BALANCES, LEDGER_ENTRIES, POSITION_ENDS
from lake.tables.market import CORPORATE_ACTIONS, FX_RATES, INSTRUMENTS, MARKET_PRICES
from lake.tables.trading import EXECUTED_TRADES
from pipeline.engine.stage import Moment, Read, Stage
from pipeline.trading.balances.opening import build_balances, find_opening, fingerprint_facts
from pipeline.trading.books.actions import ACTION_COLUMNS, add_redenominations, add_write_offs
from pipeline.trading.books.book import fold
from pipeline.trading.books.quotes import WINDOW, sessions_of_fractions
from pipeline.trading.currencies.session_rates import LISTING_COLUMNS, RATE_COLUMNS, SessionRates
from pipeline.trading.params import TradingParams

BAR_COLUMNS = (*MARKET_PRICES.key, "session", "open", "close")


def balances(
    balances: pl.DataFrame,
    ledger_entries: pl.DataFrame,
    executed_trades: pl.DataFrame,  # noqa: ARG001
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
    session, calendar = moment.session, moment.calendar
    rates = SessionRates.read(instruments, fx_rates, moment.currency, params.max_rate_age_days)
    known = add_redenominations(add_write_offs(corporate_actions, position_ends), rates)
    facts = (known, market_prices, ledger_entries, rates)
    opening = find_opening(balances, *facts, session, calendar)
    after = fingerprint_facts(*facts, session, calendar)
    if opening is not None:
        entries = pl.concat([opening, ledger_entries.filter(pl.col("session") == session)])
        carried = build_balances(fold(entries), session, after, carried=True)
        if sum_up(carried).equals(sum_up(ledger_entries)):
            return carried
    return build_balances(fold(ledger_entries), session, after, carried=False)


def sum_up(entries: pl.DataFrame) -> pl.DataFrame:
    """Return cents and shares of each account, and of each name in positions and claims; what is nothing is left out.

    Args:
        entries: of the ledger, or balances.
    """
    cents = entries.select("account", "ticker", "shares", pl.col("amount").to_physical())
    both = pl.col("amount", "shares").sum().cast(pl.Int64)
    by_name = cents.group_by("account", "ticker").agg(both)  # few rows are left to be told apart
    apart = pl.when(pl.col("account").is_in(["positions", "receivable"])).then("ticker").alias("ticker")
    sums = by_name.with_columns(apart).group_by("account", "ticker").agg(both)
    return sums.filter((pl.col("amount") != 0) | (pl.col("shares") != 0)).sort("account", "ticker")


STAGE = Stage(
    name="balances",
    function=balances,
    reads=(
        Read(BALANCES, lookback=1, upto="previous"),
        Read(LEDGER_ENTRIES, lookback=None),
        Read(EXECUTED_TRADES, lookback=None),
        Read(CORPORATE_ACTIONS, lookback=None, columns=ACTION_COLUMNS),
        Read(
            MARKET_PRICES,
            lookback=WINDOW,
            where=pl.col("interval") == "1d",
            columns=BAR_COLUMNS,
            further=sessions_of_fractions,
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

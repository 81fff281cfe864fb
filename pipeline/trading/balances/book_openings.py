"""Tells the stages that keep the books whether anything was learned of the past, so that only one of them looks."""

from __future__ import annotations

import polars as pl

from lake.tables.books import BALANCES, BOOK_OPENINGS, LEDGER_ENTRIES, POSITION_ENDS
from lake.tables.market import CORPORATE_ACTIONS, FX_RATES, INSTRUMENTS, MARKET_PRICES
from pipeline.engine.stage import Moment, Read, Stage
from pipeline.trading.balances.opening import PAID_OUT, KnownFacts, sessions_paid_out
from pipeline.trading.books.actions import ACTION_COLUMNS, add_redenominations, add_write_offs
from pipeline.trading.currencies.session_rates import LISTING_COLUMNS, RATE_COLUMNS, SessionRates
from pipeline.trading.params import TradingParams

BAR_COLUMNS = (*MARKET_PRICES.key, "session", "open", "close")


def book_openings(
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
    """Return one row: whether `moment.session` goes on from the balances of the session before (that session alone).

    Execution, ledger and balances read it in place of all entries, and read those only where it does not.
    """
    if params.settlement != 2:
        return BOOK_OPENINGS.empty()
    session, previous = moment.session, moment.calendar.previous(moment.session)
    rates = SessionRates.read(instruments, fx_rates, moment.currency, params.max_rate_age_days)
    known = add_redenominations(add_write_offs(corporate_actions, position_ends), rates)
    facts = KnownFacts(known, market_prices, ledger_entries, rates, moment.calendar)
    told = balances.filter(pl.col("session") == previous)["facts"].to_list()
    before = facts.fingerprint(previous)
    reason = "" if told and before and told[0] == before else _explain(told, before)
    row = {"session": session, "unchanged": not reason, "reason": reason, "actions": facts.hash_actions(session)}
    return pl.DataFrame([row], schema=BOOK_OPENINGS.schema)


def _explain(told: list[str], before: str) -> str:
    if not before:
        return "foreign names rest on rates, which are corrected: the books are added up anew"
    if not told or not told[0]:
        return "the session before left no balances to go on from"
    return "something was learned of the past since: the books are gone through again"


STAGE = Stage(
    name="book_openings",
    function=book_openings,
    reads=(
        Read(BALANCES, lookback=1, upto="previous"),
        Read(LEDGER_ENTRIES, lookback=None, upto="previous", where=PAID_OUT),
        Read(CORPORATE_ACTIONS, lookback=None, columns=ACTION_COLUMNS),
        Read(
            MARKET_PRICES,
            lookback=0,
            where=pl.col("interval") == "1d",
            columns=BAR_COLUMNS,
            further=sessions_paid_out,
        ),
        Read(POSITION_ENDS, lookback=None, every_revision=True),
        Read(INSTRUMENTS, lookback=None, columns=LISTING_COLUMNS),
        Read(FX_RATES, lookback=None, columns=RATE_COLUMNS),
    ),
    writes=BOOK_OPENINGS,
    params=TradingParams(),
    section="trading",
    keeps_currency=True,
)

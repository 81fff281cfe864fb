"""Closes and actions of foreign names in the book's currency, as floats: for what is compared, not for the books."""

from __future__ import annotations

from collections.abc import Sequence
from datetime import date

import polars as pl

from pipeline.market.sessions import Sessions
from pipeline.trading.currencies.session_rates import SessionRates

AMOUNTS = ("amount", "cash")


def convert_bars(market_prices: pl.DataFrame, rates: SessionRates) -> pl.DataFrame:
    """Return the bars with opens and closes in the book's currency, each at the rate of its session.

    Args:
        market_prices: with ticker, session, open and close; a foreign bar before any rate is left out.
        rates: which names are foreign, and the rates.
    """
    if market_prices["ticker"].is_in(sorted({*rates.currencies, *rates.changes})).any():
        factors = _find_factors(market_prices["ticker"], market_prices["session"].to_list(), rates)
        return market_prices.with_columns(pl.col("open", "close") * factors).filter(factors.is_not_null())
    return market_prices


def requote_bars(market_prices: pl.DataFrame, rates: SessionRates, session: date) -> pl.DataFrame:
    """Return the bars of names whose listing changed its currency with prices in that of the session.

    Args:
        market_prices: with ticker, session, open and close, as quoted at their session.
        rates: which listings changed, and the rates.
        session: whose currencies are wanted.
    """
    if not market_prices["ticker"].is_in(sorted(rates.changes)).any():
        return market_prices
    rows = market_prices.select("ticker", "session").iter_rows()
    found = [float(rates.carry_over(ticker, when, session)) for ticker, when in rows]
    factors = pl.Series("factor", found, dtype=pl.Float64)
    prices = [name for name in ("open", "high", "low", "close") if name in market_prices.columns]
    return market_prices.with_columns(pl.col(name) * factors for name in prices)


def convert_actions(corporate_actions: pl.DataFrame, rates: SessionRates, calendar: Sessions) -> pl.DataFrame:
    """Return the actions with amounts in the book's currency, at the rate of the session at which they count.

    Args:
        corporate_actions: with ticker, ex_date, amount and cash.
        rates: which names are foreign, and the rates; without one an amount is null.
        calendar: the sessions.
    """
    if corporate_actions["ticker"].is_in(sorted({*rates.currencies, *rates.changes})).any():
        days = [calendar.at_or_after(day) for day in corporate_actions["ex_date"].to_list()]
        factors = _find_factors(corporate_actions["ticker"], days, rates)
        return corporate_actions.with_columns(pl.col(name) * factors for name in AMOUNTS)
    return corporate_actions


def _find_factors(tickers: pl.Series, days: Sequence[date], rates: SessionRates) -> pl.Series:
    """The rate of each row; 1 for names in the book's currency, null where none is known."""
    found = [rates.at(ticker, day) for ticker, day in zip(tickers, days, strict=True)]
    return pl.Series("factor", [None if one is None else float(one.rate) for one in found], dtype=pl.Float64)

"""Returns of companies: they go on under another ticker, and end where the company does, not in the next one."""

from __future__ import annotations

import polars as pl

from pipeline.market.dividends_in_gaps import restate_in_gaps
from pipeline.market.returns import daily_total_returns, forward_total_returns
from pipeline.market.securities.following import Securities
from pipeline.market.sessions import Sessions


def daily_company_returns(market_prices: pl.DataFrame, corporate_actions: pl.DataFrame) -> pl.DataFrame:
    """Return what `daily_total_returns` does for companies: null at a company's first bar, not at a renamed one's.

    Args:
        market_prices: daily bars with ticker, session, close (as traded); one row per ticker and session.
        corporate_actions: ticker, ex_date, kind, numerator, denominator, amount, successor.
    """
    companies = Securities.trace(corporate_actions, market_prices)
    bars = companies.name_companies(market_prices, "session")
    daily = daily_total_returns(bars, restate_in_gaps(companies.name_actions(corporate_actions), bars))
    return companies.name_tickers(daily, "session").sort("ticker", "session")


def forward_company_returns(
    market_prices: pl.DataFrame, corporate_actions: pl.DataFrame, horizons: tuple[int, ...], calendar: Sessions
) -> pl.DataFrame:
    """Return the total return of each bar's company to `horizon` sessions later, or to its end if that comes first.

    A company goes on under another ticker; the row has the ticker of its own session. A delisting on a day without a
    session counts at the next one. The rest is as in `forward_total_returns`.

    Args:
        market_prices: daily bars with ticker, session, close (as traded); one row per ticker and session.
        corporate_actions: ticker, ex_date, kind, numerator, denominator, amount, successor.
        horizons: sessions ahead.
        calendar: the exchange's sessions; every session of the bars has to be one of them.

    Returns:
        ticker, session, horizon (Int32), target_session (Date), forward_return (Float64), sorted
        by ticker, session, horizon.
    """
    companies = Securities.trace(corporate_actions, market_prices)
    bars = companies.name_companies(market_prices, "session")
    acted = restate_in_gaps(companies.name_actions(corporate_actions), bars)
    known = forward_returns_of_named(bars, acted, horizons, calendar)
    return companies.name_tickers(known, "session").sort("ticker", "session", "horizon")


def forward_returns_of_named(
    market_prices: pl.DataFrame, corporate_actions: pl.DataFrame, horizons: tuple[int, ...], calendar: Sessions
) -> pl.DataFrame:
    """Return the same of frames whose `ticker` is the company already; the rows have it too."""
    daily = daily_total_returns(market_prices, corporate_actions)
    known = corporate_actions.filter(pl.col("kind") == "delisting", pl.col("ex_date") <= calendar.days[-1])
    delistings = known.with_columns(pl.col("ex_date").map_elements(calendar.at_or_after, return_dtype=pl.Date))
    return forward_total_returns(daily, horizons, calendar, delistings)

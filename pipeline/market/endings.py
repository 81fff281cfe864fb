"""Returns that end where a company ended: none runs on into another company that got the ticker."""

from __future__ import annotations

import polars as pl

from pipeline.market.returns import daily_total_returns, forward_total_returns
from pipeline.market.sessions import Sessions


def daily_company_returns(market_prices: pl.DataFrame, corporate_actions: pl.DataFrame) -> pl.DataFrame:
    """Return what `daily_total_returns` does, but null at the first bar after a delisting.

    Args:
        market_prices: daily bars with ticker, session, close (as traded); one row per ticker and session.
        corporate_actions: ticker, ex_date, kind, numerator, denominator, amount.
    """
    ends = _ends(corporate_actions)
    daily = daily_total_returns(
        _name_companies(market_prices, "session", ends), _name_companies(corporate_actions, "ex_date", ends)
    )
    return _name_tickers(daily).sort("ticker", "session")


def forward_company_returns(
    market_prices: pl.DataFrame, corporate_actions: pl.DataFrame, horizons: tuple[int, ...], calendar: Sessions
) -> pl.DataFrame:
    """Return the total return of each bar's company to `horizon` sessions later, or to its end if that comes first.

    A delisting on a day without a session counts at the next one. The rest is as in `forward_total_returns`.

    Args:
        market_prices: daily bars with ticker, session, close (as traded); one row per ticker and session.
        corporate_actions: ticker, ex_date, kind, numerator, denominator, amount.
        horizons: sessions ahead.
        calendar: the exchange's sessions; every session of the bars has to be one of them.

    Returns:
        ticker, session, horizon (Int32), target_session (Date), forward_return (Float64), sorted
        by ticker, session, horizon.
    """
    ends = _ends(corporate_actions)
    actions = _name_companies(corporate_actions, "ex_date", ends)
    daily = daily_total_returns(_name_companies(market_prices, "session", ends), actions)
    delistings = actions.filter(pl.col("kind") == "delisting", pl.col("ex_date") <= calendar.days[-1]).with_columns(
        pl.col("ex_date").map_elements(calendar.at_or_after, return_dtype=pl.Date)
    )
    known = forward_total_returns(daily, horizons, calendar, delistings)
    return _name_tickers(known).sort("ticker", "session", "horizon")


def _ends(corporate_actions: pl.DataFrame) -> pl.DataFrame:
    """ticker, ended (Date), and how many companies had the ticker up to then."""
    ended = corporate_actions.filter(pl.col("kind") == "delisting").select("ticker", ended="ex_date").unique()
    return ended.sort("ended", "ticker").with_columns(before=pl.int_range(1, pl.len() + 1).over("ticker"))


def _name_companies(frame: pl.DataFrame, day: str, ends: pl.DataFrame) -> pl.DataFrame:
    """Put the number of the company behind each ticker: what comes after a delisting's day is another's."""
    number = pl.col("before").fill_null(0).cast(pl.String).str.zfill(6)
    return (
        frame.sort(day, maintain_order=True)
        .join_asof(
            ends, left_on=day, right_on="ended", by="ticker", strategy="backward", allow_exact_matches=False,
            check_sortedness=False,
        )
        .with_columns(ticker=pl.col("ticker") + "\n" + number)
        .select(frame.columns)
    )  # fmt: skip


def _name_tickers(frame: pl.DataFrame) -> pl.DataFrame:
    return frame.with_columns(pl.col("ticker").str.split("\n").list.first())

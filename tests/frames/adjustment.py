"""Factors that turn prices as traded into adjusted ones, the form in which other collections of prices state them."""

from __future__ import annotations

from datetime import date

import polars as pl

from pipeline.market.dividends_in_gaps import restate_in_gaps
from pipeline.market.returns import daily_total_returns


def adjustment_factors(market_prices: pl.DataFrame, corporate_actions: pl.DataFrame, as_of: date) -> pl.DataFrame:
    """What each bar's price is multiplied by to be comparable with prices of the as-of date.

    A split after the bar divides by the new shares for each old one; a dividend multiplies by 1 - amount / last close
    before its ex-date, both per share of the same kind. Actions after `as_of` do not exist.

    Returns:
        ticker, session, split_factor (Float64), price_factor (Float64: dividends alone), sorted by ticker and session.
    """
    bars = market_prices.filter(pl.col("session") <= as_of)
    daily = daily_total_returns(bars, restate_in_gaps(corporate_actions.filter(pl.col("ex_date") <= as_of), bars))
    cash, before = pl.col("dividend") * pl.col("ratio"), pl.col("close").shift(1).over("ticker")
    effects = daily.with_columns(split=1 / pl.col("ratio"), price=(1 - cash / before).fill_null(1.0))
    # From the end backwards: a bar carries the effects of the actions after it, its own excluded.
    return effects.select(
        "ticker",
        "session",
        split_factor=pl.col("split").cum_prod(reverse=True).shift(-1).over("ticker").fill_null(1.0),
        price_factor=pl.col("price").cum_prod(reverse=True).shift(-1).over("ticker").fill_null(1.0),
    )

"""Factors that turn prices as traded into adjusted ones, as of any date."""

from __future__ import annotations

from datetime import date

import polars as pl


def adjustment_factors(market_prices: pl.DataFrame, corporate_actions: pl.DataFrame, as_of: date) -> pl.DataFrame:
    """What each bar's price is multiplied by to be comparable with prices of the as-of date.

    A split with ex-date after the bar divides by the shares that one share became; a dividend multiplies by
    1 - amount / last close before its ex-date, the convention of adjusted closes (CRSP's by the close of the ex-date
    differs in the second order). Actions whose ex-date lies after `as_of` do not exist.

    Args:
        market_prices: daily bars with ticker, session, close (as traded); one row per ticker and session.
        corporate_actions: ticker, ex_date, kind, sequence, numerator, denominator, amount; one row per action.
        as_of: the date whose prices stay as they are.

    Returns:
        ticker, session, split_factor (Float64), price_factor (Float64: dividends alone), sorted by ticker and session.
    """
    bars = market_prices.select("ticker", "session", "close").filter(pl.col("session") <= as_of)
    bars = bars.sort("ticker", "session")
    effects = _effects(bars, corporate_actions.filter(pl.col("ex_date") <= as_of))
    later = bars.join(effects, on=["ticker", "session"], how="left", maintain_order="left").with_columns(
        pl.col("split", "price").fill_null(1.0)
    )
    # From the end backwards: a bar carries the effects of the actions after it, its own excluded.
    return later.select(
        "ticker",
        "session",
        split_factor=pl.col("split").cum_prod(reverse=True).shift(-1).over("ticker").fill_null(1.0),
        price_factor=pl.col("price").cum_prod(reverse=True).shift(-1).over("ticker").fill_null(1.0),
    )


def _effects(bars: pl.DataFrame, actions: pl.DataFrame) -> pl.DataFrame:
    """split and price (Float64) per ticker and session of the first bar on or after the ex-date."""
    before = bars.with_columns(before=pl.col("close").shift(1).over("ticker"))
    dated = actions.filter(pl.col("kind").is_in(["split", "dividend"])).sort("ex_date", "ticker", "kind", "sequence")
    placed = dated.join_asof(
        before.sort("session", "ticker"),
        left_on="ex_date",
        right_on="session",
        by="ticker",
        strategy="forward",
        check_sortedness=False,
    ).filter(pl.col("before").is_not_null())
    is_split = pl.col("kind") == "split"
    # On one day a dividend is paid per share after the split; the close before is brought to the same shares.
    day = ["ticker", "session"]
    shares = pl.when(is_split).then(pl.col("numerator") / pl.col("denominator")).otherwise(1.0)
    cash = pl.when(~is_split).then("amount").otherwise(0.0)
    told = placed.select(*day, "before", shares=shares, cash=cash).sort(*day, "shares", "cash")
    daily = told.group_by(day, maintain_order=True).agg(pl.col("before").first(), pl.col("shares").product(), "cash")
    paid = daily.with_columns(cash=pl.col("cash").list.sum())
    return paid.select(*day, split=1 / pl.col("shares"), price=1 - pl.col("cash") * pl.col("shares") / pl.col("before"))

"""States a dividend that went ex in a gap of bars, before a split in the same gap, per share of the next bar."""

from __future__ import annotations

import polars as pl


def restate_in_gaps(corporate_actions: pl.DataFrame, market_prices: pl.DataFrame) -> pl.DataFrame:
    """Return the actions with the amount of each such dividend divided by the splits that follow it in its gap.

    Returns count what falls between two bars at the later one, where dividends are per share of after the splits. A
    halted share at 100 that pays 4 and is then split 4:1 goes on at 24: its dividend is 1 per share of that bar.
    Dividends of one day with a split are per share of after it anyway.

    Args:
        corporate_actions: ticker, ex_date, kind, numerator, denominator, amount; last revisions.
        market_prices: ticker, session of daily bars.
    """
    splits = corporate_actions.filter(pl.col("kind") == "split", pl.col("numerator") > 0)
    paid = corporate_actions.with_row_index("row").filter(pl.col("kind") == "dividend")
    later = splits.select("ticker", split_on="ex_date", factor=pl.col("denominator") / pl.col("numerator"))
    pairs = (
        paid.select("row", "ticker", "ex_date").join(later, on="ticker").filter(pl.col("ex_date") < pl.col("split_on"))
    )
    if pairs.is_empty():
        return corporate_actions
    bars = market_prices.select("ticker", session="session").join(
        pairs.select("ticker").unique(), on="ticker", how="semi"
    )
    following = pairs.sort("ex_date").join_asof(
        bars.sort("session"),
        left_on="ex_date",
        right_on="session",
        by="ticker",
        strategy="forward",
        check_sortedness=False,
    )
    within = following.filter(pl.col("split_on") <= pl.col("session")).sort("row", "split_on", "factor")
    if within.is_empty():
        return corporate_actions
    factors = within.group_by("row", maintain_order=True).agg(pl.col("factor").product())
    restated = corporate_actions.with_row_index("row").join(factors, on="row", how="left", maintain_order="left")
    amount = pl.col("amount") * pl.col("factor").fill_null(1.0)
    return restated.with_columns(amount=amount).select(corporate_actions.columns)

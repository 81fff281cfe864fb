"""Tells splits from closes as they were traded that stand beside split-adjusted prices, as in Sharadar's files."""

from __future__ import annotations

from fractions import Fraction

import polars as pl

from pipeline.ingestion.actions.actions_in_price_files import (
    MOST_DECIMALS,
    ToldActions,
    ToldSplit,
    action_frame,
    explain_step,
    find_steps,
    later_ratios,
    order_rows,
    read_adjusted,
)

NEAR = 5e-4
"""Relative; how far the last close as traded over the adjusted one may lie from a ratio of whole numbers."""
LARGEST = 20
"""Largest denominator of such a ratio: the splits that went ex after the file's last row, all together."""


def tell_from_unadjusted(rows: pl.DataFrame) -> ToldActions | None:
    """Return the splits that closes as traded tell beside adjusted ones, and the dividends of closes adjusted for both.

    The close over the close as traded is one number between two splits. Where it steps by anything else, or is 1
    throughout, the column is of no use: None, as where splits or dividends are stated.

    Args:
        rows: ticker, day (Date), close (Float64, adjusted for splits), and unadjusted (the close as traded), split,
            dividend and adjusted (String, null where the file has no such column).
    """
    if not rows["unadjusted"].count() or rows["split"].count() or rows["dividend"].count():
        return None
    traded = pl.col("unadjusted").cast(pl.Float64, strict=False)
    beside = order_rows(rows.with_columns(adjusted=pl.col("close").cast(pl.String), close=traded))
    splits, rest = _find_splits(beside), _find_rest(beside)
    if splits is None or rest is None:
        return None
    to_come = rows["ticker"].replace_strict(rest, default=1.0, return_dtype=pl.Float64)
    later = later_ratios(rows, splits).fill_null(1.0) * to_come
    if (later == 1.0).all():
        return None
    exact = rows.with_columns(close=traded / later)  # without the rounding of the file's own adjusted closes
    cash = read_adjusted(order_rows(exact)) if rows["adjusted"].count() else ToldActions(action_frame([]), None, ())
    told = pl.concat([action_frame([split.action() for split in splits]), _as_paid(cash.lines, rows, later)])
    return ToldActions(told.sort("ex_date", "ticker", "kind"), later, cash.doubts, traded_close=rows["unadjusted"])


def _find_splits(beside: pl.DataFrame) -> list[ToldSplit] | None:
    """The splits at which the adjusted close steps against the one as traded; None where a step is none."""
    splits = []
    for ticker, day, before, close, step, precision in find_steps(beside).iter_rows():
        found = explain_step(ticker, str(day), before, close, step, precision)
        if isinstance(found, str) or found[2] != "split":
            return None
        splits.append(ToldSplit(ticker, day, Fraction(str(found[3])) / Fraction(str(found[4])), before, close))
    return splits


def _find_rest(beside: pl.DataFrame) -> dict[str, float] | None:
    """Ticker -> what a share of its last row has become since, by splits of which the file has no row any more."""
    last = beside.group_by("ticker").last().filter(pl.col("adjusted").cast(pl.Float64) > 0)
    found = {}
    for ticker, close, adjusted in last.select("ticker", "close", pl.col("adjusted").cast(pl.Float64)).iter_rows():
        ratio = Fraction(close / adjusted).limit_denominator(LARGEST)
        if not ratio or abs(float(ratio) * adjusted / close - 1) > NEAR:
            return None
        found[ticker] = float(ratio)
    return found


def _as_paid(told: pl.DataFrame, rows: pl.DataFrame, later: pl.Series) -> pl.DataFrame:
    """The dividends per share of their own day: an adjusted file's are per share of today."""
    ratio = rows.select("ticker", ex_date=pl.col("day").cast(pl.String), later=later).unique(["ticker", "ex_date"])
    paid = (pl.col("amount").cast(pl.Float64) * pl.col("later")).round(MOST_DECIMALS).cast(pl.String)
    beside = told.filter(pl.col("kind") == "dividend").join(ratio, on=["ticker", "ex_date"], how="left")
    return beside.with_columns(amount=pl.when(pl.col("later") != 1.0).then(paid).otherwise("amount")).select(
        told.columns
    )

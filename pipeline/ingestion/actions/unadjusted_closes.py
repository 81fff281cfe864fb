"""Tells splits from closes as they were traded that stand beside split-adjusted prices, as in Sharadar's files."""

from __future__ import annotations

from collections.abc import Iterable
from dataclasses import dataclass
from fractions import Fraction

import polars as pl

from pipeline.ingestion.actions.actions_in_price_files import (
    MOST_DECIMALS,
    ToldActions,
    ToldSplit,
    action_frame,
    explain_step,
    explain_steps,
    find_steps,
    join_splits,
    later_ratios,
    order_rows,
)

NEAR = 5e-4
"""Relative; how far the last close as traded over the adjusted one may lie from a ratio of whole numbers."""
LARGEST = 20
"""Largest denominator of such a ratio: the splits that went ex after the file's last row, all together."""


def tell_from_unadjusted(portions: Iterable[pl.DataFrame]) -> ToldActions | None:
    """Return the splits that closes as traded tell beside adjusted ones, and the dividends of closes adjusted for both.

    The close over the close as traded is one number between two splits. Where it steps by anything else, or is 1
    throughout, the column is of no use: None, as where splits or dividends are stated.

    Args:
        portions: each with all rows of some tickers: ticker, day (Date), close (Float64, adjusted for splits), and
            unadjusted (the close as traded), split, dividend and adjusted (String, null where there is no such column).
    """
    parts = []
    for rows in portions:
        if (part := _read_portion(rows)) is None:
            return None
        parts.append(part)
    if not any(part.differs for part in parts):
        return None
    return ToldActions(
        pl.concat(part.lines for part in parts).sort("ex_date", "ticker", "kind"),
        join_splits(split for part in parts for split in part.splits),
        tuple(doubt for part in parts for doubt in part.doubts),
        to_come={ticker: ratio for part in parts for ticker, ratio in part.to_come.items()},
        decimals=max(part.decimals for part in parts),
    )


@dataclass(frozen=True)
class _Portion:
    """What the rows of some tickers tell."""

    lines: pl.DataFrame
    splits: list[ToldSplit]
    to_come: dict[str, float]
    doubts: tuple[str, ...]
    differs: bool
    """Whether any price is another than the one that was traded."""
    decimals: int


def _read_portion(rows: pl.DataFrame) -> _Portion | None:
    if rows["split"].count() or rows["dividend"].count():
        return None
    traded = pl.col("unadjusted").cast(pl.Float64, strict=False)
    beside = order_rows(rows.with_columns(adjusted=pl.col("close").cast(pl.String), close=traded))
    splits, rest = _find_splits(beside), _find_rest(beside)
    if splits is None or rest is None:
        return None
    to_come = rows["ticker"].replace_strict(rest, default=1.0, return_dtype=pl.Float64)
    later = later_ratios(rows, join_splits(splits)).fill_null(1.0) * to_come
    exact = rows.with_columns(close=traded / later)  # without the rounding of the file's own adjusted closes
    cash = explain_steps(find_steps(order_rows(exact)))
    told = pl.concat([action_frame([split.action() for split in splits]), _as_paid(cash.lines, rows, later)])
    decimals = rows["unadjusted"].str.extract(r"\.(\d+)$").str.len_chars().max()
    return _Portion(told, splits, rest, cash.doubts, not (later == 1.0).all(), int(decimals or 0))  # type: ignore[arg-type]


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

"""Makes a study's features and labels anew from its raw prices: eleven figures in percent, and which way a day went.

Feng et al., Enhancing Stock Movement Prediction with Adversarial Training (IJCAI 2019), table 1: open, high and low
beside the close, the day's change of close and adjusted close, and the mean adjusted close of 5 to 30 days beside
that of the day. All are known at the day's close.
"""

from __future__ import annotations

import polars as pl

from pipeline.models.tasks.labels import ThresholdClasses
from pipeline.models.tasks.studies.files import FEATURES, ORIGINAL_OPEN

MEANS = (5, 10, 15, 20, 25, 30)
"""Bars of the moving means."""
WARM_UP = max(MEANS)
"""Bars of a ticker until it has all features."""
OPENS = ("open", ORIGINAL_OPEN)
"""Columns that an open may be in, the usual one first."""


def rebuild(bars: pl.DataFrame, label: ThresholdClasses, opens: pl.DataFrame | None = None) -> pl.DataFrame:
    """Features and labels of every bar that has all of them.

    Args:
        bars: as `read_prices` returns them, sorted by ticker and date.
        label: the thresholds.
        opens: ticker and `column`, which of `OPENS` a ticker's open is in; None for `open`.

    Returns:
        ticker, date, the features in percent, change (of the adjusted close, a fraction), label, close and adj_close;
        without a ticker's first `WARM_UP` - 1 bars.
    """
    rows = bars.with_columns(_open(bars, opens).alias("opened"))
    change, adjusted = pl.col("adj_close") / pl.col("adj_close").shift(1).over("ticker") - 1, pl.col("adj_close")
    rows = rows.with_columns(
        **{f"c_{name}": 100 * (pl.col(column) / pl.col("close") - 1) for name, column in _WITHIN_A_DAY.items()},
        n_close=100 * (pl.col("close") / pl.col("close").shift(1).over("ticker") - 1),
        n_adj_close=100 * change,
        change=change,
        **{f"ma{k}": 100 * (adjusted.rolling_mean(k).over("ticker") / adjusted - 1) for k in MEANS},
    )
    side = (
        pl.when(pl.col("change") >= label.up).then(1.0).when(pl.col("change") <= label.down).then(-1.0).otherwise(0.0)
    )
    return rows.drop_nulls(FEATURES).select(
        "ticker", "date", *FEATURES, "change", side.alias("label"), "close", "adj_close"
    )


_WITHIN_A_DAY = {"open": "opened", "high": "high", "low": "low"}


def choose_opens(bars: pl.DataFrame, reference: pl.DataFrame, tolerance: float) -> pl.DataFrame:
    """Which column the study took each ticker's open from: the one that fits its `c_open` on more days.

    Where a vendor restated the open for later splits and left high, low and close as they were, only the original one
    stands beside them.

    Returns:
        ticker and `column`; none where the prices have no second open.
    """
    if ORIGINAL_OPEN not in bars.columns:
        return pl.DataFrame(schema={"ticker": pl.String, "column": pl.String})
    told = reference.select("ticker", "date", "c_open")
    both = bars.join(told, on=["ticker", "date"]).drop_nulls(["c_open", ORIGINAL_OPEN])
    fits = {
        name: ((100 * (pl.col(name) / pl.col("close") - 1) - pl.col("c_open")).abs() <= tolerance).sum()
        for name in OPENS
    }
    better = pl.when(pl.col(ORIGINAL_OPEN) > pl.col("open")).then(pl.lit(ORIGINAL_OPEN)).otherwise(pl.lit("open"))
    counts = both.group_by("ticker").agg(**fits).sort("ticker")
    return counts.select("ticker", better.alias("column"))


def _open(bars: pl.DataFrame, opens: pl.DataFrame | None) -> pl.Series:
    if opens is None or ORIGINAL_OPEN not in bars.columns:
        return bars["open"]
    joined = bars.join(opens, on="ticker", how="left", maintain_order="left")
    original = (pl.col("column") == ORIGINAL_OPEN) & pl.col(ORIGINAL_OPEN).is_not_null()
    return joined.select(pl.when(original.fill_null(False)).then(ORIGINAL_OPEN).otherwise("open").alias("open"))["open"]

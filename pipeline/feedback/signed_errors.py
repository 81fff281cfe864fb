"""Signed errors as nested series: all tickers, a sector beyond all, a ticker beyond its sector."""

from __future__ import annotations

from dataclasses import dataclass
from datetime import date

import numpy as np
import polars as pl
from numpy.typing import NDArray

Floats = NDArray[np.float64]


@dataclass(frozen=True)
class NestedErrors:
    """Mean unadjusted errors of each slice of a scope, per target session of one horizon."""

    scope: str
    slices: list[str]
    made: list[date]
    """[sessions] when the forecasts were made."""
    series: Floats
    """[sessions, slices] as fractions, in order of time; NaN is missing."""
    sigma: Floats
    """[slices] the forecasts' mean standard deviation."""
    forecasts: Floats
    """[sessions, slices] how many forecasts each mean is of."""


def nest_errors(accuracy: pl.DataFrame, first: date) -> list[NestedErrors]:
    """Split the unadjusted errors of one horizon's deciding forecasts into nested means.

    Centring a sector on all and a ticker on its sector takes out the moves they share, so that each slice is tested
    on what is its own, and the adjustments found can be added up.

    Args:
        accuracy: prediction_accuracy rows of one horizon, shadow forecasts left out.
        first: first target session that counts.

    Returns:
        The scopes all, sector, ticker; empty if nothing was scored.
    """
    rows = accuracy.filter(pl.col("target_session") >= first).sort("target_session", "ticker", "prediction_id")
    if rows.is_empty():
        return []
    made = rows.select("target_session", "made_session").unique("target_session", keep="first", maintain_order=True)
    sectors = rows.select("ticker", "sector").unique("ticker", keep="last", maintain_order=True).sort("ticker")
    tickers = sectors["ticker"].to_list()
    session = rows["target_session"].rle_id().to_numpy()
    ticker = sectors["ticker"].search_sorted(rows["ticker"]).to_numpy()
    shape = (len(made), len(tickers))
    unadjusted = _matrix(shape, session, ticker, (rows["error"] - rows["bias_adjustment"]).to_numpy())
    sigma = _matrix(shape, session, ticker, rows["sigma"].to_numpy())
    named, member = np.unique(sectors["sector"].to_numpy().astype(str), return_inverse=True)
    everyone = np.zeros(len(tickers), dtype=np.intp)
    overall, by_sector = _means(unadjusted, everyone, 1), _means(unadjusted, member, len(named))
    when = made["made_session"].to_list()
    return [
        NestedErrors("all", ["all"], when, overall, _mean_sigma(sigma, everyone, 1), _counts(sigma, everyone, 1)),
        NestedErrors(
            "sector",
            named.tolist(),
            when,
            by_sector - overall,
            _mean_sigma(sigma, member, len(named)),
            _counts(sigma, member, len(named)),
        ),
        NestedErrors(
            "ticker",
            tickers,
            when,
            unadjusted - by_sector[:, member],
            _mean_sigma(sigma, np.arange(len(tickers)), len(tickers)),
            (~np.isnan(sigma)).astype(np.float64),
        ),
    ]


def _matrix(shape: tuple[int, int], row: NDArray[np.intp], column: NDArray[np.intp], values: Floats) -> Floats:
    matrix = np.full(shape, np.nan)
    matrix[row, column] = values
    return matrix


def _counts(matrix: Floats, group: NDArray[np.intp], groups: int) -> Floats:
    present = (~np.isnan(matrix)).astype(np.float64)
    return np.column_stack([present[:, group == number].sum(axis=1) for number in range(groups)])


def _means(matrix: Floats, group: NDArray[np.intp], groups: int) -> Floats:
    """[sessions, groups] means over the columns of each group; NaN where all are missing."""
    known = np.nan_to_num(matrix, nan=0.0)
    totals = np.column_stack([known[:, group == number].sum(axis=1) for number in range(groups)])
    counts = _counts(matrix, group, groups)
    means: Floats = np.divide(totals, counts, out=np.full_like(totals, np.nan), where=counts > 0)
    return means


def _mean_sigma(sigma: Floats, group: NDArray[np.intp], groups: int) -> Floats:
    totals, counts = np.nan_to_num(sigma, nan=0.0).sum(axis=0), (~np.isnan(sigma)).sum(axis=0)
    above = np.bincount(group, weights=totals, minlength=groups)
    means: Floats = above / np.bincount(group, weights=counts, minlength=groups)
    return means

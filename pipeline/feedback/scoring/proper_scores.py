"""Proper scores, which nobody betters by saying what he does not believe: of quantiles, distributions, intervals."""

from __future__ import annotations

from collections.abc import Sequence

import polars as pl

from lake.tables.predictions import INTERVALS, QUANTILE_COLUMNS, QUANTILES

REALISED = pl.col("realised")


def pinball_loss(quantiles: Sequence[pl.Expr]) -> pl.Expr:
    """Mean over the stated levels of max(q (y - x), (q - 1) (y - x)), with x the forecast quantile (Koenker, 1978)."""
    losses = _losses(quantiles)
    return _sum(losses) / len(losses)


def ranked_probability_score(quantiles: Sequence[pl.Expr]) -> pl.Expr:
    """CRPS: twice the pinball loss integrated over all levels (Gneiting and Ranjan, 2011), by trapezoids.

    Between the stated levels the loss is taken as linear, and towards 0 and 1, where it vanishes, as falling to it: of
    seven levels of a normal forecast that comes to some 3 % less than the score of the whole distribution.
    """
    levels = (0.0, *QUANTILES, 1.0)
    widths = [(levels[at + 2] - levels[at]) / 2 for at in range(len(QUANTILES))]
    return _sum([2 * width * loss for width, loss in zip(widths, _losses(quantiles), strict=True)])


def winkler_score(quantiles: Sequence[pl.Expr], percent: int = 90) -> pl.Expr:
    """Width of the stated interval, and 2 / alpha times how far the outcome lies outside (Winkler, 1972).

    Args:
        quantiles: of all stated levels.
        percent: the interval's coverage; alpha is what it leaves out.
    """
    low, high = (quantiles[QUANTILE_COLUMNS.index(name)] for name in INTERVALS[percent])
    penalty = 2 / (1 - percent / 100)
    below, above = (pl.max_horizontal(miss, pl.lit(0.0)) for miss in (low - REALISED, REALISED - high))
    return (high - low) + penalty * (below + above)


def widths_needed(quantiles: Sequence[pl.Expr]) -> pl.Expr:
    """How far out the outcome lies, with the edge of the 90 % interval on its side as the unit; null without width."""
    low, high = (quantiles[QUANTILE_COLUMNS.index(name)] for name in INTERVALS[90])
    middle = quantiles[QUANTILE_COLUMNS.index("q50")]
    away = REALISED - middle
    width = pl.when(away >= 0).then(high - middle).otherwise(middle - low)
    return pl.when(width > 0).then(away.abs() / width)


def _losses(quantiles: Sequence[pl.Expr]) -> list[pl.Expr]:
    return [
        pl.max_horizontal(level * (REALISED - at), (level - 1) * (REALISED - at))
        for level, at in zip(QUANTILES, quantiles, strict=True)
    ]


def _sum(terms: Sequence[pl.Expr]) -> pl.Expr:
    total = terms[0]
    for term in terms[1:]:
        total = total + term
    return total

"""Sum up a session's new scores per slice, horizon and model, so that trailing figures read sums, not forecasts."""

from __future__ import annotations

import numpy as np
import polars as pl

from lake.tables.feedback import PREDICTION_ACCURACY, SCALE_EDGES, SESSION_SCORES
from pipeline.engine.stage import Moment, Read, Stage
from pipeline.feedback.params import FeedbackParams
from pipeline.feedback.statistics import rank_correlation

GROUP = ["target_session", "scope", "slice", "horizon", "model_id", "role"]
SUMS = (
    *("error", "squared_error", "absolute_error", "naive_absolute_error"),
    *("pinball", "naive_pinball", "realised"),
    *("crps", "naive_crps", "winkler", "naive_winkler"),
)
REGIME = "regime:"
"""How the trait begins by which a forecast names it."""
COUNTS = ("hits", "directions", "inside_50", "inside_80", "inside_90")


def session_scores(prediction_accuracy: pl.DataFrame, moment: Moment, params: FeedbackParams) -> pl.DataFrame:
    """Sum the scores of each slice: all tickers, each sector, and each regime that forecasts were made in.

    For `moment.session` only (ignores `since`).
    """
    if prediction_accuracy.is_empty():
        return SESSION_SCORES.empty()
    scores = _slice_scores(prediction_accuracy, by_regime=params.intervals.rule == 2)
    groups = scores.select(GROUP).unique(maintain_order=True)
    starts = np.flatnonzero(np.r_[True, _new_group(scores)])
    return (
        groups.with_columns(session=pl.lit(moment.session), n=_counts(starts, scores.height))
        .with_columns(
            pl.Series("ic", _rank_correlations(scores, starts, params.metrics.min_names), dtype=pl.Float64),
            *(pl.Series(name, _sums(scores, name, starts), dtype=pl.Float64) for name in SUMS),
            *(pl.Series(name, _sums(scores, name, starts)).cast(pl.Int64) for name in COUNTS),
            pl.Series("scale_histogram", _histograms(scores, starts), dtype=pl.List(pl.Int64)),
        )
        .select(*SESSION_SCORES.columns)
        .sort(SESSION_SCORES.key)
    )


def _slice_scores(accuracy: pl.DataFrame, by_regime: bool) -> pl.DataFrame:
    """Each score once in every slice that it belongs to, in an order that fixes every sum."""
    scores = accuracy.with_columns(
        squared_error=pl.col("error") ** 2,
        hits=pl.col("direction_hit").fill_null(False),
        directions=pl.col("direction_hit").is_not_null(),
        needed_scale=pl.col("needed_scale").fill_null(np.nan),
    )
    everyone = scores.with_columns(scope=pl.lit("all"), slice=pl.lit("all"))
    sectors = scores.with_columns(scope=pl.lit("sector"), slice=pl.col("sector"))
    slices = [everyone, sectors, *([_in_regimes(scores)] if by_regime else [])]
    return pl.concat(slices).sort(*GROUP, "ticker", "prediction_id")


def _in_regimes(scores: pl.DataFrame) -> pl.DataFrame:
    """The scores of forecasts that say which regime they were made in."""
    named = pl.col("traits").list.eval(pl.element().filter(pl.element().str.starts_with(REGIME)))
    regime = named.list.first().str.strip_prefix(REGIME)
    return scores.with_columns(scope=pl.lit("regime"), slice=regime).drop_nulls("slice")


def _new_group(scores: pl.DataFrame) -> np.ndarray:
    return scores.select(pl.struct(GROUP).rle_id().alias("group"))["group"].diff().to_numpy()[1:] > 0


def _counts(starts: np.ndarray, rows: int) -> pl.Series:
    return pl.Series("n", np.diff(np.r_[starts, rows]), dtype=pl.Int64)


def _sums(scores: pl.DataFrame, name: str, starts: np.ndarray) -> np.ndarray:
    return np.add.reduceat(scores[name].cast(pl.Float64).fill_null(0.0).to_numpy(), starts)


def _rank_correlations(scores: pl.DataFrame, starts: np.ndarray, min_count: int) -> list[float | None]:
    point, realised = scores["point"].to_numpy(), scores["realised"].to_numpy()
    spans = zip(starts, np.r_[starts[1:], scores.height], strict=True)
    return [
        rank_correlation(point[low:high], realised[low:high]) if high - low >= min_count else None
        for low, high in spans
    ]


def _histograms(scores: pl.DataFrame, starts: np.ndarray) -> list[list[int]]:
    """Per group: how many outcomes needed which interval scale; those without one are in no bin."""
    needed = scores["needed_scale"].to_numpy()
    bins = len(SCALE_EDGES) + 1
    group = np.repeat(np.arange(starts.size), np.diff(np.r_[starts, scores.height]))
    known = ~np.isnan(needed)
    cell = group[known] * bins + np.searchsorted(np.array(SCALE_EDGES), needed[known], side="right")
    counted = np.bincount(cell, minlength=starts.size * bins).reshape(starts.size, bins)
    return [[int(n) for n in row] for row in counted]


STAGE = Stage(
    name="session_scores",
    function=session_scores,
    reads=(
        Read(
            PREDICTION_ACCURACY,
            columns=(
                *("prediction_id", "session", "target_session", "ticker", "sector", "horizon", "model_id", "role"),
                *("point", "realised", "error", "absolute_error", "naive_absolute_error"),
                *(
                    "pinball",
                    "naive_pinball",
                    "crps",
                    "naive_crps",
                    "winkler",
                    "naive_winkler",
                    "inside_50",
                    "inside_80",
                    "inside_90",
                ),
                *("direction_hit", "needed_scale", "traits"),
            ),
        ),
    ),
    writes=SESSION_SCORES,
    params=FeedbackParams(),
    section="feedback",
)

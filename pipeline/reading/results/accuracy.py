"""How good the forecasts were: the measures in the order they are declared, their slices, and how they went."""

from __future__ import annotations

import re

import polars as pl

from pipeline.feedback.metric import Metric
from pipeline.feedback.metrics import METRICS
from pipeline.text_format import counted

SPARK = 40
"""Sessions of a measure's trail."""
SCORECARD = ("pinball_skill", "ic", "hit_rate", "coverage_80", "bias")
"""What a scorecard tells of a horizon: skill, order, direction, calibration, bias."""
SLICE_COLUMNS = {"sector": "sector", "ticker": "ticker", "model": "model_id"}
"""Scope of a measure -> the column of `prediction_accuracy` that names its slices."""
MEASURED = re.compile(r"(?P<metric>\w+) h(?P<horizon>\d+)")
"""The name of a check of a measure at a horizon."""
_MEASURES: dict[str, Metric] = {metric.name: metric for metric in METRICS}


def find_measure(name: str) -> Metric | None:
    """The declaration of a measure; None for one that the program no longer has."""
    return _MEASURES.get(name)


def measure_title(name: str) -> str:
    """A measure's heading."""
    measure = find_measure(name)
    return measure.title if measure else name.replace("_", " ")


def describe_check(name: str) -> str:
    """A check as it is shown: `coverage_80 h20` is '80 % coverage, 20 sessions'."""
    measured = MEASURED.fullmatch(name)
    if measured is None:
        return name
    return f"{measure_title(measured['metric'])}, {counted(int(measured['horizon']), 'session')}"


def measure_rows(metrics: pl.DataFrame, history: pl.DataFrame) -> pl.DataFrame:
    """The measures over all forecasts by horizon, as they are declared, each with `trail`, its last values.

    Args:
        metrics: rows of `feedback_metrics` of one session.
        history: those over all forecasts, of every session.
    """
    rows = metrics.filter(pl.col("scope") == "all").join(recent_values(history), on=["horizon", "metric"], how="left")
    order = {metric: number for number, metric in enumerate(_MEASURES)}
    rank = pl.col("metric").replace_strict(order, default=len(order), return_dtype=pl.Int8)
    return rows.sort("horizon", rank, "metric")


def scorecard_rows(rows: pl.DataFrame) -> pl.DataFrame:
    """Of `measure_rows` those of the scorecard, horizon by horizon, each with what it stands beside."""
    order = {metric: number for number, metric in enumerate(SCORECARD)}
    kept = rows.filter(pl.col("metric").is_in(list(SCORECARD)))
    rank = pl.col("metric").replace_strict(order, return_dtype=pl.Int8)
    return kept.sort("horizon", rank)


def slice_rows(metrics: pl.DataFrame) -> pl.DataFrame:
    """The measures by slice, the lowest of each first."""
    return metrics.filter(pl.col("scope") != "all").sort("metric", "value", "slice", "horizon")


def same_slices(metrics: pl.DataFrame, scope: str, metric: str, horizon: int) -> pl.DataFrame:
    """One measure of all slices of a kind, the lowest first."""
    same = (pl.col("scope") == scope) & (pl.col("metric") == metric) & (pl.col("horizon") == horizon)
    return metrics.filter(same).sort("value", "slice")


def recent_values(history: pl.DataFrame) -> pl.DataFrame:
    """horizon, metric, `trail`: the last values in the order of sessions."""
    return (
        history.sort("session")
        .group_by("horizon", "metric", maintain_order=True)
        .agg(pl.col("value").tail(SPARK).alias("trail"))
    )


def measure_history(history: pl.DataFrame, metric: str, horizon: int) -> pl.DataFrame:
    """One measure at one horizon, session by session."""
    return history.filter((pl.col("metric") == metric) & (pl.col("horizon") == horizon)).sort("session")


def largest_errors(accuracy: pl.DataFrame, count: int) -> pl.DataFrame:
    """The scored forecasts with the largest errors, the largest first."""
    return accuracy.sort("absolute_error", "prediction_id", descending=True).head(count)


def slice_filter(scope: str, part: str, horizon: int) -> pl.Expr:
    """Which rows of `prediction_accuracy` a slice of a measure is about."""
    at = pl.col("horizon") == horizon
    return at & (pl.col(SLICE_COLUMNS[scope]) == part) if scope in SLICE_COLUMNS else at

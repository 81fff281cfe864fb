"""Measure the forecasts' quality over the trailing window, each figure with its interval, baseline and sample."""

from __future__ import annotations

from collections.abc import Iterator
from dataclasses import dataclass

import numpy as np
import polars as pl
from numpy.typing import NDArray

from lake.tables.feedback import FEEDBACK_METRICS, SCALE_EDGES, SESSION_SCORES
from pipeline.engine.stage import Moment, Read, Stage
from pipeline.feedback.calibration import learned_scale
from pipeline.feedback.params import FeedbackParams, MetricParams
from pipeline.feedback.statistics import block_bootstrap_ratios

Floats = NDArray[np.float64]
OVERALL = ("ic", "mae_skill", "pinball_skill", "hit_rate")
"""Figures of what a model claims: forecasts of role champion only; a naive forecast claims nothing."""
DECIDED = ("bias", "coverage_50", "coverage_80", "coverage_90")
"""Figures of whatever forecast decided, the naive one included."""
RATIOS = {
    "ic": ("ic", "ranked"),
    "mae_skill": ("absolute_error", "naive_absolute_error"),
    "pinball_skill": ("pinball", "naive_pinball"),
    "bias": ("error", "n"),
    "hit_rate": ("hits", "directions"),
    "coverage_50": ("inside_50", "n"),
    "coverage_80": ("inside_80", "n"),
    "coverage_90": ("inside_90", "n"),
}
"""Metric -> the sums it is the ratio of; a skill is 1 less that ratio."""
STATED = {"hit_rate": 0.5, "coverage_50": 0.5, "coverage_80": 0.8, "coverage_90": 0.9}
SUMMED = ("n", "ic", "ranked", "squared_error", "realised", *(name for pair in RATIOS.values() for name in pair))
WINDOW = MetricParams().window
"""Sessions read; a configured window can be shorter, not longer."""


@dataclass(frozen=True)
class Slice:
    """One slice at one horizon: sums per target session (0 where there is none) and the metrics asked of it."""

    scope: str
    name: str
    metrics: tuple[str, ...]
    sums: dict[str, Floats]


def metrics(session_scores: pl.DataFrame, moment: Moment, params: FeedbackParams) -> pl.DataFrame:
    """Compute every figure of the trailing window that ends with `moment.session`.

    Overall per horizon: ic, mae_skill, pinball_skill, hit_rate, bias, coverage and the learned interval_scale; per
    sector and per model: pinball_skill and coverage_80. Intervals come from a moving-block bootstrap over sessions.
    For `moment.session` only (ignores `since`).
    """
    first = moment.calendar.offset(moment.session, 1 - params.metrics.window)
    scores = session_scores.filter(pl.col("target_session") >= first)
    rows: list[dict[str, object]] = []
    for horizon in sorted(scores["horizon"].unique()):
        at = scores.filter(pl.col("horizon") == horizon).with_columns(
            ranked=pl.col("ic").is_not_null().cast(pl.Float64), ic=pl.col("ic").fill_null(0.0)
        )
        for figure in _figures(list(_slices(at)), horizon, moment.seed, params.metrics):
            rows.append(figure | {"session": moment.session, "horizon": horizon})
        rows.append(_scale(at, horizon, moment, params) | {"session": moment.session, "horizon": horizon})
    return pl.DataFrame(rows, schema=FEEDBACK_METRICS.schema).sort(FEEDBACK_METRICS.key)


def _slices(scores: pl.DataFrame) -> Iterator[Slice]:
    """Every slice there is, on one grid of target sessions."""
    sessions = scores["target_session"].unique().sort()
    position = sessions.search_sorted(scores["target_session"]).to_numpy()
    columns = {name: scores[name].cast(pl.Float64).to_numpy() for name in dict.fromkeys(SUMMED)}
    scope, role = scores["scope"].to_numpy(), scores["role"].to_numpy()
    named, model = scores["slice"].to_numpy(), scores["model_id"].to_numpy()

    def cut(scope_name: str, name: str, asked: tuple[str, ...], rows: NDArray[np.bool_]) -> Iterator[Slice]:
        if rows.any():
            at = position[rows]
            sums = {
                column: np.bincount(at, weights=values[rows], minlength=len(sessions)).astype(np.float64)
                for column, values in columns.items()
            }
            yield Slice(scope_name, name, asked, sums)

    everyone = scope == "all"
    yield from cut("all", "all", OVERALL, everyone & (role == "champion"))
    yield from cut("all", "all", DECIDED, everyone & (role != "shadow"))
    for sector in sorted(set(named[scope == "sector"])):
        mine = (scope == "sector") & (named == sector)
        yield from cut("sector", sector, ("pinball_skill",), mine & (role == "champion"))
        yield from cut("sector", sector, ("coverage_80",), mine & (role != "shadow"))
    for model_id in sorted(set(model)):
        yield from cut("model", model_id, ("pinball_skill", "coverage_80"), everyone & (model == model_id))


def _figures(slices: list[Slice], horizon: int, seed: int, params: MetricParams) -> Iterator[dict[str, object]]:
    """Value, interval, baseline, sample and verdict of each metric of each slice."""
    asked = [(one, metric) for one in slices for metric in (*one.metrics, "bias")]
    above = np.column_stack([one.sums[RATIOS[metric][0]] for one, metric in asked])
    below = np.column_stack([one.sums[RATIOS[metric][1]] for one, metric in asked])
    draws = block_bootstrap_ratios(above, below, horizon, params.draws, seed)
    width = 0
    for one in slices:
        columns = range(width, width + len(one.metrics))
        width += len(one.metrics) + 1
        independent = _independent(one, draws[:, width - 1])
        for metric, column in zip(one.metrics, columns, strict=True):
            if below[:, column].sum() > 0:
                yield _figure(one, metric, draws[:, column], independent, horizon, params)


def _figure(
    one: Slice, metric: str, draws: Floats, independent: float, horizon: int, params: MetricParams
) -> dict[str, object]:
    above, below = (float(one.sums[name].sum()) for name in RATIOS[metric])
    value = float(_shaped(metric, np.array(above / below)))
    enough = (one.sums[RATIOS[metric][1]] > 0).sum() >= max(params.min_sessions, 4 * horizon)
    known = _shaped(metric, draws[~np.isnan(draws)])
    low, high = (float(end) for end in np.quantile(known, (0.025, 0.975))) if enough else (None, None)
    n = int(one.sums["n"].sum())
    baseline = float(one.sums["realised"].sum()) / n if metric == "bias" else STATED.get(metric, 0.0)
    return {
        "scope": one.scope,
        "slice": one.name,
        "metric": metric,
        "value": value,
        "low": low,
        "high": high,
        "baseline": baseline,
        "n": n,
        "n_effective": min(max(_effective(metric, value, known, independent), 1.0), float(n)),
        "verdict": _verdict(metric, low, high),
    }


def _shaped(metric: str, ratio: Floats) -> Floats:
    return 1 - ratio if metric.endswith("_skill") else ratio


def _independent(one: Slice, mean_errors: Floats) -> float:
    """Number of independent forecasts whose mean error would be as uncertain as the slice's is."""
    n = one.sums["n"].sum()
    mean = one.sums["error"].sum() / n
    return _over(one.sums["squared_error"].sum() / n - mean * mean, float(np.nanvar(mean_errors)))


def _effective(metric: str, value: float, draws: Floats, independent: float) -> float:
    """The same for a share (p (1 - p) / variance) and a correlation (1 / variance); else the errors' own."""
    if metric == "ic":
        return _over(1.0, float(np.var(draws)))
    if metric in STATED:
        return _over(value * (1 - value), float(np.var(draws)))
    return independent


def _over(variance: float, of_mean: float) -> float:
    return variance / of_mean if of_mean > 0 else float("inf")


def _verdict(metric: str, low: float | None, high: float | None) -> str:
    """What the interval allows one to say: it excludes the level in question, or nothing is claimed."""
    if low is None or high is None:
        return "too few"
    level = STATED.get(metric, 0.0)
    if metric == "bias":
        return "unbiased" if low <= level <= high else "biased"
    below, within, above = (
        ("too narrow", "calibrated", "too wide") if metric.startswith("coverage") else ("worse", "no skill", "skill")
    )
    return above if low > level else below if high < level else within


def _scale(scores: pl.DataFrame, horizon: int, moment: Moment, params: FeedbackParams) -> dict[str, object]:
    """The learned interval scale, from all forecasts that decided."""
    decided = scores.filter((pl.col("scope") == "all") & (pl.col("role") != "shadow"))
    targets = decided["target_session"]
    ages = np.array([moment.calendar.distance(target, moment.session) for target in targets], dtype=np.int64)
    histograms = np.array(decided["scale_histogram"].to_list(), dtype=np.int64)
    histograms = histograms.reshape(len(ages), len(SCALE_EDGES) + 1)
    enough = targets.n_unique() >= max(params.intervals.min_sessions, horizon)
    return {
        "scope": "all",
        "slice": "all",
        "metric": "interval_scale",
        "value": learned_scale(histograms, ages, params.intervals) if enough else 1.0,
        "low": None,
        "high": None,
        "baseline": 1.0,
        "n": int(decided["n"].sum()),
        "n_effective": float((0.5 ** (ages / params.intervals.half_life)).sum()),
        "verdict": "learned" if enough else "too few",
    }


STAGE = Stage(
    name="metrics",
    function=metrics,
    reads=(Read(SESSION_SCORES, lookback=WINDOW - 1),),
    writes=FEEDBACK_METRICS,
    params=FeedbackParams(),
    section="feedback",
)

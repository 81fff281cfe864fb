"""Measure the forecasts' quality over the trailing window, each figure with its interval, baseline and sample."""

from __future__ import annotations

from collections.abc import Iterator
from dataclasses import dataclass
from datetime import date

import numpy as np
import polars as pl
from numpy.typing import NDArray

from lake.tables.feedback import FEEDBACK_METRICS, SESSION_SCORES
from pipeline.engine.stage import Moment, Read, Stage
from pipeline.feedback.calibration.learned_scales import SCALE, scale_rows
from pipeline.feedback.metric import Floats, Metric, RatioMetric
from pipeline.feedback.params import FeedbackParams, MetricParams
from pipeline.feedback.statistics import block_bootstrap_ratios

CALIBRATION = ("too narrow", "calibrated", "too wide")
PINBALL_SKILL = RatioMetric(
    name="pinball_skill",
    title="quantile skill",
    unit="fraction",
    doc="1 - pinball loss over the naive forecast's; above 0 is better",
    above="pinball",
    below="naive_pinball",
    complement=True,
    claims=True,
    by=("sector", "model"),
)
CRPS_SKILL = RatioMetric(
    name="crps_skill",
    title="distribution skill",
    unit="fraction",
    doc="1 - continuous ranked probability score (CRPS) over the naive forecast's; above 0 is better",
    above="crps",
    below="naive_crps",
    complement=True,
    claims=True,
    by=("model",),
)
WINKLER_SKILL = RatioMetric(
    name="winkler_skill",
    title="interval skill",
    unit="fraction",
    doc="1 - Winkler's score of the 90 % intervals, width and misses, over the naive forecast's; above 0 is better",
    above="winkler",
    below="naive_winkler",
    complement=True,
    claims=True,
    by=("model",),
)
MAE_SKILL = RatioMetric(
    name="mae_skill",
    title="error skill",
    unit="fraction",
    doc="1 - mean absolute error over the naive forecast's; above 0 is better",
    above="absolute_error",
    below="naive_absolute_error",
    complement=True,
    claims=True,
)
IC = RatioMetric(
    name="ic",
    title="rank correlation",
    unit="correlation",
    doc="of forecast and outcome within a session (IC); the naive forecast has 0",
    above="ic",
    below="ranked",
    claims=True,
)
HIT_RATE = RatioMetric(
    name="hit_rate",
    title="hit rate",
    unit="share",
    doc="share of forecasts with the sign of the outcome",
    above="hits",
    below="directions",
    claims=True,
    level=0.5,
)
BIAS = RatioMetric(
    name="bias",
    title="bias",
    unit="fraction",
    doc="mean of outcome less forecast, beside the naive forecast's",
    above="error",
    below="n",
    claims=False,
    baseline=("realised", "n"),
    verdicts=("biased", "unbiased", "biased"),
)
IC_RATIO = Metric(
    name="ic_ratio",
    title="steadiness of rank correlation",
    unit="factor",
    doc="mean rank correlation over its standard deviation between sessions (ICIR), per session",
)
INTERVAL_SCALE = Metric(
    name=SCALE,
    title="interval width",
    unit="factor",
    doc="factor on the next intervals, learned from realised coverage",
)


def _coverage(percent: int, by: tuple[str, ...] = ()) -> RatioMetric:
    return RatioMetric(
        name=f"coverage_{percent}",
        title=f"{percent} % coverage",
        unit="share",
        doc=f"share of outcomes inside the {percent} % interval",
        above=f"inside_{percent}",
        below="n",
        claims=False,
        by=by,
        level=percent / 100,
        verdicts=CALIBRATION,
    )


COVERAGES = (_coverage(50), _coverage(80, ("sector", "model")), _coverage(90, ("regime",)))
RATIOS = (PINBALL_SKILL, CRPS_SKILL, WINKLER_SKILL, MAE_SKILL, IC, HIT_RATE, *COVERAGES, BIAS)
METRICS: tuple[Metric, ...] = (*RATIOS, IC_RATIO, INTERVAL_SCALE)
"""All there are, in the order in which they are listed."""
SUMMED = tuple(
    dict.fromkeys(("n", "error", "squared_error", "ic_squared", *(name for metric in RATIOS for name in metric.sums)))
)
WINDOW = MetricParams().window
"""Sessions read; a configured window can be shorter, not longer."""


@dataclass(frozen=True)
class Slice:
    """One slice at one horizon: sums per target session (0 where there is none) and the metrics computed of it."""

    scope: str
    name: str
    metrics: tuple[RatioMetric, ...]
    sums: dict[str, Floats]


def metrics(session_scores: pl.DataFrame, moment: Moment, params: FeedbackParams) -> pl.DataFrame:
    """Compute every figure of the trailing window that ends with `moment.session`.

    Overall per horizon: every metric; per sector, model and regime: those that are declared so. Intervals come from a
    moving-block bootstrap over sessions. For `moment.session` only (ignores `since`).
    """
    first = moment.calendar.offset(moment.session, 1 - params.metrics.window)
    scores = session_scores.filter(pl.col("target_session") >= first)
    scales = [
        row | {"session": moment.session, "horizon": horizon}
        for horizon, at in _by_horizon(scores)
        for row in scale_rows(at, horizon, moment, params.intervals)
    ]
    figures = measure_scores(scores, moment.session, moment.seed, params.metrics)
    return pl.concat([figures, pl.DataFrame(scales, schema=FEEDBACK_METRICS.schema)]).sort(FEEDBACK_METRICS.key)


def measure_scores(session_scores: pl.DataFrame, session: date, seed: int, params: MetricParams) -> pl.DataFrame:
    """Return the figures of all the scores given, as rows of `feedback_metrics` at a session; the scale apart.

    Args:
        session_scores: of the sessions that count, of whichever slices are wanted.
        session: what the rows are dated.
        seed: of the bootstrap; the same scores with the same seed give the same intervals.
        params: how many sessions and draws there have to be.
    """
    rows: list[dict[str, object]] = []
    for horizon, at in _by_horizon(session_scores):
        slices = list(_slices(at))
        for figure in (*_figures(slices, horizon, seed, params), *_ic_ratios(slices, horizon, seed, params)):
            rows.append(figure | {"session": session, "horizon": horizon})
    return pl.DataFrame(rows, schema=FEEDBACK_METRICS.schema)


def _by_horizon(scores: pl.DataFrame) -> Iterator[tuple[int, pl.DataFrame]]:
    """Each horizon with its scores; a session without a rank correlation adds nothing to its sum or count."""
    for horizon in sorted(scores["horizon"].unique()):
        yield (
            horizon,
            scores.filter(pl.col("horizon") == horizon).with_columns(
                ranked=pl.col("ic").is_not_null().cast(pl.Float64),
                ic=pl.col("ic").fill_null(0.0),
                ic_squared=pl.col("ic").fill_null(0.0) ** 2,
            ),
        )


def _slices(scores: pl.DataFrame) -> Iterator[Slice]:
    """Every slice there is, on one grid of target sessions."""
    sessions = scores["target_session"].unique().sort()
    position = sessions.search_sorted(scores["target_session"]).to_numpy()
    columns = {name: scores[name].cast(pl.Float64).fill_null(0.0).to_numpy() for name in SUMMED}
    scope, role = scores["scope"].to_numpy(), scores["role"].to_numpy()
    named, model = scores["slice"].to_numpy(), scores["model_id"].to_numpy()

    def cut(scope_name: str, name: str, wanted: tuple[RatioMetric, ...], rows: NDArray[np.bool_]) -> Iterator[Slice]:
        if rows.any():
            at = position[rows]
            sums = {
                column: np.bincount(at, weights=values[rows], minlength=len(sessions)).astype(np.float64)
                for column, values in columns.items()
            }
            yield Slice(scope_name, name, wanted, sums)

    everyone, decided = scope == "all", role != "shadow"
    claims, others = (tuple(metric for metric in RATIOS if metric.claims is which) for which in (True, False))
    yield from cut("all", "all", claims, everyone & (role == "champion"))
    yield from cut("all", "all", others, everyone & decided)
    for sector in sorted(set(named[scope == "sector"])):
        mine = (scope == "sector") & (named == sector)
        yield from cut("sector", sector, _metrics_for("sector", claims), mine & (role == "champion"))
        yield from cut("sector", sector, _metrics_for("sector", others), mine & decided)
    for regime in sorted(set(named[scope == "regime"])):
        mine = (scope == "regime") & (named == regime)
        yield from cut("regime", regime, _metrics_for("regime", others), mine & decided)
    for model_id in sorted(set(model)):
        yield from cut("model", model_id, _metrics_for("model", RATIOS), everyone & (model == model_id))


def _metrics_for(scope: str, metrics: tuple[RatioMetric, ...]) -> tuple[RatioMetric, ...]:
    return tuple(metric for metric in metrics if scope in metric.by)


def _figures(slices: list[Slice], horizon: int, seed: int, params: MetricParams) -> Iterator[dict[str, object]]:
    """Value, interval, baseline, sample and verdict of each metric of each slice."""
    wanted = [(one, metric) for one in slices for metric in (*one.metrics, BIAS)]
    above = np.column_stack([one.sums[metric.above] for one, metric in wanted])
    below = np.column_stack([one.sums[metric.below] for one, metric in wanted])
    draws = block_bootstrap_ratios(above, below, horizon, params.draws, seed)
    width = 0
    for one in slices:
        columns = range(width, width + len(one.metrics))
        width += len(one.metrics) + 1
        independent = _independent(one, draws[:, width - 1])
        for metric, column in zip(one.metrics, columns, strict=True):
            if below[:, column].sum() > 0:
                yield _figure(one, metric, draws[:, column], independent, horizon, params)


def _ic_ratios(slices: list[Slice], horizon: int, seed: int, params: MetricParams) -> Iterator[dict[str, object]]:
    """The ratio of mean and deviation of the rank correlations of each slice that measures them, by the same draws."""
    for one in (one for one in slices if IC in one.metrics and params.figures == 2):
        ranked, sums = one.sums["ranked"], np.column_stack([one.sums["ic"], one.sums["ic_squared"]])
        sessions = int((ranked > 0).sum())
        if sessions < 2:
            continue
        count = np.column_stack([ranked, ranked])
        draws = steadiness(*block_bootstrap_ratios(sums, count, horizon, params.draws, seed).T)
        value = float(steadiness(*(sums.sum(axis=0) / ranked.sum())))
        enough = sessions >= max(params.min_sessions, 4 * horizon)
        known = draws[np.isfinite(draws)]
        low, high = (
            (float(end) for end in np.quantile(known, (0.025, 0.975))) if enough and known.size else (None, None)
        )
        yield {
            "scope": one.scope,
            "slice": one.name,
            "metric": IC_RATIO.name,
            "value": value,
            "low": low,
            "high": high,
            "baseline": 0.0,
            "n": int(one.sums["n"].sum()),
            "n_effective": float(sessions),
            "verdict": IC.judge(low, high),
        }


def steadiness(mean: Floats, mean_square: Floats) -> Floats:
    """Mean over standard deviation of what has this mean and mean square; 0 where it never varies."""
    deviation = np.sqrt(np.maximum(mean_square - mean**2, 0.0))
    return np.divide(mean, deviation, out=np.zeros_like(mean), where=deviation > 1e-12)


def _figure(
    one: Slice, metric: RatioMetric, draws: Floats, independent: float, horizon: int, params: MetricParams
) -> dict[str, object]:
    value = float(metric.from_ratio(np.array(_ratio(one, metric.above, metric.below))))
    enough = (one.sums[metric.below] > 0).sum() >= max(params.min_sessions, 4 * horizon)
    known = metric.from_ratio(draws[~np.isnan(draws)])
    low, high = (float(end) for end in np.quantile(known, (0.025, 0.975))) if enough else (None, None)
    n = int(one.sums["n"].sum())
    variance = metric.variance_of_one(value)
    effective = independent if variance is None else _over(variance, float(np.var(known)))
    return {
        "scope": one.scope,
        "slice": one.name,
        "metric": metric.name,
        "value": value,
        "low": low,
        "high": high,
        "baseline": _ratio(one, *metric.baseline) if metric.baseline else metric.level,
        "n": n,
        "n_effective": min(max(effective, 1.0), float(n)),
        "verdict": metric.judge(low, high),
    }


def _ratio(one: Slice, above: str, below: str) -> float:
    return float(one.sums[above].sum()) / float(one.sums[below].sum())


def _independent(one: Slice, mean_errors: Floats) -> float:
    """Number of independent forecasts whose mean error would be as uncertain as the slice's is."""
    n = one.sums["n"].sum()
    mean = one.sums["error"].sum() / n
    return _over(one.sums["squared_error"].sum() / n - mean * mean, float(np.nanvar(mean_errors)))


def _over(variance: float, of_mean: float) -> float:
    return variance / of_mean if of_mean > 0 else float("inf")


STAGE = Stage(
    name="metrics",
    function=metrics,
    reads=(Read(SESSION_SCORES, lookback=WINDOW - 1),),
    writes=FEEDBACK_METRICS,
    params=FeedbackParams(),
    section="feedback",
)

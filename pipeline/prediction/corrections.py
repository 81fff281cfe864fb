"""Corrects forecasts by what feedback has learned: bias added back, intervals rescaled, confidence by skill."""

from __future__ import annotations

from collections.abc import Mapping, Sequence
from dataclasses import dataclass, replace
from datetime import date
from math import erf, sqrt

import numpy as np
import polars as pl
from numpy.typing import NDArray

from pipeline.models import scaling
from pipeline.models.ensemble import combine
from pipeline.prediction.forecast_limits import MEDIAN, bound
from pipeline.prediction.lessons import AppliedLessons, apply_lessons
from pipeline.prediction.params import PredictionParams
from pipeline.prediction.quantiles import agreement, widen
from pipeline.prediction.remedies import Remedy, blend, choose_remedies, finish
from pipeline.prediction.traits import name_traits

Floats = NDArray[np.float64]


@dataclass(frozen=True)
class RawForecast:
    """What the models say, before feedback and bounds."""

    model_id: str
    role: str
    horizons: tuple[int, ...]
    sigma: Floats
    """[n] daily standard deviation."""
    members: Mapping[str, Floats]
    """Member -> [n, horizons, quantiles] as fractions; the naive one is always there."""
    weights: Mapping[str, Floats]
    """Member -> [horizons]."""
    locations: Mapping[str, Floats] | None = None
    """The same for the medians, where they are weighed apart."""


@dataclass(frozen=True)
class CorrectedForecast:
    """A forecast after the corrections of feedback and the bounds; arrays are [tickers, horizons] and more."""

    quantiles: np.ndarray
    acted: np.ndarray
    sigma: np.ndarray
    lessons: AppliedLessons
    scales: np.ndarray
    """[tickers, horizons]."""
    confidence: np.ndarray
    traits: list[list[list[str]]]
    """[tickers][horizons] what each forecast is like."""
    without_lessons: np.ndarray
    """The quantiles had no lesson on widths or members acted."""
    touched: np.ndarray
    """[tickers, horizons] whether one did."""


@dataclass(frozen=True)
class Circumstances:
    """What else is known when a session's forecasts are made."""

    regime: str | None
    """The market's, as told the session before."""
    news: Floats
    """[tickers] articles today, or a rising function of their number; NaN where unknown."""


def correct(
    raw: RawForecast,
    tickers: pl.DataFrame,
    circumstances: Circumstances,
    bias_flags: pl.DataFrame,
    slice_lessons: pl.DataFrame,
    feedback_metrics: pl.DataFrame,
    params: PredictionParams,
) -> CorrectedForecast:
    """Combine the members, add back measured bias, widen as realised coverage asks, and bound the result.

    Lessons on widths and members come on top; what there would be without them is told as well.

    Args:
        raw: what the models say.
        tickers: ticker, session, sector and strangeness, in the order of the forecasts.
        circumstances: of the session.
        bias_flags, slice_lessons: recent ones; the latest session's speak.
        feedback_metrics: recent figures; the latest speak.
        params: bounds.
    """
    session: date = tickers["session"][0]
    sigma = scaling.horizon_sigma(raw.sigma, raw.horizons)
    confidence = agreement(raw.members) * measured_skill(feedback_metrics, raw.horizons, params)
    names, sectors = tickers["ticker"].to_list(), tickers["sector"].to_list()
    traits = name_traits(session, sectors, circumstances.regime, circumstances.news, tickers["strangeness"], confidence)
    lessons = apply_lessons(bias_flags, names, sectors, raw.horizons, traits, session)
    scales = interval_scales(feedback_metrics, raw.horizons, params, circumstances.regime)
    combined = combine(raw.members, raw.weights, raw.locations)
    plain, acted = bound(widen(combined + lessons.added[..., None], scales), sigma, params)
    told = CorrectedForecast(
        plain,
        acted,
        sigma,
        lessons,
        np.tile(scales, (len(names), 1)),
        confidence,
        traits,
        plain,
        np.zeros(plain.shape[:2], dtype=bool),
    )
    remedies = choose_remedies(slice_lessons, names, sectors, raw.horizons, traits, session)
    return _remedy(told, remedies, raw, combined, params) if remedies else told


def _remedy(
    told: CorrectedForecast,
    remedies: Sequence[Remedy],
    raw: RawForecast,
    combined: Floats,
    params: PredictionParams,
) -> CorrectedForecast:
    """The forecast with lessons on widths and members. Where the naive one stands, nothing else has a say."""
    added, scales = told.lessons.added.copy(), told.scales.copy()
    used = [[list(one) for one in row] for row in told.lessons.used]
    touched = told.touched.copy()
    for one in remedies:
        at = one.ticker, one.horizon
        touched[at] = True
        if one.kind == "exclusion":
            added[at], scales[at], used[one.ticker][one.horizon] = 0.0, 1.0, []
        used[one.ticker][one.horizon].append(one.insight_id)
    blended = blend(combined, raw.members, remedies) + added[..., None]
    middle = blended[..., MEDIAN, None]
    final = finish(middle + (blended - middle) * scales[..., None], raw.members, remedies)
    bounded, acted = bound(final, told.sigma, params)
    quantiles = np.where(touched[..., None], bounded, told.quantiles)
    lessons = AppliedLessons(added, used)
    acted = np.where(touched[..., None], acted, told.acted)
    return replace(told, quantiles=quantiles, acted=acted, lessons=lessons, scales=scales, touched=touched)


def bias_adjustments(
    bias_flags: pl.DataFrame, tickers: Sequence[str], sectors: Sequence[str], horizons: Sequence[int]
) -> Floats:
    """Return what is added to each point forecast: [tickers, horizons] as fractions.

    What `apply_lessons` adds to forecasts of which ticker and sector are known alone.
    """
    return apply_lessons(bias_flags, tickers, sectors, horizons).added


def interval_scales(
    feedback_metrics: pl.DataFrame, horizons: Sequence[int], params: PredictionParams, regime: str | None = None
) -> Floats:
    """The latest learned scale of each horizon's intervals, within bounds; 1 where none has been learned.

    That of the regime where it has one of its own, else that of all.
    """
    told = [*_figures(feedback_metrics, "interval_scale"), *_figures(feedback_metrics, "interval_scale", regime)]
    learned = {row["horizon"]: row["value"] for row in told}
    scales = np.array([learned.get(horizon, 1.0) for horizon in horizons], dtype=np.float64)
    return np.clip(scales, params.min_scale, params.max_scale)


def measured_skill(feedback_metrics: pl.DataFrame, horizons: Sequence[int], params: PredictionParams) -> Floats:
    """How sure we are that forecasts of each horizon rank tickers better than chance: [horizons], 0 to 1.

    Twice the normal probability that the information coefficient is above 0, less 1, from its interval; 0 where
    it is at or below 0. `unmeasured_skill` where too few forecasts have matured.
    """
    measured = {row["horizon"]: row for row in _figures(feedback_metrics, "ic") if row["low"] is not None}
    return np.array([_sureness(measured.get(horizon), params.unmeasured_skill) for horizon in horizons])


def _sureness(ic: dict[str, float] | None, unmeasured: float) -> float:
    if ic is None:
        return unmeasured
    error = (ic["high"] - ic["low"]) / (2 * 1.96)
    return max(0.0, erf(ic["value"] / error / sqrt(2))) if error > 0 else float(ic["value"] > 0)


def _figures(feedback_metrics: pl.DataFrame, metric: str, regime: str | None = "all") -> list[dict[str, float]]:
    """The latest figures of a metric by horizon: of all forecasts, or of a regime."""
    scope = "all" if regime == "all" else "regime"
    mine = (pl.col("scope") == scope) & (pl.col("slice") == pl.lit(regime)) & (pl.col("metric") == metric)
    return _latest(feedback_metrics).filter(mine).select("horizon", "value", "low", "high").to_dicts()


def _latest(frame: pl.DataFrame) -> pl.DataFrame:
    return frame.filter(pl.col("session") == pl.col("session").max())

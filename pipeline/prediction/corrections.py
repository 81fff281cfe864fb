"""Corrects forecasts by what feedback has learned: bias added back, intervals rescaled, confidence by skill."""

from __future__ import annotations

from collections.abc import Mapping, Sequence
from dataclasses import dataclass
from math import erf, sqrt

import numpy as np
import polars as pl
from numpy.typing import NDArray

from pipeline.models import scaling
from pipeline.models.ensemble import combine
from pipeline.prediction.forecast_limits import bound
from pipeline.prediction.params import PredictionParams
from pipeline.prediction.quantiles import agreement, widen

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
    added: np.ndarray
    scales: np.ndarray
    confidence: np.ndarray


def correct(
    raw: RawForecast,
    tickers: pl.DataFrame,
    bias_flags: pl.DataFrame,
    feedback_metrics: pl.DataFrame,
    params: PredictionParams,
) -> CorrectedForecast:
    """Combine the members, add back measured bias, widen as realised coverage asks, and bound the result."""
    sigma = scaling.horizon_sigma(raw.sigma, raw.horizons)
    added = bias_adjustments(bias_flags, tickers["ticker"].to_list(), tickers["sector"].to_list(), raw.horizons)
    scales = interval_scales(feedback_metrics, raw.horizons, params)
    widened_quantiles = widen(combine(raw.members, raw.weights, raw.locations) + added[..., None], scales)
    quantiles, acted = bound(widened_quantiles, sigma, params)
    confidence = agreement(raw.members) * measured_skill(feedback_metrics, raw.horizons, params)
    return CorrectedForecast(quantiles, acted, sigma, added, scales, confidence)


def bias_adjustments(
    bias_flags: pl.DataFrame, tickers: Sequence[str], sectors: Sequence[str], horizons: Sequence[int]
) -> Floats:
    """Return what is added to each point forecast: [tickers, horizons] as fractions.

    Precedence is by nesting: a sector's bias is measured beyond that of all tickers, a ticker's beyond its sector's, so
    the active adjustments of all, of the sector and of the ticker add up, and none is counted twice. Only the flags
    of the latest session at hand speak.
    """
    latest = _latest(bias_flags).filter(pl.col("active"))
    by = {(row["scope"], row["slice"], row["horizon"]): row["adjustment"] for row in latest.to_dicts()}
    if not by:
        return np.zeros((len(tickers), len(horizons)))
    return np.array(
        [
            [
                by.get(("all", "all", h), 0.0) + by.get(("sector", sector, h), 0.0) + by.get(("ticker", ticker, h), 0.0)
                for h in horizons
            ]
            for ticker, sector in zip(tickers, sectors, strict=True)
        ]
    ).reshape(len(tickers), len(horizons))


def interval_scales(feedback_metrics: pl.DataFrame, horizons: Sequence[int], params: PredictionParams) -> Floats:
    """The latest learned scale of each horizon's intervals, within bounds; 1 where none has been learned."""
    learned = {row["horizon"]: row["value"] for row in _overall(feedback_metrics, "interval_scale")}
    scales = np.array([learned.get(horizon, 1.0) for horizon in horizons], dtype=np.float64)
    return np.clip(scales, params.min_scale, params.max_scale)


def measured_skill(feedback_metrics: pl.DataFrame, horizons: Sequence[int], params: PredictionParams) -> Floats:
    """How sure we are that forecasts of each horizon rank tickers better than chance: [horizons], 0 to 1.

    Twice the normal probability that the information coefficient is above 0, less 1, from its interval; 0 where
    it is at or below 0. `unmeasured_skill` where too few forecasts have matured.
    """
    measured = {row["horizon"]: row for row in _overall(feedback_metrics, "ic") if row["low"] is not None}
    return np.array([_sureness(measured.get(horizon), params.unmeasured_skill) for horizon in horizons])


def _sureness(ic: dict[str, float] | None, unmeasured: float) -> float:
    if ic is None:
        return unmeasured
    error = (ic["high"] - ic["low"]) / (2 * 1.96)
    return max(0.0, erf(ic["value"] / error / sqrt(2))) if error > 0 else float(ic["value"] > 0)


def _overall(feedback_metrics: pl.DataFrame, metric: str) -> list[dict[str, float]]:
    mine = _latest(feedback_metrics).filter(
        (pl.col("scope") == "all") & (pl.col("slice") == "all") & (pl.col("metric") == metric)
    )
    return mine.select("horizon", "value", "low", "high").to_dicts()


def _latest(frame: pl.DataFrame) -> pl.DataFrame:
    return frame.filter(pl.col("session") == pl.col("session").max())

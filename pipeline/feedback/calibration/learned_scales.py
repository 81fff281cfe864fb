"""The learned interval scales of a session as rows of `feedback_metrics`: one a horizon, and one a regime in it."""

from __future__ import annotations

from collections.abc import Iterator

import numpy as np
import polars as pl

from lake.tables.feedback import SCALE_EDGES
from pipeline.engine.stage import Moment
from pipeline.feedback.calibration.effective_count import ScoredSessions
from pipeline.feedback.calibration.interval_scale import NeededScales, learned_scale
from pipeline.feedback.params import IntervalParams

Row = dict[str, object]
SCALE = "interval_scale"
BINS = len(SCALE_EDGES) + 1


def scale_rows(scores: pl.DataFrame, horizon: int, moment: Moment, params: IntervalParams) -> Iterator[Row]:
    """Yield the scale of all forecasts of a horizon that decided, and of each regime with enough of them."""
    decided = scores.filter(pl.col("role") != "shadow")
    everyone = decided.filter(pl.col("scope") == "all")
    if params.rule == 1:
        yield _row("all", *_as_earlier(everyone, moment, params), everyone, horizon, params)
        return
    scored = _lay_out(everyone, horizon, moment)
    ages = moment.calendar.position(moment.session) - scored.positions
    overall = NeededScales.weigh(scored, ages, params)
    yield _row("all", overall.scale(None, params), overall.units, everyone, horizon, params)
    regimes = decided.filter(pl.col("scope") == "regime").sort("slice")
    for (regime,), mine in regimes.group_by("slice", maintain_order=True):
        own = _lay_out(mine, horizon, moment)
        if len(own.positions) >= max(params.regime_sessions, horizon):
            found = _weigh_regime(own, params)
            yield _row(str(regime), found.scale(overall, params), found.units, mine, horizon, params)


def _weigh_regime(own: ScoredSessions, params: IntervalParams) -> NeededScales:
    """Ages are told in sessions of the regime: what a stress needed is remembered until there is stress again."""
    return NeededScales.weigh(own, np.arange(len(own.positions))[::-1], params)


def _as_earlier(scores: pl.DataFrame, moment: Moment, params: IntervalParams) -> tuple[float, float]:
    """Scale and count as earlier programs had them."""
    targets = scores["target_session"]
    ages = np.array([moment.calendar.distance(target, moment.session) for target in targets], dtype=np.int64)
    histograms = np.array(scores["scale_histogram"].to_list(), dtype=np.int64).reshape(len(ages), BINS)
    return learned_scale(histograms, ages, params), float((0.5 ** (ages / params.half_life)).sum())


def _lay_out(scores: pl.DataFrame, horizon: int, moment: Moment) -> ScoredSessions:
    targets = scores["target_session"].unique().sort()
    histograms = np.zeros((len(targets), BINS), dtype=np.int64)
    counted = np.array(scores["scale_histogram"].to_list(), dtype=np.int64).reshape(len(scores), BINS)
    np.add.at(histograms, targets.search_sorted(scores["target_session"]).to_numpy(), counted)
    positions = np.array([moment.calendar.position(target) for target in targets], dtype=np.int64)
    return ScoredSessions(horizon, positions, histograms)


def _row(name: str, scale: float, units: float, scores: pl.DataFrame, horizon: int, params: IntervalParams) -> Row:
    enough = scores["target_session"].n_unique() >= max(params.min_sessions, horizon)
    return {
        "scope": "all" if name == "all" else "regime",
        "slice": name,
        "metric": SCALE,
        "value": scale if enough else 1.0,
        "low": None,
        "high": None,
        "baseline": 1.0,
        "n": int(scores["n"].sum()),
        "n_effective": units,
        "verdict": "learned" if enough else "too few",
    }

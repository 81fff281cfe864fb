"""The scale of intervals is the width that would have covered, learned slowly, within limits, and forgotten in time."""

from __future__ import annotations

from typing import Any

import numpy as np
import pytest

from lake.tables.feedback import SCALE_EDGES
from pipeline.feedback.calibration.interval_scale import learned_scale
from pipeline.feedback.params import IntervalParams


def normal_histogram(width: float, draws: int = 20_000) -> np.ndarray[Any, Any]:
    needed = np.abs(np.random.default_rng(0).normal(0, width / 1.645, draws))
    bins = np.searchsorted(np.array(SCALE_EDGES), needed, side="right")
    return np.bincount(bins, minlength=len(SCALE_EDGES) + 1)


@pytest.mark.parametrize("width", [0.7, 1.0, 1.6])
def test_the_learned_scale_is_the_width_that_would_have_covered(width: float) -> None:
    histograms = np.stack([normal_histogram(width)] * 60)
    ages = np.arange(60)
    assert learned_scale(histograms, ages, IntervalParams(prior_sessions=0.0)) == pytest.approx(width, rel=0.02)


def test_the_scale_forgets_an_old_regime() -> None:
    old, new = [normal_histogram(1.0)] * 60, [normal_histogram(1.6)] * 40
    histograms, ages = np.stack(old + new), np.arange(100)[::-1]
    assert learned_scale(histograms, ages, IntervalParams()) == pytest.approx(1.6, rel=0.08)


def test_few_scores_hardly_move_the_scale() -> None:
    one = np.stack([normal_histogram(2.0, draws=50)])
    assert learned_scale(one, np.array([0]), IntervalParams(prior_sessions=4.0)) < 1.5


@pytest.mark.parametrize(("width", "bound"), [(0.1, 0.5), (5.0, 2.0)])
def test_the_scale_stays_within_its_bounds(width: float, bound: float) -> None:
    histograms = np.stack([normal_histogram(width)] * 60)
    assert learned_scale(histograms, np.arange(60), IntervalParams()) == bound


def test_nothing_scored_leaves_the_models_own_width() -> None:
    nothing = np.zeros((0, len(SCALE_EDGES) + 1), dtype=np.int64)
    assert learned_scale(nothing, np.zeros(0, dtype=np.int64), IntervalParams()) == 1.0

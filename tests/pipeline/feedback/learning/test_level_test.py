"""A mean of overlapping outcomes is tested for what it is worth, at every horizon."""

from __future__ import annotations

import numpy as np
import pytest

from pipeline.feedback.learning.level_test import measure_level

DAYS = np.arange(400, dtype=np.int64)


def overlapping(moves: np.ndarray, horizon: int) -> np.ndarray:
    """[sessions, columns] sums of the next `horizon` daily moves."""
    windows = np.lib.stride_tricks.sliding_window_view(moves, horizon, axis=0)
    sums: np.ndarray = windows.sum(axis=-1)
    return sums


@pytest.mark.parametrize(("horizon", "scored"), [(1, 20), (1, 40), (5, 40), (20, 40), (20, 80)])
def test_honest_forecasts_are_called_off_as_often_as_stated(horizon: int, scored: int) -> None:
    random = np.random.default_rng(horizon)
    outcomes = overlapping(random.normal(0, 0.01, (scored + horizon - 1, 4000)), horizon)
    forecasts = random.normal(0, 0.001, outcomes.shape)
    test = measure_level(outcomes - forecasts, outcomes, DAYS[:scored], horizon)
    for level in (0.05, 0.01):
        assert (test.p < level).mean() == pytest.approx(level, rel=0.45)


@pytest.mark.parametrize("horizon", [1, 5, 20])
def test_its_error_is_how_far_means_stray(horizon: int) -> None:
    random = np.random.default_rng(7)
    outcomes = overlapping(random.normal(0, 0.01, (80 + horizon - 1, 4000)), horizon)
    test = measure_level(outcomes, outcomes, DAYS[:80], horizon)
    strays = float(test.mean.std())
    assert float(np.sqrt((test.standard_error**2).mean())) == pytest.approx(strays, rel=0.06)


def test_a_slice_that_is_there_on_some_sessions_alone_shares_less() -> None:
    random = np.random.default_rng(3)
    outcomes = overlapping(random.normal(0, 0.01, (104, 4000)), 5)
    mondays = DAYS[:100][::5]
    test = measure_level(outcomes[::5], outcomes[::5], mondays, 5)
    assert float(np.sqrt((test.standard_error**2).mean())) == pytest.approx(float(test.mean.std()), rel=0.06)


def test_what_is_known_of_the_level_beforehand_sharpens_the_test_of_the_forecast() -> None:
    random = np.random.default_rng(0)
    outcomes = overlapping(random.normal(0, 0.005, (99, 500)), 20)
    off = measure_level(outcomes - 0.01, outcomes, DAYS[:80], 20, 2_500)
    assert (off.p < 1e-3).mean() > 0.95
    assert off.mean.mean() == pytest.approx(-0.01, abs=3e-4)
    alone = measure_level(outcomes - 0.01, outcomes, DAYS[:80], 20)
    assert (alone.p < 1e-3).mean() < 0.1
    honest = measure_level(outcomes, outcomes, DAYS[:80], 20, 2_500)
    assert (honest.p < 0.01).mean() == 0.0


def test_nothing_can_be_said_of_nothing() -> None:
    empty = np.full((30, 2), np.nan)
    test = measure_level(empty, empty, DAYS[:30], 5)
    assert np.isnan(test.mean).all()
    assert test.p.tolist() == [1.0, 1.0]
    constant = measure_level(np.zeros((30, 1)), np.zeros((30, 1)), DAYS[:30], 1)
    assert constant.p.tolist() == [1.0]

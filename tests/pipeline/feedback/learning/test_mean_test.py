"""The mean of a measure of overlapping outcomes is called off by chance about as often as stated, at every horizon."""

from __future__ import annotations

import numpy as np
import numpy.typing as npt
import pytest

from pipeline.feedback.learning.mean_test import measure_mean

Floats = npt.NDArray[np.float64]


def outcomes(horizon: int, sessions: int, columns: int, seed: int = 0) -> Floats:
    """[sessions, columns] sums of white daily moves over a horizon."""
    daily = np.random.default_rng(seed).standard_normal((sessions + horizon - 1, columns))
    return np.lib.stride_tricks.sliding_window_view(daily, horizon, axis=0).sum(axis=-1)


@pytest.mark.parametrize(("horizon", "sessions"), [(1, 20), (1, 40), (5, 40), (20, 80)])
def test_false_alarms_are_as_rare_as_stated(horizon: int, sessions: int) -> None:
    found = measure_mean(outcomes(horizon, sessions, 4000), np.arange(sessions), horizon, 1)
    for level in (0.05, 0.01):
        assert 0.5 * level < (found.p < level).mean() < 1.4 * level


@pytest.mark.parametrize(("horizon", "sessions"), [(1, 40), (5, 40), (20, 80)])
def test_distances_overlap_by_the_square_at_most(horizon: int, sessions: int) -> None:
    """Of twelve tickers' mean distance, as a slice has it."""
    tickers = np.abs(outcomes(horizon, sessions, 12 * 1500)) / np.sqrt(horizon)
    slices = tickers.reshape(sessions, 1500, 12).mean(axis=2) - np.sqrt(2 / np.pi)
    found = measure_mean(slices, np.arange(sessions), horizon, 2)
    assert (found.p < 0.05).mean() < 0.08
    assert (found.p < 0.01).mean() < 0.025


def test_independent_values_are_tested_as_by_student() -> None:
    values = np.array([[0.3], [1.1], [-0.2], [0.8], [0.5]])
    found = measure_mean(values, np.arange(5), 1, 1)
    assert found.mean[0] == pytest.approx(0.5)
    assert found.standard_error[0] == pytest.approx(values.std(ddof=1) / np.sqrt(5))
    assert found.p[0] == pytest.approx(0.0885, abs=0.004)  # t = 2.248 with four degrees of freedom


def test_a_mean_that_is_off_is_found_and_nothing_is_said_of_what_is_missing() -> None:
    values = outcomes(5, 60, 3) / np.sqrt(5)
    values[:, 0] += 3.0
    values[:, 1] = np.nan
    found = measure_mean(values, np.arange(60), 5, 1)
    assert found.p[0] < 0.001 < 0.05 < found.p[2]
    assert (np.isnan(found.mean[1]), found.p[1], found.sessions[1]) == (True, 1.0, 0)

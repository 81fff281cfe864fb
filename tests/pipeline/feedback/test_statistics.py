"""The statistics feedback rests on, against published values and simulation."""

from __future__ import annotations

import numpy as np
import pytest

from pipeline.feedback.statistics import (
    block_bootstrap_ratios,
    block_length,
    false_discovery_rates,
    mean_test,
    rank_correlation,
    student_p,
)


@pytest.mark.parametrize(
    ("t", "freedom", "p"),
    [(2.262, 9, 0.05), (2.776, 4, 0.05), (4.303, 2, 0.05), (3.250, 9, 0.01), (1.96, 1e6, 0.05), (0.0, 5, 1.0)],
)
def test_p_values_agree_with_the_printed_table_of_students_t(t: float, freedom: float, p: float) -> None:
    assert student_p(np.array([t]), np.array([freedom]))[0] == pytest.approx(p, abs=0.004)


def test_false_discovery_rates_follow_the_example_of_benjamini_and_hochberg() -> None:
    p = np.array([0.01, 0.04, 0.03, 0.20])
    assert false_discovery_rates(p).tolist() == pytest.approx([0.04, 0.16 / 3, 0.16 / 3, 0.20])


@pytest.mark.parametrize(("horizon", "sessions"), [(1, 40), (5, 60), (20, 120)])
def test_overlapping_errors_without_a_bias_are_seldom_called_biased(horizon: int, sessions: int) -> None:
    steps = np.random.default_rng(3).standard_normal((sessions + horizon, 3_000)).cumsum(axis=0)
    overlapping = (steps[horizon:] - steps[:-horizon])[:sessions]
    assert (mean_test(overlapping, horizon).p < 0.05).mean() < 0.08


def test_a_series_too_short_for_its_horizon_is_not_tested() -> None:
    test = mean_test(np.full((10, 1), 0.5) + np.arange(10)[:, None] / 100, horizon=5)
    assert test.p[0] == 1.0
    assert test.mean[0] == pytest.approx(0.545)


def test_missing_sessions_are_left_out_of_a_mean() -> None:
    series = np.array([[1.0], [np.nan], [3.0], [2.0]])
    test = mean_test(series, horizon=1)
    assert (test.mean[0], test.sessions[0]) == (2.0, 3)


def test_ranks_of_ties_are_averaged() -> None:
    x, y = np.array([1.0, 2.0, 2.0, 4.0]), np.array([10.0, 20.0, 30.0, 30.0])
    # ranks 0, 1.5, 1.5, 3 and 0, 1, 2.5, 2.5
    expected = np.corrcoef([0, 1.5, 1.5, 3], [0, 1, 2.5, 2.5])[0, 1]
    assert rank_correlation(x, y) == pytest.approx(expected)


def test_a_forecast_that_tells_nothing_apart_has_no_rank_correlation() -> None:
    assert rank_correlation(np.zeros(5), np.arange(5.0)) is None


def test_a_block_is_as_long_as_the_horizon() -> None:
    assert (block_length(250, 1), block_length(250, 20), block_length(3, 20)) == (6, 20, 3)


def test_bootstrap_intervals_of_overlapping_returns_are_wide_enough_to_hold_the_truth() -> None:
    random, held = np.random.default_rng(5), 0
    for world in range(100):
        steps = random.standard_normal(255).cumsum()
        series = (steps[5:] - steps[:-5])[:, None]
        draws = block_bootstrap_ratios(series, np.ones_like(series), 5, 200, world)[:, 0]
        low, high = np.quantile(draws, (0.025, 0.975))
        held += bool(low <= 0 <= high)
    assert held >= 83  # 95 less what blocks and four standard errors of 100 worlds cost


def test_the_same_seed_draws_the_same_resamples() -> None:
    series = np.arange(60.0).reshape(30, 2)
    first = block_bootstrap_ratios(series, np.ones_like(series), 1, 50, 11)
    assert np.array_equal(first, block_bootstrap_ratios(series, np.ones_like(series), 1, 50, 11))
    assert not np.array_equal(first, block_bootstrap_ratios(series, np.ones_like(series), 1, 50, 12))

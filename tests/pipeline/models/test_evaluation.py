"""The figures against slow and obvious references."""

from __future__ import annotations

import numpy as np
import pytest

from pipeline.models.evaluation import (
    compute_figures,
    coverage,
    estimate_trust,
    newey_west_error,
    pinball,
    rank_correlations,
)

QUANTILES = (0.1, 0.5, 0.9)


def test_pinball_is_the_mean_quantile_loss() -> None:
    loss = pinball(np.array([[2.0]]), np.array([[[-1.0, 0.0, 3.0]]]), QUANTILES)
    assert loss[0, 0] == pytest.approx((0.1 * 3 + 0.5 * 2 + 0.1 * 1) / 3)


def test_the_standard_error_of_independent_values_is_the_usual_one() -> None:
    series = np.random.default_rng(0).standard_normal(50)
    assert newey_west_error(series, 0) == pytest.approx(series.std(ddof=1) / 50**0.5)


def test_overlap_widens_the_standard_error_as_newey_and_west_say() -> None:
    series = np.repeat(np.random.default_rng(1).standard_normal(20), 5)
    centred, n, lag = series - series.mean(), 100, 4
    variance = sum(
        (1 - abs(j) / (lag + 1)) * sum(centred[t] * centred[t - abs(j)] for t in range(abs(j), n)) / n
        for j in range(-lag, lag + 1)
    )
    assert newey_west_error(series, lag) == pytest.approx((variance / (n - 1)) ** 0.5)
    assert newey_west_error(series, lag) > 1.5 * newey_west_error(series, 0)


def test_one_value_has_no_standard_error() -> None:
    assert np.isnan(newey_west_error(np.array([1.0]), 3))


def evidence(slope: float, sessions: int, seed: int = 2) -> tuple[np.ndarray, np.ndarray, np.ndarray]:
    random = np.random.default_rng(seed)
    forecast = random.standard_normal((sessions * 10, 1))
    return forecast, slope * forecast + random.standard_normal(forecast.shape), np.repeat(np.arange(sessions), 10)


def test_what_is_earned_is_the_slope_shrunk_by_its_error() -> None:
    forecast, outcome, session = evidence(0.2, 200)
    slope = float((forecast * outcome).sum() / (forecast * forecast).sum())
    score = ((forecast * (outcome - slope * forecast)).reshape(200, 10)).sum(axis=1)
    error = score.std(ddof=1) / 200**0.5 / ((forecast * forecast).sum() / 200) * (199 / 197) ** 0.5
    found = estimate_trust(forecast, outcome, session, (1,))[0]
    assert found == pytest.approx(slope * (1 - (error / slope) ** 2)) and 0.1 < found < slope


def test_a_forecast_earns_at_most_its_amplitude_and_a_wrong_one_nothing() -> None:
    assert 0.99 < estimate_trust(*evidence(3.0, 200), (1,))[0] <= 1
    assert estimate_trust(*evidence(-0.5, 200), (1,))[0] == 0
    forecast, outcome, session = evidence(0.5, 200)
    assert estimate_trust(0 * forecast, outcome, session, (1,))[0] == 0


def test_three_independent_observations_earn_nothing_whatever_they_say() -> None:
    assert estimate_trust(*evidence(3.0, 60), (20,))[0] == 0
    assert estimate_trust(*evidence(3.0, 60), (5,))[0] > 0.9


def test_rank_correlation_shares_ranks_among_ties_and_skips_what_cannot_be_ranked() -> None:
    point = np.array([1.0, 2.0, 2.0, 3.0, 9.0, *[1.0] * 5, 1.0, 2.0])
    outcome = np.array([1.0, 2.0, 3.0, 4.0, 5.0, *range(5), 1.0, 2.0])
    session = np.array([0] * 5 + [1] * 5 + [2] * 2)
    ranked = np.array([1, 2.5, 2.5, 4, 5])
    expected = np.corrcoef(ranked, [1, 2, 3, 4, 5])[0, 1]
    assert rank_correlations(point, outcome, session) == pytest.approx([expected])


def test_coverage_counts_the_ends() -> None:
    assert coverage(np.array([0.0, 1.0, 2.0, 3.0]), np.full(4, 1.0), np.full(4, 2.0)) == 0.5


def test_a_forecast_equal_to_the_naive_one_has_no_skill_and_no_rank_correlation() -> None:
    outcome = np.random.default_rng(2).standard_normal((60, 1))
    flat = np.tile([[[-1.28, 0.0, 1.28]]], (60, 1, 1))
    found = compute_figures(outcome, flat, flat, np.repeat(np.arange(6), 10), (5,), QUANTILES)["5"]
    assert (found["skill"], found["skill_error"], found["ic"], found["sessions"]) == (0, 0, None, 6)
    assert found["coverage_80"] == pytest.approx(np.mean(np.abs(outcome) <= 1.28))

"""What a result is worth after many were tried: the published figures come out, and chance is called chance."""

from __future__ import annotations

import numpy as np
import pytest

from pipeline.models.trials.overfitting import deflated_sharpe, expected_best, minimum_length, overfitting_probability


@pytest.mark.parametrize(("trials", "published"), [(100, 0.9004), (46, 0.9505)])
def test_the_deflated_ratio_of_the_papers_example_comes_out(trials: int, published: float) -> None:
    """Bailey and Lopez de Prado (2014): 2.5 a year, 5 years of 250 days, skewness -3, kurtosis 10, variance 1/2."""
    found = deflated_sharpe(2.5 / 250**0.5, 1_250, -3, 10, trials, (0.5 / 250) ** 0.5)
    assert found == pytest.approx(published, abs=5e-5)


def test_five_years_allow_no_more_than_forty_five_trials() -> None:
    """Bailey, Borwein, Lopez de Prado and Zhu (2014): the best of them is expected to reach a ratio of 1 a year."""
    assert minimum_length(1.0, 45) == pytest.approx(5.0, abs=0.01)
    assert minimum_length(0.0, 45) is None
    assert minimum_length(1.0, 1) == 0.0


@pytest.mark.parametrize("trials", [5, 50, 500])
def test_the_best_of_many_is_where_simulation_puts_it(trials: int) -> None:
    random = np.random.default_rng(0)
    best = random.standard_normal((4_000, trials)).max(axis=1).mean()
    assert expected_best(trials) == pytest.approx(best, abs=0.06)
    assert expected_best(1) == 0.0


def test_more_trials_and_fewer_sessions_make_the_same_ratio_worth_less() -> None:
    few, many = (deflated_sharpe(0.1, 500, 0, 3, trials, 0.05) for trials in (2, 200))
    assert many < few
    assert deflated_sharpe(0.1, 100, 0, 3, 2, 0.05) < few
    assert deflated_sharpe(0.1, 500, 0, 3, 1, 0.0) == pytest.approx(0.9873, abs=1e-3)


def test_choosing_among_equals_overfits_and_choosing_the_better_does_not() -> None:
    random = np.random.default_rng(1)
    equal = [overfitting_probability(random.normal(0, 1, (200, 8))) for _ in range(12)]
    assert all(one is not None for one in equal)
    assert 0.35 < float(np.mean([one for one in equal if one is not None])) < 0.65
    better = random.normal(0, 1, (200, 8)) + np.array([0.5, 0, 0, 0, 0, 0, 0, 0])
    assert overfitting_probability(better) == pytest.approx(0.0, abs=0.05)


def test_of_one_candidate_or_few_sessions_nothing_is_said() -> None:
    assert overfitting_probability(np.zeros((200, 1))) is None
    assert overfitting_probability(np.zeros((19, 4))) is None

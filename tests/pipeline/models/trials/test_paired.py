"""Two models on the same sessions: equal ones are called different as seldom as stated, better ones are found."""

from __future__ import annotations

import numpy as np
import pytest

from pipeline.models.trials.paired import compare_losses


def differences(random: np.random.Generator, sessions: int, horizon: int) -> np.ndarray:
    """Losses whose neighbours overlap."""
    moves = random.standard_normal(sessions + horizon - 1)
    overlapping: np.ndarray = np.lib.stride_tricks.sliding_window_view(moves, horizon).mean(axis=1)
    return overlapping


@pytest.mark.parametrize("horizon", [1, 5])
def test_equally_good_models_are_seldom_called_different(horizon: int) -> None:
    random = np.random.default_rng(0)
    found = [compare_losses(differences(random, 120, horizon), np.zeros(120), horizon, 1) for _ in range(400)]
    assert np.mean([one.p < 0.05 for one in found]) < 0.09
    assert np.mean([one.low <= 0 <= one.high for one in found]) > 0.85


def test_a_better_model_is_found_by_both() -> None:
    random = np.random.default_rng(0)
    found = compare_losses(differences(random, 120, 5) + 1.0, np.zeros(120), 5, 1)
    assert found.p < 0.01 and found.statistic > 0
    assert 0 < found.low < found.gain < found.high
    assert compare_losses(np.ones(30), np.zeros(30), 1, 1).gain == 1.0


def test_the_same_losses_differ_in_nothing() -> None:
    same = compare_losses(np.ones(30), np.ones(30), 5, 1)
    assert (same.gain, same.statistic, same.p, same.low, same.high) == (0.0, 0.0, 1.0, 0.0, 0.0)


def test_losses_of_other_sessions_are_not_paired() -> None:
    with pytest.raises(ValueError, match="30 and 29 losses cannot be paired"):
        compare_losses(np.ones(30), np.ones(29), 1, 1)

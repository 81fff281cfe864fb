"""A paired difference finds what is there, says when it cannot tell, and how long it would take."""

from __future__ import annotations

import numpy as np
import pytest

from pipeline.research.paired import compare_pairs


def test_a_true_difference_between_noisy_series_is_found_by_pairing() -> None:
    noise = np.random.default_rng(1).standard_normal(250)
    other = noise + 0.05 + 0.1 * np.random.default_rng(2).standard_normal(250)
    found = compare_pairs("x", noise.tolist(), other.tolist(), unit="")
    assert found.verdict == "helped"
    assert found.difference == pytest.approx(0.05, abs=0.02)
    assert found.needed is not None
    assert found.needed < 250


def test_less_of_what_should_be_little_helps() -> None:
    one = np.linspace(1, 2, 100).tolist()
    other = (np.linspace(1, 2, 100) - 0.1).tolist()
    assert compare_pairs("loss", one, other, unit="", better=-1).verdict == "helped"
    assert compare_pairs("gain", one, other, unit="").verdict == "hurt"
    assert compare_pairs("size", one, other, unit="", better=0).verdict == "cannot be told"


def test_noise_is_called_noise_about_as_often_as_is_said() -> None:
    chance = np.random.default_rng(7)
    verdicts = [
        compare_pairs("x", *chance.standard_normal((2, 120)).tolist(), unit="", seed=seed).verdict
        for seed in range(200)
    ]
    assert 0.90 <= verdicts.count("cannot be told") / 200 <= 0.99


def test_sessions_that_only_one_has_count_for_neither() -> None:
    one, other = [1.0] * 30 + [float("nan")], [1.5] * 30 + [100.0]
    found = compare_pairs("x", one, other, unit="", scale=2.0)
    assert (found.sessions, found.one, found.other, found.difference) == (30, 2.0, 3.0, 1.0)
    assert found.certain_gain == pytest.approx(1.0)


def test_equal_series_are_equal_and_few_sessions_tell_nothing() -> None:
    assert compare_pairs("x", [1.0] * 40, [1.0] * 40, unit="").verdict == "equal"
    few = compare_pairs("x", [1.0] * 5, [2.0] * 5, unit="")
    assert (few.verdict, few.low, few.needed, few.certain_gain) == ("cannot be told", None, None, None)

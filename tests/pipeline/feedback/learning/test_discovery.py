"""Few of all hypotheses that are ever confirmed are false, however many are registered and however often looked at."""

from __future__ import annotations

import numpy as np
import pytest

from pipeline.feedback.learning.discovery import grant_level, plan_looks


def test_without_a_discovery_no_more_than_half_of_the_rate_is_ever_granted() -> None:
    levels = [grant_level(number, [], 0.05) for number in range(1, 5_000)]
    assert levels == sorted(levels, reverse=True)
    assert 0.9 * 0.025 < sum(levels) < 0.025


def test_a_discovery_gives_its_level_back_to_those_that_begin_after_it() -> None:
    before, after = grant_level(10, [], 0.05), grant_level(10, [8], 0.05)
    assert after == pytest.approx(before + 0.025 * 2**-1.6 / 2.285766, rel=1e-5)
    assert grant_level(10, [8, 9], 0.05) == pytest.approx(after + 0.05 / 2.285766, rel=1e-5)
    assert grant_level(10, [10], 0.05) == before  # decided when the tenth had begun: it counts for the eleventh


def test_the_share_of_false_discoveries_is_what_was_stated() -> None:
    random = np.random.default_rng(0)
    rates = []
    for _ in range(300):
        confirmed: list[int] = []
        false = 0
        for number in range(1, 201):
            real = random.random() < 0.1
            p = random.random() if not real else random.random() * 1e-6
            if p <= grant_level(number, confirmed, 0.2):
                confirmed.append(number)
                false += not real
        rates.append(false / max(len(confirmed), 1))
    assert 0.005 < float(np.mean(rates)) <= 0.2


def test_a_hypothesis_is_looked_at_within_forty_scored_sessions_or_four_times_its_horizon() -> None:
    assert plan_looks(1, 40) == (20, 30, 40)
    assert plan_looks(5, 40) == (20, 30, 40)
    assert plan_looks(20, 40) == (40, 60, 80)

"""Scores: what they are on known cases, and that their intervals hold what they say."""

from __future__ import annotations

import numpy as np
import pytest

from pipeline.models.tasks.losses import SQUARED
from pipeline.models.tasks.scores import (
    ACCURACY,
    IC,
    MATTHEWS,
    Told,
    accuracy,
    clustered,
    judge,
    matthews,
    mean_loss,
    wilson,
)


def told(label: list[float], forecast: list[float]) -> Told:
    return Told(np.array(label), np.array(forecast), np.arange(len(label)))


def test_a_side_is_what_lies_above_nothing() -> None:
    one = told([1, 1, -1, -1, -1], [0.2, 0.0, -0.1, 0.0, 3.0])
    assert accuracy(one) == pytest.approx(3 / 5)
    up, down, false_up, false_down = 1, 2, 1, 1
    denominator = ((up + false_up) * (up + false_down) * (down + false_up) * (down + false_down)) ** 0.5
    assert matthews(one) == pytest.approx((up * down - false_up * false_down) / denominator)


def test_the_correlation_is_that_of_the_sides() -> None:
    random = np.random.default_rng(1)
    label, forecast = np.sign(random.normal(size=400)), random.normal(size=400)
    expected = np.corrcoef(label, np.where(forecast > 0, 1, -1))[0, 1]
    assert matthews(Told(label, forecast, np.arange(400))) == pytest.approx(expected)


def test_a_forecast_of_one_side_correlates_with_nothing() -> None:
    assert matthews(told([1, -1, 1], [1, 1, 1])) == 0.0


def test_less_of_a_loss_is_better_and_more_of_a_score() -> None:
    loss = mean_loss(SQUARED)
    assert loss.of(told([1, 2], [1, 4])) == pytest.approx(2)
    assert loss.merit(2.0) < loss.merit(1.0)
    assert ACCURACY.merit(0.6) > ACCURACY.merit(0.5)
    ranked = Told(np.arange(6.0), np.arange(6.0) * 2, np.zeros(6, dtype=np.int64))
    assert IC.of(ranked) == pytest.approx(1)
    assert MATTHEWS.kinds == {"class"}


def test_wilsons_interval_is_the_published_one() -> None:
    """Newcombe (1998), table I: 81 of 263."""
    low, high = wilson(81 / 263, 263)
    assert (low, high) == pytest.approx((0.2553, 0.3662), abs=1e-4)


def test_days_as_draws_widen_the_interval_where_names_move_together() -> None:
    random = np.random.default_rng(2)
    day = np.repeat(np.arange(60), 50)
    together = (random.random(60) < 0.5).astype(float)[day]
    alone = (random.random(3_000) < 0.5).astype(float)
    width = {name: np.diff(clustered(right, day))[0] for name, right in {"together": together, "alone": alone}.items()}
    binomial = np.diff(wilson(0.5, 3_000))[0]
    assert width["alone"] == pytest.approx(binomial, rel=0.35)
    assert width["together"] == pytest.approx(np.sqrt(50) * binomial, rel=0.2)


def test_the_interval_by_day_holds_the_truth_as_often_as_it_says() -> None:
    random = np.random.default_rng(3)
    day = np.repeat(np.arange(60), 20)
    held = 0
    for _ in range(300):
        share = np.clip(0.5 + 0.15 * random.normal(size=60), 0, 1)[day]
        low, high = clustered((random.random(1_200) < share).astype(float), day)
        held += low < 0.5 < high
    assert 0.90 < held / 300 < 0.99


def test_seeds_are_judged_together_and_their_spread_is_told() -> None:
    random = np.random.default_rng(4)
    label, day = np.sign(random.normal(size=900)), np.repeat(np.arange(30), 30)
    forecasts = np.array([label * (random.random(900) < share) - 0.5 for share in (0.5, 0.7)])
    found = judge(label, forecasts, day)
    each = [accuracy(Told(label, one, day)) for one in forecasts]
    assert found.accuracy == pytest.approx(np.mean(each))
    assert found.accuracy_spread == pytest.approx(np.std(each, ddof=1))
    assert (found.seeds, found.examples, found.days) == (2, 900, 30)
    for (low, high), value in ((found.binomial, found.accuracy), (found.mcc_by_day, found.mcc)):
        assert low < value < high
    assert judge(label, forecasts, day) == found, "the resampling has its seed"
    with pytest.raises(ValueError, match="no example"):
        judge(label[:0], forecasts[:, :0], day[:0])

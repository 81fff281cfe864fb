"""What is read off a forecast's quantiles: the probability of a rise, how members agree, and the width it is given."""

from __future__ import annotations

import numpy as np
import pytest
from hypothesis import given
from hypothesis import strategies as st
from hypothesis.extra.numpy import arrays

from lake.tables.predictions import QUANTILES
from pipeline.prediction.forecast_limits import MEDIAN
from pipeline.prediction.quantiles import agreement, probability_up, widen
from tests.frames.predictions import Z

NORMAL = np.array(Z)


def forecast(point: float, sigma: float = 0.02) -> np.ndarray:
    return (point + sigma * NORMAL).reshape(1, 1, 7)


@pytest.mark.parametrize(
    ("point", "up"),
    [(0.0, 0.50), (0.674 * 0.02, 0.75), (-0.674 * 0.02, 0.25), (1.645 * 0.02, 0.95), (-1.645 * 0.02, 0.05)],
)
def test_the_probability_of_a_rise_is_read_off_the_stated_quantiles(point: float, up: float) -> None:
    assert probability_up(forecast(point))[0, 0] == pytest.approx(up)


def test_tails_fall_off_with_the_density_next_to_them() -> None:
    far = forecast(0.05)  # q05 at 0.0171, q10 at 0.02436
    steps = (0.05 - 1.645 * 0.02) / ((1.645 - 1.282) * 0.02)
    assert probability_up(far)[0, 0] == pytest.approx(1 - 0.05 * np.exp(-steps))
    assert probability_up(forecast(-0.05))[0, 0] == pytest.approx(0.05 * np.exp(-steps))


@given(arrays(np.float64, (7,), elements=st.floats(-0.9, 2.0)))
def test_every_forecast_has_a_probability_on_the_side_of_its_median(values: np.ndarray) -> None:
    quantiles = np.sort(values)
    up = float(probability_up(quantiles[None])[0])
    assert 0 <= up <= 1
    if quantiles[MEDIAN] > 0:
        assert up >= 0.5
    if quantiles[MEDIAN] < 0:
        assert up <= 0.5


@given(st.floats(-0.3, 0.3), st.floats(0.0, 0.2), st.floats(0.001, 0.1))
def test_a_higher_forecast_never_makes_a_rise_less_likely(point: float, more: float, sigma: float) -> None:
    low, high = probability_up(forecast(point, sigma)), probability_up(forecast(point + more, sigma))
    assert high[0, 0] >= low[0, 0] - 1e-12


def test_a_forecast_without_width_is_as_sure_as_it_says() -> None:
    certain = np.zeros((3, 7)) + np.array([[0.01], [0.0], [-0.01]])
    assert probability_up(certain).tolist() == [1.0, 0.5, 0.0]


def test_widening_keeps_the_median_and_stretches_the_rest() -> None:
    wide = widen(forecast(0.01), np.array([1.5]))
    assert wide.ravel() == pytest.approx((0.01 + 1.5 * 0.02 * NORMAL).ravel())
    assert QUANTILES[MEDIAN] == 0.5


@pytest.mark.parametrize(
    ("points", "agreed"), [((0.01, 0.02), 1.0), ((0.01, -0.01), 0.0), ((0.03, -0.01), 0.5), ((0.0, 0.0), 0.0)]
)
def test_members_agree_as_far_as_their_signs_do(points: tuple[float, float], agreed: float) -> None:
    members = {"lstm": forecast(points[0]), "ridge": forecast(points[1]), "naive": forecast(0.0)}
    assert agreement(members)[0, 0] == pytest.approx(agreed)


def test_the_naive_forecast_alone_agrees_with_nobody() -> None:
    assert agreement({"naive": forecast(0.0)})[0, 0] == 0.0

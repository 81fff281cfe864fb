"""No forecast exceeds its limits: no crossing, no more than total loss, no point beyond belief; what acted is named."""

from __future__ import annotations

import numpy as np
import pytest
from hypothesis import given
from hypothesis import strategies as st
from hypothesis.extra.numpy import arrays

from pipeline.prediction.forecast_limits import BOUNDS, MEDIAN, bound, name_bounds
from pipeline.prediction.params import PredictionParams
from tests.pipeline.prediction.test_quantiles import forecast

PARAMS = PredictionParams()
anything = arrays(np.float64, (2, 3, 7), elements=st.floats(-5, 5, allow_nan=False))
widths = arrays(np.float64, (2, 3), elements=st.floats(0.001, 1.0))


@given(anything, widths)
def test_no_bounded_forecast_crosses_or_loses_more_than_all(quantiles: np.ndarray, sigma: np.ndarray) -> None:
    bounded, _ = bound(quantiles, sigma, PARAMS)
    assert (np.diff(bounded, axis=-1) >= 0).all()
    assert (bounded >= PARAMS.min_return).all()


@given(anything, widths)
def test_bounds_act_once(quantiles: np.ndarray, sigma: np.ndarray) -> None:
    bounded, _ = bound(np.sort(quantiles, axis=-1), sigma, PARAMS)
    again, acted = bound(bounded, sigma, PARAMS)
    assert np.array_equal(bounded, again)
    assert not acted.any()


def test_a_believable_forecast_is_left_alone() -> None:
    quantiles = forecast(0.01)
    bounded, acted = bound(quantiles, np.array([[0.02]]), PARAMS)
    assert np.array_equal(bounded, quantiles)
    assert name_bounds(acted.reshape(1, -1)) == [[]]


def test_a_point_too_far_out_takes_its_whole_distribution_back() -> None:
    bounded, acted = bound(forecast(0.30), np.array([[0.02]]), PARAMS)
    assert bounded[0, 0, MEDIAN] == 2 * 0.02
    assert np.diff(bounded).ravel() == pytest.approx(np.diff(forecast(0.30)).ravel())
    assert name_bounds(acted.reshape(1, -1)) == [["point_cap"]]


def test_every_bound_that_acts_is_named() -> None:
    wild = np.array([[[-3.0, -2.0, -2.5, 0.5, 0.4, 0.6, 0.7]]])
    _, acted = bound(wild, np.array([[0.02]]), PARAMS)
    assert name_bounds(acted.reshape(1, -1)) == [list(BOUNDS)]

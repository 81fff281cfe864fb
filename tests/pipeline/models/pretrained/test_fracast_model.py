"""A pretrained model tells quantiles in order, refuses what it does not tell, and is named where it is missing."""

from __future__ import annotations

import sys

import numpy as np
import pytest

from pipeline.models.pretrained import PretrainedModelError, fracast_model
from pipeline.models.pretrained.fracast_model import forecast_zero_shot


def test_quantiles_stand_in_order_and_a_steady_path_goes_on() -> None:
    steady = np.cumsum(np.full((1, 300), 0.001), axis=1)
    noisy = np.random.default_rng(3).normal(0.0, 0.01, (4, 300)).cumsum(axis=1)
    noisy[1, :200] = np.nan
    told = forecast_zero_shot(np.concatenate([steady, noisy]), (1, 20))
    assert told.shape == (5, 2, 3)
    assert (np.diff(told, axis=2) >= 0).all()
    assert 0 < told[0, 1, 1] < 0.06, "20 sessions of 0.1 % are some 2 %"


def test_a_horizon_beyond_the_model_is_refused() -> None:
    with pytest.raises(PretrainedModelError, match="forecasts 48 sessions, and 49 were asked for"):
        forecast_zero_shot(np.zeros((1, 100)), (1, 49))


def test_without_its_package_the_extra_is_named(monkeypatch: pytest.MonkeyPatch) -> None:
    fracast_model._load.cache_clear()
    monkeypatch.setitem(sys.modules, "fracast", None)
    with pytest.raises(PretrainedModelError, match=r"pip install 'nextgen-trading\[zero-shot\]'"):
        forecast_zero_shot(np.zeros((1, 100)), (1,))

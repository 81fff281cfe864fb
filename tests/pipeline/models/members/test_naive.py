"""The zero-drift forecast: no opinion, an honest interval."""

from __future__ import annotations

import numpy as np
import pytest

from lake.tables.predictions import QUANTILES
from pipeline.models.members import naive


def test_its_intervals_cover_what_they_say_out_of_sample() -> None:
    random = np.random.default_rng(0)
    past, future = random.standard_t(4, (20_000, 1)), random.standard_t(4, (20_000, 1))
    z = naive.centred_quantiles(past, QUANTILES)[0]
    for low, high, stated in ((0, -1, 0.9), (1, -2, 0.8), (2, -3, 0.5)):
        assert np.mean((future >= z[low]) & (future <= z[high])) == pytest.approx(stated, abs=0.015)


def test_it_states_no_drift_whatever_the_past_drift() -> None:
    z = naive.centred_quantiles(np.random.default_rng(1).standard_normal((500, 2)) + 3, QUANTILES)
    assert (z[:, QUANTILES.index(0.5)] == 0).all() and (np.diff(z, axis=1) > 0).all()


def test_the_interval_grows_with_the_root_of_the_horizon() -> None:
    z = naive.default_z((1, 4), QUANTILES)
    forecast = naive.forecast(z, np.array([0.02]), (1, 4))
    assert forecast[0, 1] == pytest.approx(2 * forecast[0, 0])
    assert forecast[0, 0, 3] == 0 and forecast[0, 0, -1] == pytest.approx(0.02 * 1.5608)


def test_the_assumed_shape_is_student_t_with_five_degrees_and_unit_variance() -> None:
    drawn = np.random.default_rng(2).standard_t(5, 400_000) * np.sqrt(3 / 5)
    assert naive.default_z((1,), QUANTILES)[0] == pytest.approx(np.quantile(drawn, QUANTILES), abs=0.015)

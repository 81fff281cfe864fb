"""The zero-drift forecast: no opinion, an honest interval."""

from __future__ import annotations

import numpy as np
import pytest

from lake.tables.predictions import QUANTILES
from pipeline.models.members import naive


def test_volatility_is_the_root_mean_square_of_the_two_estimates() -> None:
    rows = np.array([[9.0, 0.03, 0.01], [9.0, 0.0, 0.0], [9.0, np.nan, 0.01]], dtype=np.float32)
    sigma = naive.daily_sigma(rows, ("return_1", "volatility_20", "volatility_60"))
    assert sigma[0] == pytest.approx(np.sqrt((0.03**2 + 0.01**2) / 2))
    assert sigma[1] == naive.LEAST_SIGMA and np.isnan(sigma[2])


def test_features_without_volatility_are_refused() -> None:
    with pytest.raises(ValueError, match="lack 'volatility_60'; add it"):
        naive.daily_sigma(np.zeros((1, 1)), ("volatility_20",))


def test_its_intervals_cover_what_they_say_out_of_sample() -> None:
    random = np.random.default_rng(0)
    past, future = random.standard_t(4, (20_000, 1)), random.standard_t(4, (20_000, 1))
    z = naive.fit(past, QUANTILES)["z"][0]
    for low, high, stated in ((0, -1, 0.9), (1, -2, 0.8), (2, -3, 0.5)):
        assert np.mean((future >= z[low]) & (future <= z[high])) == pytest.approx(stated, abs=0.015)


def test_it_states_no_drift_whatever_the_past_drift() -> None:
    z = naive.fit(np.random.default_rng(1).standard_normal((500, 2)) + 3, QUANTILES)["z"]
    assert (z[:, QUANTILES.index(0.5)] == 0).all() and (np.diff(z, axis=1) > 0).all()


def test_the_interval_grows_with_the_root_of_the_horizon() -> None:
    z = naive.default_z((1, 4), QUANTILES)
    forecast = naive.forecast(z, np.array([0.02]), (1, 4))
    assert forecast[0, 1] == pytest.approx(2 * forecast[0, 0])
    assert forecast[0, 0, 3] == 0 and forecast[0, 0, -1] == pytest.approx(0.02 * 1.5608)


def test_the_assumed_shape_is_student_t_with_five_degrees_and_unit_variance() -> None:
    drawn = np.random.default_rng(2).standard_t(5, 400_000) * np.sqrt(3 / 5)
    assert naive.default_z((1,), QUANTILES)[0] == pytest.approx(np.quantile(drawn, QUANTILES), abs=0.015)

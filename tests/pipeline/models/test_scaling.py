"""What the models scale with: a ticker's volatility, and the mean and deviation of the training rows."""

from __future__ import annotations

import numpy as np
import pytest

from pipeline.models.scaling import MAX_DEVIATIONS, MIN_SIGMA, daily_sigma, fit_scaler, standardise


def test_volatility_is_the_root_mean_square_of_the_two_estimates() -> None:
    rows = np.array([[9.0, 0.03, 0.01], [9.0, 0.0, 0.0], [9.0, np.nan, 0.01]], dtype=np.float32)
    sigma = daily_sigma(rows, ("return_1", "volatility_20", "volatility_60"))
    assert sigma[0] == pytest.approx(np.sqrt((0.03**2 + 0.01**2) / 2))
    assert sigma[1] == MIN_SIGMA and np.isnan(sigma[2])


def test_features_without_volatility_are_refused() -> None:
    with pytest.raises(ValueError, match="lack 'volatility_60'; add it"):
        daily_sigma(np.zeros((1, 1)), ("volatility_20",))


def test_inputs_are_standardised_by_the_training_rows_and_held_within_bounds() -> None:
    rows = np.random.default_rng(0).standard_normal((1_000, 2)).astype(np.float32) * 4 + 10
    scaler = fit_scaler(rows)
    assert standardise(rows, scaler).mean(axis=0) == pytest.approx([0, 0], abs=0.01)
    assert standardise(np.array([[10.0, 1e9]], dtype=np.float32), scaler)[0, 1] == MAX_DEVIATIONS

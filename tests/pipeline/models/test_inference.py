"""Forecasts: in returns, without crossings, and for each ticker the same whoever else is asked about."""

from __future__ import annotations

import numpy as np
import polars as pl
import pytest

from pipeline.models.ensemble import combine
from pipeline.models.inference import (
    daily_sigma,
    forecast_members,
)
from pipeline.models.members.lstm import LSTM
from pipeline.models.members.ridge import RIDGE
from pipeline.models.registry import Ensemble, load_members
from tests.frames.models import FEATURES, market, trained


@pytest.fixture(scope="module")
def ensemble() -> Ensemble:
    rows = trained(market(tickers=8, sessions=150, signal=0.3, stirring=0.4))
    share = pl.Series([[0.5, 0.25], [0.25, 0.5], [0.25, 0.25]])
    return load_members(rows.with_columns(ensemble_weights=share), rows["model_id"][0])


@pytest.fixture(scope="module")
def tensor() -> np.ndarray:
    random = np.random.default_rng(5)
    windows = random.standard_normal((300, 5, len(FEATURES))).astype(np.float32)
    windows[:, :, 3:] = random.uniform(0.01, 0.04, (300, 5, 2))
    return windows


def test_a_forecast_does_not_depend_on_the_company_or_the_place(ensemble: Ensemble, tensor: np.ndarray) -> None:
    together = forecast_members(ensemble, tensor)
    backwards = forecast_members(ensemble, tensor[::-1].copy())
    for member, quantiles in together.items():
        assert np.array_equal(backwards[member][::-1], quantiles)
        for row in (0, 1, 127, 128, 299):
            alone = forecast_members(ensemble, tensor[row : row + 1])[member][0]
            assert np.array_equal(alone, quantiles[row]), (member, row)


def test_nor_does_it_at_full_size() -> None:
    random = np.random.default_rng(6)
    shapes = {
        "mean": (79,),
        "lstm.weight_ih_l0": (128, 79),
        "lstm.weight_hh_l0": (128, 32),
        "lstm.bias_ih_l0": (128,),
        "lstm.bias_hh_l0": (128,),
        "location.weight": (3, 111),
        "spread.weight": (18, 111),
        "spread.bias": (18,),
    }
    network = {name: random.uniform(-0.2, 0.2, shape).astype(np.float32) for name, shape in shapes.items()}
    network |= {"std": np.ones(79, dtype=np.float32), "naive": np.zeros((3, 7), dtype=np.float32)}
    network |= {name: np.ones(3, dtype=np.float32) for name in ("location_trust", "spread_trust")}
    line = {"mean": np.zeros(79), "std": np.ones(79), "coefficients": random.uniform(-1, 1, (79, 3))}
    network |= {f"line.{name}": values for name, values in line.items()}
    windows = random.standard_normal((500, 20, 79)).astype(np.float32)
    order = random.permutation(500)
    for member, arrays in ((LSTM, network), (RIDGE, {**line, "z": np.zeros((3, 7))})):
        together = member.quantiles(arrays, windows)
        assert np.array_equal(member.quantiles(arrays, windows[order]), together[order])
        assert np.array_equal(member.quantiles(arrays, windows[77:78])[0], together[77])
        assert np.array_equal(member.quantiles(arrays, windows[77:80]), together[77:80])


def test_members_forecast_returns_that_scale_with_volatility(ensemble: Ensemble, tensor: np.ndarray) -> None:
    sigma = daily_sigma(ensemble, tensor)
    members = forecast_members(ensemble, tensor, sigma)
    doubled = forecast_members(ensemble, tensor, 2 * sigma)
    for member, quantiles in members.items():
        assert quantiles.shape == (300, 2, 7)
        assert doubled[member] == pytest.approx(2 * quantiles)
        assert (np.diff(quantiles, axis=2) >= 0).all()
    low = ensemble.members["naive"]["z"][1, 0] * sigma * 5**0.5
    assert members["naive"][:, 1, 0] == pytest.approx(low)


def test_without_a_volatility_the_windows_own_is_taken(ensemble: Ensemble, tensor: np.ndarray) -> None:
    given = forecast_members(ensemble, tensor, daily_sigma(ensemble, tensor))
    assert all(np.array_equal(given[name], found) for name, found in forecast_members(ensemble, tensor).items())


def test_the_ensemble_is_the_weighted_mean_of_its_members(ensemble: Ensemble, tensor: np.ndarray) -> None:
    members = forecast_members(ensemble, tensor)
    combined = combine(members, ensemble.weights)
    expected = 0.5 * members["lstm"][:, 0] + 0.25 * members["naive"][:, 0] + 0.25 * members["ridge"][:, 0]
    assert combined[:, 0] == pytest.approx(expected)


def test_no_windows_give_no_forecasts(ensemble: Ensemble, tensor: np.ndarray) -> None:
    shapes = [found.shape for found in forecast_members(ensemble, tensor[:0]).values()]
    assert shapes == [(0, 2, 7)] * 3


def test_windows_of_another_shape_or_type_are_refused(ensemble: Ensemble, tensor: np.ndarray) -> None:
    with pytest.raises(ValueError, match=r"takes float32 windows of 5 rows x 5 features, got float32 \(300, 4, 5\)"):
        forecast_members(ensemble, tensor[:, 1:])
    with pytest.raises(ValueError, match="got float64"):
        forecast_members(ensemble, tensor.astype(np.float64))


def test_a_window_that_lacks_a_value_is_refused(ensemble: Ensemble, tensor: np.ndarray) -> None:
    holed = tensor.copy()
    holed[3, 1, 0] = np.nan
    with pytest.raises(ValueError, match="1 of 300 windows lack a value, the first is number 3"):
        forecast_members(ensemble, holed)


def test_a_volatility_that_is_none_is_refused(ensemble: Ensemble, tensor: np.ndarray) -> None:
    with pytest.raises(ValueError, match="300 positive numbers"):
        forecast_members(ensemble, tensor, np.zeros(300))

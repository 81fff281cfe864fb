"""The linear member against the textbook."""

from __future__ import annotations

import numpy as np
import pytest

from pipeline.models import ridge

QUANTILES = (0.25, 0.5, 0.75)


def test_the_fit_is_the_closed_form() -> None:
    random = np.random.default_rng(0)
    inputs = random.standard_normal((5_000, 6)).astype(np.float32) * 3 + 7
    relative = random.standard_normal((5_000, 2))
    fitted = ridge.fit(inputs, relative, relative, (0.5, 0.01), QUANTILES)
    x = np.clip((inputs - inputs.mean(0, dtype=float)) / inputs.std(0, dtype=float), -5, 5)
    for number, penalty in enumerate((0.5, 0.01)):
        expected = np.linalg.solve(x.T @ x + penalty * 5_000 * np.eye(6), x.T @ relative[:, number])
        assert fitted["coefficients"][:, number] == pytest.approx(expected, rel=1e-9, abs=1e-12)


def test_intervals_are_the_quantiles_of_the_residuals_around_a_median_of_zero() -> None:
    random = np.random.default_rng(1)
    inputs = random.standard_normal((400, 2)).astype(np.float32)
    raw = random.standard_normal((400, 1)) + 5
    fitted = ridge.fit(inputs, raw - raw.mean(), raw, (1.0,), QUANTILES)
    residual = raw - ridge.location(fitted, inputs)
    assert fitted["z"][0] == pytest.approx(np.quantile(residual, QUANTILES) - np.median(residual))
    assert fitted["z"][0, 1] == 0


def test_a_system_that_is_not_positive_definite_is_refused_in_words() -> None:
    with pytest.raises(ValueError, match=r"pivot 1 of the ridge system is 0\.0; raise the penalty"):
        ridge.solve(np.ones((2, 2)), np.ones((2, 1)))


def test_solving_agrees_with_numpy() -> None:
    random = np.random.default_rng(2)
    root = random.standard_normal((30, 30))
    matrix, right = root @ root.T + np.eye(30), random.standard_normal((30, 3))
    assert ridge.solve(matrix, right) == pytest.approx(np.linalg.solve(matrix, right), rel=1e-8, abs=1e-10)


def test_noise_gets_the_largest_penalty_and_a_line_the_smallest() -> None:
    random = np.random.default_rng(3)
    inputs = random.standard_normal((2_000, 20)).astype(np.float32)
    relative = np.stack([inputs[:, 0].astype(float), random.standard_normal(2_000)], axis=1)
    held = slice(1_000, None)
    chosen = ridge.choose_penalties(
        (inputs[:1_000], relative[:1_000]), (inputs[held], relative[held]), (0.001, 0.1, 100.0)
    )
    assert chosen == (0.001, 100.0)


def test_a_constant_input_is_centred_and_does_no_harm() -> None:
    inputs = np.column_stack([np.full(100, 3.0), np.linspace(-1, 1, 100)]).astype(np.float32)
    target = np.linspace(-1, 1, 100)[:, None]
    fitted = ridge.fit(inputs, target, target, (0.001,), QUANTILES)
    assert fitted["std"][0] == 1 and fitted["coefficients"][0, 0] == 0


def test_inputs_are_the_last_row_and_the_mean_of_the_window() -> None:
    window = np.arange(12, dtype=np.float32).reshape(1, 4, 3)
    assert ridge.summary(window).tolist() == [[9, 10, 11, 4.5, 5.5, 6.5]]

"""The linear member against the textbook."""

from __future__ import annotations

from dataclasses import replace

import numpy as np
import pytest

from pipeline.models.dataset import Examples, label_examples
from pipeline.models.folds import SessionSpan
from pipeline.models.members import ridge
from pipeline.models.members.member import FitTask
from tests.frames.models import SMALL, Market, market

QUANTILES = (0.25, 0.5, 0.75)


def labelled(at: Market) -> Examples:
    return label_examples(
        at.feature_rows, at.market_prices, at.corporate_actions, at.ticker_universe, at.calendar, SMALL
    )


def test_the_fit_is_the_closed_form_times_the_trust() -> None:
    random = np.random.default_rng(0)
    inputs = random.standard_normal((5_000, 6)).astype(np.float32) * 3 + 7
    relative = random.standard_normal((5_000, 2))
    fitted = ridge.fit_line(inputs, relative, relative, ridge.Strength((0.5, 0.01), (1.0, 0.5)), QUANTILES)
    x = np.clip((inputs - inputs.mean(0, dtype=float)) / inputs.std(0, dtype=float), -5, 5)
    for number, penalty in enumerate((0.5, 0.01)):
        expected = np.linalg.solve(x.T @ x + penalty * 5_000 * np.eye(6), x.T @ relative[:, number])
        expected *= (1.0, 0.5)[number]
        assert fitted["coefficients"][:, number] == pytest.approx(expected, rel=1e-9, abs=1e-12)


def test_the_second_fit_is_the_closed_form_with_a_penalty_for_each_input() -> None:
    random = np.random.default_rng(6)
    inputs = random.standard_normal((2_000, 5)).astype(np.float32)
    relative = 0.3 * inputs[:, [1]].astype(float) + random.standard_normal((2_000, 1))
    fitted = ridge.fit_line(inputs, relative, relative, ridge.Strength((0.5,), (1.0,), (0.2,)), QUANTILES)
    x = np.clip((inputs - inputs.mean(0, dtype=float)) / inputs.std(0, dtype=float), -5, 5)
    first = np.linalg.solve(x.T @ x + 0.5 * 2_000 * np.eye(5), x.T @ relative[:, 0])
    own = np.mean(first**2) / (first**2 + 0.1 * np.mean(first**2))
    expected = np.linalg.solve(x.T @ x + 0.2 * 2_000 * np.diag(own), x.T @ relative[:, 0])
    assert fitted["coefficients"][:, 0] == pytest.approx(expected, rel=1e-9, abs=1e-12)


def test_fitting_twice_finds_one_input_among_many_more_exactly() -> None:
    """Sixty inputs, one of which tells: what a second fit forecasts lies nearer to the truth, on rows of its own."""
    errors = []
    for twice in (False, True):
        total = 0.0
        for seed in range(5):
            random = np.random.default_rng(seed)
            inputs = random.standard_normal((8_000, 60)).astype(np.float32)
            told = 0.1 * inputs[:, [0]].astype(float)
            relative, session = told + random.standard_normal(told.shape), np.repeat(np.arange(400), 20)
            strength = ridge.cross_validate(inputs, relative, session, (1,), (0.01, 0.1, 1.0, 10.0), 5, 2, twice=twice)
            line = ridge.fit_line(inputs, relative, relative, strength, QUANTILES)
            fresh = random.standard_normal((2_000, 60)).astype(np.float32)
            total += float(((ridge.forecast_location(line, fresh) - 0.1 * fresh[:, [0]]) ** 2).mean())
        errors.append(total)
    assert errors[1] < 0.6 * errors[0]


def test_intervals_are_the_quantiles_of_the_residuals_around_a_median_of_zero() -> None:
    random = np.random.default_rng(1)
    inputs = random.standard_normal((400, 2)).astype(np.float32)
    raw = random.standard_normal((400, 1)) + 5
    fitted = ridge.fit_line(inputs, raw - raw.mean(), raw, ridge.Strength((1.0,), (1.0,)), QUANTILES)
    residual = raw - ridge.forecast_location(fitted, inputs)
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


def world(signal: float, seed: int, sessions: int = 200, names: int = 20) -> tuple[np.ndarray, np.ndarray, np.ndarray]:
    """Twenty inputs of which the first tells, by its correlation, the first target; the second is noise."""
    random = np.random.default_rng(seed)
    inputs = random.standard_normal((sessions * names, 20)).astype(np.float32)
    noise = random.standard_normal((sessions * names, 2))
    noise[:, 0] = signal * inputs[:, 0] + np.sqrt(1 - signal**2) * noise[:, 0]
    return inputs, noise, np.repeat(np.arange(sessions), names)


def test_a_line_keeps_a_small_penalty_and_its_amplitude_and_noise_keeps_neither() -> None:
    chosen = ridge.cross_validate(*world(0.5, 3), (1, 1), (0.01, 1.0, 100.0), 5, 6)
    assert chosen.penalties == (0.01, 100.0)
    assert chosen.trust[0] > 0.95 and chosen.trust[1] < 0.5


def test_a_weak_line_is_found_among_many_inputs() -> None:
    inputs, target, session = world(0.1, 4)
    strength = ridge.cross_validate(inputs, target, session, (1, 1), (0.01, 0.1, 1.0, 10.0, 100.0), 5, 6)
    fitted = ridge.fit_line(inputs, target, target, strength, QUANTILES)
    fresh, _, _ = world(0.1, 5)
    assert strength.trust[0] > 0.5
    assert np.corrcoef(ridge.forecast_location(fitted, fresh)[:, 0], fresh[:, 0])[0, 1] > 0.75


def test_an_outcome_counts_no_further_than_it_is_held_and_is_judged_whole() -> None:
    inputs, target, session = world(0.5, 6)
    strength, wild, near = ridge.Strength((0.1, 0.1), (1.0, 1.0)), target.copy(), target.copy()
    wild[5], near[5] = 40.0, 2.0
    far, held, whole = (
        ridge.fit_line(inputs, one, target, strength, QUANTILES, *limit)["coefficients"]
        for one, limit in ((wild, (2.0,)), (near, (2.0,)), (wild, ()))
    )
    assert far.tobytes() == held.tobytes() and np.abs(whole - far).max() > 0.001
    asked = (session, (1, 1), (0.1, 10.0), 5, 6)
    assert ridge.cross_validate(inputs, wild, *asked, max_outcome=2.0) != ridge.cross_validate(
        inputs, near, *asked, max_outcome=2.0
    )


def test_where_tails_are_fat_a_line_on_held_outcomes_is_nearer_the_truth() -> None:
    gained = []
    for seed in range(40):
        random = np.random.default_rng(seed)
        inputs = random.standard_normal((2_000, 20)).astype(np.float32)
        target = 0.1 * inputs[:, :1] + random.standard_t(3, (2_000, 1)) / np.sqrt(3)
        lines = [
            ridge.fit_line(inputs, target, target, ridge.Strength((0.1,), (1.0,)), QUANTILES, one)
            for one in (np.inf, 2.0)
        ]
        whole, held = (line["coefficients"][0, 0] / np.linalg.norm(line["coefficients"]) for line in lines)
        gained.append(held - whole)
    assert np.mean(gained) > 3 * np.std(gained) / np.sqrt(len(gained))


def test_noise_is_mostly_not_trusted() -> None:
    trusts = [
        ridge.cross_validate(*world(0.0, seed, 100, 10), (1, 1), (0.1, 10.0), 5, 6).trust for seed in range(10, 30)
    ]
    assert np.median(trusts) == 0 and np.mean(trusts) < 0.2


def test_the_blocks_are_all_sessions_once_and_each_fit_keeps_the_gap_from_its_block() -> None:
    session = np.repeat(np.arange(50, 170), 10)
    found = list(ridge._zones(session, 4, 7))
    assert np.concatenate([block for block, _ in found]).tolist() == list(range(1_200))
    for block, zone in found:
        outside = np.delete(session, zone)
        assert np.abs(outside[:, None] - session[block][None]).min() == 8


def test_too_few_sessions_to_keep_the_gap_decide_nothing() -> None:
    inputs, target, session = world(0.9, 7, sessions=8)
    assert ridge.cross_validate(inputs, target, session, (1, 5), (0.1, 10.0), 4, 20) == ridge.Strength(
        (10.0, 10.0), (0.0, 0.0)
    )


def test_a_constant_input_is_centred_and_does_no_harm() -> None:
    inputs = np.column_stack([np.full(100, 3.0), np.linspace(-1, 1, 100)]).astype(np.float32)
    target = np.linspace(-1, 1, 100)[:, None]
    fitted = ridge.fit_line(inputs, target, target, ridge.Strength((0.001,), (1.0,)), QUANTILES)
    assert fitted["std"][0] == 1 and fitted["coefficients"][0, 0] == 0


def test_the_forecast_depends_on_the_last_row_of_the_window_alone() -> None:
    inputs, target, _ = world(0.5, 8)
    fitted = ridge.fit_line(inputs, target, target, ridge.Strength((0.1, 0.1), (1.0, 1.0)), QUANTILES)
    windows = np.random.default_rng(9).standard_normal((6, 4, 20)).astype(np.float32)
    other = windows.copy()
    other[:, :-1] = 0
    forecast = ridge.RIDGE.quantiles(fitted, windows)
    assert np.array_equal(forecast, ridge.RIDGE.quantiles(fitted, other))
    assert np.array_equal(forecast[:, :, 1], ridge.forecast_location(fitted, windows[:, -1]))


def test_the_last_fit_takes_the_lines_own_strength_whatever_the_folds_found() -> None:
    built = labelled(market(tickers=6, sessions=130, signal=0.3))
    span = SessionSpan(int(built.session[0]), int(built.session[-1]))
    task = FitTask(examples=built, span=span, quantiles=QUANTILES, params=SMALL, seed=(7, 0))
    alone, after = (ridge.RIDGE.fit(replace(task, folds=folds)) for folds in ((), ({"penalties": (9.0, 9.0)},)))
    assert alone.choices == after.choices
    assert np.array_equal(alone.arrays["coefficients"], after.arrays["coefficients"])

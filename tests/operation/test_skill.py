"""The whole way from bars and articles to forecasts finds what there is to find, and nothing where there is nothing."""

from __future__ import annotations

from collections.abc import Callable
from dataclasses import replace

import pytest

from benchmarks.skill import BLIND, Measured, Skill, measure
from pipeline.ingestion.sources.simulated.params import SimulatedParams
from pipeline.models.params import LstmParams, ModelParams

DEFAULTS = SimulatedParams()
Measure = Callable[[SimulatedParams, int, ModelParams], Measured]


@pytest.fixture(scope="module")
def measured(tmp_path_factory: pytest.TempPathFactory) -> Measure:
    """Measure a market in a lake of its own."""

    def run(market: SimulatedParams, sessions: int, models: ModelParams) -> Measured:
        return measure(tmp_path_factory.mktemp("skill") / "lake", market, sessions, models)

    return run


def assert_found(skill: Skill, share: float) -> None:
    """Significant, a stated share of what is possible, and not more than is possible."""
    told = f"{skill.horizon} sessions: {skill.ic:.3f} +- {skill.ic_error:.3f} of {skill.oracle:.3f}"
    assert skill.ic > 3 * skill.ic_error > 0, told
    assert skill.ratio is not None and skill.ratio > share, told
    assert skill.ic < skill.oracle + 2 * skill.ic_error, f"{told}: more than can be known, so something leaks"


def assert_nothing(skill: Skill) -> None:
    """It ranks no better than chance, and does no harm. (Volatility stays forecastable, so intervals may gain.)"""
    told = f"{skill.horizon} sessions: {skill.ic:.3f} +- {skill.ic_error:.3f}, {skill.figures}"
    assert abs(skill.ic) <= 2 * skill.ic_error, told
    assert skill.figures["skill"] >= -2 * (skill.figures["skill_error"] or 0), told


SMALL = ModelParams(
    folds=2,
    test_sessions=30,
    min_train_sessions=80,
    min_sessions=120,
    min_rows=500,
    lstm=LstmParams(hidden=8, epochs=1, windows_per_epoch=3_000),
)


def small(seed: int, signal: float) -> SimulatedParams:
    """A quarter of the demo's market; the signal asked of it is the clearer for it."""
    return SimulatedParams(seed=seed, names=32, history_sessions=520, signal=signal)


@pytest.mark.slow
def test_what_no_line_sees_is_found_by_the_networks(measured: Measure) -> None:
    """In a market where last week's return counts for or against by what else is so, at five sessions."""
    market = replace(small(13, 1.0), strengths=BLIND, history_sessions=900)
    found = measured(market, 120, replace(SMALL, lstm=LstmParams()))
    ensemble, line = found.skills[1], found.members["ridge"][1]
    assert_found(ensemble, 0.25)
    assert ensemble.ic > line.ic + 2 * ensemble.ic_error, (ensemble, line)
    assert found.model.locations is not None and found.model.locations["lstm"][1] > 0.5


@pytest.mark.slow
def test_a_clear_signal_is_found_in_a_small_market(measured: Measure) -> None:
    found = measured(small(13, 2.0), 60, SMALL)
    for skill in found.skills[:2]:
        assert_found(skill, 0.5)
        assert skill.likeness > 0.6
        assert abs(skill.figures["coverage_80"] - 0.8) < 0.06


@pytest.mark.slow
def test_nothing_is_found_in_a_small_market_without_signal(measured: Measure) -> None:
    for skill in measured(small(11, 0.0), 60, SMALL).skills:
        assert_nothing(skill)


@pytest.mark.slow
def test_most_of_what_can_be_known_of_the_simulated_market_is_forecast(measured: Measure) -> None:
    found = measured(DEFAULTS, 180, ModelParams())
    for skill in found.skills[:2]:
        assert_found(skill, 0.6)
        assert abs(skill.figures["coverage_80"] - 0.8) < 0.05
        assert skill.figures["skill"] > 2 * skill.figures["skill_error"]


@pytest.mark.slow
def test_nothing_is_forecast_of_a_market_without_signal(measured: Measure) -> None:
    for skill in measured(SimulatedParams(signal=0.0), 180, ModelParams()).skills:
        assert_nothing(skill)

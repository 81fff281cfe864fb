"""Skill, signals and risk by themselves: what evidence makes of a belief, and forecasts and returns of a name."""

from __future__ import annotations

import json
from math import log

import numpy as np
import polars as pl
import pytest

from lake.tables.feedback import FEEDBACK_METRICS
from pipeline.trading.alpha.risk_model import MIN_OBSERVATIONS, model_risk
from pipeline.trading.alpha.signals import DELAY, MAX_SCORE, carry, combine_signals, measure_half_life, score_names
from pipeline.trading.alpha.skill import (
    SKILL_DEVIATION,
    SKILLED_SHARE,
    Skill,
    believe_in,
    pool_skill,
    read_live,
    read_registered,
    shrink_skill,
)
from tests.frames.trading import DAYS, skill


def test_figures_are_pooled_by_their_precision() -> None:
    two = pool_skill([Skill(0.1, 0.02), Skill(0.1, 0.02)])
    assert two == pytest.approx(Skill(0.1, 0.02 / 2**0.5))
    assert pool_skill([Skill(0.1, 0.01), Skill(0.0, 0.02)]).ic == pytest.approx(0.08)


@pytest.mark.parametrize("error", [0.005, 0.02, 0.08])
@pytest.mark.parametrize("ic", [-0.1, 0.0, 0.01, 0.06, 0.15])
def test_shrunk_skill_is_the_posterior_mean_and_deviation_by_integration(ic: float, error: float) -> None:
    grid = np.linspace(-0.6, 0.6, 240_001)
    likelihood = np.exp(-(((ic - grid) / error) ** 2) / 2)
    slab = np.exp(-((grid / SKILL_DEVIATION) ** 2) / 2) / (SKILL_DEVIATION * (2 * np.pi) ** 0.5) * (grid[1] - grid[0])
    weights = SKILLED_SHARE * slab * likelihood
    nothing = (1 - SKILLED_SHARE) * np.exp(-((ic / error) ** 2) / 2)
    total = weights.sum() + nothing
    mean = (weights * grid).sum() / total
    square = (weights * grid**2).sum() / total
    assert shrink_skill(Skill(ic, error)) == pytest.approx(Skill(mean, (square - mean**2) ** 0.5), rel=1e-6, abs=1e-12)


def test_what_may_be_noise_disappears_and_what_cannot_be_keeps_its_size() -> None:
    assert shrink_skill(Skill(0.02, 0.02)).ic < 0.25 * 0.02
    assert shrink_skill(Skill(0.10, 0.02)).ic > 0.8 * 0.10
    assert shrink_skill(Skill(0.9, 1e-4)).ic == pytest.approx(0.9, rel=1e-4), "no overflow where evidence is huge"


def test_what_a_model_showed_is_shrunk_and_outweighed_by_what_it_is_worth_live() -> None:
    shown = {"ic": 0.1, "ic_error": 0.02}
    before = believe_in(shown, None)
    assert 0 < before.ic < 0.1
    after = believe_in(shown, Skill(0.0, 0.01))
    assert 0 < after.ic < before.ic / 2
    assert believe_in(shown, Skill(-0.5, 0.01)).ic == 0.0
    assert believe_in(None, None).ic == 0.0
    assert believe_in({"ic": None, "ic_error": None}, None).ic == 0.0


def test_skill_is_read_from_the_registry_and_from_live_metrics() -> None:
    metrics = json.dumps({"ensemble": {"figures": {"5": {"ic": 0.1, "ic_error": 0.02}}}})
    registry = pl.DataFrame({"model_id": ["m", "other"], "member": ["ridge", "ridge"], "metrics": [metrics, "{}"]})
    assert read_registered(registry, "m") == {5: {"ic": 0.1, "ic_error": 0.02}}
    assert (
        read_registered(registry, None) == read_registered(registry, "gone") == read_registered(registry, "other") == {}
    )
    rows = pl.concat(
        [skill(DAYS[0], 0.02, 0.0), skill(DAYS[1], 0.08, 0.04), skill(DAYS[1], 0.5, 0.4, horizon=20, verdict="too few")]
    )
    assert list(read_live(rows)) == [5]
    assert read_live(rows)[5] == pytest.approx(Skill(0.08, 0.08 / (2 * 1.96)))
    assert read_live(FEEDBACK_METRICS.empty()) == {}


def test_scores_are_deviations_among_the_names_and_forecasts_alike_stand_out_nowhere() -> None:
    points = np.array([0.05, 0.01, 0.0, -0.01, -0.05, np.nan])
    scores = score_names(points, np.full(6, 0.05))
    assert scores[:5].mean() == pytest.approx(0.0, abs=1e-12)
    assert scores[5] == 0.0
    assert np.all(np.diff(scores[:5]) < 0)
    assert not score_names(np.full(6, 0.01), np.full(6, 0.05)).any()
    assert not score_names(points[:4], np.full(4, 0.05)).any(), "four names are too few"
    wild = np.append(np.zeros(40), 1.0)
    assert score_names(wild, np.full(41, 0.05)).max() == MAX_SCORE


def test_a_half_life_is_told_from_how_alike_a_signal_is_to_itself() -> None:
    rng = np.random.default_rng(0)
    now, noise = rng.normal(size=(2, 20_000))
    then = 0.5 * now + 0.75**0.5 * noise
    assert measure_half_life([(3, then)], now, 5) == pytest.approx(3.0, rel=0.1)
    assert measure_half_life([], now, 5) == 5.0
    assert measure_half_life([(1, noise)], noise, 5) == 250.0


def test_a_signal_earns_what_is_left_of_it_in_the_holding_period() -> None:
    missed = 2 ** (-DELAY / 5)
    assert carry(5, 5, 5.0) == pytest.approx(missed)
    assert carry(5, 10, 5.0) == pytest.approx(1.5 * missed)
    assert carry(20, 5, 1e6) == pytest.approx(0.25, rel=1e-4)


def test_horizons_are_averaged_by_the_evidence_for_them() -> None:
    scores = {1: np.array([1.0, -1.0]), 5: np.array([1.0, -1.0])}
    sigmas = {1: np.array([0.02, 0.02]), 5: np.array([0.04, np.nan])}
    skills = {1: Skill(0.04, 0.01), 5: Skill(0.04, 0.02)}
    one, five = combine_signals(scores, sigmas, {1: 5.0, 5: 5.0}, skills, holding=5, version=1)
    assert (one.weight, five.weight) == pytest.approx((0.8, 0.2))
    assert five.alphas == pytest.approx([0.04 * 0.04 * 2 ** (-DELAY / 5), 0.0])
    none = combine_signals(scores, sigmas, {1: 5.0, 5: 5.0}, dict.fromkeys((1, 5), Skill(0.0, 0.05)), holding=5)
    assert [signal.weight for signal in none] == [0.0, 0.0]


@pytest.mark.parametrize(("holding", "counts"), [(5, {1: 0.2, 5: 1.0, 20: 0.25}), (20, {1: 0.05, 5: 0.25, 20: 1.0})])
def test_evidence_of_another_period_counts_as_far_as_returns_of_both_are_alike(
    holding: int, counts: dict[int, float]
) -> None:
    rng = np.random.default_rng(3)
    moves = rng.normal(size=(20_000, 20)).cumsum(axis=1)
    alike = {horizon: np.corrcoef(moves[:, horizon - 1], moves[:, holding - 1])[0, 1] ** 2 for horizon in counts}
    assert alike == pytest.approx(counts, abs=0.03)
    ones, skills = np.array([1.0, -1.0]), dict.fromkeys(counts, Skill(0.04, 0.01))
    signals = combine_signals(
        dict.fromkeys(counts, ones), dict.fromkeys(counts, ones), dict.fromkeys(counts, 5.0), skills, holding
    )
    total = sum(counts.values())
    assert {one.horizon: one.weight for one in signals} == pytest.approx({at: n / total for at, n in counts.items()})


def test_a_factor_model_finds_beta_sector_and_what_is_left() -> None:
    rng = np.random.default_rng(1)
    market, tech = rng.normal(0, 0.01, 4_000), rng.normal(0, 0.005, 4_000)
    betas = np.linspace(0.5, 1.5, 10)
    returns = market[:, None] * betas + rng.normal(0, 0.02, (4_000, 10))
    returns[:, :5] += tech[:, None]
    sectors = ["tech"] * 5 + ["energy"] * 5
    risk = model_risk(returns, np.ones(10, dtype=bool), sectors)
    assert np.corrcoef(risk.beta, betas)[0, 1] > 0.95
    assert risk.market == pytest.approx(1e-4, rel=0.5)
    assert risk.sector[0] > risk.sector[9]
    assert risk.specific == pytest.approx(np.full(10, 4e-4), rel=0.35)


def test_a_name_of_which_little_is_known_is_one_like_the_others() -> None:
    rng = np.random.default_rng(2)
    returns = rng.normal(0, 0.02, (60, 6))
    returns[: 60 - MIN_OBSERVATIONS + 1, 5] = np.nan
    risk = model_risk(returns, np.ones(6, dtype=bool), ["tech"] * 5 + [None])
    assert risk.beta[5] == 1.0
    assert risk.specific[5] == pytest.approx(np.median(risk.specific[:5]), rel=0.25)
    assert risk.sector[5] == 0.0
    empty = model_risk(np.empty((0, 2)), np.ones(2, dtype=bool), [None, None])
    assert np.isfinite(empty.specific).all()
    assert log(empty.market) < 0

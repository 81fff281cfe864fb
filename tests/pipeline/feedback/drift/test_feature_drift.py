"""Whether inputs still lie where they lay in training: found where they moved, seldom where they did not."""

from __future__ import annotations

from datetime import date
from typing import Any

import numpy as np
import polars as pl
import pytest

from lake.tables.feedback import FEATURE_DRIFT
from lake.tables.models import MODEL_REGISTRY
from pipeline.feedback.drift.distributions import TENTHS, compare_gap, measure_stability
from pipeline.feedback.drift.feature_drift import feature_drift
from pipeline.feedback.params import FeedbackParams
from pipeline.feedback.statistics import dependent_false_discovery_rates, false_discovery_rates
from pipeline.models.profile.registry_columns import store_profile
from pipeline.models.profile.training_rows import STRETCH, TrainingProfile, count_below, describe_rows, measure_gap
from tests.frames.features import CALENDAR, feature_rows, moment, universe

TICKERS = 12
NAMES = ("return_1", "rsi_14", "beta_60", "sentiment_1")
MODEL = "m-20210301-00000000"


def walk(sessions: int, seed: int, persistence: float = 0.9) -> np.ndarray:
    """Values that move together and hardly change from day to day, [sessions, tickers]."""
    random = np.random.default_rng(seed)
    common, own = random.normal(size=(sessions, 1)), random.normal(size=(sessions, TICKERS))
    for at in range(1, sessions):
        common[at] = persistence * common[at - 1] + np.sqrt(1 - persistence**2) * common[at]
    return common + own


def profile(values: list[np.ndarray], warm_up: int = 20) -> TrainingProfile:
    session = np.repeat(np.arange(len(values[0])), TICKERS)
    return describe_rows([one.ravel() for one in values], session, dict.fromkeys(NAMES[: len(values)], warm_up))


def test_a_month_like_those_of_training_is_seldom_called_different_though_its_rows_are_no_sample() -> None:
    ps = []
    for seed in range(150):
        values = walk(620, seed)
        trained = profile([values[:600]])
        gap = measure_gap(count_below(values[600:].ravel(), trained.quantiles[0]), trained.below[0])
        p = compare_gap(gap, trained.gap_mean[0], trained.gap_deviation[0], trained.stretches[0])
        assert p is not None
        ps.append(p)
    assert 0.01 <= np.mean(np.array(ps) < 0.05) <= 0.10
    assert 0.3 <= np.mean(np.array(ps) < 0.5) <= 0.7


def test_the_stability_index_is_its_definition() -> None:
    then, now = np.array(range(1, 10)) / 10, np.cumsum([0.05, 0.05, *[0.1] * 7])
    shares = [0.05, 0.05, *[0.1] * 7, 0.2]
    wanted = sum((a - 0.1) * np.log(a / 0.1) for a in shares)
    assert measure_stability(now, then) == pytest.approx(wanted)
    assert measure_stability(then, then) == 0.0
    assert measure_stability(np.ones(9), then) == pytest.approx(0.9 * np.log(10) + 9 * (0.1 - 1e-4) * np.log(1000))
    assert len(TENTHS) == 9


def test_few_months_test_nothing() -> None:
    assert compare_gap(0.5, np.nan, np.nan, 20.0) is None
    assert compare_gap(0.5, -2.0, 0.3, 2.9) is None
    assert compare_gap(0.5, -2.0, 0.0, 3.0) == pytest.approx(0.0, abs=0.01)


def test_rates_hold_however_the_tests_depend_on_each_other() -> None:
    p = np.array([0.001, 0.2, 0.01, 0.9])
    harmonic = 1 + 1 / 2 + 1 / 3 + 1 / 4
    assert dependent_false_discovery_rates(p) == pytest.approx(np.minimum(false_discovery_rates(p) * harmonic, 1))
    assert dependent_false_discovery_rates(np.array([])).size == 0


def registry(kept: TrainingProfile | None) -> pl.DataFrame:
    told: dict[str, Any] = {"profile": None, "distances": None} if kept is None else store_profile(kept)
    row = {"model_id": MODEL, "member": "ridge", "session": date(2021, 3, 1), **told}
    return pl.DataFrame([row], schema={name: MODEL_REGISTRY.schema[name] for name in row})


def measure(kept: TrainingProfile | None, now: list[np.ndarray], *, member: bool = True) -> pl.DataFrame:
    days = CALENDAR.days[300 : 300 + STRETCH]
    tickers = [f"T{number:03d}" for number in range(TICKERS)]
    rows = feature_rows(tickers, list(days)).sort("session", "ticker")
    rows = rows.with_columns(
        pl.Series(name, one.ravel(), dtype=pl.Float32) for name, one in zip(NAMES, now, strict=True)
    )
    promotions = pl.DataFrame({"session": [days[0]], "model_id": [MODEL], "champion": [MODEL]})
    found = feature_drift(
        rows,
        universe(tickers, list(days), member=member),
        registry(kept),
        promotions,
        moment(days[-1]),
        FeedbackParams(),
    )
    return FEATURE_DRIFT.check(found)


def test_inputs_that_moved_are_found_and_no_others() -> None:
    past = [walk(600, seed, persistence=0.0) for seed in range(4)]
    now = [walk(STRETCH, 10 + seed, persistence=0.0) for seed in range(4)]
    now[1] = now[1] + 3
    now[3] = now[3] * 0.1
    told = measure(profile(past), now)
    assert told["feature"].to_list() == sorted(NAMES)
    verdicts = dict(told.select("feature", "verdict").iter_rows())
    assert verdicts == {"return_1": "steady", "rsi_14": "drifted", "beta_60": "steady", "sentiment_1": "drifted"}
    assert (told["gap"] >= 0).all() and (told["n"] == STRETCH * TICKERS).all()


def test_without_rows_of_members_nothing_is_said_of_any_input() -> None:
    past = [walk(600, seed) for seed in range(4)]
    told = measure(profile(past), [walk(STRETCH, 9)] * 4, member=False)
    assert set(told["verdict"]) == {"too few"}
    assert told["gap"].null_count() == told.height == 4


def test_a_model_of_before_gives_no_rows() -> None:
    assert measure(None, [walk(STRETCH, 9)] * 4).is_empty()

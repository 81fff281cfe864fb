"""What feedback learned reaches the forecasts it is about, and no others."""

from __future__ import annotations

import polars as pl
import pytest

from lake.tables.feedback import BIAS_FLAGS, FEEDBACK_METRICS
from pipeline.prediction.corrections import bias_adjustments, interval_scales, measured_skill
from pipeline.prediction.params import PredictionParams
from tests.frames.feedback import flags, metric_rows
from tests.frames.market import CALENDAR, DAY

PARAMS = PredictionParams()
YESTERDAY = CALENDAR.previous(DAY)


def added(bias_flags: pl.DataFrame) -> list[list[float]]:
    return bias_adjustments(bias_flags, ["AAA", "BBB"], ["tech", "energy"], (1, 5)).tolist()


def test_adjustments_of_all_the_sector_and_the_ticker_add_up() -> None:
    active = flags(
        {"adjustment": 0.01},
        {"scope": "sector", "slice": "tech", "adjustment": 0.002},
        {"scope": "ticker", "slice": "AAA", "adjustment": -0.0005},
        {"scope": "ticker", "slice": "BBB", "horizon": 5, "adjustment": 0.003},
    )
    assert added(active) == [pytest.approx([0.0115, 0.0]), pytest.approx([0.01, 0.003])]


def test_a_flag_that_is_not_active_adjusts_nothing() -> None:
    assert added(flags({"active": False, "adjustment": 0.0})) == [[0.0, 0.0], [0.0, 0.0]]


def test_only_the_latest_sessions_flags_speak() -> None:
    retired = flags({"session": YESTERDAY}, {"session": DAY, "active": False, "adjustment": 0.0})
    assert added(retired) == [[0.0, 0.0], [0.0, 0.0]]


def test_a_ticker_named_like_a_sector_is_not_taken_for_it() -> None:
    assert added(flags({"scope": "sector", "slice": "AAA"})) == [[0.0, 0.0], [0.0, 0.0]]


def test_before_any_feedback_nothing_is_corrected() -> None:
    assert added(BIAS_FLAGS.empty()) == [[0.0, 0.0], [0.0, 0.0]]
    assert interval_scales(FEEDBACK_METRICS.empty(), (1, 5), PARAMS).tolist() == [1.0, 1.0]
    assert measured_skill(FEEDBACK_METRICS.empty(), (1,), PARAMS).tolist() == [PARAMS.unmeasured_skill]


@pytest.mark.parametrize(("learned", "applied"), [(1.3, 1.3), (7.0, 2.0), (0.1, 0.5)])
def test_the_learned_scale_is_taken_over_within_bounds(learned: float, applied: float) -> None:
    metrics = metric_rows({"metric": "interval_scale", "value": learned, "verdict": "learned"})
    assert interval_scales(metrics, (1, 5), PARAMS).tolist() == [applied, 1.0]


@pytest.mark.parametrize(
    ("value", "low", "high", "skill"),
    [(0.05, 0.01, 0.09, 0.986), (0.01, -0.03, 0.05, 0.376), (-0.02, -0.06, 0.02, 0.0), (0.05, None, None, 0.25)],
)
def test_measured_skill_is_how_sure_its_interval_makes_us(
    value: float, low: float | None, high: float | None, skill: float
) -> None:
    metrics = metric_rows({"value": value, "low": low, "high": high})
    assert measured_skill(metrics, (1,), PARAMS)[0] == pytest.approx(skill, abs=0.001)


def test_intervals_have_the_width_of_the_regime_they_are_made_in() -> None:
    learned = {"metric": "interval_scale", "verdict": "learned"}
    metrics = metric_rows(
        learned | {"value": 1.1},
        learned | {"value": 1.2, "horizon": 5},
        learned | {"value": 1.6, "scope": "regime", "slice": "stressed"},
    )
    assert interval_scales(metrics, (1, 5), PARAMS, "stressed").tolist() == [1.6, 1.2]
    assert interval_scales(metrics, (1, 5), PARAMS, "calm").tolist() == [1.1, 1.2]
    assert interval_scales(metrics, (1, 5), PARAMS).tolist() == [1.1, 1.2]

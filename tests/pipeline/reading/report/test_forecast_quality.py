"""Forecasts are judged over the span by the console's own measures, and skill without significance is none."""

from datetime import date

import polars as pl

from lake.tables.feedback import SESSION_SCORES
from pipeline.feedback.params import MetricParams
from pipeline.reading.report.forecast_quality import ForecastQuality, measure_forecasts
from tests.frames.sessions import weekday_sessions
from tests.nextgen_tui.lakes import rows
from tests.pipeline.reading.report.conftest import score

WEEKDAYS = weekday_sessions(date(2022, 1, 3), date(2022, 3, 31)).days


def measured(frame: pl.DataFrame, horizon: int = 1) -> ForecastQuality:
    return measure_forecasts(frame, WEEKDAYS[-1], horizon, "m-1", 1, MetricParams())


def test_skill_is_the_ratio_of_all_sums_of_the_span() -> None:
    days = WEEKDAYS[:40]
    scores = rows(SESSION_SCORES, *[score(day, 1, pinball=0.09 if n % 2 else 0.05) for n, day in enumerate(days)])
    quality = measured(scores)
    skill = {one.metric: one for one in quality.skills}
    assert round(skill["pinball_skill"].value, 12) == 0.3
    assert skill["pinball_skill"].finding == "better than naive"
    assert (skill["hit_rate"].value, skill["hit_rate"].naive, skill["hit_rate"].n) == (0.6, 0.5, 400)
    assert [(one.stated, one.measured) for one in quality.coverages] == [(0.5, 0.5), (0.8, 0.8), (0.9, 0.9)]
    assert "quantile skill +30.00 % (95 % " in quality.sentence


def test_too_few_sessions_show_no_skill_however_good_they_look() -> None:
    quality = measured(rows(SESSION_SCORES, *[score(day, 1) for day in WEEKDAYS[:5]]))
    assert {one.finding for one in quality.skills} == {"too few to say"}
    assert "quantile skill +20.00 %, too few to say" in quality.sentence


def test_what_a_naive_forecast_did_is_no_claim() -> None:
    quality = measured(rows(SESSION_SCORES, *[score(day, 1, role="naive") for day in WEEKDAYS[:40]]))
    assert not quality.skills
    assert quality.coverages
    assert quality.sentence.startswith("No skill is claimed")


def test_nothing_due_is_told_as_that() -> None:
    none = rows(SESSION_SCORES, score(WEEKDAYS[0], 1)).clear()
    assert measured(none).sentence.startswith("No forecast has fallen due yet")
    some = rows(SESSION_SCORES, *[score(day, 1) for day in WEEKDAYS[:5]])
    assert measured(some, horizon=20).sentence.startswith("No forecast over 20 sessions")

"""Training is asked for on evidence, with the figures, and not again at once."""

from __future__ import annotations

from datetime import date
from typing import Any

import polars as pl
import pytest

from lake.tables.feedback import RETRAIN_CANDIDATES
from lake.tables.models import TRAINING_ATTEMPTS
from pipeline.feedback import retrain_candidates
from pipeline.feedback.params import FeedbackParams, RetrainParams
from pipeline.feedback.retrain_candidates import training_due
from pipeline.text_format import change
from tests.frames import models
from tests.frames.feedback import Tables, at, flags, lessons, metric_rows, run

CALENDAR = models.CALENDAR


@pytest.fixture(scope="module")
def registry() -> pl.DataFrame:
    """A small trained ensemble."""
    return models.trained(models.market(signal=0.3))


def found(tables: Tables, session: date) -> dict[str, dict[str, Any]]:
    moment = at(session, calendar=CALENDAR)
    return {row["reason"]: row for row in run(retrain_candidates.STAGE, tables, moment).to_dicts()}


def champion(registry: pl.DataFrame, **others: pl.DataFrame) -> tuple[Tables, date]:
    """A lake whose champion is the registered model, and the session it was trained at."""
    trained_at: date = registry["session"][0]
    promoted = models.promotions(registry["model_id"][0], trained_at)
    return {"model_registry": registry, "model_promotions": promoted} | others, trained_at


def later(session: date, sessions: int) -> date:
    return CALENDAR.offset(session, sessions)


def test_training_is_due_while_there_is_no_model() -> None:
    reasons = found({}, later(CALENDAR.days[0], 50))
    assert reasons["no_model"]["due"]
    assert reasons["no_model"]["model_id"] == "none"


def test_a_training_without_a_winner_is_not_repeated_before_the_cool_down(registry: pl.DataFrame) -> None:
    trained_at: date = registry["session"][0]
    tables = {"model_registry": registry, "model_promotions": models.promotions(None, trained_at)}
    assert not found(tables, later(trained_at, 19))["no_model"]["due"]
    assert "19 of 20 sessions" in found(tables, later(trained_at, 19))["no_model"]["evidence"]
    assert found(tables, later(trained_at, 20))["no_model"]["due"]


def attempt(session: date, **values: object) -> pl.DataFrame:
    legal = {
        "session": session,
        "outcome": "enough",
        "model_id": None,
        "labelled_sessions": 300,
        "windows": 9_000,
        "lacking_sessions": 0,
        "reason": "there is enough to train on",
    }
    return TRAINING_ATTEMPTS.check(pl.DataFrame([legal | values], schema=TRAINING_ATTEMPTS.schema))


def test_a_training_that_registered_nothing_counts_for_the_cool_down() -> None:
    day = CALENDAR.days[100]
    tables = {"training_attempts": attempt(day)}
    assert not found(tables, later(day, 19))["no_model"]["due"]
    assert found(tables, later(day, 20))["no_model"]["due"]


@pytest.mark.parametrize(("lacking", "wait"), [(3, 3), (45, 45), (200, 60)])
def test_where_history_was_lacking_training_waits_for_as_much_and_says_so(lacking: int, wait: int) -> None:
    day = CALENDAR.days[100]
    reason = "205 sessions with known outcomes, 250 are needed"
    tables = {
        "training_attempts": attempt(day, outcome="short_history", lacking_sessions=lacking, reason=reason),
    }
    evidence = found(tables, later(day, wait - 1))["no_model"]["evidence"]
    assert f"{wait - 1} of {wait} sessions since the last training, which registered nothing: {reason}" in evidence
    assert not found(tables, later(day, wait - 1))["no_model"]["due"]
    assert found(tables, later(day, wait))["no_model"]["due"]


def test_runs_of_earlier_programs_counted_registered_models_alone(registry: pl.DataFrame) -> None:
    trained_at: date = registry["session"][0]
    tables = {
        "model_registry": registry,
        "model_promotions": models.promotions(None, trained_at),
        "training_attempts": attempt(later(trained_at, 10)),
    }
    earlier = FeedbackParams(retrain=RetrainParams(counts=1))
    moment = at(later(trained_at, 20), calendar=CALENDAR)
    assert run(retrain_candidates.STAGE, tables, moment, earlier)["due"].to_list() == [True]
    assert run(retrain_candidates.STAGE, tables, moment)["due"].to_list() == [False]


def test_a_champion_of_another_feature_set_counts_as_none(registry: pl.DataFrame) -> None:
    tables, trained_at = champion(registry.with_columns(feature_set=pl.lit("f0")))
    assert found(tables, later(trained_at, 30))["no_model"]["due"]


def test_age_speaks_for_training_after_a_quarter(registry: pl.DataFrame) -> None:
    tables, trained_at = champion(registry)
    assert not found(tables, later(trained_at, 60))["age"]["due"]
    assert found(tables, later(trained_at, 61))["age"]["due"]


@pytest.mark.parametrize(("value", "due"), [(0.02, False), (-0.05, True)])
def test_skill_that_fell_behind_what_the_court_saw_speaks_for_training(
    registry: pl.DataFrame, value: float, due: bool
) -> None:
    tables, trained_at = champion(registry)
    session = later(trained_at, 30)
    tables["feedback_metrics"] = metric_rows(
        {
            "session": session,
            "scope": "model",
            "slice": registry["model_id"][0],
            "metric": "pinball_skill",
            "value": value,
            "low": value - 0.01,
            "high": value + 0.01,
        }
    )
    row = found(tables, session)["skill_loss"]
    assert row["due"] == due
    assert f"{change(value)} live against +3.00 % before promotion" in row["evidence"]


@pytest.mark.parametrize(("low", "high", "due"), [(0.86, 0.92, False), (0.70, 0.80, True), (0.96, 0.99, True)])
def test_intervals_that_miss_their_coverage_speak_for_training(
    registry: pl.DataFrame, low: float, high: float, due: bool
) -> None:
    tables, trained_at = champion(registry)
    session = later(trained_at, 30)
    row = {"session": session, "metric": "coverage_90", "value": (low + high) / 2, "low": low, "high": high}
    tables["feedback_metrics"] = metric_rows(row)
    assert found(tables, session)["coverage"]["due"] == due


@pytest.mark.parametrize(("t", "due"), [(-3.0, False), (-6.0, True)])
def test_a_bias_that_a_correction_should_not_carry_speaks_for_training(
    registry: pl.DataFrame, t: float, due: bool
) -> None:
    tables, trained_at = champion(registry)
    session = later(trained_at, 30)
    tables["bias_flags"] = flags({"session": session, "t": t})
    assert found(tables, session)["bias"]["due"] == due


@pytest.mark.parametrize(("shift", "due"), [(0.0, False), (3.0, True)])
def test_inputs_unlike_the_training_rows_speak_for_training(registry: pl.DataFrame, shift: float, due: bool) -> None:
    tables, trained_at = champion(registry)
    session = later(trained_at, 30)
    known = models.market(signal=0.3).feature_rows
    recent = known.filter(pl.col("session") > later(trained_at, -40)).with_columns(
        session=pl.col("session").replace_strict(
            {later(trained_at, n): later(trained_at, n + 30) for n in range(-40, 1)}, return_dtype=pl.Date
        ),
        return_1=pl.col("return_1") + shift,
        return_5=pl.col("return_5") + shift,
        rsi_14=pl.col("rsi_14") + shift,
    )
    tables["feature_rows"] = recent
    row = found(tables, session)["drift"]
    assert row["due"] == due
    assert row["statistic"] == pytest.approx(0.6 * shift, abs=0.3)


def test_a_slice_that_is_better_off_without_the_model_speaks_for_training(registry: pl.DataFrame) -> None:
    tables, trained_at = champion(registry)
    session = later(trained_at, 30)
    on_trial = {"session": session, "kind": "exclusion", "size": 1.0, "insight_id": "x", "arm": "week"}
    assert "excluded" not in found(tables | {"slice_lessons": lessons(on_trial)}, session)
    reason = found(tables | {"slice_lessons": lessons(on_trial | {"arm": "all"})}, session)["excluded"]
    assert reason["due"] and "sector tech over 1 session" in reason["evidence"]


def test_the_runner_trains_when_any_reason_of_the_latest_session_is_due() -> None:
    def candidate(session: date, due: bool) -> dict[str, Any]:
        return {
            "session": session,
            "model_id": "none",
            "reason": "no_model",
            "statistic": 1.0,
            "threshold": 0.0,
            "due": due,
            "evidence": "",
        }

    def due(*rows: dict[str, Any]) -> bool:
        return training_due(pl.DataFrame(list(rows), schema=RETRAIN_CANDIDATES.schema))

    early, late = CALENDAR.days[0], CALENDAR.days[1]
    assert not due()
    assert due(candidate(early, False), candidate(late, True))
    assert not due(candidate(early, True), candidate(late, False))

"""An insight lives from evidence to verdict, and a verdict of harm takes the adjustment away."""

from __future__ import annotations

from datetime import date
from typing import Any

import numpy as np
import polars as pl
import pytest

from pipeline.feedback import bias, insights
from pipeline.feedback.learning import register
from pipeline.feedback.params import FeedbackParams
from tests.frames import models
from tests.frames.feedback import (
    Tables,
    accuracy,
    at,
    flags,
    insight_rows,
    metric_rows,
    run,
    run_and_keep,
    scores,
)
from tests.frames.market import CALENDAR, DAY


def day(after: int) -> date:
    return CALENDAR.offset(DAY, after)


EARLIER = FeedbackParams(learning=1)
"""As earlier programs learned: every slice tested anew each session, without hypotheses and control arms."""


def lives(tables: Tables, first: int, last: int, params: FeedbackParams = EARLIER) -> list[tuple[int, str, str]]:
    """Run the stage over sessions; (session, status, effect) of each step."""
    for n in range(first, last + 1):
        run_and_keep(insights.STAGE, tables, at(day(n)), params)
    rows = tables["learning_insights"].sort("session").to_dicts()
    return [(CALENDAR.distance(DAY, row["session"]), row["status"], row["effect"]) for row in rows]


def flagged(last: int, **values: Any) -> pl.DataFrame:
    """The same active flag at every session from DAY on; its adjustments are scored a session after they are made."""
    return flags(
        *(
            {
                "session": day(n),
                "adjusted_n": max(n - 1, 0) * 10,
                "adjusted_error": 0.001 if n > 1 else None,
                "unadjusted_error": 0.011 if n > 1 else None,
            }
            | values
            for n in range(last + 1)
        )
    )


def test_a_bias_insight_is_opened_acted_on_measured_and_retired() -> None:
    tables = {"bias_flags": flagged(20)}
    assert lives(tables, 0, 22) == [
        (0, "open", "pending"),
        (1, "acted", "pending"),
        (16, "measured", "helped"),
        (21, "retired", "helped"),
    ]
    measured = tables["learning_insights"].filter(pl.col("status") == "measured").to_dicts()[0]
    assert (measured["before"], measured["after"], measured["n"]) == (0.01, 0.001, 150)
    assert measured["insight_id"] == "bias:all:all:1:2020-03-04"


@pytest.mark.parametrize(
    ("unadjusted", "adjusted", "effect"),
    [(0.010, 0.001, "helped"), (0.010, 0.009, "no effect"), (0.001, -0.009, "hurt"), (-0.01, 0.011, "no effect")],
)
def test_the_effect_compares_the_error_with_what_it_would_have_been(
    unadjusted: float, adjusted: float, effect: str
) -> None:
    tables = {"bias_flags": flagged(17, unadjusted_error=unadjusted, adjusted_error=adjusted)}
    assert lives(tables, 0, 16)[-1] == (16, "measured", effect)


def test_a_quiet_session_writes_nothing() -> None:
    tables = {"bias_flags": flagged(10)}
    lives(tables, 0, 5)
    assert run(insights.STAGE, tables, at(day(6)), EARLIER).is_empty()


def test_a_flag_that_comes_back_opens_another_insight() -> None:
    tables = {"bias_flags": pl.concat([flagged(2), flags({"session": day(8)})])}
    lives(tables, 0, 8)
    ids = tables["learning_insights"]["insight_id"].unique().sort().to_list()
    assert ids == [f"bias:all:all:1:{day(0)}", f"bias:all:all:1:{day(8)}"]


def biased(sessions: int, last: date) -> pl.DataFrame:
    """Forecasts of eight tickers that were 1 % too high, give or take."""
    random = np.random.default_rng(0)
    return accuracy(
        *(
            {
                "session": CALENDAR.offset(last, -n),
                "ticker": f"T{k}",
                "point": 0.01,
                "realised": float(random.normal(0, 0.004)),
            }
            for n in range(sessions)
            for k in range(8)
        )
    )


def overall(tables: Tables, session: date) -> dict[str, Any]:
    [row] = run(bias.STAGE, tables, at(session), EARLIER).filter(pl.col("scope") == "all").to_dicts()
    return row


def test_an_adjustment_that_was_measured_to_hurt_is_not_made_again_for_a_while() -> None:
    hurt = insight_rows({"session": day(-10), "status": "measured", "effect": "hurt"})
    tables = {"prediction_accuracy": biased(40, day(60))}
    assert overall(tables, day(60))["active"]
    assert not overall({"prediction_accuracy": biased(40, DAY), "learning_insights": hurt}, DAY)["active"]
    assert overall(tables | {"learning_insights": hurt}, day(60))["active"]


def test_harm_on_one_slice_bars_no_other() -> None:
    hurt = insight_rows({"session": day(-10), "status": "measured", "effect": "hurt", "horizon": 5})
    assert overall({"prediction_accuracy": biased(40, DAY), "learning_insights": hurt}, DAY)["active"]


def test_the_adjustment_is_the_mean_error_shrunk_and_within_its_cap() -> None:
    row = overall({"prediction_accuracy": biased(40, DAY)}, DAY)
    assert row["mean_error"] == pytest.approx(-0.01, abs=0.001)
    assert abs(row["adjustment"]) < abs(row["mean_error"])
    small = biased(40, DAY).with_columns(sigma=pl.lit(0.004))
    assert overall({"prediction_accuracy": small}, DAY)["adjustment"] == pytest.approx(-0.002)


def test_errors_are_judged_as_if_nothing_had_been_adjusted() -> None:
    corrected = biased(40, DAY).with_columns(pl.col("error") + 0.01, bias_adjustment=pl.lit(0.01))
    row = overall({"prediction_accuracy": corrected}, DAY)
    assert row["mean_error"] == pytest.approx(overall({"prediction_accuracy": biased(40, DAY)}, DAY)["mean_error"])
    assert row["active"]


def test_what_is_left_after_an_adjustment_is_told_beside_what_there_would_have_been() -> None:
    active = flags(*({"session": day(-n), "adjustment": -0.008} for n in range(1, 21)))
    row = overall({"prediction_accuracy": biased(40, DAY), "bias_flags": active}, DAY)
    assert row["adjusted_n"] == 19 * 8  # made from the second session on, scored up to this one
    assert row["unadjusted_error"] == pytest.approx(-0.01, abs=0.001)
    assert row["adjusted_error"] == pytest.approx(row["unadjusted_error"] + 0.008)


@pytest.mark.parametrize("sessions", [19, 20])
def test_too_few_sessions_flag_nothing(sessions: int) -> None:
    row = overall({"prediction_accuracy": biased(sessions, DAY)}, DAY)
    assert row["active"] == (sessions >= 20)


def test_shadow_forecasts_flag_nothing() -> None:
    shadow = biased(40, DAY).with_columns(role=pl.lit("shadow"))
    assert run(bias.STAGE, {"prediction_accuracy": shadow}, at(), EARLIER).is_empty()
    assert run(register.STAGE, {"prediction_accuracy": shadow}, at()).is_empty()


def scaled(first: int, last: int, scale: float) -> pl.DataFrame:
    rows = (
        {"session": day(n), "metric": "interval_scale", "value": scale, "verdict": "learned"}
        for n in range(first, last + 1)
    )
    return metric_rows(*rows)


def covered(first: int, last: int, inside: int) -> pl.DataFrame:
    return scores(*({"session": day(n), "inside_90": inside} for n in range(first, last + 1)))


def test_an_interval_insight_is_measured_by_the_coverage_since() -> None:
    tables = {
        "feedback_metrics": pl.concat([scaled(0, 18, 1.5), scaled(19, 19, 1.02)]),
        "session_scores": pl.concat([covered(-20, 1, inside=7), covered(2, 19, inside=9)]),
    }
    assert lives(tables, 0, 19, FeedbackParams()) == [
        (0, "open", "on trial"),
        (1, "acted", "on trial"),
        (16, "measured", "helped"),
        (19, "retired", "helped"),
    ]
    assert set(tables["learning_insights"]["readers"]) == {"predict: the scale of all intervals"}
    measured = tables["learning_insights"].filter(pl.col("status") == "measured").to_dicts()[0]
    assert measured["before"] == pytest.approx(-0.2)
    assert measured["after"] == pytest.approx(0.0)


def test_lost_skill_is_acted_on_by_a_new_champion_and_measured_by_its_own_scores() -> None:
    def skill(n: int, scope: str, name: str, value: float, verdict: str) -> dict[str, Any]:
        figures = {"value": value, "low": value - 0.01, "high": value + 0.01, "verdict": verdict}
        return {"session": day(n), "scope": scope, "slice": name, "metric": "pinball_skill", **figures}

    tables = {
        "feedback_metrics": metric_rows(
            *(skill(n, "all", "all", -0.04, "worse") for n in range(12)),
            *(skill(n, "model", "m-new", 0.02, "skill") for n in range(8, 12)),
        ),
        "model_promotions": models.promotions("m-new", day(3)),
    }
    steps = lives(tables, 0, 11, FeedbackParams())
    assert steps[:3] == [(0, "open", "on trial"), (4, "acted", "on trial"), (8, "retired", "helped")]

    unmeasured = {"feedback_metrics": metric_rows(skill(0, "all", "all", -0.04, "worse"))}
    better = metric_rows(skill(1, "all", "all", 0.04, "skill"))
    unmeasured["feedback_metrics"] = pl.concat([unmeasured["feedback_metrics"], better])
    assert lives(unmeasured, 0, 1, FeedbackParams()) == [(0, "open", "on trial"), (1, "retired", "expired")]

"""Trailing figures come from sums, say how sure they are, and claim nothing on too little."""

from __future__ import annotations

from datetime import date
from typing import Any

import numpy as np
import polars as pl
import pytest

from lake.tables.feedback import SESSION_SCORES
from pipeline.feedback import daily_scores, metrics
from pipeline.feedback.params import FeedbackParams, IntervalParams, MetricParams
from tests.frames.feedback import accuracy, at, run, scores
from tests.frames.market import CALENDAR, DAY


def day(after: int) -> date:
    return CALENDAR.offset(DAY, after)


def figure(rows: pl.DataFrame, metric: str, scope: str = "all", name: str = "all") -> dict[str, Any]:
    [row] = rows.filter(
        (pl.col("metric") == metric) & (pl.col("scope") == scope) & (pl.col("slice") == name)
    ).to_dicts()
    return row


def measured(*rows: dict[str, Any], session: date) -> pl.DataFrame:
    return run(metrics.STAGE, {"session_scores": scores(*rows)}, at(session))


def history(sessions: int, **values: Any) -> list[dict[str, Any]]:
    """Equal sums for so many sessions, the last one at DAY."""
    return [{"session": day(1 + n - sessions)} | values for n in range(sessions)]


def test_a_sessions_scores_are_summed_per_slice() -> None:
    rows = accuracy(
        {"ticker": "AAA", "sector": "tech", "point": 0.01, "realised": 0.03},
        {"ticker": "BBB", "sector": "tech", "point": 0.02, "realised": 0.01, "inside_90": False},
        {"ticker": "CCC", "sector": "energy", "point": 0.00, "realised": 0.05, "direction_hit": None},
    )
    found = run(daily_scores.STAGE, {"prediction_accuracy": rows}, at())
    everyone = found.filter(pl.col("scope") == "all").to_dicts()[0]
    assert everyone["n"] == 3
    assert everyone["error"] == pytest.approx(0.02 - 0.01 + 0.05)
    assert everyone["squared_error"] == pytest.approx(0.02**2 + 0.01**2 + 0.05**2)
    assert (everyone["hits"], everyone["directions"], everyone["inside_90"]) == (2, 2, 2)
    assert sum(everyone["scale_histogram"]) == 3
    assert found.filter(pl.col("scope") == "sector").select("slice", "n").rows() == [("energy", 1), ("tech", 2)]


def test_scores_are_summed_by_the_regime_they_were_forecast_in() -> None:
    rows = accuracy(
        {"ticker": "AAA", "traits": ["news:no", "regime:calm"]},
        {"ticker": "BBB", "traits": ["regime:calm"]},
        {"ticker": "CCC", "traits": ["news:no"]},
        {"ticker": "DDD"},
    )
    found = run(daily_scores.STAGE, {"prediction_accuracy": rows}, at())
    assert found.filter(pl.col("scope") == "regime").select("slice", "n").rows() == [("calm", 2)]
    earlier = FeedbackParams(intervals=IntervalParams(rule=1))
    assert "regime" not in run(daily_scores.STAGE, {"prediction_accuracy": rows}, at(), earlier)["scope"]


def test_a_few_names_have_no_rank_correlation_and_enough_have() -> None:
    names = [f"T{n}" for n in range(6)]
    rows = accuracy(*({"ticker": name, "point": 0.001 * n, "realised": 0.002 * n} for n, name in enumerate(names)))
    few = run(daily_scores.STAGE, {"prediction_accuracy": rows.head(4)}, at())
    enough = run(daily_scores.STAGE, {"prediction_accuracy": rows}, at())
    assert few["ic"].to_list() == [None, None]
    assert enough.filter(pl.col("scope") == "all")["ic"].to_list() == pytest.approx([1.0])


def test_a_late_score_is_kept_with_the_session_it_was_for() -> None:
    rows = accuracy({"ticker": "AAA"}, {"ticker": "BBB", "target_session": day(-2)})
    found = run(daily_scores.STAGE, {"prediction_accuracy": rows}, at())
    assert found.filter(pl.col("scope") == "all")["target_session"].to_list() == [day(-2), DAY]


def test_the_order_of_scores_changes_no_bit_of_the_sums() -> None:
    random = np.random.default_rng(0)
    rows = accuracy(*({"ticker": f"T{n:02d}", "realised": float(random.normal())} for n in range(40)))
    shuffled = rows.sample(fraction=1.0, shuffle=True, seed=1)
    one, other = (daily_scores.session_scores(frame, at(), FeedbackParams()) for frame in (rows, shuffled))
    assert SESSION_SCORES.check(one).equals(other)


def test_skill_is_the_share_of_the_naive_loss_that_is_saved() -> None:
    found = measured(*history(30), session=DAY)
    assert figure(found, "pinball_skill")["value"] == pytest.approx(0.1)
    assert figure(found, "mae_skill")["value"] == pytest.approx(0.1)
    assert figure(found, "pinball_skill")["verdict"] == "skill"
    assert figure(found, "hit_rate")["verdict"] == "no skill"
    assert figure(found, "coverage_80")["verdict"] == "calibrated"
    assert figure(found, "coverage_80")["baseline"] == 0.8
    assert figure(found, "ic")["n"] == 300


def test_figures_are_weighed_by_forecasts_not_by_sessions() -> None:
    rows = [*history(30), {"session": DAY, "target_session": day(-40), "n": 100, "inside_80": 0}]
    assert figure(measured(*rows, session=DAY), "coverage_80")["value"] == pytest.approx(240 / 400)


@pytest.mark.parametrize(("inside", "verdict"), [(5, "too narrow"), (10, "too wide"), (9, "calibrated")])
def test_coverage_is_judged_by_the_side_its_interval_lies_on(inside: int, verdict: str) -> None:
    assert figure(measured(*history(30, inside_90=inside), session=DAY), "coverage_90")["verdict"] == verdict


@pytest.mark.parametrize(
    ("horizon", "sessions", "enough"), [(1, 19, False), (1, 20, True), (20, 79, False), (20, 80, True)]
)
def test_nothing_is_claimed_on_too_few_sessions(horizon: int, sessions: int, enough: bool) -> None:
    row = figure(measured(*history(sessions, horizon=horizon), session=DAY), "ic")
    assert (row["verdict"] != "too few") == enough
    assert (row["low"] is not None) == enough


def test_naive_forecasts_claim_no_skill_but_their_intervals_are_judged() -> None:
    found = measured(*history(30, role="naive", model_id="naive", ic=None), session=DAY)
    overall = found.filter(pl.col("scope") == "all")["metric"].to_list()
    assert sorted(overall) == ["bias", "coverage_50", "coverage_80", "coverage_90", "interval_scale"]


def test_shadow_forecasts_count_for_their_model_alone() -> None:
    shadow = history(30, role="shadow", model_id="m-shadow", pinball=1.0, inside_80=0)
    found = measured(*history(30), *shadow, session=DAY)
    assert figure(found, "pinball_skill")["value"] == pytest.approx(0.1)
    assert figure(found, "pinball_skill", "model", "m-shadow")["value"] < -10
    assert figure(found, "coverage_80", "model", "m-test")["value"] == pytest.approx(0.8)


def test_common_moves_leave_few_independent_forecasts() -> None:
    random = np.random.default_rng(2)
    moves = random.normal(0, 0.02, 100)
    rows = [
        {"session": day(n - 99), "n": 100, "error": 100 * move, "squared_error": 100 * move**2}
        for n, move in enumerate(moves)
    ]
    row = figure(measured(*rows, session=DAY), "bias")
    assert row["n"] == 10_000
    assert 40 < row["n_effective"] < 250  # 100 sessions in which all moved as one


def test_sessions_before_the_window_no_longer_count() -> None:
    rows = [*history(30), *({"session": day(-270 - n), "pinball": 5.0} for n in range(30))]
    found = metrics.metrics(scores(*rows), at(), FeedbackParams())
    assert figure(found, "pinball_skill")["value"] == pytest.approx(0.1)


def test_a_shorter_window_can_be_set() -> None:
    params = FeedbackParams(metrics=MetricParams(window=10))
    rows = [*history(10), *({"session": day(-20 - n), "pinball": 5.0} for n in range(10))]
    found = metrics.metrics(scores(*rows), at(), params)
    assert figure(found, "pinball_skill")["value"] == pytest.approx(0.1)


def test_without_scores_there_is_nothing_to_say() -> None:
    assert run(metrics.STAGE, {}, at()).is_empty()


@pytest.mark.parametrize(("sessions", "verdict"), [(19, "too few"), (20, "learned")])
def test_no_scale_is_learned_before_one_horizon_of_scores(sessions: int, verdict: str) -> None:
    found = measured(*history(sessions, horizon=20), session=DAY)
    assert figure(found, "interval_scale")["verdict"] == verdict

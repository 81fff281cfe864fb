"""A lesson on widths or members changes the forecasts of its slice, its control arm apart, and says what it changed."""

from __future__ import annotations

import numpy as np
import polars as pl
import pytest

from lake.tables.feedback import BIAS_FLAGS, FEEDBACK_METRICS
from lake.tables.learning import SLICE_LESSONS
from pipeline.prediction.corrections import Circumstances, CorrectedForecast, RawForecast, correct
from pipeline.prediction.lessons import halve_tickers, in_control_arm
from pipeline.prediction.params import PredictionParams
from pipeline.prediction.remedies import choose_remedies
from tests.frames.feedback import flags, lessons
from tests.frames.market import CALENDAR, DAY
from tests.frames.predictions import Z

TICKERS = [f"T{number:02d}" for number in range(20)]
SECTORS = ["tech" if number < 10 else "energy" for number in range(20)]
BEFORE = CALENDAR.previous(DAY)
SIGMA = 0.02


def forecast(told: pl.DataFrame, bias: pl.DataFrame | None = None) -> CorrectedForecast:
    """Two members, one of which says 1 % and the other -1 %, over one and five sessions."""
    horizons = (1, 5)
    shape = SIGMA * np.sqrt(np.array(horizons))[None, :, None] * np.array(Z)[None, None, :]
    spread = np.broadcast_to(shape, (20, 2, 7))
    members = {"naive": spread, "lstm": spread + 0.01, "ridge": spread - 0.01}
    weights = {"naive": np.zeros(2), "lstm": np.full(2, 0.5), "ridge": np.full(2, 0.5)}
    raw = RawForecast("m", "champion", horizons, np.full(20, SIGMA), members, weights)
    frame = pl.DataFrame({"ticker": TICKERS, "sector": SECTORS}).with_columns(
        session=pl.lit(DAY), strangeness=pl.lit(None, pl.Float64)
    )
    known = Circumstances("calm", np.zeros(20))
    flagged = BIAS_FLAGS.empty() if bias is None else bias
    return correct(raw, frame, known, flagged, told, FEEDBACK_METRICS.empty(), PredictionParams())


def test_without_lessons_nothing_is_touched() -> None:
    found = forecast(SLICE_LESSONS.empty())
    assert not found.touched.any()
    assert found.quantiles is found.without_lessons


def test_a_width_is_that_of_its_slice_and_horizon_alone() -> None:
    found = forecast(lessons({"session": BEFORE}))
    ends = [one[..., 6] - one[..., 0] for one in (found.quantiles, found.without_lessons)]
    width = ends[0] / ends[1]
    assert width[:10, 0] == pytest.approx(1.5)
    assert width[10:] == pytest.approx(1.0) and width[:10, 1] == pytest.approx(1.0)
    assert (found.quantiles[..., 3] == found.without_lessons[..., 3]).all()
    assert found.touched[:10, 0].all() and found.touched.sum() == 10
    assert found.lessons.used[0] == [["width:sector:tech:1:2020-03-03"], []]


def test_a_member_that_is_better_alone_gets_half_of_the_forecast() -> None:
    better = {"kind": "weight ridge", "size": 0.5, "insight_id": "w"}
    found = forecast(lessons(better))
    assert found.quantiles[0, 0, 3] == pytest.approx(-0.005)
    assert found.quantiles[10, 0, 3] == pytest.approx(0.0)
    gone = forecast(lessons(better | {"kind": "weight boosted"}))
    assert gone.quantiles[0, 0] == pytest.approx(gone.without_lessons[0, 0])


def test_where_a_slice_is_excluded_the_naive_forecast_stands_and_nothing_else_has_a_say() -> None:
    biased = flags({"session": BEFORE, "adjustment": 0.01, "insight_id": "b", "arm": "all"})
    found = forecast(lessons({"kind": "exclusion", "size": 1.0, "insight_id": "x"}), biased)
    assert found.quantiles[0, 0] == pytest.approx(SIGMA * np.array(Z))
    assert found.lessons.used[0] == [["x"], []]
    assert (found.lessons.added[0, 0], found.lessons.added[10, 0]) == (0.0, 0.01)
    assert found.lessons.used[10] == [["b"], []]


def test_the_control_arm_is_left_alone() -> None:
    arm = halve_tickers("w", TICKERS, BEFORE)
    found = forecast(lessons({"scope": "all", "slice": "all", "insight_id": "w", "arm": arm}))
    alone = [in_control_arm("w", arm, ticker, DAY) for ticker in TICKERS]
    assert found.touched[:, 0].tolist() == [not one for one in alone]
    assert sum(alone) == 10


def test_one_lesson_counts_and_its_control_arm_is_nobody_elses() -> None:
    arm = halve_tickers("s", TICKERS[:10], BEFORE)
    told = lessons(
        {"insight_id": "s", "arm": arm},
        {"scope": "trait", "slice": "news:no", "insight_id": "t", "size": 1.9},
        {"kind": "exclusion", "scope": "all", "slice": "all", "insight_id": "x", "size": 1.0},
    )
    traits = [[["news:no"]]] * 12 + [[["news:yes"]]] * 8
    chosen = choose_remedies(told, TICKERS, SECTORS, (1,), traits, DAY)
    by_ticker = {one.ticker: one.insight_id for one in chosen}
    alone = {number for number in range(10) if in_control_arm("s", arm, TICKERS[number], DAY)}
    expected = {number: "s" for number in range(10) if number not in alone} | dict.fromkeys((10, 11), "t")
    assert by_ticker == expected | dict.fromkeys(range(12, 20), "x")


def test_lessons_that_are_not_active_or_of_an_earlier_session_do_nothing() -> None:
    over = lessons({"active": False, "size": 1.0, "insight_id": None, "arm": None})
    earlier = lessons({"session": CALENDAR.previous(BEFORE)})
    assert not forecast(over).touched.any()
    assert not forecast(pl.concat([earlier, over])).touched.any()

"""A lesson is measured against forecasts that were left alone by lot, and the lot can be drawn again by anyone."""

from __future__ import annotations

from datetime import date
from typing import Any

import numpy as np
import polars as pl
import pytest

from pipeline.feedback.learning.arms import ArmsCompared, ExpectedOutcome, compare_arms
from pipeline.prediction.lessons import apply_lessons, halve_tickers, in_control_arm
from tests.frames.feedback import accuracy, flags
from tests.frames.market import CALENDAR, DAY

TICKERS = [f"T{number:03d}" for number in range(40)]
LESSON = "bias:all:all:1:2020-03-04"


def test_halves_are_halves_and_every_lesson_draws_its_own() -> None:
    arm = halve_tickers(LESSON, TICKERS, DAY)
    other = halve_tickers("bias:all:all:5:2020-03-04", TICKERS, DAY)
    alone = {ticker for ticker in TICKERS if in_control_arm(LESSON, arm, ticker, DAY)}
    assert abs(len(alone) - 20) <= 1
    assert alone != {ticker for ticker in TICKERS if in_control_arm("bias:all:all:5:2020-03-04", other, ticker, DAY)}
    assert {in_control_arm(LESSON, arm, "T000", CALENDAR.offset(DAY, n)) for n in range(60)} == {"T000" in alone}


def test_weeks_are_halved_where_there_are_few_tickers_and_nobody_is_left_alone_afterwards() -> None:
    weeks = {day: in_control_arm(LESSON, "week", "T000", day) for day in (CALENDAR.offset(DAY, n) for n in range(200))}
    assert 0.4 < np.mean(list(weeks.values())) < 0.6
    by_week: dict[Any, set[bool]] = {}
    for day, drawn in weeks.items():
        by_week.setdefault(day.isocalendar()[:2], set()).add(drawn)
    assert all(len(drawn) == 1 for drawn in by_week.values())
    assert not any(in_control_arm(LESSON, "all", "T000", day) for day in weeks)


def test_a_forecast_names_the_lessons_it_used_and_the_control_arm_uses_none() -> None:
    arm = halve_tickers(LESSON, TICKERS, DAY)
    active = flags({"session": DAY, "insight_id": LESSON, "arm": arm, "adjustment": -0.01})
    made = CALENDAR.next(DAY)
    applied = apply_lessons(active, TICKERS, ["tech"] * 40, (1, 5), None, made)
    for number, ticker in enumerate(TICKERS):
        alone = in_control_arm(LESSON, arm, ticker, made)
        assert applied.used[number] == [[] if alone else [LESSON], []]
        assert applied.added[number].tolist() == [0.0 if alone else -0.01, 0.0]


def test_of_traits_that_overlap_the_largest_acts_and_a_sectors_lesson_beside_it() -> None:
    every = {"session": DAY, "arm": "all"}
    active = flags(
        every | {"scope": "sector", "slice": "tech", "adjustment": 0.001, "insight_id": "s"},
        every | {"scope": "trait", "slice": "news:yes", "adjustment": 0.002, "insight_id": "t"},
        every | {"scope": "pair", "slice": "news:yes & weekday:mon", "adjustment": -0.004, "insight_id": "p"},
    )
    traits = [[["news:yes", "weekday:mon"]], [["news:yes", "weekday:tue"]], [["news:no", "weekday:mon"]]]
    applied = apply_lessons(active, ["AAA", "BBB", "CCC"], ["tech", "tech", "energy"], (1,), traits, DAY)
    assert applied.used == [[["s", "p"]], [["s", "t"]], [[]]]
    assert applied.added[:, 0] == pytest.approx([-0.003, 0.003, 0.0])


def compared(adjustment: float, bias: float, drift: float = 0.0, seed: int = 0, sessions: int = 15) -> ArmsCompared:
    """Forecasts over one session that are `bias` too high, half of them adjusted, in a market that rises by chance."""
    random = np.random.default_rng(seed)
    arm = halve_tickers(LESSON, TICKERS, DAY)
    rows, applied = [], {}
    for n in range(sessions):
        target = CALENDAR.offset(DAY, n + 1)
        made: date = CALENDAR.previous(target)
        applied[made] = adjustment
        for ticker in TICKERS:
            realised = float(random.normal(drift, 0.02))
            added = 0.0 if in_control_arm(LESSON, arm, ticker, made) else adjustment
            point = bias + added
            losses = {"pinball": 0.5 * abs(realised - point), "naive_pinball": 0.5 * abs(realised)}
            told = {"lessons": [LESSON] if added else [], "bias_adjustment": -added}
            rows.append({"session": target, "ticker": ticker, "point": point, "realised": realised, **losses, **told})
    frame = accuracy(*rows)
    return compare_arms(frame, LESSON, arm, applied, ExpectedOutcome(0.0, 0.02))


def test_a_lesson_that_takes_a_bias_out_is_measured_to_help_and_one_that_brings_it_in_to_hurt() -> None:
    right, wrong = compared(-0.01, 0.01), compared(-0.01, 0.0)
    assert right.low is not None and right.low > 0
    assert wrong.high is not None and wrong.high < 0
    assert right.treated == right.control == 300
    assert right.treated_error == pytest.approx(0.0, abs=0.003)
    assert right.control_error == pytest.approx(-0.01, abs=0.003)


def test_luck_of_the_market_is_no_merit_and_no_fault_of_a_lesson() -> None:
    rising = compared(-0.01, 0.01, drift=0.007, sessions=60)
    assert rising.treated_error is not None and rising.control_error is not None
    assert abs(rising.treated_error) > abs(rising.control_error)  # by luck, those left alone came out nearer
    assert rising.low is not None and rising.low > 0


def test_a_lesson_that_changes_nothing_is_seldom_measured_to_do_something() -> None:
    found = [compared(-1e-9, 0.0, seed=seed) for seed in range(60)]
    decided = [one for one in found if one.low is not None and one.high is not None and (one.low > 0 or one.high < 0)]
    assert len(decided) <= 4


def test_an_arm_of_three_is_too_small_to_be_compared() -> None:
    few = accuracy(*({"ticker": name, "session": CALENDAR.next(DAY)} for name in ("AAA", "BBB", "CCC")))
    found = compare_arms(few, LESSON, "ticker 0", {DAY: 0.01}, ExpectedOutcome(0.0, 0.0))
    assert (found.gain, found.low, found.high) == (None, None, None)
    nobody = compare_arms(few.filter(pl.lit(False)), LESSON, "week", {DAY: 0.01}, ExpectedOutcome(0.0, 0.0))
    assert (nobody.treated, nobody.control, nobody.treated_error) == (0, 0, None)


def test_a_lesson_on_widths_is_measured_by_what_each_forecast_would_have_lost_without_it() -> None:
    """Gains far below the noise of losses are told, and what another lesson did to the control arm is no part of it."""
    random = np.random.default_rng(0)
    width = "width:sector:tech:1:2020-03-04"
    rows = []
    applied = [CALENDAR.offset(DAY, n) for n in range(40)]
    for made in applied:
        alone = in_control_arm(width, "week", "AAA", made)
        for ticker in TICKERS[:6]:
            without = 0.005 + 0.003 * abs(random.standard_normal())
            told: dict[str, Any] = {"pinball": without, "lessons": []}
            if not alone:
                told = {"pinball": without - 0.0002, "pinball_without": without, "lessons": [width]}
            elif ticker == "T000":
                told = {"pinball": 0.1, "pinball_without": without, "lessons": ["exclusion:all:all:1:2020-03-04"]}
            rows.append({"session": CALENDAR.next(made), "ticker": ticker} | told)
    found = compare_arms(accuracy(*rows), width, "week", applied, None, pl.col("pinball"))
    assert found.gain == pytest.approx(0.0002 / 0.02, rel=0.05)
    assert found.low is not None and found.low > 0
    assert found.control % 5 == 0 and found.treated % 6 == 0

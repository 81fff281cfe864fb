"""Each question measures what it says, and its remedy is as large as the miss."""

from __future__ import annotations

import numpy as np
import polars as pl
import pytest

from pipeline.config.recorded import from_record
from pipeline.feedback.learning.evidence import Evidence
from pipeline.feedback.learning.proposals import FAMILIES, propose
from pipeline.feedback.learning.questions import BIAS, EXCLUSION, WIDTH, ask_about, find_question, list_questions
from pipeline.feedback.params import FeedbackParams, LearningParams
from tests.frames.feedback import accuracy
from tests.frames.market import CALENDAR, DAY

PARAMS = LearningParams()


def measured(question: str, **values: object) -> float:
    row = accuracy({"pinball": 0.006, "naive_pinball": 0.005, "sigma": 0.02, **values})
    return float(row.select(find_question(question).measure).item())


def test_a_loss_is_measured_beyond_the_naive_one_in_sigma() -> None:
    assert measured("exclusion") == pytest.approx(0.05)


def test_what_a_lesson_already_changed_is_measured_as_if_it_had_not() -> None:
    excluded = {"pinball": 0.005, "pinball_without": 0.007, "lessons": ["exclusion:all:all:1:2020-03-04"]}
    widened = {"pinball": 0.0055, "pinball_without": 0.007, "lessons": ["width:sector:tech:1:2020-03-04"]}
    assert measured("exclusion", **excluded) == pytest.approx(0.1)
    assert measured("exclusion", **widened) == pytest.approx(0.025), "what a milder remedy takes away is gone"
    assert measured("width", needed_scale=1.2, needed_without=1.8, interval_scale=1.2) == pytest.approx(1.5)


def test_a_member_is_compared_alone_and_one_that_is_not_there_says_nothing() -> None:
    losses = [{"member": "lstm", "pinball": 0.008}, {"member": "ridge", "pinball": 0.004}]
    assert measured("weight ridge", member_pinball=losses) == pytest.approx(0.1)
    assert measured("weight lstm", member_pinball=losses) == pytest.approx(-0.1)
    row = accuracy({"member_pinball": losses})
    assert row.select(find_question("weight boosted").measure).item() is None


def test_a_crash_counts_as_no_more_than_two_half_widths() -> None:
    assert measured("width", needed_scale=9.0, interval_scale=1.0) == 2.0


def test_the_factor_is_the_ratio_of_distances_shrunk_and_bounded() -> None:
    assert WIDTH.size(0.2, 0.0, 0.6) == pytest.approx(1.5)
    assert WIDTH.size(0.2, 0.1, 0.6) == pytest.approx(1 + 0.15 / 0.4)
    assert WIDTH.size(0.2, 0.3, 0.6) == 1.0
    assert (WIDTH.size(0.8, 0.0, 1.0), WIDTH.size(-0.9, 0.0, 0.1)) == (2.0, 0.5)
    assert (EXCLUSION.size(0.1, 0.0, 0.1), ask_about("ridge").size(0.1, 0.0, 0.1)) == (1.0, 0.5)


def test_what_is_small_is_left_alone() -> None:
    assert WIDTH.is_large(0.1, 0.6, 0.02, PARAMS) and not WIDTH.is_large(0.05, 0.6, 0.02, PARAMS)
    assert EXCLUSION.is_large(0.006, 0.006, 0.02, PARAMS) and not EXCLUSION.is_large(-0.1, -0.1, 0.02, PARAMS)
    assert BIAS.is_large(-0.002, 0.0, 0.02, PARAMS) and not BIAS.is_large(0.001, 0.0, 0.02, PARAMS)


def test_all_families_together_have_the_whole_rate() -> None:
    assert sum(FAMILIES.values()) == pytest.approx(1.0)


def test_runs_of_earlier_programs_ask_about_bias_alone() -> None:
    losses = [{"member": "ridge", "pinball": 0.004}, {"member": "lstm", "pinball": 0.004}]
    scored = accuracy({"member_pinball": losses})
    asked = [one.kind for one in list_questions(scored, PARAMS)]
    assert asked == ["bias", "width", "exclusion", "weight lstm", "weight ridge"]
    earlier = from_record(FeedbackParams, {"hypotheses": {"scored": 40}}).hypotheses
    assert [one.kind for one in list_questions(scored, earlier)] == ["bias"]


def test_a_ticker_that_errs_when_it_is_in_the_news_is_proposed_as_a_pair() -> None:
    random = np.random.default_rng(3)
    rows = []
    for after in range(60):
        day = CALENDAR.offset(DAY, after - 59)
        for number in range(12):
            news = (number + after) % 3 == 0
            off = 0.04 if news and number == 5 else 0.0
            told = {"ticker": f"T{number:02d}", "session": day, "traits": [f"news:{'yes' if news else 'no'}"]}
            rows.append(told | {"point": off, "realised": float(random.normal(0, 0.01)), "lessons": []})
    for last in range(5):  # pairs are looked over on one session in five
        evidence = Evidence.gather(accuracy(*rows), CALENDAR.offset(DAY, last), CALENDAR, FeedbackParams())
        found = [one.key for one in propose(evidence, ())]
        if ("pair", "news:yes & ticker:T05", 1) in found:
            return
    raise AssertionError(f"proposed were {found}")


def test_the_test_of_a_worse_forecast_has_one_side() -> None:
    frame = pl.concat(
        [
            accuracy(*({"ticker": f"T{n}", "session": CALENDAR.offset(DAY, -k), "pinball": 0.004} for n in range(4)))
            for k in range(20)
        ]
    ).with_columns(naive_pinball=pl.lit(0.005) + pl.int_range(pl.len()) * 1e-6)
    evidence = Evidence.gather(frame, DAY, CALENDAR, FeedbackParams(), EXCLUSION)
    found = evidence.weigh(("all", "all", 1))
    assert found is not None and found.mean < 0 and found.p == 1.0

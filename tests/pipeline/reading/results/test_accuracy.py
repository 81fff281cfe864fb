"""Measures stand in the order of their declarations, under the headings that are declared with them."""

from __future__ import annotations

from datetime import timedelta

from lake.tables.feedback import FEEDBACK_METRICS
from pipeline.reading.results.accuracy import describe_check, measure_rows, measure_title, slice_rows
from tests.nextgen_tui.lakes import SESSION, rows


def test_a_check_of_a_measure_is_described_by_the_measures_heading() -> None:
    assert describe_check("coverage_80 h20") == "80 % coverage, 20 sessions"
    assert describe_check("ic h1") == "rank correlation, 1 session"
    assert describe_check("last run") == "last run"


def test_a_measure_that_the_program_no_longer_has_is_listed_last_under_its_own_name() -> None:
    of_all = {"scope": "all", "slice": "all", "horizon": 1}
    now = rows(FEEDBACK_METRICS, *({**of_all, "metric": name, "value": 0.5} for name in ("gone_by", "ic", "mae_skill")))
    before = now.with_columns(session=SESSION - timedelta(days=1), value=0.25)
    listed = measure_rows(now, before.vstack(now))
    assert listed["metric"].to_list() == ["mae_skill", "ic", "gone_by"]
    assert listed["trail"].to_list() == [[0.25, 0.5]] * 3
    assert measure_title("gone_by") == "gone by"


def test_slices_stand_apart_from_the_whole_the_lowest_first() -> None:
    of_ic = {"metric": "ic", "horizon": 1}
    metrics = rows(
        FEEDBACK_METRICS,
        {**of_ic, "scope": "all", "slice": "all", "value": 0.0},
        {**of_ic, "scope": "sector", "slice": "tech", "value": 0.2},
        {**of_ic, "scope": "sector", "slice": "oil", "value": -0.1},
    )
    assert slice_rows(metrics)["slice"].to_list() == ["oil", "tech"]

"""A coverage whose interval is too wide to tell is not called calibrated."""

from __future__ import annotations

import pytest

from lake.tables.feedback import FEEDBACK_METRICS
from pipeline.reading.results.summary import TOO_FEW, correct_verdicts, coverage_facts
from tests.nextgen_tui.lakes import rows

OWN = {"scope": "all", "slice": "all", "horizon": 20, "metric": "coverage_80", "value": 0.636, "baseline": 0.8}


@pytest.mark.parametrize(
    ("low", "high", "verdict", "told"),
    [
        (0.45, 0.83, "calibrated", TOO_FEW),
        (0.72, 0.86, "calibrated", "calibrated"),
        (0.40, 0.70, "too narrow", "too narrow"),
        (None, None, "too few", "too few"),
    ],
)
def test_an_interval_that_holds_nearly_everything_shows_no_calibration(
    low: float | None, high: float | None, verdict: str, told: str
) -> None:
    frame = rows(FEEDBACK_METRICS, {**OWN, "low": low, "high": high, "verdict": verdict})
    assert correct_verdicts(frame)["verdict"].to_list() == [told]
    assert [one.verdict for one in coverage_facts(frame)] == [told]


def test_other_measures_keep_their_verdict() -> None:
    frame = rows(FEEDBACK_METRICS, {**OWN, "metric": "pinball_skill", "low": -1.0, "high": 1.0, "verdict": "no skill"})
    assert correct_verdicts(frame).equals(frame)

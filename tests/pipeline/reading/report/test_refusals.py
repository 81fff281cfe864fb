"""What stood in the way is counted by the rule that refused first, and told in its last words."""

from datetime import UTC, datetime
from pathlib import Path

from lake.store import Lake
from lake.tables.control import TRADING_SWITCHES
from pipeline.reading.report.refusals import read_plans
from tests.copies import copy_lake
from tests.nextgen_tui.lakes import rows
from tests.pipeline.reading.report.conftest import DAYS


def test_refusals_are_counted_by_the_first_rule_that_refused(book_lake: Lake) -> None:
    facts = read_plans(book_lake, DAYS[0], DAYS[-1], filled=1)
    assert (facts.considered, facts.taken, facts.filled, facts.refused) == (4, 1, 1, 3)
    most, other = facts.refusals
    assert (most.rule, most.plans, most.buys, round(most.share, 4)) == ("cost_awareness", 2, 2, 0.6667)
    assert most.last_reason == "the last reason"
    assert most.meaning.startswith("A buy has to earn")
    assert (other.rule, other.buys, other.meaning, other.last_reason) == ("house_rule", 0, "", "said by a plugin")


def test_plans_outside_the_span_do_not_count(book_lake: Lake) -> None:
    facts = read_plans(book_lake, DAYS[1], DAYS[1], filled=0)
    assert (facts.considered, facts.refused) == (2, 1)
    assert facts.refusals[0].last_reason == "the first reason"
    assert read_plans(book_lake, DAYS[4], DAYS[4], filled=0).refusals == ()


def test_the_operators_stops_that_concern_the_span_are_told(book_lake: Lake, tmp_path: Path) -> None:
    copy_lake(book_lake.path, tmp_path / "lake")
    lake = Lake.open(tmp_path / "lake")
    at = datetime(2026, 1, 5, 21, tzinfo=UTC)
    said = {"switch_id": "one", "session": DAYS[2], "switch": "kill", "reason": "wrong feed", "decided_by": "ann"}
    made = rows(TRADING_SWITCHES, {**said, "decided_at": at, "recorded_at": at, "origin": "cli", "lifts": []})
    lake.commit(TRADING_SWITCHES, TRADING_SWITCHES.check(made), "one", {})
    (told,) = read_plans(lake, DAYS[0], DAYS[-1], filled=0).stops
    assert told.startswith("Trading was killed at 2026-01-05 21:00:00 UTC by ann") and told.endswith("it still holds.")
    assert read_plans(lake, DAYS[0], DAYS[1], filled=0).stops == ()

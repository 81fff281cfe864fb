"""`nextgen pause`, `kill` and `resume` as an operator types them: recorded at once, told by status, lifted by name."""

from __future__ import annotations

import pytest

from lake.store import Lake
from lake.tables.control import TRADING_SWITCHES
from nextgen_tui.cli import exit_codes
from tests.nextgen_tui.runner import Run, json_of

# pandas' own change of mind, inside the calendar library.
pytestmark = pytest.mark.filterwarnings("ignore:Series.values returning")

WHY = ("--reason", "odd prices")


def test_a_pause_holds_until_it_is_lifted_and_is_recorded_with_who_when_and_why(run: Run, lake: Lake) -> None:
    paused = json_of(run, "pause", *WHY)
    assert (paused["state"], paused["already"]) == ("paused", False)
    row = lake.read(TRADING_SWITCHES).row(0, named=True)
    assert (row["switch"], row["reason"], row["origin"]) == ("pause", "odd prices", "cli")
    assert row["decided_by"]
    (problem,) = [one for one in json_of(run, "status")["problems"] if one["part"] == "trading"]
    assert problem["what"].startswith("Trading was paused at ") and "odd prices" in problem["what"]
    assert json_of(run, "pause", *WHY)["already"]
    assert lake.read(TRADING_SWITCHES).height == 1
    resumed = json_of(run, "resume")
    assert (resumed["state"], resumed["said"]["lifts"]) == ("running", [row["switch_id"]])
    assert not [one for one in json_of(run, "status")["problems"] if one["part"] == "trading"]


def test_a_kill_goes_beyond_a_pause_and_one_that_closes_positions_beyond_a_kill(run: Run, lake: Lake) -> None:
    assert json_of(run, "pause", *WHY)["state"] == "paused"
    assert json_of(run, "kill", *WHY)["state"] == "killed"
    assert not json_of(run, "kill", "--close-positions", *WHY)["already"]
    assert json_of(run, "pause", *WHY)["already"]
    assert lake.read(TRADING_SWITCHES)["switch"].to_list().count("kill") == 2
    assert json_of(run, "resume")["state"] == "running"


def test_without_a_reason_or_anything_to_resume_nothing_is_recorded(run: Run, lake: Lake) -> None:
    assert run("kill")[0] == exit_codes.USAGE
    code, _, err = run("resume")
    assert code == exit_codes.USAGE and "neither paused nor killed" in " ".join(err.split())
    assert lake.read(TRADING_SWITCHES).is_empty()

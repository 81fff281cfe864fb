"""`nextgen runs`: what ran, what failed, and the recipe of a run."""

from __future__ import annotations

import pytest

from lake.store import Lake
from lake.tables.control import RUNS
from nextgen_tui.cli import exit_codes
from tests.nextgen_tui.lakes import SESSION, rows, run_row
from tests.nextgen_tui.runner import Run, json_of

# pandas' own change of mind, inside the calendar library.
pytestmark = pytest.mark.filterwarnings("ignore:Series.values returning")


def test_runs_lists_and_explains(run: Run, lake: Lake) -> None:
    failed = run_row("score", status="failed", error="the \x1b[31mmodel\x1b[0m is gone", session=SESSION)
    with lake.lock("a test"):
        lake.commit(RUNS, RUNS.check(rows(RUNS, failed)), "failed", {})
    assert [row["status"] for row in json_of(run, "runs", "--failed")] == ["failed"]
    _, out, err = run("runs", "--failed")
    assert "score-20220301" in out
    assert "the model is gone" in err
    assert json_of(run, "runs", "score-2022")["inputs"] == {}


def test_a_cycle_that_fails_by_hand_before_its_first_stage_is_listed_and_is_what_status_says(
    run: Run, lake: Lake
) -> None:
    log = min((lake.path / "tables" / "market_prices" / "_delta_log").glob("*.json"))
    whole = log.read_bytes()
    log.write_bytes(b"damaged")
    assert run("cycle", "--session", "2022-03-02")[0] == exit_codes.DAMAGE
    log.write_bytes(whole)
    failed = json_of(run, "runs", "--failed")
    assert [(row["work"], row["session"], row["status"]) for row in failed] == [("cycle", "2022-03-02", "failed")]
    told = json_of(run, "status")
    assert told["sentence"].startswith("The last cycle (2022-03-02) failed: ")
    assert told["problems"][0]["fix"] == "`nextgen scrub` lists damaged files, `nextgen restore` restores a backup"

"""`nextgen runs`: what ran, what failed, and the recipe of a run."""

from __future__ import annotations

import pytest

from lake.store import Lake
from lake.tables.control import RUNS
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

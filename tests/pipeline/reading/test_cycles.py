"""How groups of stages ended in the last sessions."""

from __future__ import annotations

from datetime import timedelta

from lake.tables.control import RUNS
from pipeline.reading.cycles import read_stage_grid
from tests.nextgen_tui.lakes import SESSION, rows, run_row


def test_a_group_is_done_where_all_its_stages_are_and_other_work_does_not_count() -> None:
    before = SESSION - timedelta(days=1)
    runs = rows(
        RUNS,
        run_row("prices", session=before, status="failed", error="cut off"),
        run_row("prices", session=before),
        run_row("prices"),
        run_row("predict", status="failed", error="no model"),
        run_row("train", session=SESSION + timedelta(days=1), work="training", status="failed", error="no data"),
    )
    grid = read_stage_grid(runs, 10)
    assert grid.sessions == (before, SESSION)
    assert grid.groups["learn"] == ("done", "done")
    assert grid.groups["look ahead"] == ("not run", "failed")
    assert grid.groups["settle"] == ("not run", "not run")
    assert read_stage_grid(runs, 1).sessions == (SESSION,)
    assert read_stage_grid(runs.clear(), 10).sessions == ()

"""How groups of stages ended in the last sessions, and that old runs need not be read to know the last ones."""

from __future__ import annotations

import random
from datetime import timedelta
from pathlib import Path

import pytest

from lake.tables.control import RUNS
from pipeline.reading.cycles import RECENT, last_training, read_last_runs, read_stage_grid, recent_cycles
from tests.new_lake import new_lake
from tests.nextgen_tui.lakes import MOMENT, SESSION, land, rows, run_row

RUNS_READ = ("run_id", "work", "cycle_id", "stage", "session", "status", "error", "written", "seconds", "started_at")


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


@pytest.mark.parametrize("seed", range(8))
def test_the_last_cycles_and_the_last_training_are_the_same_without_the_runs_before(tmp_path: Path, seed: int) -> None:
    chance = random.Random(seed)
    lake = new_lake(tmp_path / "lake")
    assert read_last_runs(lake, 2, RUNS_READ).is_empty()
    made = []
    for number in range(40):
        work = chance.choices(("cycle", "training", "upkeep"), (6, chance.choice((0, 1)), 2))[0]
        day = SESSION + timedelta(days=number * chance.choice((1, 30)))
        started = MOMENT + RECENT * chance.random() * chance.choice((1, 3))
        told = {"work": work, "cycle_id": f"{work}-{number // 2}", "run_id": f"r{number}", "started_at": started}
        made.append(run_row("prices", session=day, status=chance.choice(("done", "failed")), error="x", **told))
    land(lake, RUNS, rows(RUNS, *made), "made")
    every, last = lake.read(RUNS, columns=RUNS_READ), read_last_runs(lake, 2, RUNS_READ)
    assert last.height <= every.height
    assert recent_cycles(last, 2) == recent_cycles(every, 2)
    assert last_training(last) == last_training(every)

"""A run done again by other code than made it: which stage changed is said, and the rows are compared all the same."""

from __future__ import annotations

import json
import shutil
import subprocess
import sys
from pathlib import Path
from typing import Any

import polars as pl
import pytest

from lake.tables.control import RUNS
from tests.operation.conftest import Operation

ROOT = Path(__file__).parents[2]
PROGRAM = """
import json, os, sys
from dataclasses import asdict
from pathlib import Path
from lake.runs import find_run
from lake.store import Lake
from pipeline.config.loading import load
from pipeline.engine.reproduction import reproduce
from pipeline.engine.runner import Runner
lake = Path(sys.argv[1])
runner = Runner(Lake.open(lake), load(lake, os.environ).settings)
for name in sys.argv[2:]:
    print(json.dumps(asdict(reproduce(runner, find_run(runner.lake, name)))))
"""


def reproduced(program: Path, lake: Path, run_ids: list[str]) -> list[dict[str, Any]]:
    """The verdicts of a source tree on runs of a lake."""
    command = [sys.executable, "-c", PROGRAM, str(lake), *run_ids]
    environment = {"PATH": "/usr/bin:/bin", "PYTHONPATH": str(program)}
    ended = subprocess.run(command, capture_output=True, text=True, cwd=program, env=environment, check=False)
    assert ended.returncode == 0, ended.stderr
    return [json.loads(line) for line in ended.stdout.splitlines()]


@pytest.fixture
def program(tmp_path: Path) -> Path:
    """A copy of the source that a test may change."""
    for package in ("lake", "pipeline"):
        shutil.copytree(ROOT / package, tmp_path / "program" / package, ignore=shutil.ignore_patterns("__pycache__"))
    return tmp_path / "program"


def last_runs(operation: Operation, *stages: str) -> list[str]:
    done = operation.lake.read(RUNS, where=pl.col("status") == "done").sort("session", "run_id")
    return [done.filter(pl.col("stage") == stage)["run_id"][-1] for stage in stages]


def test_the_stage_whose_code_changed_is_named_and_the_first_differing_row_shown_with_both_values(
    operation: Operation, program: Path
) -> None:
    strategy = program / "pipeline" / "trading" / "planning" / "regime.py"
    changed = strategy.read_text().replace('"risk_budget": ', '"risk_budget": 0.5 * ')
    assert changed != strategy.read_text(), "the line to be changed is not there any more"
    strategy.write_text(changed)
    value = program / "pipeline" / "trading" / "books" / "value.py"
    value.write_text(value.read_text() + "\n# a remark\n")
    verdicts = reproduced(program, operation.lake.path, last_runs(operation, "strategy", "value", "universe"))
    differs, remarked, untouched = verdicts
    assert differs["changed_since"] == ["code of stage strategy"]
    assert not differs["identical"]
    assert "'session'" in differs["difference"] and ": risk_budget was " in differs["difference"]
    was, now = (float(word) for word in differs["difference"].split("risk_budget was ")[1].split(" and is now "))
    assert now == pytest.approx(was / 2)
    assert (remarked["changed_since"], remarked["identical"]) == (["code of stage value"], True)
    assert (untouched["changed_since"], untouched["identical"]) == ([], True)

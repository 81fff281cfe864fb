"""A fresh process that computes the last run of every stage again and says what came of each: one hash a stage."""

from __future__ import annotations

import json
import sys
from pathlib import Path

import polars as pl

from lake.fingerprint import fingerprint
from lake.runs import Run
from lake.store import Lake
from lake.tables.control import RUNS
from pipeline.engine.runner import Runner
from pipeline.engine.stages import STAGES
from tests.torture.settings import tortured_settings


def main() -> None:
    """Print stage -> fingerprint as JSON."""
    runner = Runner(Lake.open(Path(sys.argv[1])), tortured_settings())
    done = runner.lake.read(RUNS, where=pl.col("status") == "done").sort("started_at")
    last = {row["stage"]: Run.from_row(row) for row in done.iter_rows(named=True)}
    marks = {}
    for stage in STAGES:
        if stage.name in last:
            rows = runner.compute(stage, last[stage.name].recipe)
            marks[stage.name] = fingerprint(rows, stage.writes.key, stage.writes.content_columns)
    sys.stdout.write(json.dumps(marks))


if __name__ == "__main__":
    main()

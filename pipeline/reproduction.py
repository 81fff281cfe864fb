"""Do a past run again from its recipe and say whether the same rows come out, to the bit."""

from __future__ import annotations

from dataclasses import dataclass
from typing import Any

import polars as pl

from lake.contract import RUN_ID
from lake.errors import LakeError
from lake.fingerprint import fingerprint
from lake.runs import Run
from lake.tables import TABLES
from pipeline.code import code_fingerprint, libraries
from pipeline.runner import Runner
from pipeline.stage import Stage
from pipeline.stages import stage as stage_of


@dataclass(frozen=True)
class Verdict:
    """Whether a run came out the same again."""

    run_id: str
    stage: str
    identical: bool
    difference: str
    """The first row and column that differ, with both values; empty where identical."""
    changed_since: tuple[str, ...]
    """What is different now: `code`, or a library with both versions."""


def reproduce(runner: Runner, run: Run) -> Verdict:
    """Compute a run again at its pinned versions and compare with what it wrote.

    A landing is not asked of the world again: its stored rows are compared with the fingerprint they were landed with.

    Raises:
        LakeError: if the run failed, so that there is nothing to compare.
    """
    if run.status != "done" or run.output_version is None:
        raise LakeError(f"run {run.run_id} ended as {run.status!r}; only runs that are done can be reproduced")
    stage = stage_of(run.recipe.stage)
    rows = _landed(runner, run) if stage.kind == "landing" else runner.compute(stage, run.recipe)
    if stage.kind == "landing" and run.written != run.rows:
        rows = None  # a repeat of an earlier landing: nothing of it was stored under this run
    same = rows is None or fingerprint(rows, stage.writes.key, stage.writes.content_columns) == run.fingerprint
    difference = "" if same or rows is None else _first_difference(runner, run, stage, rows)
    return Verdict(run.run_id, stage.name, same, difference, _changes(stage, run))


def _landed(runner: Runner, run: Run) -> pl.DataFrame:
    table = TABLES[run.recipe.output_table]
    rows = runner.lake.read(table, version=run.output_version, where=pl.col(RUN_ID) == run.run_id)
    return rows.drop(RUN_ID)


def _changes(stage: Stage, run: Run) -> tuple[str, ...]:
    now = libraries()
    other = [f"{name} {was} -> {now.get(name)}" for name, was in run.recipe.libraries.items() if now.get(name) != was]
    return (*(["code"] if code_fingerprint(stage) != run.recipe.code else []), *other)


def _first_difference(runner: Runner, run: Run, stage: Stage, again: pl.DataFrame) -> str:
    """Compare row by row with what the table held after the run."""
    table = stage.writes
    stored = runner.lake.read(table, version=run.output_version).sort(table.key)
    again = again.sort(table.key)
    missing = again.join(stored, on=table.key, how="anti", nulls_equal=True)
    if not missing.is_empty():
        return f"{missing.height} rows are new, the first is {_named(missing, table.key)}"
    held = stored.join(again.select(table.key), on=table.key, how="semi", nulls_equal=True)
    for name in table.content_columns:
        differs = again[name].ne_missing(held[name])
        if differs.any():
            at = differs.arg_true()[0]
            return f"{_named(again[at], table.key)}: {name} was {held[name][at]!r} and is now {again[name][at]!r}"
    return f"it gave {run.rows} rows then and {again.height} now"


def _named(frame: pl.DataFrame, key: tuple[str, ...]) -> dict[str, Any]:
    return dict(zip(key, frame.select(key).row(0), strict=True))

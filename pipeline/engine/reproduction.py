"""Do a past run again from its recipe and say whether the same rows come out, to the bit."""

from __future__ import annotations

from collections.abc import Iterator, Sequence
from dataclasses import dataclass
from functools import lru_cache
from pathlib import Path
from typing import Any
from uuid import uuid4

import polars as pl

from lake.contract import RUN_ID
from lake.errors import LakeError
from lake.migrations.run import STAGE as MIGRATION
from lake.runs import Run, find_run, recompute_fingerprint
from lake.store import Lake
from lake.tables import TABLES
from lake.upkeep.compaction import STAGE as COMPACTION
from pipeline.config.settings import Settings
from pipeline.engine.code_fingerprint import MACHINE, code_fingerprint, libraries
from pipeline.engine.runner import Runner
from pipeline.engine.session_order import find_stage
from pipeline.engine.stage import Stage
from pipeline.execution.opening import executor_apart
from pipeline.execution.piece import Piece, as_done
from pipeline.plugins.plugins import PluginError

TRAINING_STAGES = ("train", "train_target")
"""Those that train networks."""


@dataclass(frozen=True)
class Reproduction:
    """Whether a run came out the same again."""

    run_id: str
    stage: str
    identical: bool
    difference: str
    """The first row and column that differ, with both values; empty where identical."""
    changed_since: tuple[str, ...]
    """What is different now: the code of a stage or a plugin, or a library with both versions."""


def reproduce(runner: Runner, run: Run) -> Reproduction:
    """Compute a run again at its pinned versions and compare with what it wrote.

    A landing is not asked of the world again: its stored rows are compared with the fingerprint they were landed with.

    Raises:
        LakeError: if the run failed, so that there is nothing to compare.
    """
    if run.status != "done" or run.output_version is None:
        raise LakeError(f"run {run.run_id} ended as {run.status!r}; only runs that are done can be reproduced")
    if run.recipe.stage in (COMPACTION, MIGRATION):
        return _compare_versions(runner, run)
    stage = find_stage(run.recipe.stage)
    changes = _find_changes(runner, stage, run)
    try:
        rows: pl.DataFrame | None = (
            _read_landing(runner, run) if stage.kind == "landing" else runner.compute(stage, run.recipe)
        )
    except Exception as error:  # a plugin that is gone or was changed since can fail in any way
        if not run.recipe.plugins and not isinstance(error, PluginError):
            raise
        return Reproduction(run.run_id, stage.name, False, f"it cannot be recomputed: {error}", changes)
    if stage.kind == "landing" and run.written != run.rows:
        rows = None  # a repeat of an earlier landing: nothing of it was stored under this run
    same = (
        rows is None
        or recompute_fingerprint(run, stage.writes, rows, stage.writes.for_columns(rows.columns).content_columns)
        == run.fingerprint
    )
    difference = "" if same or rows is None else _first_difference(runner, run, stage, rows) + _trained_elsewhere(run)
    return Reproduction(run.run_id, stage.name, same, difference, changes)


def reproduce_apart(
    lake: Path, settings: Settings, run_ids: Sequence[str], workers: int | None = None
) -> Iterator[Reproduction]:
    """Compute runs again in other processes, which share nothing with this one but the lake and the configuration.

    Args:
        lake: its folder.
        settings: of the lake; they say whether a cluster does it.
        run_ids: whole ids of runs that are done.
        workers: fresh processes to share them out over; None for as many as the settings say, or else for one.

    Yields:
        The verdicts, each as it comes.

    Raises:
        LakeError: if a run cannot be computed again, or a process is lost too often.
    """
    pieces = [Piece(f"run {run_id}", run_id) for run_id in run_ids]
    with executor_apart(settings.execution, len(pieces), workers, 1) as executor:
        for _, verdict in as_done(executor, _reproduce_piece, pieces, (lake, settings, uuid4().hex)):
            yield verdict


def _reproduce_piece(run_id: str, shared: tuple[Path, Settings, str]) -> Reproduction:
    runner = _open_runner(*shared)
    return reproduce(runner, find_run(runner.lake, run_id))


@lru_cache(maxsize=1)
def _open_runner(lake: Path, settings: Settings, _round: str) -> Runner:
    """One runner for all pieces of a round that a process does; the lake may have changed before the next."""
    return Runner(Lake.open(lake), settings)


def _compare_versions(runner: Runner, run: Run) -> Reproduction:
    """A compaction or a migration comes out the same if the table holds the same rows before and after it."""
    table, lake = TABLES[run.recipe.output_table], runner.lake
    columns = list(lake.contract(table, run.output_version).stored_schema)
    versions = (run.recipe.inputs[table.name], run.output_version)
    marks = {recompute_fingerprint(run, table, lake.read(table, version=version), columns) for version in versions}
    same = marks == {run.fingerprint}
    return Reproduction(run.run_id, run.recipe.stage, same, "" if same else f"{table.name} has other rows after it", ())


def _read_landing(runner: Runner, run: Run) -> pl.DataFrame:
    table = TABLES[run.recipe.output_table]
    rows = runner.lake.read(table, version=run.output_version, where=pl.col(RUN_ID) == run.run_id)
    return rows.drop(RUN_ID)


def _find_changes(runner: Runner, stage: Stage, run: Run) -> tuple[str, ...]:
    now = libraries()
    other = [f"{name} {was} -> {now.get(name)}" for name, was in run.recipe.libraries.items() if now.get(name) != was]
    code = [f"code of stage {stage.name}"] if code_fingerprint(stage) != run.recipe.code else []
    return (*code, *runner.plugins.changes(run.recipe.plugins), *other)


def _trained_elsewhere(run: Run) -> str:
    """Of a training on another kind of machine, why it differs: all else has the same bits on every one."""
    was, here = run.recipe.libraries.get(MACHINE), libraries()[MACHINE]
    if run.recipe.stage not in TRAINING_STAGES or was == here:
        return ""
    return f"; it was trained on {was}, this is {here}: a network's last bits are those of one kind of processor"


def _first_difference(runner: Runner, run: Run, stage: Stage, again: pl.DataFrame) -> str:
    """Compare row by row with what the table held after the run."""
    table = stage.writes
    stored = runner.lake.read(table, version=run.output_version).sort(table.key)
    again = again.sort(table.key)
    missing = again.join(stored, on=table.key, how="anti", nulls_equal=True)
    if not missing.is_empty():
        return f"{missing.height} rows are new, the first is {_key_of(missing, table.key)}"
    held = stored.join(again.select(table.key), on=table.key, how="semi", nulls_equal=True)
    for name in table.for_columns(again.columns).content_columns:
        if name not in held.columns:
            return f"it has values of {name}, which the table did not have then"
        differs = again[name].ne_missing(held[name])
        if differs.any():
            at = differs.arg_true()[0]
            return f"{_key_of(again[at], table.key)}: {name} was {held[name][at]!r} and is now {again[name][at]!r}"
    return f"it gave {run.rows} rows then and {again.height} now"


def _key_of(frame: pl.DataFrame, key: tuple[str, ...]) -> dict[str, Any]:
    return dict(zip(key, frame.select(key).row(0), strict=True))

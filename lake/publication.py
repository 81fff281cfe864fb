"""How a commit of run rows publishes what they wrote, and what an interrupted publication leaves."""

from __future__ import annotations

from collections.abc import Sequence
from dataclasses import replace
from datetime import date, datetime
from pathlib import Path
from typing import Any

import polars as pl

from lake.errors import LakeError
from lake.foreign import WAY_OUT, ForeignCommit
from lake.migrations import FORMATS
from lake.migrations.steps import select_steps, upgrade_rows
from lake.runs import Run, runs_to_frame
from lake.storage.atomic import fsync_files
from lake.storage.checksums import hash_file
from lake.storage.commit_pointer import CommitPointer, write_pointer
from lake.storage.delta_log import commit_entry, commit_paths, publication_hash
from lake.storage.disk import as_storage_error
from lake.store import Lake
from lake.tables import TABLES
from lake.tables.control import RUNS


def publish(lake: Lake, runs: Sequence[Run], publication: str, *, durable: bool = True) -> list[Run]:
    """Make the runs' versions visible to readers, all in one commit, after forcing their files onto the disk.

    Args:
        lake: under the writer lock.
        runs: the runs of one cycle, in order.
        publication: the id of this publication; publishing it twice publishes it once.
        durable: False skips the barrier (for lakes that may be lost, such as a test's).

    Returns:
        The runs as published, with the hash of every file they added.

    Raises:
        StorageError: if the disk refuses. What was not forced onto it goes to the quarantine, to be written anew:
            asking a disk a second time can be answered with success for content that is lost.
    """
    hashed = [replace(run, files=_file_hashes(lake, run)) for run in runs]
    if durable:
        try:
            fsync_files(path for run in runs for path in _paths(lake, run))
        except OSError as error:
            lake.discard_unpublished()
            raise as_storage_error(error, "the runs could not be forced onto the disk") from error
    written = lake.commit(RUNS, runs_to_frame(hashed), publication, {"publishes": publication})
    if durable:
        added = lake.history(RUNS, limit=1)[0]["files"]
        fsync_files(commit_paths(lake.uri(RUNS), written.version, added))
    write_pointer(
        lake.path, CommitPointer(written.version, publication_hash(lake.uri(RUNS), written.version)), durable=durable
    )
    lake.exchange.share(f"publish {publication}")
    return hashed


def record_failure(lake: Lake, run: Run) -> None:
    """Record a run that failed: it publishes nothing. Under the writer lock."""
    row = run.row() | {"run_id": f"{run.run_id}-failed-{run.recipe.attempt}"}
    failed = RUNS.check(pl.DataFrame([row], schema=RUNS.schema))
    lake.commit(RUNS, failed, f"{run.run_id}/failed/{run.started_at.isoformat()}", {})


def find_unpublished(lake: Lake) -> list[Run]:
    """The runs whose commits lie above the published versions: what an interrupted cycle left behind, oldest first."""
    published = lake.published_versions()
    found = [
        _read_interrupted(commit, name)
        for name, table in TABLES.items()
        if table.published_by_run and name != RUNS.name
        for commit in lake.commits_after(table, published[name])
    ]
    return sorted(found, key=lambda run: run.started_at)


def _read_interrupted(commit: dict[str, Any], table: str) -> Run:
    try:
        record = commit["recipe"]["run"]
    except KeyError:
        foreign = ForeignCommit(table, commit["version"], commit["operation"], commit["timestamp"])
        raise LakeError(f"{foreign}; {WAY_OUT}") from None
    record = _in_todays_columns(record)
    record["session"], record["since"] = (date.fromisoformat(record[name]) for name in ("session", "since"))
    record["as_of"], record["started_at"] = (datetime.fromisoformat(record[name]) for name in ("as_of", "started_at"))
    written = commit["recipe"].get("written", record["rows"])
    return replace(Run.from_row(record), output_version=commit["version"], written=written)


def _in_todays_columns(record: dict[str, Any]) -> dict[str, Any]:
    """A row of `runs` as an earlier program wrote it into a commit, with what has been added since."""
    steps = select_steps(FORMATS, RUNS.name)
    return upgrade_rows(pl.LazyFrame([record]), steps, list(record), RUNS.schema).collect().row(0, named=True)


def _paths(lake: Lake, run: Run) -> list[Path]:
    if not run.written or run.output_version is None:
        return []
    uri = lake.uri(TABLES[run.recipe.output_table])
    return commit_paths(uri, run.output_version, _list_added_files(lake, run))


def _list_added_files(lake: Lake, run: Run) -> list[str]:
    assert run.output_version is not None
    return list(commit_entry(lake.uri(TABLES[run.recipe.output_table]), run.output_version)["files"])


def _file_hashes(lake: Lake, run: Run) -> dict[str, str]:
    return {path.name: hash_file(path) for path in _paths(lake, run)}

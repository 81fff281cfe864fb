"""Bring a lake made by an earlier program up to this one's format, forward only; its older versions stay readable."""

from __future__ import annotations

from collections.abc import Mapping
from dataclasses import dataclass, replace
from datetime import UTC, datetime
from pathlib import Path
from time import perf_counter

from lake.contract import Table
from lake.errors import DamageError, OvertakenError
from lake.migrations.steps import Step, pending, select_steps
from lake.publication import find_unpublished, publish
from lake.runs import Run, upkeep_recipe
from lake.storage.atomic import fsync_files
from lake.storage.checksums import record_commit_checksums
from lake.storage.commit_pointer import CommitPointer, write_pointer
from lake.storage.delta_log import commit_entry, commit_paths, entry_versions, publication_hash
from lake.storage.disk import translate_disk_errors
from lake.storage.file_repair import Repair
from lake.storage.manifest import record_migration
from lake.store import Lake
from lake.tables import TABLES
from lake.tables.control import RUNS
from lake.upkeep import Progress
from lake.upkeep.compaction import hash_content

STAGE = "migrate"
"""The name under which a change to a table with a story stands among the runs."""


@dataclass(frozen=True)
class Change:
    """What a table still lacks."""

    table: str
    description: str
    rows: int
    version: int
    """The table's newest version, which the change will follow; it stays readable."""
    rewrites: bool
    """Whether the rows are written anew, or only the table's columns are."""


@dataclass(frozen=True)
class MigrationResult:
    """What a migration did."""

    changes: tuple[Change, ...]
    repairs: tuple[Repair, ...]
    """What was repaired before, unpublished work moved to the quarantine among it."""


def plan_migration(lake: Lake, tables: Mapping[str, Table] = TABLES) -> list[Change]:
    """What would change, `runs` first, for it records the rest; nothing is written."""
    ordered = sorted(tables.values(), key=lambda table: table.name != RUNS.name)
    return [
        Change(
            table=table.name,
            description="; ".join(step.description for step in steps),
            rows=lake.rows(table, lake.newest(table)),
            version=lake.newest(table),
            rewrites=any(step.rewrites for step in steps),
        )
        for table in ordered
        if (steps := _pending_steps(lake, table))
    ]


def migrate(lake: Lake, progress: Progress = lambda *_: None, tables: Mapping[str, Table] = TABLES) -> MigrationResult:
    """Change what has to be changed, one commit a table, and then record it in the manifest.

    Cut off at any point, the next call goes on from there. What an interrupted cycle of the earlier program left
    unpublished is moved to the quarantine, to be done again.

    Raises:
        BusyError: if another process is writing.
        StorageError: if the disk refuses; the next call goes on.
        DamageError: if a table's rows are not the same after it.
    """
    with lake.lock("migrate"), translate_disk_errors("the lake could not be migrated completely"):
        if any(run.recipe.stage != STAGE for run in find_unpublished(lake)):
            lake.discard_unpublished()
        changes = plan_migration(lake, tables)
        for number, change in enumerate(changes):
            progress(change.table, number, len(changes))
            _change_in_turn(lake, tables[change.table], change.rewrites)
        if left := find_unpublished(lake):
            publish(lake, left, f"{STAGE}/{left[0].run_id}", durable=lake.durable)
        record_migration(lake.path)
        progress("migrate", len(changes), len(changes))
        return MigrationResult(tuple(changes), tuple(lake.repairs))


def migrate_table(lake: Lake, table: Table) -> bool:
    """Give one table the columns of today, and return whether it lacked any. Needs the writer lock.

    Raises:
        LakeError: if the writer lock is not held.
        DamageError: if its rows are not the same after it.
    """
    steps = _pending_steps(lake, table)
    if steps:
        _change_in_turn(lake, table, any(step.rewrites for step in steps))
    return bool(steps)


def _pending_steps(lake: Lake, table: Table) -> list[Step]:
    """What a table is from before; a table that came later than the lake is made as it is now."""
    steps = select_steps(lake.formats, table.name)
    return pending(steps, lake.columns(table)) if steps and entry_versions(lake.uri(table)) else []


def _change_in_turn(lake: Lake, table: Table, rewrites: bool) -> None:
    for last in (False, False, True):
        try:
            return _change(lake, table, lake.newest(table), rewrites)
        except OvertakenError:  # by a process that appends without the lock
            if last:
                raise
    raise AssertionError("unreachable")


def _change(lake: Lake, table: Table, before: int, rewrites: bool) -> None:
    started, clock = datetime.now(UTC), perf_counter()
    recipe = upkeep_recipe(lake, STAGE, table, before)
    whole = lake.read(table, version=before)
    mark = hash_content(table, whole)
    run = Run(recipe=recipe, rows=whole.height, fingerprint=mark, files={}, started_at=started)
    rows = whole.sort(table.clock, *table.key) if rewrites else None
    record = replace(run, seconds=perf_counter() - clock).row()
    version = lake.reshape(table, rows, recipe.run_id, {"run": record}, before)
    if hash_content(table, lake.read(table, version=version)) != mark:
        raise DamageError(f"{table.name}: migration to version {version} changed rows; restore it from a backup")
    if table.name == RUNS.name or not table.published_by_run:
        _acknowledge(lake, table, version)


def _acknowledge(lake: Lake, table: Table, version: int) -> None:
    """Make durable what no run publishes: `runs` by the commit pointer, the rest by checksums of their own."""
    uri = lake.uri(table)
    if lake.durable:
        fsync_files(commit_paths(uri, version, commit_entry(uri, version)["files"]))
    if table.name == RUNS.name:
        write_pointer(lake.path, CommitPointer(version, publication_hash(uri, version)), durable=lake.durable)
    else:
        record_commit_checksums(Path(uri), version, durable=lake.durable)

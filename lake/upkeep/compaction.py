"""Compaction: rewrite many small files of a table as few large ones, the same rows in a version of their own."""

from __future__ import annotations

from collections.abc import Sequence
from contextlib import suppress
from dataclasses import dataclass, replace
from datetime import UTC, datetime
from time import perf_counter

import polars as pl

from lake.contract import Table
from lake.errors import DamageError, OvertakenError
from lake.fingerprint import fingerprint
from lake.publication import publish
from lake.runs import Run, upkeep_recipe
from lake.storage.disk import translate_disk_errors
from lake.storage.snapshot import Clock, FileSpan
from lake.store import Lake
from lake.tables import TABLES

STAGE = "compact"
"""The stage under which a compaction is recorded in `runs`."""
DUE_FILES = 50
"""Small files from which compaction pays: each costs about 0.3 ms to open."""
MAX_TRIES = 3
"""How often a table is started again because another process appended to it in the meantime."""
SMALL_ROWS = 50_000
"""Rows below which a file counts as small."""


def compact_tables(lake: Lake, *, min_files: int = DUE_FILES) -> list[Run]:
    """Compact every table that has many small files, and return the runs that did it; between cycles.

    A `replace` table has one file and is left alone. So is, until the next time, a table that others append to
    faster than it can be rewritten.

    Raises:
        BusyError: if another process is writing.
        StorageError: if the disk refuses; what was done is kept.
    """
    with lake.lock("compact"), translate_disk_errors("the lake could not be compacted completely"):
        return [run for table in TABLES.values() if (run := _compact_undisturbed(lake, table, min_files)) is not None]


@dataclass(frozen=True)
class DueTable:
    """A table that compaction would rewrite."""

    table: str
    files: int
    """Small ones."""
    rows: int
    """Rewritten at most: those of all files from the first small one on."""


def find_due(lake: Lake, *, min_files: int = DUE_FILES) -> list[DueTable]:
    """Return the tables that `compact_tables` would rewrite; nothing is written."""
    found = []
    for table in TABLES.values():
        spans = lake.files(table, lake.newest(table))
        if (small := _find_small(spans, min_files)) is not None:
            low = _first_of(small)
            found.append(DueTable(table.name, len(small), sum(span.rows for span in spans if span.may_hold(low, None))))
    return found


def _find_small(spans: Sequence[FileSpan], min_files: int) -> list[FileSpan] | None:
    """The small files of a table; None where they are too few to be worth it."""
    small = [span for span in spans if span.rows < SMALL_ROWS and span.first is not None]
    return small if len(small) >= min_files else None


def _first_of(small: Sequence[FileSpan]) -> Clock:
    return min(span.first for span in small if span.first is not None)


def _compact_undisturbed(lake: Lake, table: Table, min_files: int) -> Run | None:
    for _ in range(MAX_TRIES):
        with suppress(OvertakenError):
            return _compact(lake, table, min_files)
    return None


def _compact(lake: Lake, table: Table, min_files: int) -> Run | None:
    before = lake.newest(table)
    spans = lake.files(table, before)
    small = _find_small(spans, min_files)
    if small is None:
        return None
    started, clock = datetime.now(UTC), perf_counter()
    low = _first_of(small)
    recipe = upkeep_recipe(lake, STAGE, table, before)
    whole = lake.read(table, version=before)
    run = Run(recipe=recipe, rows=whole.height, fingerprint=hash_content(table, whole), files={}, started_at=started)
    rows = whole.filter(pl.col(table.clock) >= low).sort(table.clock, *table.key)
    version = lake.rewrite(table, rows, low, recipe.run_id, {"run": run.row()}, before)
    if hash_content(table, lake.read(table, version=version)) != run.fingerprint:
        raise DamageError(f"{table.name}: compaction to version {version} changed rows; restore it from a backup")
    run = replace(run, output_version=version, written=rows.height, seconds=perf_counter() - clock)
    return publish(lake, [run], f"{run.run_id}/0", durable=lake.durable)[0]


def hash_content(table: Table, rows: pl.DataFrame) -> str:
    """Hash all rows over every stored column, including the run that wrote each row."""
    return fingerprint(rows, table.key, list(table.for_columns(rows.columns).stored_schema))

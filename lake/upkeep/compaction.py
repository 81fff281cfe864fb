"""Rewrite many small files of a table as few large ones: the same rows, in a version of its own that a run names."""

from __future__ import annotations

from contextlib import suppress
from dataclasses import replace
from datetime import UTC, datetime
from time import perf_counter

import polars as pl

from lake.contract import Table
from lake.errors import DamageError, OvertakenError
from lake.fingerprint import fingerprint
from lake.runs import Run, publish, upkeep_recipe
from lake.storage.disk import refusals_in_words
from lake.store import Lake
from lake.tables import TABLES

STAGE = "compact"
"""The name under which a compaction stands among the runs."""
DUE_FILES = 50
"""Small files from which it is worth it: each costs about 0.3 ms to open."""
TRIES = 3
"""How often a table is begun anew because another process appended to it in the meantime."""
SMALL_ROWS = 50_000
"""Rows below which a file counts as small."""


def compact_due(lake: Lake, *, least: int = DUE_FILES) -> list[Run]:
    """Compact every table that has grown many small files; under the lease, between cycles.

    A table that is written whole has one file and is left alone. So is one, till the next time, that others append to
    faster than it can be written again.

    Raises:
        BusyError: if another process is writing.
        StorageError: if the disk refuses; what was done stays.
    """
    with lake.lease("compact"), refusals_in_words("the lake could not be compacted to the end"):
        return [run for table in TABLES.values() if (run := _undisturbed(lake, table, least)) is not None]


def _undisturbed(lake: Lake, table: Table, least: int) -> Run | None:
    for _ in range(TRIES):
        with suppress(OvertakenError):
            return _compact(lake, table, least)
    return None


def _compact(lake: Lake, table: Table, least: int) -> Run | None:
    before = lake.newest(table)
    spans = lake.files(table, before)
    small = [span for span in spans if span.rows < SMALL_ROWS and span.first is not None]
    if table.mode == "replace" or len(small) < least:
        return None
    started, clock = datetime.now(UTC), perf_counter()
    low = min(span.first for span in small if span.first is not None)
    recipe = upkeep_recipe(lake, STAGE, table, before)
    whole = lake.read(table, version=before)
    run = Run(recipe=recipe, rows=whole.height, fingerprint=content_mark(table, whole), files={}, started_at=started)
    rows = whole.filter(pl.col(table.clock) >= low).sort(table.clock, *table.key)
    version = lake.rewrite(table, rows, low, recipe.run_id, {"run": run.row()}, before)
    if content_mark(table, lake.read(table, version=version)) != run.fingerprint:
        raise DamageError(f"{table.name}: compaction to version {version} changed rows; restore it from a backup")
    run = replace(run, output_version=version, written=rows.height, seconds=perf_counter() - clock)
    return publish(lake, [run], f"{run.run_id}/0", durable=lake.durable)[0]


def content_mark(table: Table, rows: pl.DataFrame) -> str:
    """A hash of all rows in which every stored column counts, the run that wrote each row as well."""
    return fingerprint(rows, table.key, list(table.stored_schema))

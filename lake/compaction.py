"""Rewrite many small files of a table as few large ones: the same rows, in a version of its own that a run names."""

from __future__ import annotations

from dataclasses import replace
from datetime import UTC, datetime
from time import perf_counter

import polars as pl

from lake.contract import RUN_ID, Table
from lake.errors import DamageError
from lake.fingerprint import fingerprint
from lake.runs import Recipe, Run, publish
from lake.store import Lake
from lake.tables import TABLES
from lake.tables.control import RUNS

STAGE = "compact"
"""The name under which a compaction stands among the runs."""
DUE_FILES = 50
"""Small files from which it is worth it: each costs about 0.3 ms to open."""
SMALL_ROWS = 50_000
"""Rows below which a file counts as small."""


def compact_due(lake: Lake, *, least: int = DUE_FILES) -> list[Run]:
    """Compact every table that has grown many small files; under the lease, between cycles.

    A table that is written whole has one file and is left alone.
    """
    with lake.lease("compact"):
        return [run for table in TABLES.values() if (run := _compact(lake, table, least)) is not None]


def _compact(lake: Lake, table: Table, least: int) -> Run | None:
    before = lake.newest(table)
    spans = lake.files(table, before)
    small = [span for span in spans if span.rows < SMALL_ROWS and span.first is not None]
    if table.mode == "replace" or len(small) < least:
        return None
    started, clock = datetime.now(UTC), perf_counter()
    low = min(span.first for span in small if span.first is not None)
    recipe = _recipe(lake, table, before)
    whole = lake.read(table, version=before)
    run = Run(recipe=recipe, rows=whole.height, fingerprint=content_mark(table, whole), files={}, started_at=started)
    rows = whole.filter(pl.col(table.clock) >= low).sort(table.clock, *table.key)
    version = lake.rewrite(table, rows, low, recipe.run_id, {"run": run.row()})
    if content_mark(table, lake.read(table, version=version)) != run.fingerprint:
        raise DamageError(f"{table.name}: compaction to version {version} changed rows; restore it from a backup")
    run = replace(run, output_version=version, written=rows.height, seconds=perf_counter() - clock)
    return publish(lake, [run], f"{run.run_id}/0", durable=lake.durable)[0]


def _recipe(lake: Lake, table: Table, version: int) -> Recipe:
    session = lake.read(RUNS, columns=("session",))["session"].max()
    today = datetime.now(UTC)
    on = session if session is not None else today.date()
    return Recipe(
        cycle_id=f"single-{STAGE}-{table.name}-{version}",
        attempt=0,
        stage=STAGE,
        kind="pure",
        session=on,  # type: ignore[arg-type]
        since=on,  # type: ignore[arg-type]
        as_of=today,
        inputs={table.name: version},
        params={},
        seed=0,
        code="",
        threads=1,
        libraries={},
        output_table=table.name,
    )


def content_mark(table: Table, rows: pl.DataFrame) -> str:
    """A hash of all rows in which every stored column counts, the run that wrote each row as well."""
    return fingerprint(rows, table.key, [*table.columns, *([] if RUN_ID in table.columns else [RUN_ID])])

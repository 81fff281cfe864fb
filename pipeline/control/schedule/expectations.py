"""Checks that a task left behind the outputs its schedule entry expects."""

from __future__ import annotations

from collections.abc import Sequence
from datetime import date, datetime

import polars as pl

from lake.contract import Table
from lake.store import Lake
from lake.tables import TABLES
from pipeline.control.schedule.task import ExpectedOutput


def find_missing_outputs(
    lake: Lake, outputs: Sequence[ExpectedOutput], session: date | None, due_at: datetime
) -> list[str]:
    """Find the expected outputs that are missing, one sentence each; empty if none is.

    Args:
        lake: read at its published versions.
        outputs: what is expected.
        session: the slot's session; rows are counted for it where the table has sessions.
        due_at: the slot's due moment; the freshness of tables without sessions is measured from it.
    """
    found = []
    for output in outputs:
        table = TABLES[output.table]
        rows = _count_rows(lake, table, session)
        if rows < output.min_rows:
            of = f" for session {session}" if session and "session" in table.columns else ""
            found.append(f"{table.name} has {rows} rows{of}, at least {output.min_rows} expected")
        if output.fresh_within is not None:
            found += _find_stale(lake, table, output, session, due_at)
    return found


def find_newest_time(lake: Lake, table: Table) -> date | datetime | None:
    """Find the newest value of the table's clock; None if the table is empty."""
    newest = lake.read(table, columns=(table.clock,))[table.clock].max()
    return newest if isinstance(newest, date) else None


def _count_rows(lake: Lake, table: Table, session: date | None) -> int:
    if session is None or "session" not in table.columns:
        return lake.rows(table)
    return lake.read(table, where=pl.col("session") == session, columns=table.key).height


def _find_stale(lake: Lake, table: Table, output: ExpectedOutput, session: date | None, due_at: datetime) -> list[str]:
    newest = find_newest_time(lake, table)
    if newest is None:
        return [f"{table.name} is empty, rows no older than {output.fresh_within} expected"]
    reference: date = due_at if isinstance(newest, datetime) else session or due_at.date()
    behind = reference - newest
    assert output.fresh_within is not None
    if behind <= output.fresh_within:
        return []
    return [f"{table.name} ends at {newest}, {behind} behind {reference}; at most {output.fresh_within} expected"]

"""Rows on their way in and out of a table: selected, stamped with their run, set against what is there."""

from __future__ import annotations

from datetime import datetime
from functools import lru_cache
from typing import Any

import polars as pl

from lake.contract import RUN_ID, Table
from lake.storage.listing import Clock


def predicates(
    table: Table,
    since: Clock | None = None,
    until: Clock | None = None,
    as_of: datetime | None = None,
    where: pl.Expr | None = None,
) -> list[pl.Expr]:
    """The tests a row has to pass: its clock within the span, available by then, and whatever else is asked."""
    clock = pl.col(table.clock)
    tests = [clock >= _literal(since)] if since is not None else []
    tests += [clock <= _literal(until)] if until is not None else []
    tests += [pl.col(table.available) <= _literal(as_of)] if as_of is not None and table.available else []
    return tests + ([where] if where is not None else [])


@lru_cache(maxsize=64)
def _literal(moment: Clock) -> pl.Expr:
    """Made once for the many reads of a session: with a time zone it takes a query of its own."""
    return pl.lit(moment)


def last_revisions(frame: pl.DataFrame, table: Table) -> pl.DataFrame:
    """Each entity's last row; the frame is sorted by the table's key, where revisions come in order."""
    if "revision" in frame.columns and (frame["revision"] == 0).all():
        return frame
    return frame.unique(subset=list(table.entity), keep="last", maintain_order=True)


def differing(table: Table, rows: pl.DataFrame, stored: pl.DataFrame) -> pl.DataFrame:
    """The rows whose content is not what is stored under their key; both frames hold the same keys in order."""
    beside = pl.concat(
        [rows.select(table.content_columns), stored.select(pl.all().name.suffix(" stored"))], how="horizontal"
    )
    differs = pl.any_horizontal(pl.col(name).ne_missing(pl.col(f"{name} stored")) for name in table.content_columns)
    return rows.filter(beside.select(differs).to_series())


def stamp(table: Table, rows: pl.DataFrame, run_id: str) -> pl.DataFrame:
    """The rows as they lie on disk: with the run that writes them, in the order of the clock."""
    stored = rows.lazy() if RUN_ID in table.columns else rows.lazy().with_columns(pl.lit(run_id).alias(RUN_ID))
    return stored.select(list(table.stored_schema)).sort(table.clock, *table.key).collect(engine="in-memory")


def clock_range(table: Table, rows: pl.DataFrame) -> tuple[Any, Any]:
    """First and last value of the table's clock in the rows."""
    clock = rows[table.clock]
    return clock.min(), clock.max()


def conflict_words(table: Table, changed: pl.DataFrame) -> str:
    """What to say of rows that are there already with other content."""
    first = dict(zip(table.key, changed.select(table.key).row(0), strict=True))
    return (
        f"{table.name}: {changed.height} rows are already there with other content, the first is {first}; "
        "what was once written stands, so nothing was written"
    )

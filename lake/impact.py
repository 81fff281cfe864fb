"""Impact: everything that was derived from a row, every feature, window, forecast, score, plan and trade."""

from __future__ import annotations

from collections.abc import Callable, Mapping
from dataclasses import dataclass
from typing import Any

import polars as pl

from lake.contract import Reference, Table
from lake.lineage import find_rows
from lake.store import Lake
from lake.tables import TABLES

Derive = Callable[[Table, pl.DataFrame], pl.DataFrame]
"""Tells the rows of a table that are derived from some rows of another."""
_SEEN, _ROW = "seen at", "row number"
"""Names of helper columns that no table has."""


@dataclass(frozen=True)
class Impact:
    """The rows of one table that are derived from the row asked about, directly or through others."""

    table: str
    through: tuple[str, ...]
    """The tables through which they are."""
    rows: pl.DataFrame
    """Whole rows, with the run that wrote each, sorted by key."""


def trace_impact(
    lake: Lake, table: Table, key: Mapping[str, Any], derive: Mapping[str, Derive] | None = None
) -> list[Impact]:
    """Follow the references of the contracts upwards from the rows of that key, as published.

    Args:
        lake: to look in.
        table: where the rows are.
        key: column -> value.
        derive: table -> what tells which of its rows are derived from others, where its columns say too little.

    Returns:
        One entry per table with rows derived from them, in the order data flows.

    Raises:
        NoSuchError: if there is no such row.
    """
    used = {table.name: find_rows(lake, table, key)}
    found: list[Impact] = []
    for name in _sort_downstream(table.name):
        # What a diffuse row influenced is followed only from the row asked about: a bar's impact names the models
        # that were trained on it, and not all that they forecast.
        references = [
            reference
            for reference in TABLES[name].references
            if reference.table in used and (reference.table == table.name or not TABLES[reference.table].diffuse)
        ]
        if not references:
            continue
        if derive and name in derive:
            sources = dict.fromkeys(reference.table for reference in references)
            hits = [derive[name](TABLES[source], used[source]) for source in sources]
        else:
            rows = lake.read(TABLES[name])
            hits = [_select_derived(rows, reference, used[reference.table]) for reference in references]
        derived = pl.concat(hits).unique(subset=list(TABLES[name].key), keep="first").sort(TABLES[name].key)
        if not derived.is_empty():
            used[name] = derived
            found.append(Impact(name, tuple(dict.fromkeys(reference.table for reference in references)), derived))
    return found


def _sort_downstream(start: str) -> list[str]:
    """The tables whose rows can be derived from it, each after those that its own are derived from."""
    parents = {name: {reference.table for reference in table.references} - {name} for name, table in TABLES.items()}
    order: list[str] = []
    reached, before = {start}, -1
    while len(reached) != before:
        before = len(reached)
        reached |= {name for name in TABLES if parents[name] & reached}
    waiting = reached - {start}
    while waiting:
        ready = [name for name in TABLES if name in waiting and not parents[name] & waiting]
        order += ready
        waiting -= set(ready)
    return order


def _select_derived(rows: pl.DataFrame, reference: Reference, used: pl.DataFrame) -> pl.DataFrame:
    """The rows of a table that refer to rows used: by equal columns, or by a span of sessions that contains them."""
    if reference.span is not None:
        return _select_spanning(rows, used, reference, reference.span)
    columns = reference.columns
    numbered = rows.with_row_index(_ROW)
    here, refers = numbered, used.select([pl.col(there).alias(here) for there, here in columns.items()]).unique()
    for column in columns.values():
        # Either side may name several at once.
        here = here.explode(column) if isinstance(here.schema[column], pl.List) else here
        refers = refers.explode(column) if isinstance(refers.schema[column], pl.List) else refers
    hits = here.join(refers, on=list(columns.values()), how="semi")[_ROW].unique()
    return numbered.filter(pl.col(_ROW).is_in(hits.implode())).drop(_ROW)


def _select_spanning(
    rows: pl.DataFrame, used: pl.DataFrame, reference: Reference, span: tuple[str, str]
) -> pl.DataFrame:
    """The rows whose span of sessions contains a session used, and that are equal in the other columns."""
    session = next(there for there, here in reference.columns.items() if here == span[0])
    others = {there: here for there, here in reference.columns.items() if there != session}
    at = used.select(pl.col(session).alias(_SEEN), *(pl.col(there).alias(here) for there, here in others.items()))
    numbered, on = rows.with_row_index(_ROW), list(others.values())
    both = numbered.join(at.unique(), on=on) if on else numbered.join(at.unique(), how="cross")
    hits = both.filter(pl.col(_SEEN).is_between(*span))[_ROW].unique()
    return numbered.filter(pl.col(_ROW).is_in(hits.implode())).drop(_ROW)

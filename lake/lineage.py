"""Lineage: from any row to the run that wrote it and the rows it is derived from, down to what the vendor sent."""

from __future__ import annotations

import json
from collections.abc import Callable, Mapping, Sequence
from dataclasses import dataclass, field
from typing import Any

import polars as pl

from lake.contract import RUN_ID, Reference, Table
from lake.errors import LakeError, NoSuchError
from lake.store import Lake
from lake.tables import TABLES
from lake.tables.control import RUNS

MAX_BREADTH = 25
"""Rows of one reference that a walk follows; it counts those it does not follow."""
USED = "used"
"""The column of a source's rows that names those of their columns that are used."""
Sources = Callable[[Mapping[str, Any]], Sequence[tuple[Table, pl.DataFrame]]]
"""Tells all rows that a row is derived from, table by table, with USED beside their columns."""

Reading = Callable[..., pl.DataFrame]
"""Gives rows of a table as `Lake.read` does, from whatever versions."""


@dataclass(frozen=True)
class Hop:
    """A row on the way from a row to its sources."""

    depth: int
    table: str
    version: int
    """The version of the table that has it: the one that was read, where that is known, or the published one."""
    run_id: str
    key: dict[str, Any]
    row: dict[str, Any]
    inputs: dict[str, int] = field(default_factory=dict)
    """Table -> version that the run read, where a run wrote it."""
    not_followed: dict[str, int] = field(default_factory=dict)
    """Table -> further rows it is derived from, which the walk did not follow."""
    used: tuple[str, ...] = ()
    """Its columns that are used, where that is known."""


def find_rows(lake: Lake, table: Table, key: Mapping[str, Any]) -> pl.DataFrame:
    """The published rows whose columns have the given values (compared as text).

    Raises:
        LakeError: if a column does not exist.
        NoSuchError: if no row matches.
    """
    if unknown := [name for name in key if name not in table.stored_schema]:
        raise LakeError(f"{table.name} has no column {unknown[0]!r}; it has {', '.join(table.columns)}")
    rows = lake.read(table, where=match_values(table, key))
    if rows.is_empty():
        named = " ".join(f"{name}={value}" for name, value in key.items())
        raise NoSuchError(f"{table.name} has no row with {named}; `nextgen show {table.name}` lists some")
    return rows


def trace(
    lake: Lake,
    table: Table,
    key: Mapping[str, Any],
    breadth: int = MAX_BREADTH,
    depth: int | None = None,
    sources: Mapping[str, Sources] | None = None,
) -> list[Hop]:
    """Walk from the first row of that key to everything it is derived from, depth first; each row is visited once.

    Args:
        lake: to look in, as published.
        table: where the row is.
        key: column -> value.
        breadth: rows of one reference that the walk follows; the rest are counted.
        depth: steps from the row after which it ends; None follows to the roots.
        sources: table -> what tells the rows that one of its rows is derived from, where its columns say too little.
            All that it tells of the first row are listed, and the last `breadth` of each table followed.

    Raises:
        NoSuchError: if there is no such row.
    """
    row = find_rows(lake, table, key).row(0, named=True)
    walk = _Walk(lake, breadth, depth)
    if sources and table.name in sources:
        walk.visit_all(table, row, sources[table.name](row))
    else:
        walk.visit(table, row, 0)
    return walk.hops


def read_sources(read: Reading, row: Mapping[str, Any], reference: Reference) -> pl.DataFrame:
    """The rows that a row is derived from by one reference, sorted by key; none where its value is null."""
    target = TABLES[reference.table]
    wanted = {there: row[here] for there, here in reference.columns.items()}
    if any(value is None for value in wanted.values()):
        return pl.DataFrame(schema=target.stored_schema)
    if reference.span is not None:
        first, last = (row[name] for name in reference.span)
        others = {there: row[here] for there, here in reference.columns.items() if here != reference.span[0]}
        return read(target, since=first, until=last, where=match_values(target, others))
    at = wanted.get(target.clock) if target.published_by_run else None
    return read(target, since=at, until=at, where=match_values(target, wanted))


def read_derived(read: Reading, table: Table, row: Mapping[str, Any], reference: Reference) -> pl.DataFrame:
    """The rows of a table that are derived from a row by one of its references, sorted by key.

    Args:
        read: gives the rows.
        table: whose rows are looked for.
        row: of the table that the reference leads to.
        reference: one of `table.references`.
    """
    span = reference.span
    wanted = {here: row[there] for there, here in reference.columns.items() if span is None or here != span[0]}
    at = next((row[there] for there, here in reference.columns.items() if span is not None and here == span[0]), None)
    if any(value is None for value in wanted.values()) or (span is not None and at is None):
        return pl.DataFrame(schema=table.stored_schema)
    same = match_values(table, wanted)
    return read(table, where=same if span is None else same & pl.lit(at).is_between(pl.col(span[0]), pl.col(span[1])))


def match_values(table: Table, values: Mapping[str, Any]) -> pl.Expr:
    """The condition that a row of the table has these values, compared as text where a person typed one.

    A list matches any of its values, and a column of lists matches if it contains the value.
    """
    tests = [_matches(name, table.stored_schema[name], value) for name, value in values.items()]
    return pl.all_horizontal(tests) if tests else pl.lit(True)


def _matches(name: str, dtype: pl.DataType, value: Any) -> pl.Expr:
    at = pl.col(name)
    if isinstance(value, list):
        return at.is_in(value)
    if isinstance(dtype, pl.List):
        return at.list.contains(value)
    if isinstance(value, str) and dtype != pl.String:
        at = at.cast(pl.String)
    same: pl.Expr = at == value
    return same


class _Walk:
    """A walk from row to row; none is visited twice."""

    def __init__(self, lake: Lake, breadth: int, depth: int | None) -> None:
        self.lake, self.breadth, self.depth = lake, breadth, depth
        self.hops: list[Hop] = []
        self._visited: set[tuple[str, str]] = set()
        self._inputs: dict[str, dict[str, int]] = {}

    def visit(self, table: Table, row: dict[str, Any], depth: int) -> None:
        """Visit a row and all that it is derived from."""
        if self._enter(table, row):
            self._follow(table, row, self._list(table, row, depth))

    def visit_all(self, table: Table, row: dict[str, Any], sources: Sequence[tuple[Table, pl.DataFrame]]) -> None:
        """Visit a row and list every one of its sources; the last of each table are followed."""
        self._enter(table, row)
        read = self._list(table, row, 0).inputs
        told = [(target, rows.to_dicts()) for target, rows in sources]
        for target, rows in told:
            for one in rows:
                self._enter(target, one)
        for target, rows in told:
            for number, one in enumerate(rows):
                used, version = tuple(one.pop(USED)), read.get(target.name)
                hop = self._list(target, one, 1, version, used)
                if number >= len(rows) - self.breadth:
                    self._follow(target, one, hop)

    def _enter(self, table: Table, row: Mapping[str, Any]) -> bool:
        """Whether it is the first visit to a row."""
        mark = (table.name, str({name: row[name] for name in table.key}))
        new = mark not in self._visited
        self._visited.add(mark)
        return new

    def _list(
        self, table: Table, row: dict[str, Any], depth: int, version: int | None = None, used: tuple[str, ...] = ()
    ) -> Hop:
        key = {name: row[name] for name in table.key}
        run_id = row[RUN_ID]
        inputs, at = self._read_inputs(run_id), self.lake.version(table) if version is None else version
        self.hops.append(Hop(depth, table.name, at, run_id, key, row, inputs, {}, used))
        return self.hops[-1]

    def _follow(self, table: Table, row: dict[str, Any], hop: Hop) -> None:
        for reference in table.references if hop.depth != self.depth else ():
            found = read_sources(self.lake.read, row, reference)
            if found.height > self.breadth:
                left = hop.not_followed.get(reference.table, 0) + found.height - self.breadth
                hop.not_followed[reference.table] = left
            for one in found.tail(self.breadth).iter_rows(named=True):
                self.visit(TABLES[reference.table], one, hop.depth + 1)
        for reference in table.recollections if hop.depth != self.depth else ():
            for one in read_sources(self.lake.read, row, reference).tail(self.breadth).iter_rows(named=True):
                if self._enter(TABLES[reference.table], one):
                    self._list(TABLES[reference.table], one, hop.depth + 1)

    def _read_inputs(self, run_id: str) -> dict[str, int]:
        if run_id not in self._inputs:
            rows = self.lake.read(RUNS, where=pl.col(RUN_ID) == run_id, columns=("inputs",))
            self._inputs[run_id] = json.loads(rows["inputs"][0]) if rows.height else {}
        return self._inputs[run_id]

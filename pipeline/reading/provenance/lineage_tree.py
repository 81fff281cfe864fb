"""Lineage as a tree, both ways: to what a row rests on and to what was made from it, rows that are alike as one."""

from __future__ import annotations

from collections.abc import Iterable, Iterator, Mapping
from dataclasses import dataclass, field, replace
from typing import Any

import polars as pl

from lake.contract import RUN_ID, Reference, Table
from lake.lineage import USED, Reading, Sources, read_derived, read_sources
from lake.tables import TABLES

NOT_READ = frozenset({"weights", "payload"})
"""Columns of megabytes, which no tree shows."""


@dataclass(frozen=True)
class ColumnFact:
    """A column of a row: what it says, and which column of another table it was taken from."""

    name: str
    value: Any
    unit: str
    meaning: str
    origins: tuple[str, ...]
    """table.column of each; empty where the row's own stage made it."""


@dataclass(frozen=True)
class LineageNode:
    """A row, or rows of one table that stand in the same relation to another row; the last of them is followed."""

    table: Table
    rows: pl.DataFrame
    """Sorted by key, at least one."""
    by: Mapping[str, str] = field(default_factory=dict)
    """Column of the row that it rests on -> column of the row made from it, by which they belong together."""
    used: tuple[str, ...] = ()
    """Its columns that are used, where that is known."""
    behind: tuple[LineageNode, ...] = ()
    """What it rests on."""
    ahead: tuple[LineageNode, ...] = ()
    """What was made from it."""
    again: bool = False
    """Whether it stands in the tree already, and is not followed a second time."""

    @property
    def row(self) -> dict[str, Any]:
        """The last of its rows."""
        return self.rows.row(-1, named=True)

    @property
    def mark(self) -> tuple[str, str]:
        """What tells it from others: its table and the key of its last row."""
        return self.table.name, str([self.row[name] for name in self.table.key])


def list_columns(table: Table, row: Mapping[str, Any]) -> Iterator[ColumnFact]:
    """Every column of a row, in the order of its contract."""
    for name, column in table.columns.items():
        if name in row and name not in NOT_READ:
            yield ColumnFact(name, row[name], column.unit, column.doc, column.refers)


def find_behind(read: Reading, node: LineageNode) -> tuple[LineageNode, ...]:
    """What a node's last row rests on, a node per table and relation.

    Raises:
        LakeError: if the lake cannot be read.
    """
    row = node.row
    found = ((one, TABLES[one.table], read_sources(_light(read), row, one)) for one in node.table.references)
    return _merge(_node(table, rows, reference) for reference, table, rows in found if not rows.is_empty())


def find_ahead(read: Reading, node: LineageNode) -> tuple[LineageNode, ...]:
    """What was made from a node's last row, a node per table and relation.

    Raises:
        LakeError: if the lake cannot be read.
    """
    row, found = node.row, list[LineageNode]()
    for table in TABLES.values():
        for reference in table.references:
            if reference.table == node.table.name:
                rows = read_derived(_light(read), table, row, reference)
                found += [] if rows.is_empty() else [_node(table, rows, reference)]
    return _merge(found)


def unfold(
    read: Reading,
    table: Table,
    row: Mapping[str, Any],
    *,
    behind: int | None = None,
    ahead: int | None = 1,
    sources: Mapping[str, Sources] | None = None,
) -> LineageNode:
    """A row with what it rests on and what was made from it.

    Args:
        read: gives rows of tables.
        table: where the row is.
        row: its values.
        behind: steps towards the sources; None to the end.
        ahead: steps towards what was made from it; None to the end.
        sources: table -> what tells all rows that one of its rows is made of; asked about the first row.

    Raises:
        LakeError: if the lake cannot be read.
    """
    root = LineageNode(table, pl.DataFrame([row], schema_overrides=_known(table, row)))
    told = sources[table.name](row) if sources and table.name in sources else None
    first = None if told is None else tuple(_told(one, rows) for one, rows in told if not rows.is_empty())
    forward = _TreeWalk(read).follow(root, ahead, "ahead").ahead
    return replace(_TreeWalk(read).follow(root, behind, "behind", first), ahead=forward)


class _TreeWalk:
    """Follows nodes one way; each is followed once."""

    def __init__(self, read: Reading) -> None:
        self._read = read
        self._seen: set[tuple[str, str]] = set()

    def follow(
        self, node: LineageNode, steps: int | None, way: str, first: tuple[LineageNode, ...] | None = None
    ) -> LineageNode:
        """The node with what comes next, so many steps far."""
        if node.mark in self._seen:
            return replace(node, again=True)
        self._seen.add(node.mark)
        if steps == 0:
            return node
        left = None if steps is None else steps - 1
        if way == "behind":
            found = find_behind(self._read, node) if first is None else first
            return replace(node, behind=tuple(self.follow(one, left, way) for one in found))
        return replace(node, ahead=tuple(self.follow(one, left, way) for one in find_ahead(self._read, node)))


def _node(table: Table, rows: pl.DataFrame, reference: Reference) -> LineageNode:
    return LineageNode(table, rows, reference.columns)


def _told(table: Table, rows: pl.DataFrame) -> LineageNode:
    used = rows[USED].explode().unique(maintain_order=True).drop_nulls().to_list()
    return LineageNode(table, rows.drop(USED), {}, tuple(used))


def _merge(nodes: Iterable[LineageNode]) -> tuple[LineageNode, ...]:
    """Several relations to the same rows are one node, by the relation that came first."""
    kept: dict[tuple[str, str, int], LineageNode] = {}
    for one in nodes:
        kept.setdefault((*one.mark, one.rows.height), one)
    return tuple(kept.values())


def _light(read: Reading) -> Reading:
    """The same without columns of megabytes."""

    def without(table: Table, **how: Any) -> pl.DataFrame:
        columns = tuple(name for name in (*table.columns, RUN_ID) if name not in NOT_READ)
        return read(table, columns=columns, **how)

    return without


def _known(table: Table, row: Mapping[str, Any]) -> dict[str, Any]:
    return {name: dtype for name, dtype in table.stored_schema.items() if name in row}

"""A part of what a run writes: a data file that no version has yet, written wherever its rows were computed."""

from __future__ import annotations

from collections.abc import Iterable, Mapping, Sequence
from dataclasses import dataclass
from hashlib import sha256
from itertools import pairwise
from pathlib import Path
from typing import Any

import polars as pl

from lake.contract import RUN_ID, Table
from lake.engine import is_in_order
from lake.errors import LakeError
from lake.fingerprint import fingerprint_in_parts
from lake.storage.appending import write_file
from lake.storage.disk import estimate_space, require_free_space, translate_disk_errors
from lake.store import Lake

HELD = 2**28
"""Bytes of columns, roughly, that are read at a time to be hashed: to open a file takes as long as to read a column."""
VALUE = 8


class NotInPartsError(LakeError):
    """The rows cannot be written in parts as they are: some are there already, or the parts overlap."""


@dataclass(frozen=True)
class Part:
    """A file as the commit will name it, and what has to be known of its rows."""

    entry: Mapping[str, Any]
    """What the log says of it."""
    rows: int
    columns: tuple[str, ...]
    """Without `run_id`."""
    first: tuple[Any, ...]
    """The key of the first row; the same for the last."""
    last: tuple[Any, ...]


def write_part(lake: Lake, table: Table, rows: pl.DataFrame, run_id: str, number: int) -> Part | None:
    """Write rows of a run as a file of the table's folder; None where there are none.

    Whoever holds the writer lock asks for it, and adds it to the table by `commit_parts`.

    Args:
        lake: at the version that the parts will be added to.
        table: one that is only appended to, with its clock in its key.
        rows: checked, with no key of another part among them.
        run_id: who writes them.
        number: of the part.

    Raises:
        NotInPartsError: if rows are not in the order of the key, or one is in the table already.
        StorageError: if the disk refuses.
    """
    if rows.is_empty():
        return None
    if not is_in_order(rows, table.key):
        raise NotInPartsError(f"{table.name}: the rows of part {number} are not in the order of their key")
    clock = rows[table.clock]
    there = lake.read(table, version=lake.newest(table), since=clock.min(), until=clock.max(), columns=table.key)  # type: ignore[arg-type]
    if not there.is_empty() and not (repeated := rows.join(there, on=table.key, how="semi")).is_empty():
        raise NotInPartsError(f"{table.name}: {repeated.height} rows of part {number} are there already")
    wide = table.for_columns(rows.columns)
    stored = rows.with_columns(pl.lit(run_id).alias(RUN_ID)).select(list(wide.stored_schema))
    require_free_space(lake.path, estimate_space(stored), f"writing {table.name}")
    with translate_disk_errors(f"a part of {table.name} could not be written"):
        entry = write_file(lake.uri(table), wide, f"{_prefix(run_id)}{number:05}", stored)
    key = rows.select(table.key)
    return Part(entry, entry["rows"], tuple(rows.columns), key.row(0), key.row(-1))


def put_parts_in_order(table: Table, parts: Iterable[Part | None]) -> list[Part]:
    """The parts by their keys.

    Raises:
        NotInPartsError: if two overlap, or have other columns.
    """
    ordered = sorted((part for part in parts if part is not None), key=lambda part: part.first)
    for one, other in pairwise(ordered):
        if not one.last < other.first or one.columns != other.columns:
            raise NotInPartsError(f"{table.name}: the parts up to {one.last} and from {other.first} on overlap")
    return ordered


def fingerprint_parts(lake: Lake, table: Table, parts: Sequence[Part]) -> str:
    """The fingerprint of all rows together, read back from their files, as few columns at a time as memory bears."""
    wide, rows = table.for_columns(parts[0].columns), sum(part.rows for part in parts)
    files = [Path(lake.uri(table)) / part.entry["path"] for part in parts]
    names = sorted(wide.content_columns)
    width = max(HELD // (VALUE * rows), 1)
    held: dict[str, list[pl.Series]] = {}

    def load(name: str) -> list[pl.Series]:
        if name not in held:
            at = names.index(name)
            group = names[at : at + width]
            frames = [pl.read_parquet(file, columns=group, glob=False) for file in files]
            held.update({one: [frame[one] for frame in frames] for one in group})
        return held.pop(name)

    return fingerprint_in_parts(rows, {name: wide.schema[name] for name in names}, load)


def remove_parts(lake: Lake, table: Table, run_id: str, kept: Iterable[Part] = ()) -> None:
    """Remove the files of a run's parts but for those kept: what workers left that were lost, and all of a failure."""
    names = {part.entry["path"] for part in kept}
    for path in Path(lake.uri(table)).glob(f"part-{_prefix(run_id)}*"):
        if path.name not in names:
            path.unlink(missing_ok=True)


def _prefix(run_id: str) -> str:
    return f"{sha256(run_id.encode()).hexdigest()[:12]}-"

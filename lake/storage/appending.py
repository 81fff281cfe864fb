"""An append without the Delta library: a data file for each block of rows, and the log's next entry."""

from __future__ import annotations

import json
from collections.abc import Iterable, Mapping, Sequence
from datetime import date, datetime
from io import BytesIO
from pathlib import Path
from time import time
from typing import Any
from uuid import uuid4

import polars as pl

from lake.contract import Table
from lake.errors import ContractError
from lake.storage.delta_log import APP, METADATA, add_entry

MAX_ROWS = 50_000
"""Rows up to which an append is one block, which the writer may keep."""
BLOCK = 250_000
"""Rows of a file where there are more: their order by the clock lets a reader pass over most of them."""
GROUP_BYTES = 2**25
"""Of rows in memory, roughly, that are laid out and packed together: long texts would be there four times at once."""
MANY: dict[str, Any] = {"compression": "zstd", "compression_level": 1}
"""Two thirds of the bytes of the default, in the same time."""
FEW: dict[str, Any] = {**MANY, "statistics": False}
"""Few rows are read at once, and the log knows their ends: the first and last value of each column would be a fifth of
the file."""
WRITER_PROTOCOL = 2
"""The version of Delta's writer protocol that our tables ask for, and that an append here follows."""


def append_files(
    uri: str, table: Table, version: int, blocks: Iterable[pl.DataFrame], recipe: Mapping[str, Any]
) -> list[str]:
    """Add rows, a file for each block, in the commit of that version, without the library; see decision 61.

    Args:
        uri: the table's folder.
        table: its contract.
        version: the version that the commit makes, one more than the newest.
        blocks: of rows, in the columns that the table has; each is asked for when the one before it is written.
        recipe: goes into the commit.

    Returns:
        The paths of the data files within the table's folder.

    Raises:
        ContractError: if a value is missing that may not be.
        FileExistsError: if another process made the version first; nothing is left of this one.
        OSError: if the disk refuses.
    """
    written: list[dict[str, Any]] = []
    try:
        for number, rows in enumerate(blocks):
            written.append(write_file(uri, table, f"{number:05}", rows))
    except BaseException:  # an interrupt too leaves no file that no entry names
        _remove(uri, written)
        raise
    try:
        add_files(uri, version, written, recipe)
    except FileExistsError:  # after any other error the entry may be there
        _remove(uri, written)
        raise
    return [one["path"] for one in written]


def add_files(
    uri: str,
    version: int,
    files: Sequence[Mapping[str, Any]],
    recipe: Mapping[str, Any],
    metadata: Mapping[str, Any] | None = None,
) -> None:
    """Add files that are there to the table, in the commit of that version.

    Args:
        uri: the table's folder.
        version: the version that the commit makes, one more than the newest.
        files: as `write_file` describes them.
        recipe: goes into the commit.
        metadata: the table's, where the commit changes its columns.

    Raises:
        FileExistsError: if another process made the version first.
        OSError: if the disk refuses.
    """
    metrics = {"num_added_files": len(files), "num_removed_files": 0,
               "num_added_rows": sum(one["rows"] for one in files)}  # fmt: skip
    info = {"timestamp": int(time() * 1000), "operation": "WRITE", "operationParameters": {"mode": "Append"},
            "engineInfo": APP, "operationMetrics": metrics, METADATA: json.dumps(recipe, default=str)}  # fmt: skip
    added = [{"add": {name: value for name, value in one.items() if name != "rows"}} for one in files]
    changed = [] if metadata is None else [{"metaData": metadata}]
    add_entry(uri, version, [{"commitInfo": info}, *changed, *added, {"txn": {"appId": APP, "version": version}}])


def _remove(uri: str, written: Iterable[Mapping[str, Any]]) -> None:
    for one in written:
        (Path(uri) / one["path"]).unlink(missing_ok=True)


def write_file(uri: str, table: Table, name: str, rows: pl.DataFrame) -> dict[str, Any]:
    """Write a data file whose name begins so; what the log says of it, and how many `rows` it has."""
    _require_present(table, rows)
    many = rows.height > MAX_ROWS
    path = Path(uri) / f"part-{name}-{uuid4()}-c000.zstd.parquet"
    buffer = BytesIO()
    groups = max(1, round(rows.estimated_size() / GROUP_BYTES))
    rows.write_parquet(buffer, row_group_size=-(-rows.height // groups) or None, **MANY if many else FEW)
    # Its bytes, which are shared, and no view of them: where the disk refuses, the traceback keeps buffer and view, and
    # Python may collect them in an order that ends the process (seen with 3.12 and 3.13).
    size = path.write_bytes(buffer.getvalue())
    return {"path": path.name, "partitionValues": {}, "size": size, "modificationTime": int(time() * 1000),
            "dataChange": True, "stats": json.dumps(_statistics(table, rows)), "rows": rows.height}  # fmt: skip


def _require_present(table: Table, rows: pl.DataFrame) -> None:
    """The library does so too: nothing that reads a table meets a null that its contract does not have."""
    needed = [name for name, column in table.columns.items() if not column.nullable]
    if missing := [name for name in needed if rows.get_column(name).null_count()]:
        raise ContractError(
            f"{table.name}: {rows[missing[0]].null_count()} of {rows.height} rows have no {missing[0]}; nothing was "
            f"written, give every row its {missing[0]}"
        )


def _statistics(table: Table, rows: pl.DataFrame) -> dict[str, Any]:
    """What lets a reader skip a file: how many rows, and first and last value of what rows are looked up by."""
    names = list(dict.fromkeys((table.clock, *table.key)))
    ends = rows.select(pl.col(names).min().name.prefix("first "), pl.col(names).max().name.prefix("last "))
    first, last = ({name: ends.item(0, f"{side} {name}") for name in names} for side in ("first", "last"))
    sides = {"minValues": first, "maxValues": last}
    known = {side: {name: _write_statistic(one) for name, one in values.items() if one is not None}
             for side, values in sides.items()}  # fmt: skip
    return {"numRecords": rows.height, **known, "nullCount": {name: rows[name].null_count() for name in names}}


def _write_statistic(value: Any) -> Any:
    """A value as Delta writes it: instants in UTC, cut to milliseconds."""
    if isinstance(value, datetime):
        return value.isoformat(timespec="milliseconds").replace("+00:00", "Z")
    return value.isoformat() if isinstance(value, date) else value

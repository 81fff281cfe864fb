"""An append of few rows without the Delta library: one data file, and the log's next entry."""

from __future__ import annotations

import json
from collections.abc import Mapping
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
"""Rows up to which an append is one file; the library cuts more of them into files and groups of rows."""
WRITER_PROTOCOL = 2
"""The version of Delta's writer protocol that our tables ask for, and that an append here follows."""


def append_file(uri: str, table: Table, version: int, rows: pl.DataFrame, recipe: Mapping[str, Any]) -> str:
    """Add rows as one file, in the commit of that version, without the library; see decision 61.

    Args:
        uri: the table's folder.
        table: its contract.
        version: the version that the commit makes, one more than the newest.
        rows: in the columns that the table has.
        recipe: goes into the commit.

    Returns:
        The path of the data file within the table's folder.

    Raises:
        ContractError: if a value is missing that may not be.
        FileExistsError: if another process made the version first; nothing is left of this one.
        OSError: if the disk refuses.
    """
    _require_present(table, rows)
    path = Path(uri) / f"part-00000-{uuid4()}-c000.snappy.parquet"
    buffer = BytesIO()
    rows.write_parquet(buffer, compression="snappy")
    now = int(time() * 1000)
    metrics = {"num_added_files": 1, "num_removed_files": 0, "num_added_rows": rows.height}
    info = {"timestamp": now, "operation": "WRITE", "operationParameters": {"mode": "Append"}, "engineInfo": APP,
            "operationMetrics": metrics, METADATA: json.dumps(recipe, default=str)}  # fmt: skip
    add = {"path": path.name, "partitionValues": {}, "size": path.write_bytes(buffer.getbuffer()),
           "modificationTime": now, "dataChange": True, "stats": json.dumps(_statistics(table, rows))}  # fmt: skip
    try:
        add_entry(uri, version, [{"commitInfo": info}, {"add": add}, {"txn": {"appId": APP, "version": version}}])
    except FileExistsError:
        path.unlink()
        raise
    return path.name


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

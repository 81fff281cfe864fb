"""Writes what research records: rows of tables that no run publishes, each once."""

from __future__ import annotations

from collections.abc import Mapping, Sequence
from typing import Any

import polars as pl

from lake.contract import Table
from lake.store import Lake


def record(lake: Lake, table: Table, name: str, rows: Sequence[Mapping[str, Any]]) -> None:
    """Append rows to a table under a name; the same name again changes nothing.

    Raises:
        ContractError: if a row breaks the table's contract.
        StorageError: if the lake cannot be written.
    """
    if rows:
        lake.commit(table, table.check(pl.DataFrame(rows, schema=table.schema)), name, {})

"""The only module that imports the Delta library: make a table from its contract, open it, commit to it."""

from __future__ import annotations

import json
from collections.abc import Mapping
from typing import Any

import polars as pl
from deltalake import (
    CommitProperties,
    Field,
    PostCommitHookProperties,
    Schema,
    Transaction,
    write_deltalake,
)
from deltalake import (
    DeltaTable as DeltaTable,
)
from deltalake.exceptions import CommitFailedError as CommitFailedError
from deltalake.exceptions import DeltaError as DeltaError
from deltalake.schema import ArrayType, PrimitiveType, StructType
from polars.datatypes import DataType

from lake.contract import Table, require_columns
from lake.storage.delta_log import APP, METADATA

PROPERTIES = {
    # Delta's defaults forget old versions after 30 and 7 days; ours are kept until `nextgen gc` removes them.
    "delta.logRetentionDuration": "interval 36500 days",
    "delta.enableExpiredLogCleanup": "false",
    "delta.deletedFileRetentionDuration": "interval 36500 days",
    "delta.checkpointInterval": "1000000",
}
# A failing checkpoint after a commit would report an error for rows that are in the table.
NO_HOOK = PostCommitHookProperties(create_checkpoint=False, cleanup_expired_logs=False)
_PRIMITIVES: dict[type[DataType], str] = {
    pl.String: "string",
    pl.Int32: "integer",
    pl.Int64: "long",
    pl.Float32: "float",
    pl.Float64: "double",
    pl.Boolean: "boolean",
    pl.Date: "date",
    pl.Datetime: "timestamp",
    pl.Binary: "binary",
}


def create(uri: str, table: Table) -> None:
    """Make an empty table with the contract's columns, units and meanings; leave an existing one alone."""
    DeltaTable.create(
        uri,
        _schema(table),
        mode="ignore",
        name=table.name,
        description=table.doc,
        configuration=PROPERTIES,
    )


def open_table(uri: str, table: Table) -> DeltaTable:
    """Open a table at its newest version.

    Raises:
        NotALakeError: if its columns are not the contract's.
    """
    return _require_contract(DeltaTable(uri), uri, table)


def bring_up_to_date(handle: DeltaTable, uri: str, table: Table) -> DeltaTable:
    """Read what was written since into an open table.

    Raises:
        NotALakeError: if its columns are not the contract's any more.
        DeltaError: if what it lacks is not in the log any more.
    """
    handle.update_incremental()
    return _require_contract(handle, uri, table)


def _require_contract(handle: DeltaTable, uri: str, table: Table) -> DeltaTable:
    require_columns(uri, table, [field.name for field in handle.schema().fields])
    return handle


def append(handle: DeltaTable, rows: pl.DataFrame, recipe: Mapping[str, Any]) -> None:
    """Add rows in one commit that carries the recipe; the table gains the columns that only they have."""
    there = {field.name for field in handle.schema().fields}
    write_deltalake(
        handle,
        rows,
        mode="append",
        schema_mode=None if set(rows.columns) == there else "merge",
        post_commithook_properties=NO_HOOK,
        commit_properties=_commit(handle, recipe),
    )


def overwrite(handle: DeltaTable, rows: pl.DataFrame, recipe: Mapping[str, Any], predicate: str | None) -> None:
    """Replace the rows that meet the predicate (all of them where None), in one commit."""
    write_deltalake(
        handle,
        rows,
        mode="overwrite",
        predicate=predicate,
        post_commithook_properties=NO_HOOK,
        commit_properties=_commit(handle, recipe),
    )


def add_columns(handle: DeltaTable, table: Table, recipe: Mapping[str, Any]) -> None:
    """Add the contract's columns that the table lacks; no row is written, existing rows have null in them."""
    there = {field.name for field in handle.schema().fields}
    handle.alter.add_columns(
        [_field(table, name, dtype) for name, dtype in table.stored_schema.items() if name not in there],
        commit_properties=_commit(handle, recipe),
        post_commithook_properties=NO_HOOK,
    )


def describe_widened(handle: DeltaTable, table: Table) -> dict[str, Any] | None:
    """The table's metadata with the contract's columns that it lacks, as the log has it; None where it has them all."""
    fields = handle.schema().fields
    there, known = {field.name for field in fields}, handle.metadata()
    if not (added := [name for name in table.stored_schema if name not in there]):
        return None
    widened = Schema([*fields, *(_field(table, name, table.stored_schema[name]) for name in added)])
    return {
        "id": str(known.id),
        "name": known.name,
        "description": known.description,
        "format": {"provider": "parquet", "options": {}},
        "schemaString": widened.to_json(),
        "partitionColumns": known.partition_columns,
        "createdTime": known.created_time,
        "configuration": known.configuration,
    }


def reshape(handle: DeltaTable, table: Table, rows: pl.DataFrame, recipe: Mapping[str, Any]) -> None:
    """Replace all rows and all columns by rows in the contract's columns, in one commit."""
    import pyarrow as pa

    schema = pa.schema(_schema(table).to_arrow())  # names what may be null, and carries unit and meaning
    write_deltalake(
        handle,
        rows.select(list(table.stored_schema)).to_arrow().cast(schema),
        mode="overwrite",
        schema_mode="overwrite",
        post_commithook_properties=NO_HOOK,
        commit_properties=_commit(handle, recipe),
    )


def _schema(table: Table) -> Schema:
    return Schema([_field(table, name, dtype) for name, dtype in table.stored_schema.items()])


def _commit(handle: DeltaTable, recipe: Mapping[str, Any]) -> CommitProperties:
    return CommitProperties(
        custom_metadata={METADATA: json.dumps(recipe, default=str)},
        app_transactions=[Transaction(APP, int(handle.version()) + 1)],
        max_commit_retries=0,
    )


def _field(table: Table, name: str, dtype: DataType) -> Field:
    column = table.columns.get(name)
    if column is None:
        return Field(name, PrimitiveType("string"), nullable=False, metadata={"doc": "the run that wrote the row"})
    metadata = {"unit": column.unit, "doc": column.doc}
    return Field(name, _delta_type(dtype), nullable=column.nullable, metadata=metadata)


def _delta_type(dtype: DataType) -> PrimitiveType | ArrayType | StructType:
    if isinstance(dtype, pl.Decimal):
        return PrimitiveType(f"decimal({dtype.precision},{dtype.scale})")
    if isinstance(dtype, pl.List):
        return ArrayType(_delta_type(dtype.inner), contains_null=True)  # type: ignore[arg-type]
    if isinstance(dtype, pl.Struct):
        return StructType([Field(part.name, _delta_type(part.dtype), nullable=True) for part in dtype.fields])  # type: ignore[arg-type]
    return PrimitiveType(_PRIMITIVES[type(dtype)])

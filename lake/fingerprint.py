"""One hash for the logical content of a frame: the same rows give the same hash, however they lie in files."""

from __future__ import annotations

from collections.abc import Sequence
from hashlib import sha256

import polars as pl
from polars.datatypes import DataType

NULLS, LENGTHS = "is null", "bytes"


def fingerprint(frame: pl.DataFrame, key: Sequence[str], columns: Sequence[str] | None = None) -> str:
    """Hash names, types and values of the columns, rows in order of the key, nulls told from values, floats by bits.

    Args:
        frame: any frame; its row order does not matter if the key is unique.
        key: the columns that order the rows; they are sorted by their bytes, nulls first.
        columns: the columns that count; all where None.

    Returns:
        64 hex digits.
    """
    names = sorted(columns if columns is not None else frame.columns)
    ordered = frame.lazy().sort(list(key), nulls_last=False) if key else frame.lazy()
    # One query for all columns: a query per column costs more than the hashing.
    canonical = ordered.select(part for name in names for part in _parts(name, frame.schema[name])).collect()
    digest = sha256(f"{frame.height}".encode())
    for name in names:
        digest.update(f"|{name}:{frame.schema[name]}|".encode())
        digest.update(canonical[f"{name} {NULLS}"].to_numpy().tobytes())
        if f"{name} {LENGTHS}" in canonical.columns:
            digest.update(canonical[f"{name} {LENGTHS}"].to_numpy().tobytes())
            digest.update("".join(canonical[name].to_list()).encode())
        else:
            digest.update(canonical[name].to_numpy().tobytes())
    return digest.hexdigest()


def _parts(name: str, dtype: DataType) -> list[pl.Expr]:
    column = pl.col(name)
    absent = column.is_null().alias(f"{name} {NULLS}")
    if (text := _as_text(name, dtype)) is not None:
        return [absent, text.fill_null("").str.len_bytes().alias(f"{name} {LENGTHS}"), text.fill_null("").alias(name)]
    if dtype.is_float():
        return [absent, column.fill_null(0.0)]
    if dtype == pl.Boolean:
        return [absent, column.fill_null(False)]
    return [absent, column.to_physical().cast(pl.Int64).fill_null(0)]


def _as_text(name: str, dtype: DataType) -> pl.Expr | None:
    """The column as text where its values have no fixed width; None where they have."""
    column = pl.col(name)
    if dtype == pl.String:
        return column
    if dtype == pl.Binary:
        return column.bin.encode("hex")
    if isinstance(dtype, pl.Decimal):
        return column.cast(pl.String)
    if dtype.is_nested():
        return pl.struct(name).struct.json_encode().alias(name)
    return None

"""One hash for the logical content of a frame: the same rows give the same hash, however they lie in files."""

from __future__ import annotations

from collections.abc import Iterator, Sequence
from hashlib import sha256
from typing import Any

import numpy as np
import numpy.typing as npt
import polars as pl


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
    ordered = frame.sort(list(key), nulls_last=False) if key else frame
    columns_of = {column.name: column for column in ordered.get_columns()}
    with_nulls = [name for name in names if columns_of[name].null_count()]
    absent = {column.name: column for column in ordered.select(pl.col(with_nulls).is_null()).get_columns()}
    digest = sha256(f"{frame.height}".encode())
    for name in names:
        digest.update(f"|{name}:{columns_of[name].dtype}|".encode())
        for part in _parts(columns_of[name], absent.get(name)):
            digest.update(part)
    return digest.hexdigest()


def _parts(column: pl.Series, absent: pl.Series | None) -> Iterator[bytes]:
    """Which values are null, then the values: read off the column itself, because a query costs more than the hashing.

    Text is its lengths in bytes (UInt32), so that it is told apart however it is cut, and then all of it. A null counts
    as an empty text or 0.
    """
    yield bytes(len(column)) if absent is None else absent.to_numpy().tobytes()
    if (text := _as_text(column)) is not None:
        values = [value or "" for value in text.to_list()]
        whole = "".join(values)
        lengths = map(len, values) if whole.isascii() else (len(value.encode()) for value in values)
        yield np.fromiter(lengths, dtype=np.uint32, count=len(values)).tobytes()
        yield whole.encode()
    else:
        yield _numbers(column, absent).tobytes()


def _numbers(column: pl.Series, absent: pl.Series | None) -> npt.NDArray[Any]:
    if column.dtype.is_float():
        values = column.to_numpy()
        return values if absent is None else np.where(absent, values.dtype.type(0), values)
    if column.dtype != pl.Boolean:
        column = column.to_physical().cast(pl.Int64)
    return (column if absent is None else column.fill_null(False if column.dtype == pl.Boolean else 0)).to_numpy()


def _as_text(column: pl.Series) -> pl.Series | None:
    """The column as text where its values have no fixed width; None where they have."""
    if column.dtype == pl.String:
        return column
    if column.dtype == pl.Binary:
        return column.bin.encode("hex")
    if isinstance(column.dtype, pl.Decimal):
        return column.cast(pl.String)
    if column.dtype.is_nested():
        return column.to_frame().select(pl.struct(column.name).struct.json_encode()).to_series()
    return None

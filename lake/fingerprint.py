"""One hash for the logical content of a frame: the same rows give the same hash, however they lie in files."""

from __future__ import annotations

from collections.abc import Sequence
from hashlib import sha256

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
    digest = sha256(f"{frame.height}".encode())
    for name in names:
        column = ordered.get_column(name)
        digest.update(f"|{name}:{column.dtype}|".encode())
        digest.update(column.is_null().to_numpy().tobytes())
        for part in _canonical(column):
            digest.update(part)
    return digest.hexdigest()


def _canonical(column: pl.Series) -> list[bytes]:
    dtype = column.dtype
    if dtype == pl.String:
        return _text(column)
    if dtype == pl.Binary:
        return _text(column.bin.encode("hex"))
    if dtype == pl.Boolean:
        return [column.fill_null(False).cast(pl.UInt8).to_numpy().tobytes()]
    if isinstance(dtype, pl.Decimal):
        return _text(column.cast(pl.String))
    if dtype.is_nested():
        return _text(column.to_frame().select(pl.struct(pl.all()).struct.json_encode()).to_series())
    if dtype.is_float():
        return [column.fill_null(0.0).to_numpy().tobytes()]
    return [column.to_physical().cast(pl.Int64).fill_null(0).to_numpy().tobytes()]


def _text(column: pl.Series) -> list[bytes]:
    present = column.fill_null("")
    lengths = present.str.len_bytes().cast(pl.UInt32).to_numpy().tobytes()
    return [lengths, "".join(present.to_list()).encode("utf-8", "surrogatepass")]

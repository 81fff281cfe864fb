"""One hash for the logical content of a frame: the same rows give the same hash, however they are stored."""

from __future__ import annotations

from collections.abc import Collection, Iterator, Sequence
from hashlib import sha256

import polars as pl

HELD = 2**25
"""Bytes of text, roughly, that are copied to be hashed at a time."""


def fingerprint(frame: pl.DataFrame, key: Sequence[str], columns: Sequence[str] | None = None) -> str:
    """Hash names, types and values of the columns, rows ordered by the key, nulls distinct from values, floats by bits.

    Args:
        frame: any frame; its row order does not matter if the key is unique.
        key: the columns that order the rows; they are sorted by their bytes, nulls first.
        columns: the columns to hash; all where None.

    Returns:
        64 hex digits.
    """
    types = frame.schema
    names = sorted(columns if columns is not None else types)
    with_nulls = {name for name in names if frame.get_column(name).null_count()}
    values, absent = _canonicalise(frame, key, names, with_nulls)
    digest = sha256(f"{frame.height}".encode())
    for name in names:
        digest.update(f"|{name}:{types[name]}|".encode())
        digest.update(absent[name].to_numpy().tobytes() if name in with_nulls else bytes(frame.height))
        for part in _to_bytes(values[name]):
            digest.update(part)
    return digest.hexdigest()


def _canonicalise(
    frame: pl.DataFrame, key: Sequence[str], names: Sequence[str], with_nulls: Collection[str]
) -> tuple[dict[str, pl.Series], dict[str, pl.Series]]:
    """The values in the form in which they are hashed, and which are null; in one query, which costs the most."""
    types = frame.schema
    values = [_canonical_expression(name, types[name]).alias(f"{n}") for n, name in enumerate(names)]
    absent = [pl.col(name).is_null().alias(f"{n} absent") for n, name in enumerate(names) if name in with_nulls]
    rows = frame.lazy().sort(list(key), nulls_last=False) if key else frame.lazy()
    found = rows.select(*values, *absent).collect(engine="in-memory").get_columns()
    nulls = [name for name in names if name in with_nulls]
    return dict(zip(names, found, strict=False)), dict(zip(nulls, found[len(names) :], strict=True))


def _canonical_expression(name: str, dtype: pl.DataType) -> pl.Expr:
    """Text where the values have no fixed width, else floats, truths, or integers; a null is an empty text or 0."""
    column = pl.col(name)
    if dtype == pl.Binary:
        return column.bin.encode("hex").fill_null("")
    if dtype.is_nested():
        return pl.struct(name).struct.json_encode().fill_null("")
    if dtype == pl.String or dtype.is_decimal():
        return column.cast(pl.String).fill_null("")
    if dtype == pl.Boolean or dtype.is_float():
        return column.fill_null(False if dtype == pl.Boolean else 0.0)
    return column.to_physical().cast(pl.Int64).fill_null(0)


def _to_bytes(column: pl.Series) -> Iterator[bytes]:
    """The bytes of the values. Text is its lengths in bytes (UInt32), so that it is distinct however it is split, and
    then all of it."""
    if column.dtype != pl.String:
        yield column.to_numpy().tobytes()
        return
    lengths = column.str.len_bytes()
    yield lengths.cast(pl.UInt32).to_numpy().tobytes()
    held = max(1, len(column) * HELD // max(int(lengths.sum()), 1))
    for start in range(0, len(column), held):
        yield "".join(column.slice(start, held).to_list()).encode()

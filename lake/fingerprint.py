"""One hash for the logical content of a frame: the same rows give the same hash, however they are stored."""

from __future__ import annotations

from collections.abc import Collection, Iterator, Sequence
from hashlib import sha256

import polars as pl

from lake.engine import put_in_order

HELD = 2**25
"""Bytes of text, roughly, that are copied to be hashed at a time."""
LARGE = 50_000
"""Rows beyond which they are sorted only if they do not come so, and one column is copied at a time."""


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
    digest = sha256(f"{frame.height}".encode())
    many = frame.height > LARGE
    ordered, order = (put_in_order(frame, key), ()) if many and key else (frame, key)
    for part in [[name] for name in names] if many else [names]:
        rows = _canonicalise(ordered, order, part, with_nulls) if frame.height else {}
        for number, name in enumerate(part):
            digest.update(f"|{name}:{types[name]}|".encode())
            if not rows:
                continue
            digest.update(rows[f"{number} absent"].to_numpy().tobytes() if name in with_nulls else bytes(frame.height))
            for content in _to_bytes(rows[f"{number}"], rows.get(f"{number} length")):
                digest.update(content)
    return digest.hexdigest()


def _canonicalise(
    frame: pl.DataFrame, key: Sequence[str], names: Sequence[str], with_nulls: Collection[str]
) -> dict[str, pl.Series]:
    """By each name's number the values as they are hashed, which are null, and the bytes of each text.

    All of few rows in one query, since queries cost more than what they compute.
    """
    types = frame.schema
    values = {f"{number}": _canonical_expression(name, types[name]) for number, name in enumerate(names)}
    absent = {f"{n} absent": pl.col(name).is_null() for n, name in enumerate(names) if name in with_nulls}
    texts = [number for number, name in enumerate(names) if _is_text(types[name])]
    lengths = {f"{number} length": pl.col(f"{number}").str.len_bytes().cast(pl.UInt32) for number in texts}
    rows = frame.lazy().sort(list(key), nulls_last=False) if key else frame.lazy()
    found = rows.select(**values, **absent).with_columns(**lengths).collect(engine="in-memory")
    return {column.name: column for column in found.get_columns()}


def _is_text(dtype: pl.DataType) -> bool:
    """Whether values of the type have no fixed width, and are hashed as text."""
    return dtype in (pl.Binary, pl.String) or dtype.is_nested() or dtype.is_decimal()


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


def _to_bytes(column: pl.Series, lengths: pl.Series | None) -> Iterator[bytes]:
    """The bytes of the values. Text is its lengths in bytes (UInt32), so that it is distinct however it is split, and
    then all of it."""
    if lengths is None:
        yield column.to_numpy().tobytes()
        return
    yield lengths.to_numpy().tobytes()
    held = max(1, len(column) * HELD // max(int(lengths.sum()), 1))
    for start in range(0, len(column), held):
        yield column.slice(start, held).str.join("").item().encode()

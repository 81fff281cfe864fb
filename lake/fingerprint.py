"""One hash for the logical content of a frame: the same rows give the same hash, however they are stored."""

from __future__ import annotations

from collections.abc import Callable, Iterable, Iterator, Mapping, Sequence
from functools import lru_cache
from hashlib import sha256
from itertools import chain
from typing import TYPE_CHECKING

import polars as pl

from lake.engine import put_in_order

if TYPE_CHECKING:
    import numpy as np
    import numpy.typing as npt

HELD = 2**25
"""Bytes of text, roughly, that are copied to be hashed at a time."""
LARGE = 50_000
"""Rows beyond which they are sorted only if they do not come so, and one column is copied at a time."""
ORDER = "place among the rows"
"""The column that tells it; no table has one of this name."""


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
    digest = sha256(f"{frame.height}".encode())
    many = frame.height > LARGE
    ordered, order = (put_in_order(frame, key), ()) if many and key else (frame, key)
    for part in [[name] for name in names] if many else [names]:
        content = _canonicalise(ordered, order, part) if frame.height else {}
        for name in part:
            digest.update(f"|{name}:{types[name]}|".encode())
            for piece in content.get(name, ()):
                digest.update(piece)
    return digest.hexdigest()


def fingerprint_in_parts(
    height: int, types: Mapping[str, pl.DataType], load: Callable[[str], Iterable[pl.Series]]
) -> str:
    """The fingerprint of rows that lie in parts, a column at a time: that of all of them in one frame.

    Args:
        height: how many rows there are.
        types: of the columns to hash.
        load: gives a column's parts, the rows of all parts in the order of the key.

    Returns:
        64 hex digits.
    """
    digest = sha256(f"{height}".encode())
    for name in sorted(types):
        digest.update(f"|{name}:{types[name]}|".encode())
        parts = [list(_canonicalise(one.to_frame(), (), [name])[name]) for one in load(name) if len(one)]
        # Of all parts which values are null comes first, then the values, or the lengths of texts and then the texts.
        for layer in (slice(0, 1), slice(1, 2), slice(2, None)):
            for part in parts:
                for piece in part[layer]:
                    digest.update(piece)
    return digest.hexdigest()


def _canonicalise(frame: pl.DataFrame, key: Sequence[str], names: Sequence[str]) -> dict[str, Iterable[bytes]]:
    """By each name what is hashed: which values are null, and the values.

    Floats are taken as they lie in memory. All other columns of few rows take one query, since queries cost more than
    what they compute; it tells the order of the rows, too.
    """
    import numpy as np  # here, since it takes a tenth of a second and who only reads needs none of it

    floats = {name: held for name in names if (held := _read_floats(frame.get_column(name))) is not None}
    others = [name for name in names if name not in floats]
    rows = _query(frame, key, others) if others or key else {}
    order = rows[ORDER].to_numpy() if key else np.arange(0)
    moved = bool((order[1:] < order[:-1]).any())
    found: dict[str, Iterable[bytes]] = {}
    for name in names:
        parts = floats.get(name)
        if parts is None:
            absent, values = rows[f"{name} absent"].to_numpy(), _to_bytes(rows[name], rows.get(f"{name} length"))
            found[name] = chain([absent.tobytes()], values)
        else:
            found[name] = [(part[order] if moved else part).tobytes() for part in parts]
    return found


def _read_floats(column: pl.Series) -> tuple[npt.NDArray[np.bool_], npt.NDArray[np.floating]] | None:
    """Which floats are null, and all of them with 0 for a null; None where it takes a query to tell."""
    import numpy as np  # as above

    if not column.dtype.is_float():
        return None
    values, missing = column.to_numpy(), column.null_count()
    absent = np.isnan(values) if missing else np.zeros(len(values), dtype=np.bool_)
    if np.count_nonzero(absent) != missing:  # nulls beside what is not a number
        return None
    return absent, np.where(absent, values.dtype.type(0), values) if missing else values


def _query(frame: pl.DataFrame, key: Sequence[str], names: Sequence[str]) -> dict[str, pl.Series]:
    """By name the values as they are hashed, which are null, and the bytes of each text; and the order of all rows."""
    types = frame.schema
    values, lengths = _state_columns(tuple((name, types[name]) for name in names))
    chosen = frame.lazy().select(*dict.fromkeys((*key, *names))).with_row_index(ORDER)
    rows = chosen.sort(list(key), nulls_last=False) if key else chosen
    found = rows.select(ORDER, *values).with_columns(*lengths).collect(engine="in-memory")
    return {column.name: column for column in found.get_columns()}


@lru_cache(maxsize=256)
def _state_columns(columns: tuple[tuple[str, pl.DataType], ...]) -> tuple[list[pl.Expr], list[pl.Expr]]:
    """What `_query` asks of columns: values, which are null, bytes of texts. A table's columns are always alike."""
    values = [_canonical_expression(name, dtype).alias(name) for name, dtype in columns]
    absent = [pl.col(name).is_null().alias(f"{name} absent") for name, _ in columns]
    texts = [name for name, dtype in columns if _is_text(dtype)]
    lengths = [pl.col(name).str.len_bytes().cast(pl.UInt32).alias(f"{name} length") for name in texts]
    return [*values, *absent], lengths


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

"""Which engine of polars answers a query, and in which thread: small ones cost less to answer than to hand over."""

from __future__ import annotations

from collections.abc import Callable, Sequence
from typing import TypeVar

import polars as pl

Result = TypeVar("Result")

FEW = 10_000
"""Rows of which nobody asks whether they are alike."""
MAX_IN_MEMORY_ROWS = 50_000
"""Rows up to which a query runs in memory."""


def is_in_order(frame: pl.DataFrame, key: Sequence[str]) -> bool:
    """Whether the rows come in the order of the key, none of which is null; to look costs little, to sort much."""
    if frame.height < 2 or frame.select(pl.any_horizontal(pl.col(name).null_count() > 0 for name in key)).item():
        return frame.height < 2
    in_order: pl.Expr = pl.lit(True)
    for column in map(pl.col, reversed(key)):
        in_order = (column > column.shift(1)) | ((column == column.shift(1)) & in_order)
    return bool(frame.select(in_order.slice(1).all()).item())


def put_in_order(frame: pl.DataFrame, key: Sequence[str]) -> pl.DataFrame:
    """The rows in the order of the key; they stay as they are where they come so."""
    return frame if is_in_order(frame, key) else frame.sort(key, nulls_last=False)


def join_parts(parts: list[pl.DataFrame]) -> pl.DataFrame:
    """All rows in one piece, and no parts any more: the list is emptied, so that a column at most is there twice.

    Whatever is done with rows in many pieces would first make one of them, beside the pieces.
    """
    pieces = [part.clone() for part in parts]
    parts.clear()
    names = pieces[0].columns
    columns = [_hold_once(pl.concat([piece.drop_in_place(name) for piece in pieces])) for name in names]
    rows = pl.DataFrame([column for column in columns if isinstance(column, pl.Series)])
    return rows.with_columns(column for column in columns if isinstance(column, pl.Expr)).select(names)


def hold_once(rows: pl.DataFrame) -> pl.DataFrame:
    """The same rows; of many, a column that has one value throughout holds it once."""
    held = (_hold_once(column) for column in rows.get_columns())
    return rows.with_columns(column for column in held if isinstance(column, pl.Expr))


def _hold_once(column: pl.Series) -> pl.Series | pl.Expr:
    """A column in one piece, or the one value of many rows; floats may be equal and differ, as zeros do."""
    if len(column) < FEW:
        return column.rechunk()
    missing = column.null_count()
    alike = not missing and not column.dtype.is_float() and bool((column == column.first()).all())
    return pl.lit(column.head(1)).first().alias(column.name) if alike or missing == len(column) else column.rechunk()


def collect(query: pl.LazyFrame, rows: int) -> pl.DataFrame:
    """The result of a query; both engines give the same where an order is asked for.

    Args:
        query: any.
        rows: how many it looks at, roughly.
    """
    return query.collect(engine="in-memory" if rows <= MAX_IN_MEMORY_ROWS else "streaming")


def work_within_query(work: Callable[[], Result]) -> Result:
    """Do work that asks many small queries within one of polars, and return its result, or raise what it raised.

    A query is handed to threads of polars, and its answer handed back; one that is asked within another is answered by
    the thread that asks. The work stays in the caller's thread, and its answers are the same (decision 99).
    """
    results: list[Result] = []
    ended: list[BaseException] = []

    def run(rows: pl.DataFrame) -> pl.DataFrame:
        try:
            results.append(work())
        except BaseException as error:  # an interrupt too: polars would tell it as an error of its own
            ended.append(error)
        return rows

    pl.LazyFrame().map_batches(run).collect(engine="streaming")
    if ended:
        raise ended[0]
    return results[0]

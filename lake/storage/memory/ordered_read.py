"""Reads many rows in an order a column at a time: beside the result, no more than one column is in memory twice."""

from __future__ import annotations

from collections.abc import Sequence

import polars as pl

MANY = 500_000
"""Rows from which this takes less memory, and less time, than to sort them whole."""
PLACE = "\0place"


def read_in_order(
    scan: pl.LazyFrame, conditions: Sequence[pl.Expr], columns: Sequence[str], order: Sequence[str]
) -> pl.DataFrame:
    """Return what `scan.filter(*conditions).select(columns).sort(order)` gives.

    Args:
        scan: of files, whose rows come in the same order each time.
        conditions: which rows are wanted; all where empty.
        columns: those of the result.
        order: the columns to sort by, nulls first.
    """
    places = _find_places(scan, conditions, order)
    return pl.DataFrame([_read_column(scan.select(name)).gather(places) for name in columns])


def _find_places(scan: pl.LazyFrame, conditions: Sequence[pl.Expr], order: Sequence[str]) -> pl.Series:
    """Which rows of the files are wanted, in order."""
    wanted = _read_column(scan.with_row_index(PLACE).filter(*conditions).select(PLACE)) if conditions else None
    keys = [_rank(_read_column(scan.select(name))) for name in order]
    if wanted is not None:
        keys = [key.gather(wanted) for key in keys]
    places = pl.DataFrame(keys).select(pl.arg_sort_by(list(order), maintain_order=True)).to_series()
    return places if wanted is None else wanted.gather(places)


def _rank(column: pl.Series) -> pl.Series:
    """Numbers in the order of the values: texts are sorted once each, and not for every row."""
    if column.dtype != pl.String:
        return column
    return column.cast(pl.Enum(column.drop_nulls().unique().sort())).to_physical()


def _read_column(query: pl.LazyFrame) -> pl.Series:
    return query.collect(engine="in-memory").to_series()

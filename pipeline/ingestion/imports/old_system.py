"""What every older system looks like from here: tables with columns, whose rows come as text in bounded portions."""

from __future__ import annotations

from collections.abc import Iterator, Sequence
from typing import Protocol

import polars as pl

from pipeline.ingestion.sources.errors import SourceError

PORTION = 50_000
"""Rows read at a time: what bounds the memory, however large the older system is."""
MAX_CELL = 200_000
"""Characters of a cell that are read; no price is longer, and an article is cut further on anyway."""


class Store(Protocol):
    """An older system, open for reading."""

    @property
    def where(self) -> str:
        """The path, for errors."""

    def tables(self) -> dict[str, tuple[str, ...]]:
        """Table -> its columns, in their order."""

    def rows(self, table: str, columns: Sequence[str]) -> Iterator[pl.DataFrame]:
        """The rows of some columns in portions, all String; a missing value is null.

        Raises:
            SourceError: if the table or a column is not there, or reading fails.
        """


def refuse_missing(store: Store, table: str, columns: Sequence[str]) -> None:
    """Make sure that a table has all columns.

    Raises:
        SourceError: naming what is missing, what is there, and the nearest.
    """
    there = store.tables()
    if table not in there:
        raise SourceError(f"{store.where} has no table {table!r}; {_near(table, tuple(there))}")
    for column in columns:
        if column not in there[table]:
            raise SourceError(
                f"table {table!r} of {store.where} has no column {column!r}; {_near(column, there[table])}"
            )


def _near(name: str, known: Sequence[str]) -> str:
    from difflib import get_close_matches

    if near := get_close_matches(name, known, n=1):
        return f"did you mean {near[0]!r}?"
    shown = ", ".join(repr(one) for one in known[:20])
    return f"it has {shown}" if len(known) <= 20 else f"it has {shown} and {len(known) - 20} more"

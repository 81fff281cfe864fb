"""Rows of a table, read once for many sessions and cut to what each of them could see."""

from __future__ import annotations

from bisect import bisect_left, bisect_right
from datetime import date, datetime
from functools import cached_property
from typing import Self

import polars as pl

from lake.contract import Table
from lake.storage.visibility import select_last_revisions
from lake.store import Lake
from pipeline.trading.books.money import to_micros


class StoredRows:
    """A table's published rows of a span, all revisions of them."""

    def __init__(self, table: Table, rows: pl.DataFrame) -> None:
        self.table = table
        self.rows = rows.sort(table.clock, *table.key)
        spans = self.rows.select(table.clock, place=pl.int_range(pl.len())).unique(
            table.clock, keep="first", maintain_order=True
        )
        self._days, self._starts = spans[table.clock].to_list(), [*spans["place"].to_list(), self.rows.height]
        self._last = rows[table.available].max() if table.available else None

    @classmethod
    def read(
        cls,
        lake: Lake,
        table: Table,
        since: date | None,
        until: date,
        where: pl.Expr | None = None,
        columns: tuple[str, ...] | None = None,
    ) -> Self:
        """Those of a lake, in all columns or in some and those that say what is visible."""
        beside = tuple(one for one in (table.available, table.withdrawal) if one)
        if columns is not None:
            columns = tuple(dict.fromkeys((*columns, table.clock, *beside)))
        return cls(table, lake.read(table, since=since, until=until, where=where, columns=columns))

    def cut(self, since: date | None, until: date, as_of: datetime | None = None) -> pl.DataFrame:
        """Return what a stage sees that reads a span at a moment: the last revision known then of each entity, by key.

        Args:
            since: first value of the clock; from the beginning where None.
            until: the last one.
            as_of: the moment; None for tables whose rows are known at once.
        """
        table = self.table
        first, last = self._find(since, until)
        rows = self.rows.slice(first, max(last - first, 0))
        if as_of is not None and isinstance(self._last, datetime) and self._last > as_of:
            rows = rows.filter(pl.col(table.available or "") <= as_of)
        rows = rows.sort(table.key)
        return select_last_revisions(rows, table) if table.entity else rows

    def has(self, since: date, until: date) -> bool:
        """Return whether there is any row of a span."""
        first, last = self._find(since, until)
        return first < last

    def _find(self, since: date | None, until: date) -> tuple[int, int]:
        """The places of the rows of a span: the first, and that after the last."""
        first = 0 if since is None else bisect_left(self._days, since)
        return self._starts[first], self._starts[bisect_right(self._days, until)]

    def find_restated(self, since: date, as_of: datetime) -> dict[tuple[str, date], int]:
        """Return ticker and session -> the close in millionths of bars that were restated, as known at a moment."""
        return {(ticker, day): close for ticker, day, close, known in self._restated if day >= since and known <= as_of}

    @cached_property
    def _restated(self) -> list[tuple[str, date, int, datetime]]:
        """In the order of revisions."""
        again = self.rows.filter(pl.col("revision") > 0).sort("ticker", "session", "revision")
        rows = again.select("ticker", "session", "close", "available_at").iter_rows()
        return [(ticker, day, to_micros(close), known) for ticker, day, close, known in rows]

"""What a read sees of a table in memory: found by numbers, where a query for each of thousands of reads is what tests
of many sessions would cost most by."""

from __future__ import annotations

from collections.abc import Sequence
from datetime import UTC, date, datetime, timedelta

import numpy as np
import polars as pl

from lake.contract import Table
from lake.storage.visibility import select_last_revisions

EPOCH = datetime(1970, 1, 1, tzinfo=UTC)
Spans = Sequence[tuple[date | None, date]]
"""First and last session of each; None is the beginning of time."""


class VisibleRows:
    """A table's rows by its key, and what was seen of them at the last moment: many stages ask for the same."""

    def __init__(self, table: Table, rows: pl.DataFrame) -> None:
        assert rows.schema[table.clock] == pl.Date, f"{table.name} has another clock than sessions"
        gone = table.withdrawal is not None and bool(rows[table.withdrawal].any())
        self._table, self._rows = table, rows.sort(table.key)
        self._revised = gone or (bool(table.entity) and rows["revision"].max() != 0)
        self._days = self._rows[table.clock].to_physical().to_numpy()
        self._known = None if table.available is None else self._rows[table.available].to_physical().to_numpy()
        self._moment: datetime | None = None
        self._seen: dict[object, pl.DataFrame] = {}

    def see(self, spans: Spans, as_of: datetime | None, *, every_revision: bool = False) -> pl.DataFrame:
        """The rows of some spans of sessions that were known then, each entity's last unless all are asked for."""
        asked = (*spans, every_revision)
        if as_of != self._moment:  # what was seen of years of sessions would take gigabytes
            self._moment, self._seen = as_of, {}
        if asked not in self._seen:
            shown = self._cut(spans, as_of)
            reduced = self._revised and not every_revision
            self._seen[asked] = select_last_revisions(shown, self._table) if reduced else shown
        return self._seen[asked]

    def _cut(self, spans: Spans, as_of: datetime | None) -> pl.DataFrame:
        met = np.zeros(len(self._days), dtype=bool)
        for first, last in spans:
            met |= (self._days >= _number(first or date.min)) & (self._days <= _number(last))
        if as_of is not None and self._known is not None:
            met &= self._known <= (as_of - EPOCH) // timedelta(microseconds=1)
        return self._rows if met.all() else self._rows[np.flatnonzero(met)]


def _number(day: date) -> int:
    return (day - EPOCH.date()).days


_kept: dict[str, tuple[pl.DataFrame, VisibleRows]] = {}


def visible_rows(table: Table, rows: pl.DataFrame) -> VisibleRows:
    """Of a table's rows; kept until it is asked about others of that table."""
    kept = _kept.get(table.name)
    if kept is None or kept[0] is not rows:
        kept = _kept[table.name] = rows, VisibleRows(table, rows)
    return kept[1]

"""What becomes of feature values if a row says otherwise: computed as it is and as it would be, and compared."""

from __future__ import annotations

from collections.abc import Mapping
from dataclasses import dataclass, field
from datetime import date
from typing import Any

import polars as pl

from lake.contract import Table
from lake.errors import LakeError
from lake.store import Lake
from lake.tables.features import FEATURE_ROWS
from pipeline.engine.executor import Executor
from pipeline.features import features
from pipeline.features.feature_set import feature_set
from pipeline.features.provenance.history import TABLES
from pipeline.reading.provenance.spans import find_span


@dataclass
class ChangedRow:
    """Feature values recomputed with other values in some rows."""

    lake: Lake
    executor: Executor
    asked: Table
    """The table of the row asked about. If features are made of it, what they are made of through other tables, such as
    the universe that a price had a part in, does not count."""
    changes: Mapping[str, Any]
    """Column -> the value it would have."""
    values: dict[str, pl.DataFrame] = field(default_factory=dict)
    """Feature -> key of each row whose value of it moved, with the value `before` and `after`."""

    def derive_rows(self, table: Table, rows: pl.DataFrame) -> pl.DataFrame:
        """The rows of feature_rows of which a value would be another.

        Raises:
            LakeError: if features are not made of the table, or a change is to its key.
        """
        self._refuse_wrong_changes()
        span = find_span(self.lake, self.executor.calendar, rows[table.clock])
        there = self.lake.contract(FEATURE_ROWS)
        if span is None or table is not self.asked:
            return self.lake.read(there, since=date.min, until=date.min)
        moved = self._compare(table, rows, span)
        kept = self.lake.read(there, since=span[0], until=span[1])
        return kept.join(moved, on=FEATURE_ROWS.key, how="semi")

    def _refuse_wrong_changes(self) -> None:
        table = self.asked
        if table not in TABLES:
            raise LakeError(f"features are made of {', '.join(one.name for one in TABLES)}, not of {table.name}")
        if fixed := [name for name in self.changes if name in table.key]:
            raise LakeError(f"{fixed[0]} says which row of {table.name} it is; change what the row tells")

    def _compare(self, table: Table, rows: pl.DataFrame, span: tuple[date, date]) -> pl.DataFrame:
        """The keys of the rows that differ; what differs in them is kept."""
        frames, moment = self.executor.read_now(features.STAGE, *span)
        params = self.executor.settings.features
        asked = rows.select(table.key).with_columns(asked=True)
        before = features.features(**frames, moment=moment, params=params)
        frames[table.name] = self._change(table, frames[table.name], asked)
        after = features.features(**frames, moment=moment, params=params)
        both = before.join(after, on=FEATURE_ROWS.key, how="full", coalesce=True, suffix=" after").sort(
            FEATURE_ROWS.key
        )
        parts = []
        for name in feature_set(moment.extensions).names:
            told = both.select(*FEATURE_ROWS.key, before=name, after=f"{name} after")
            moved = told.filter(pl.col("before").ne_missing(pl.col("after")))
            if not moved.is_empty():
                self.values[name] = moved
                parts.append(moved.select(FEATURE_ROWS.key))
        return pl.concat(parts).unique() if parts else both.select(FEATURE_ROWS.key).clear()

    def _change(self, table: Table, frame: pl.DataFrame, asked: pl.DataFrame) -> pl.DataFrame:
        marked = frame.join(asked, on=list(table.key), how="left", maintain_order="left")
        told = pl.col("asked").fill_null(value=False)
        seen = {name: value for name, value in self.changes.items() if name in frame.columns}
        values = {name: pl.lit(value).cast(table.schema[name]) for name, value in seen.items()}
        changed = [pl.when(told).then(value).otherwise(name).alias(name) for name, value in values.items()]
        return marked.with_columns(changed).drop("asked")

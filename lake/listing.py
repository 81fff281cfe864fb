"""Which files make up a version of a table, and which of them can hold rows of a span of its clock."""

from __future__ import annotations

from collections.abc import Iterable
from dataclasses import dataclass
from datetime import date, datetime

import polars as pl

from lake import delta
from lake.contract import Table

Clock = date | datetime


@dataclass(frozen=True)
class FileSpan:
    """A data file with its row count and the first and last value of the table's clock in it."""

    path: str
    rows: int
    first: Clock | None
    last: Clock | None

    def meets(self, since: Clock | None, until: Clock | None) -> bool:
        """Whether the file can hold rows of the span; a file without statistics always can."""
        starts_late = until is not None and self.first is not None and self.first > until
        ends_early = since is not None and self.last is not None and self.last < since
        return not (starts_late or ends_early)


def file_spans(handle: delta.DeltaTable, table: Table) -> tuple[FileSpan, ...]:
    """The files of the handle's version, by path, from its log alone."""
    actions = pl.DataFrame(handle.get_add_actions(flatten=True))
    clock = table.columns[table.clock].dtype
    spans = {
        side: pl.col(f"{side}.{table.clock}") if f"{side}.{table.clock}" in actions.columns else pl.lit(None)
        for side in ("min", "max")
    }
    rows = actions.select(
        "path", "num_records", spans["min"].cast(clock).alias("first"), spans["max"].cast(clock).alias("last")
    )
    return tuple(sorted((FileSpan(*row) for row in rows.iter_rows()), key=lambda span: span.path))


def overlapping(spans: Iterable[FileSpan], since: Clock | None, until: Clock | None) -> list[FileSpan]:
    """The files that can hold rows of the span."""
    return [span for span in spans if span.meets(since, until)]

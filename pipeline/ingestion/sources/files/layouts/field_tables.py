"""Joins a folder of wide tables, one for each value of a bar: open.csv, high.csv, low.csv, close.csv, volume.csv."""

from __future__ import annotations

from collections.abc import Sequence
from functools import reduce

from pipeline.ingestion.sources.errors import SourceError
from pipeline.ingestion.sources.files.columns import plain
from pipeline.ingestion.sources.files.layouts.tables import PriceTable
from pipeline.ingestion.sources.files.layouts.wide import FIELDS, find_table_of_one_field, melt

NEEDED = frozenset({"open", "high", "low", "close", "volume"})


def join_field_tables(tables: Sequence[PriceTable], folder: str) -> PriceTable | None:
    """Return one table of bars from tables named after the values of a bar; None if these are not such tables.

    Raises:
        SourceError: if some of the five are missing, naming them.
    """
    named = {FIELDS[plain(table.stem)]: table.text() for table in tables if plain(table.stem) in FIELDS}
    spread = {field: find_table_of_one_field(table.lines) for field, table in named.items()}
    if len(named) < 2 or any(found is None for found in spread.values()):
        return None
    if missing := sorted(NEEDED - named.keys()):
        raise SourceError(
            f"the folder {folder} has a table for {', '.join(sorted(named))}, and none for {', '.join(missing)}; "
            "a bar needs all five: add them, named in the same way"
        )
    long = []
    for field, found in spread.items():
        if found is not None:
            rows = melt(named[field].lines, found[0], found[1], field).rename({found[0]: "date"})
            long.append(rows if field == "close" else rows.drop("row"))
    joined = reduce(lambda left, right: left.join(right, on=["date", "ticker"], how="full", coalesce=True), long)
    ordered = joined.sort("ticker", "date").drop("row")
    return PriceTable(named["close"].file, "", ordered, named["close"].first_line, layout="a table for each value")

"""Reads the tables of a price file as text, whatever stands above their data and whatever holds them."""

from __future__ import annotations

from collections.abc import Callable, Collection, Iterator, Sequence
from dataclasses import dataclass, replace
from functools import partial
from pathlib import Path

import polars as pl

from pipeline.ingestion.sources.errors import SourceError
from pipeline.ingestion.sources.files.columns import DAY, UNNAMED, plain
from pipeline.ingestion.sources.files.dates import SERIAL_FORM, find_form, once_each
from pipeline.ingestion.sources.files.file_text import (
    as_text,
    check_file,
    is_readable,
    is_text,
    numeric_columns,
    read_body,
    read_sample,
    read_typed,
    reading,
    stem,
)
from pipeline.ingestion.sources.files.layouts.containers import is_container, list_members
from pipeline.ingestion.sources.files.layouts.headerless import name_columns
from pipeline.ingestion.sources.files.layouts.json_tables import JSON_ENDINGS, read_json
from pipeline.ingestion.sources.files.layouts.text_header import TextHeader, find_header
from pipeline.ingestion.sources.files.layouts.wide import level_names

KNOWN = "CSV, TSV, TXT (also .gz, .bz2, .xz), JSON, Parquet, Feather, Excel, zip, SQLite or DuckDB"
DATE = "date"
"""What a column of days is called that has no name."""
SEEN = 50
"""Cells by which such a column is known."""


@dataclass(frozen=True)
class PriceTable:
    """One table of a price file, or a portion of it."""

    file: str
    """The path, with the member of an archive or the table of a database behind it."""
    stem: str
    """The name without its ending, which may say whose bars these are."""
    lines: pl.DataFrame
    """All columns String, or as a Parquet or Arrow file has them."""
    first_line: int
    """Where in the file the first row of data stands: its line in a text file, else 1."""
    numeric: frozenset[str] = frozenset()
    """Columns that the file itself says are numbers, so that there is nothing to find out."""
    layout: str = "long"
    """What the columns were recognised as."""
    read_again: Callable[[], pl.DataFrame] | None = None
    """Reads the lines of a portion of a long file again; None of a table that is cheaper to keep."""

    def text(self) -> PriceTable:
        """The same with all columns as text."""
        typed = any(dtype != pl.String for dtype in self.lines.dtypes)
        return replace(self, lines=as_text(self.lines, self.file)) if typed else self


def name_days(table: PriceTable, named: Collection[str]) -> PriceTable:
    """Return the table with a name for the days of an index that had none when it was written.

    Args:
        table: as it was read.
        named: columns that the operator names, which keep their names.
    """
    names = {column: plain(column) for column in table.lines.columns}
    unnamed = [column for column, name in names.items() if name in UNNAMED and column not in named]
    if not unnamed or not set(DAY).isdisjoint(names.values()):
        return table
    first = next((one for one in unnamed if _is_of_days(table.lines[one].head(SEEN))), None)
    return table if first is None else replace(table, lines=table.lines.rename({first: DATE}))


def _is_of_days(cells: pl.Series) -> bool:
    """Whether cells are dates; counts of rows are none."""
    return find_form(once_each(as_text(cells.to_frame(), "").to_series())) not in ("", SERIAL_FORM)


def read_tables(path: Path) -> list[PriceTable]:
    """Return the tables of a file; those of a database or workbook that are empty are left out.

    Raises:
        SourceError: if there is no such file, its ending is unknown, it cannot be read, or it holds no row.
    """
    check_file(path)
    if is_container(path):
        tables = reading(path, lambda: list(_contained(path)))
        if not tables:
            raise SourceError(f"{path} holds no table with a row; give a file that holds prices")
        return tables
    if path.suffix.lower() in JSON_ENDINGS:
        return [PriceTable(str(path), stem(path.name, JSON_ENDINGS), read_json(path), 1)]
    if not is_readable(path):
        raise SourceError(f"{path} has the unsupported extension {path.suffix!r}; convert it to one of {KNOWN}")
    lines, first = reading(path, lambda: _text_table(path) if is_text(path) else (read_typed(path), 1))
    if lines.is_empty():
        raise SourceError(f"{path} has no rows; give a file with a header and at least one row")
    return [
        PriceTable(
            str(path), stem(path.name), lines, first, numeric=frozenset() if is_text(path) else numeric_columns(path)
        )
    ]


def _text_table(path: Path) -> tuple[pl.DataFrame, int]:
    """The cells, and the line of the first row."""
    sample = read_sample(path)
    header = find_header(sample)
    return _read_by_header(sample, header, partial(read_body, path), str(path)), header.lines + 1


def _contained(path: Path) -> Iterator[PriceTable]:
    members = list_members(path)
    for name, sample, read in members:
        where = f"{path}:{name}"
        if sample is None:
            lines, first = read(), 1
        else:
            header = find_header(sample)
            lines, first = _read_by_header(sample, header, read, where), header.lines + 1
        if not lines.is_empty():
            alone = len(members) == 1 and sample is None
            yield PriceTable(where, stem(path.stem if alone else Path(name).name), lines, first)


def _read_by_header(
    sample: Sequence[str], header: TextHeader, read: Callable[..., pl.DataFrame], file: str
) -> pl.DataFrame:
    """The cells, under the one row of names or under names made of several rows or of what the data are like."""
    if not header.rows:
        return read(header.separator, skipped=header.titles, names=name_columns(sample, header.separator, file))
    if header.short:
        return read(header.separator, skipped=header.lines, names=header.rows[0])
    names = level_names(header.rows)
    if len(header.rows) > 1 and names is not None:
        return read(header.separator, skipped=header.lines, names=names)
    return read(header.separator, skipped=header.titles, names=None)

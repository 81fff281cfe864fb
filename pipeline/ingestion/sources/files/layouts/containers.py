"""Files that hold several tables: zip archives, Excel workbooks, SQLite and DuckDB databases."""

from __future__ import annotations

import csv
import importlib
import io
import sqlite3
import zipfile
from collections.abc import Callable, Iterator
from contextlib import closing
from pathlib import Path
from typing import Any

import polars as pl

from pipeline.ingestion.sources.errors import SourceError
from pipeline.ingestion.sources.files.file_text import (
    FLAT_ENDINGS,
    SAMPLED,
    TEXT_ENDINGS,
    as_text,
    as_utf8,
    no_text,
    with_line_feeds,
)

EXTRA = "files"
"""The extra that brings the libraries for Excel and DuckDB."""
LARGEST_MEMBER = 4 * 2**30
"""Bytes unpacked; a larger member of an archive is unpacked by hand, so that no small file fills the memory."""
PACKED, EXCEL = (".zip",), (".xlsx", ".xlsm", ".xls", ".ods")
SQLITE, DUCKDB = (".sqlite", ".sqlite3", ".db"), (".duckdb",)
CONTAINER_ENDINGS = (*PACKED, *EXCEL, *SQLITE, *DUCKDB)
Member = tuple[str, list[str] | None, Callable[..., pl.DataFrame]]
"""Name of a table; its first lines if it is a text table; and what reads it, as `file_text.read_csv` is asked for."""


def is_container(path: Path) -> bool:
    """Whether the file's name has an ending this module reads."""
    return path.name.lower().endswith(CONTAINER_ENDINGS)


def list_names(path: Path) -> list[str]:
    """Return the names of the tables in a container, or of the file itself; as far as they are cheap to know.

    A database or workbook counts as one table, named after its file.
    """
    ending = path.suffix.lower()
    if ending in PACKED and zipfile.is_zipfile(path):
        with zipfile.ZipFile(path) as archive:
            return [Path(name).name for name in archive.namelist()]
    return [path.stem if ending in CONTAINER_ENDINGS else path.name]


def list_members(path: Path) -> list[Member]:
    """Return the tables in the file.

    Raises:
        SourceError: if it cannot be read, or needs a library that is not installed.
    """
    ending = path.suffix.lower()
    readers = ((PACKED, _zipped), (EXCEL, _sheets), (SQLITE, _sqlite_tables), (DUCKDB, _duckdb_tables))
    read = next(reader for endings, reader in readers if ending in endings)
    try:
        return list(read(path))
    except SourceError:
        raise
    except UnicodeDecodeError as error:
        raise no_text(path) from error
    except Exception as error:  # each library has errors of its own, and the content comes from outside
        reason = str(error).strip().split("\n")[0][:200]
        raise SourceError(f"{path} cannot be read: {reason}; open it, and save its tables as CSV files") from error


def _zipped(path: Path) -> Iterator[Member]:
    with zipfile.ZipFile(path) as archive:
        for info in sorted(archive.infolist(), key=lambda info: info.filename):
            name = info.filename
            if info.is_dir() or any(part.startswith((".", "__MACOSX")) for part in name.split("/")):
                continue
            if not name.lower().endswith(TEXT_ENDINGS):
                _refuse_other_table(name, path)
                continue
            if info.file_size > LARGEST_MEMBER:
                raise SourceError(f"{name} in {path} has {info.file_size:,} bytes; unpack it, and give the folder")
            data = with_line_feeds(as_utf8(archive.read(info)))
            if not data.strip():
                continue
            head = data[:1_000_000].decode("utf-8-sig", errors="ignore").splitlines(keepends=True)[:60]
            if "\0" in head[0]:
                raise no_text(f"{name} in {path}")
            yield name, head, _reader_of(data)


def _refuse_other_table(name: str, path: Path) -> None:
    """Refuse a member of an archive that would be read outside of it: what is left out there is lost without a word."""
    if name.lower().endswith((*FLAT_ENDINGS, *CONTAINER_ENDINGS)):
        raise SourceError(f"{name} in {path} is no text table; unpack the archive, and give the folder")


def _reader_of(data: bytes) -> Callable[..., pl.DataFrame]:
    from pipeline.ingestion.sources.files.file_text import read_csv

    return lambda separator, *, skipped, names: read_csv(data, separator, skipped=skipped, names=names)


def _sheets(path: Path) -> Iterator[Member]:
    fastexcel = _library("fastexcel", path)
    book = fastexcel.read_excel(path)
    for name in book.sheet_names:
        frame = book.load_sheet(name, header_row=None, dtypes=None).to_polars()
        yield _table(name, _with_first_row_as_header(as_text(frame, f"{name} in {path}")))


def _with_first_row_as_header(frame: pl.DataFrame) -> pl.DataFrame:
    """Cells typed column by column lose nothing that way: a header makes a column text only where it has to."""
    buffer = io.StringIO()
    csv.writer(buffer).writerows(frame.slice(_count_titles(frame)).iter_rows())
    return pl.read_csv(buffer.getvalue().encode(), infer_schema=False) if frame.height else frame


def _count_titles(frame: pl.DataFrame) -> int:
    """Rows above the header: those that fill less than half of the cells that most rows do."""
    filled = [sum(bool(cell and cell.strip()) for cell in row) for row in frame.head(SAMPLED).iter_rows()]
    usual = max(set(filled), key=lambda width: (filled.count(width), width), default=0)
    return next((number for number, width in enumerate(filled) if 2 * width >= usual), 0)


def _sqlite_tables(path: Path) -> Iterator[Member]:
    with closing(sqlite3.connect(f"{path.absolute().as_uri()}?mode=ro", uri=True)) as connection:
        names = connection.execute(
            "SELECT name FROM sqlite_master WHERE type IN ('table', 'view') AND name NOT LIKE 'sqlite_%' ORDER BY name"
        )
        for (name,) in names.fetchall():
            quoted = '"' + name.replace('"', '""') + '"'
            rows = connection.execute(f"SELECT * FROM {quoted}")
            columns = [column[0] for column in rows.description]
            cells = [tuple(None if cell is None else _sqlite_text(cell) for cell in row) for row in rows]
            schema = dict.fromkeys(columns, pl.String)
            yield _table(name, pl.DataFrame(cells, schema=schema, orient="row"))


def _sqlite_text(cell: object) -> str:
    return repr(cell) if isinstance(cell, float) else str(cell)


def _duckdb_tables(path: Path) -> Iterator[Member]:
    duckdb = _library("duckdb", path)
    with duckdb.connect(str(path), read_only=True) as connection:
        names = connection.execute(
            "SELECT table_schema, table_name FROM information_schema.tables "
            "WHERE table_catalog = current_database() ORDER BY table_schema <> 'main', table_schema, table_name"
        )
        for schema, table in names.fetchall():
            quoted = ".".join('"' + part.replace('"', '""') + '"' for part in (schema, table))
            name = table if schema == "main" else f"{schema}/{table}"
            frame = pl.DataFrame(connection.sql(f"SELECT * FROM {quoted}"))
            yield _table(name, as_text(frame, f"{name} in {path}"))


def _table(name: str, frame: pl.DataFrame) -> Member:
    return name, None, lambda *_, **__: frame


def _library(name: str, path: Path) -> Any:
    try:
        return importlib.import_module(name)
    except ImportError as error:
        raise SourceError(
            f"{path} needs the library {name} to be read; install it with `pip install 'nextgen-trading[{EXTRA}]'`, "
            "or save the tables as CSV or Parquet files"
        ) from error

"""Reads an older system's SQLite database: never writing, from one snapshot, whatever its cells hold."""

from __future__ import annotations

import sqlite3
from collections.abc import Iterator, Sequence
from contextlib import contextmanager
from pathlib import Path
from typing import Any
from urllib.parse import quote

import polars as pl

from pipeline.ingestion.imports.old_system import MAX_CELL, PORTION, refuse_missing
from pipeline.ingestion.sources.errors import SourceError

MAGIC = b"SQLite format 3\x00"
PATIENCE = 5.0
"""Seconds to wait for a writer to let go."""
ROWID = "rowid"
_READING = {
    sqlite3.SQLITE_SELECT,
    sqlite3.SQLITE_READ,
    sqlite3.SQLITE_FUNCTION,
    sqlite3.SQLITE_TRANSACTION,
    sqlite3.SQLITE_PRAGMA,
    sqlite3.SQLITE_RECURSIVE,
}


class SqliteStore:
    """A database, opened for reading in one transaction: what is written meanwhile is not seen."""

    def __init__(self, path: Path, connection: sqlite3.Connection) -> None:
        self.where = str(path)
        self._connection = connection
        self._tables: dict[str, tuple[str, ...]] | None = None

    def tables(self) -> dict[str, tuple[str, ...]]:
        """Table or view -> its columns; a table with a row id has it last, under a name that is free."""
        if self._tables is None:
            listed = "SELECT name, type FROM sqlite_master WHERE type IN ('table', 'view') ORDER BY name"
            names = [(name, kind) for name, kind in self._ask(listed) if not str(name).startswith("sqlite_")]
            self._tables = {name: self._columns(name, kind) for name, kind in names}
            if not self._tables:
                raise SourceError(f"{self.where} contains no table; give the file your system writes to")
        return self._tables

    def rows(self, table: str, columns: Sequence[str]) -> Iterator[pl.DataFrame]:
        """The rows of a table or view in portions, all String.

        A text is cut at LONGEST_CELL characters and freed of bytes that are no UTF-8; of a blob its beginning is given
        in hexadecimal digits, so that no rule takes it for a number.

        Raises:
            SourceError: if the table or a column is not there, or reading fails.
        """
        refuse_missing(self, table, columns)
        chosen = ", ".join(_bound(column) for column in columns)
        for rows in self._portions(f"SELECT {chosen} FROM {_quote(table)}"):
            cells = zip(*rows, strict=True)
            yield pl.DataFrame(
                [pl.Series(name, map(_text, of), dtype=pl.String) for name, of in zip(columns, cells, strict=True)]
            )

    def _columns(self, table: str, kind: str) -> tuple[str, ...]:
        named = tuple(str(row[1]) for row in self._ask(f"PRAGMA table_info({_quote(table)})"))
        if kind == "view" or ROWID in (name.lower() for name in named):
            return named
        try:
            self._ask(f"SELECT {ROWID} FROM {_quote(table)} LIMIT 0")
        except SourceError:  # a table WITHOUT ROWID
            return named
        return (*named, ROWID)

    def _ask(self, statement: str) -> list[tuple[Any, ...]]:
        with _in_words(self.where):
            return self._connection.execute(statement).fetchall()

    def _portions(self, statement: str) -> Iterator[list[tuple[Any, ...]]]:
        with _in_words(self.where):
            cursor = self._connection.execute(statement)
        while True:
            with _in_words(self.where):
                rows = cursor.fetchmany(PORTION)
            if not rows:
                return
            yield rows


@contextmanager
def open_sqlite(path: Path, patience: float = PATIENCE) -> Iterator[SqliteStore]:
    """Open a database for the block, for reading alone; wait for a writer `patience` seconds at most.

    Raises:
        SourceError: if there is no such file, it is no database, or it cannot be read now; with what to do.
    """
    if not path.is_file():
        raise SourceError(f"there is no file {path}; give the database your system writes to")
    with path.open("rb") as file:
        head = file.read(len(MAGIC))
    if head != MAGIC:
        what = "is empty" if not head else "is not a SQLite database"
        raise SourceError(f"{path} {what}; give the database your system writes to")
    with _in_words(str(path)):
        connection = sqlite3.connect(
            f"file:{quote(str(path.absolute()))}?mode=ro", uri=True, timeout=patience, isolation_level=None
        )
    try:
        connection.text_factory = lambda data: data.decode("utf-8", "replace")
        with _in_words(str(path)):
            connection.execute("PRAGMA trusted_schema = OFF")
            connection.execute("PRAGMA query_only = ON")
            connection.execute("BEGIN")
            connection.execute("SELECT count(*) FROM sqlite_master").fetchone()  # here the snapshot is taken
        connection.set_authorizer(_open_read_only)
        yield SqliteStore(path, connection)
    finally:
        connection.close()


def _open_read_only(action: int, *_about: str | None) -> int:
    """What a view may do: its text is as foreign as the data."""
    return sqlite3.SQLITE_OK if action in _READING else sqlite3.SQLITE_DENY


@contextmanager
def _in_words(where: str) -> Iterator[None]:
    try:
        yield
    except sqlite3.Error as error:
        text = str(error)
        fix = "run `PRAGMA integrity_check` on it, or take a backup of it"
        if "locked" in text or "busy" in text:
            fix = "stop the program that writes to it, or import a copy made with `sqlite3 FILE '.backup COPY'`"
        elif "readonly" in text or "unable to open" in text:
            fix = "its last writer crashed, or it is in a read-only folder; import a copy that sqlite3 can open"
        raise SourceError(f"{where} cannot be read: {text}; {fix}") from None


def _quote(name: str) -> str:
    return '"' + name.replace('"', '""') + '"'


def _bound(column: str) -> str:
    at = _quote(column)
    return (
        f"CASE typeof({at}) WHEN 'text' THEN substr({at}, 1, {MAX_CELL}) "
        f"WHEN 'blob' THEN 'blob ' || hex(substr({at}, 1, 16)) ELSE {at} END"
    )


def _text(value: object) -> str | None:
    return value if value is None or isinstance(value, str) else repr(value)

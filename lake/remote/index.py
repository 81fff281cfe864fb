"""What a working copy knows of the store: its files after the last change that was followed, in a small database that
also keeps the processes of this machine apart."""

from __future__ import annotations

import sqlite3
from collections.abc import Iterable, Iterator
from contextlib import closing, contextmanager
from dataclasses import dataclass
from pathlib import Path
from uuid import uuid4

from lake.errors import BusyError
from lake.remote.changes import FileChange

FILE = "index.sqlite"
WAIT_SECONDS = 180.0
"""How long a process waits for another of this machine that is exchanging with the store."""
_TABLES = """
CREATE TABLE IF NOT EXISTS files
    (path TEXT PRIMARY KEY, folder TEXT, size INTEGER, sha256 TEXT, mtime_ns INTEGER, present INTEGER, used REAL)
    WITHOUT ROWID;
CREATE INDEX IF NOT EXISTS by_folder ON files (folder);
CREATE TABLE IF NOT EXISTS folders (path TEXT PRIMARY KEY, mtime_ns INTEGER) WITHOUT ROWID;
CREATE TABLE IF NOT EXISTS state (key TEXT PRIMARY KEY, value TEXT) WITHOUT ROWID;
"""

_SELECT = "SELECT path, size, sha256, mtime_ns, present FROM files"


@dataclass(frozen=True)
class Known:
    """A file of the store as this machine has it."""

    path: str
    size: int
    sha256: str
    mtime_ns: int
    """Of the file here when it was last the same as in the store."""
    present: bool
    """False where only its size is here: its content is fetched when it is asked for."""


class Index:
    """The database of one working copy, within one exchange with the store."""

    def __init__(self, connection: sqlite3.Connection) -> None:
        self._sql = connection

    # ---- where the copy stands

    @property
    def number(self) -> int:
        """The last change that was followed; -1 before the first."""
        return int(self.value("number", "-1"))

    @property
    def copy(self) -> str:
        """What distinguishes this working copy from every other."""
        if not (found := self.value("copy", "")):
            self.put_value("copy", found := uuid4().hex)
        return found

    def value(self, key: str, otherwise: str) -> str:
        """A value of the state."""
        row = self._sql.execute("SELECT value FROM state WHERE key = ?", (key,)).fetchone()
        return str(row[0]) if row else otherwise

    def put_value(self, key: str, value: object) -> None:
        """Record a value of the state."""
        self._sql.execute("INSERT OR REPLACE INTO state VALUES (?, ?)", (key, str(value)))

    # ---- files

    def find(self, path: str) -> Known | None:
        """A file of the store; None if it has none of that path."""
        row = self._sql.execute(f"{_SELECT} WHERE path = ?", (path,)).fetchone()
        return _known(row) if row else None

    def files(self, folder: str | None = None) -> dict[str, Known]:
        """The files of the store by path; those right in a folder where one is named, empty for the lake's own."""
        where, values = ("", ()) if folder is None else (" WHERE folder = ?", (folder,))
        return {row[0]: _known(row) for row in self._sql.execute(_SELECT + where, values)}

    def put(self, file: FileChange, mtime_ns: int, *, present: bool, used: float) -> None:
        """Record that a file here is the one of the store."""
        self._sql.execute(
            "INSERT OR REPLACE INTO files VALUES (?, ?, ?, ?, ?, ?, ?)",
            (file.path, file.path.rpartition("/")[0], file.size, file.sha256, mtime_ns, int(present), used),
        )

    def remove(self, path: str) -> None:
        """Record that the store has no such file any more."""
        self._sql.execute("DELETE FROM files WHERE path = ?", (path,))

    def count_present(self) -> int:
        """Bytes of data files that are here."""
        row = self._sql.execute("SELECT sum(size) FROM files WHERE present = 1 AND path LIKE '%.parquet'").fetchone()
        return int(row[0] or 0)

    def least_used(self, before: float) -> Iterator[Known]:
        """Data files that are here, fetched or written before a time, the one used longest ago first."""
        rows = self._sql.execute(
            f"{_SELECT} WHERE present = 1 AND used < ? AND path LIKE 'tables/%.parquet' ORDER BY used, path", (before,)
        ).fetchall()
        return map(_known, rows)

    # ---- folders

    def folders(self) -> set[str]:
        """The folders that files of the store are in."""
        return {row[0] for row in self._sql.execute("SELECT DISTINCT folder FROM files")}

    def folder_times(self) -> dict[str, int]:
        """Folder -> when it last changed, as far as its files are known since."""
        return dict(self._sql.execute("SELECT path, mtime_ns FROM folders"))

    def put_folder_times(self, times: Iterable[tuple[str, int]]) -> None:
        """Record up to when folders are known."""
        self._sql.executemany("INSERT OR REPLACE INTO folders VALUES (?, ?)", times)


@contextmanager
def open_index(folder: Path) -> Iterator[Index]:
    """The index for one exchange: no other process of this machine has it meanwhile, and an error leaves it as it was.

    Raises:
        BusyError: if another process has it for too long.
    """
    with closing(sqlite3.connect(folder / FILE, timeout=WAIT_SECONDS, isolation_level=None)) as connection:
        try:
            connection.executescript(_TABLES)
            connection.execute("BEGIN IMMEDIATE")
        except sqlite3.OperationalError as error:
            if "locked" not in str(error):
                raise
            raise BusyError(
                f"another process has been exchanging with the store for {WAIT_SECONDS:.0f} s; try again later"
            ) from None
        try:
            yield Index(connection)
        except BaseException:  # whatever ended it, an interrupt too, nothing half known is kept
            connection.execute("ROLLBACK")
            raise
        connection.execute("COMMIT")


def _known(row: tuple[str, int, str, int, int]) -> Known:
    return Known(row[0], row[1], row[2], row[3], bool(row[4]))

"""The lake: open it, read a table at a version or as of a time, and commit rows exactly once."""

from __future__ import annotations

from collections.abc import Iterator, Mapping
from contextlib import contextmanager
from datetime import date, datetime
from pathlib import Path
from typing import Any

import polars as pl

from lake.contract import Table
from lake.errors import LakeError
from lake.migrations import FORMATS, Formats
from lake.storage import recovery
from lake.storage.checksums import witness_checkpoint
from lake.storage.commit_pointer import Head, write_head
from lake.storage.delta_log import commit_entry
from lake.storage.disk import LEAST_FREE, refusals_in_words, refuse_full_disk, refuse_read_only, room_for
from lake.storage.lease import writer_lease
from lake.storage.listing import Clock, FileSpan
from lake.storage.manifest import MARKER as MARKER
from lake.storage.manifest import mark, prepare, refuse_foreign, refuse_path
from lake.storage.predicates import last_revisions, predicates
from lake.storage.snapshots import Snapshots
from lake.storage.writer import Commits
from lake.storage.writer import Written as Written
from lake.tables import TABLES
from lake.tables.control import RUNS
from lake.upkeep.log_archive import archive_log


class Lake:
    """A folder of versioned tables. Readers see what is published; the writer also sees its own work in progress."""

    def __init__(self, path: Path, formats: Formats = FORMATS) -> None:
        self.path = path
        self.formats = formats
        """How the tables have changed since the first program; older versions are read through it."""
        self.durable = True
        """False where a power cut may cost the lake, such as a demo's: nothing waits for the disk."""
        self._tables = Snapshots(path, formats)
        self._commits = Commits(self._tables)
        self.repairs: list[recovery.Repair] = []
        """What was put right when the lease was taken."""

    # ---- opening

    @classmethod
    def create(cls, path: Path) -> Lake:
        """Make a lake with every table, empty; opening an existing one is the same as `open`.

        Raises:
            NotALakeError: if the folder holds something else, or its path has characters that cannot be used.
            StorageError: if the disk refuses; the next call goes on.
        """
        refuse_path(path)
        if (path / MARKER).exists():
            return cls.open(path)
        prepare(path)
        lake, aside = cls(path), recovery.Aside(path)
        with refusals_in_words(f"the lake at {path} could not be made to the end"):
            for table in TABLES.values():
                recovery.put_aside_half_made(path, table, aside)
                lake._commits.create(table)
            write_head(path, Head(0, ""))
            mark(path)  # last: a lake with a marker is whole
        return lake

    @classmethod
    def open(cls, path: Path, *, older: bool = False) -> Lake:
        """Open an existing lake.

        Args:
            path: its folder.
            older: True opens a lake of an earlier program as well, to read it, copy it, or bring it up to date.

        Raises:
            NotALakeError: if there is none at the path, or a newer program made it, or an earlier one.
        """
        refuse_foreign(path, older=older)
        return cls(path)

    def uri(self, table: Table) -> str:
        """Where the table lies."""
        return self._tables.uri(table)

    @contextmanager
    def lease(self, purpose: str, room: int = LEAST_FREE) -> Iterator[None]:
        """Be the lake's one writer for the block; what a crash left is repaired first.

        Args:
            purpose: what for, told to others who want to write.
            room: bytes that have to be free on the disk; 0 for what only gives room back.

        Raises:
            BusyError: naming the holder, if there is another writer.
            DamageError: if something published is missing or damaged, naming the file.
            StorageError: if the folder cannot be written, or the disk is nearly full.
        """
        if self._tables.alone:
            yield
            return
        with writer_lease(self.path, purpose) as tidy:
            self._forget()
            with refusals_in_words(f"the lake at {self.path} could not be looked after"):
                self.repairs = self._mend(tidy, room)
                self._add_missing_tables()
            self._tables.alone = True
            try:
                yield
            finally:
                self._tables.alone = False

    # ---- versions

    def has(self, table: Table) -> bool:
        """Whether the table is there at all; a lake of an earlier program lacks those added since."""
        return self._tables.has(table)

    def newest(self, table: Table) -> int:
        """The last version on disk, published or not; 0 for a table that the lake does not have yet."""
        return self._tables.newest(table)

    def published(self) -> dict[str, int]:
        """Table name -> the version readers see. Tables without a story are always at their newest."""
        return self._tables.published()

    def version(self, table: Table) -> int:
        """The version readers see."""
        return self._tables.version(table)

    # ---- reading

    def read(
        self,
        table: Table,
        *,
        version: int | None = None,
        since: Clock | None = None,
        until: Clock | None = None,
        as_of: datetime | None = None,
        where: pl.Expr | None = None,
        columns: tuple[str, ...] | None = None,
        every_revision: bool = True,
    ) -> pl.DataFrame:
        """Rows of a table at a version, sorted by its key, with the `run_id` that wrote each.

        Args:
            table: its contract.
            version: a table version; the published one where None.
            since: first value of the table's clock, included.
            until: last value of the table's clock, included.
            as_of: leaves out what became available later, and revisions superseded by then.
            where: a further condition on stored columns.
            columns: the columns wanted; all where None.
            every_revision: False keeps only each entity's last revision.

        Raises:
            LakeError: if the version does not exist.
            DamageError: if a file of the version is missing or unreadable.
        """
        version = self.version(table) if version is None else version
        conditions = predicates(table, since, until, as_of, where)
        extra = tuple(c for c in table.key if columns is not None and c not in columns)
        wanted = (*columns, *extra) if columns is not None else None
        frame = self._tables.load(table, version, wanted, conditions, since, until, order=table.key)
        if table.entity and not every_revision and not frame.is_empty():
            frame = last_revisions(frame, table)
        return frame.drop(extra) if extra else frame

    def rows(self, table: Table, version: int | None = None) -> int:
        """How many rows the table has, from its log alone."""
        listing = self._tables.listing(table, self.version(table) if version is None else version)
        return sum(span.rows for span in listing)

    def clock_span(self, table: Table, *, until: date) -> tuple[date, date] | None:
        """First and last clock value not after a date, at the newest version; None if there is none."""
        conditions = [pl.col(table.clock) <= until]
        frame = self._tables.load(table, self.newest(table), (table.clock,), conditions, until=until)
        first, last = frame[table.clock].min(), frame[table.clock].max()
        return (first, last) if isinstance(first, date) and isinstance(last, date) else None

    def history(self, table: Table, limit: int | None = None) -> list[dict[str, Any]]:
        """The table's commits, newest first: version, timestamp (UTC), operation, run_id, stage, files added."""
        newest = self.newest(table)
        oldest = 0 if limit is None else max(newest - limit + 1, 0)
        return [commit_entry(self.uri(table), version) for version in range(newest, oldest - 1, -1)]

    def commits_after(self, table: Table, version: int) -> list[dict[str, Any]]:
        """The commits above a version, oldest first, each with its recipe."""
        return [commit_entry(self.uri(table), v) for v in range(version + 1, self.newest(table) + 1)]

    def files(self, table: Table, version: int) -> tuple[FileSpan, ...]:
        """The data files of a version with their rows and the span of the clock in each."""
        return self._tables.listing(table, version)

    # ---- writing

    def commit(self, table: Table, rows: pl.DataFrame, run_id: str, recipe: Mapping[str, Any]) -> Written:
        """Write rows in the table's mode, exactly once per run.

        Rows already there with the same content are left out; if nothing is new there is no new version. The recipe
        goes into the commit itself. A table with a story is written only under the lease.

        Raises:
            ConflictError: if an append table holds a row of the same key with other content.
            LakeError: if the lease is not held.
            StorageError: if the folder cannot be written, or the disk has no room for the rows.
        """
        if table.story:
            self._refuse_without_lease(table, "written")
        else:
            refuse_read_only(self.path)  # the lease does it where one is needed
        refuse_full_disk(self.path, room_for(rows), f"writing {table.name}")
        return self._commits.commit(table, rows, run_id, recipe, durable=self.durable)

    def committed(self, table: Table, run_id: str) -> int | None:
        """The version at which the run wrote the table; None if it did not, as far back as it can matter."""
        return self._commits.committed(table, run_id)

    def rewrite(
        self,
        table: Table,
        rows: pl.DataFrame,
        since: Clock,
        run_id: str,
        recipe: Mapping[str, Any],
        before: int | None = None,
    ) -> int:
        """Write again all rows, each with its own `run_id`, whose clock is not before `since`; returns the version.

        Args:
            table: its contract.
            rows: the rows as they are to stand.
            since: the first value of the clock that is written again.
            run_id: who does it.
            recipe: goes into the commit itself.
            before: the version the rows were read at; needed of a table that others append to.

        Raises:
            OvertakenError: if another process has written since then.
        """
        return self._commits.rewrite(table, rows, since, run_id, recipe, before)

    def columns(self, table: Table) -> tuple[str, ...]:
        """The columns that the newest version has on disk; a lake of an earlier program can lack some."""
        return self._tables.columns(table)

    def reshape(
        self, table: Table, rows: pl.DataFrame | None, run_id: str, recipe: Mapping[str, Any], before: int
    ) -> int:
        """Give the table on disk the contract's columns, in one commit; returns the version. Under the lease.

        Args:
            table: its contract.
            rows: what takes the place of all rows, each with its own `run_id`; None leaves them as they are, and
                they have null in the columns that are new.
            run_id: who does it.
            recipe: goes into the commit itself.
            before: the version the rows were read at.

        Raises:
            LakeError: if the lease is not held.
            OvertakenError: if another process has written since then.
        """
        self._refuse_without_lease(table, "reshaped")
        return self._commits.reshape(table, rows, run_id, recipe, before)

    def checkpoint(self, table: Table) -> None:
        """Fold the table's log into a checkpoint, which keeps opening it fast."""
        handle = self._tables.handle(table)
        version = int(handle.version())
        with refusals_in_words(f"{table.name} got no checkpoint"):
            handle.create_checkpoint()
            witness_checkpoint(Path(self.uri(table)), version)
        # A handle goes on reading the log it was opened on; only a new one begins at the checkpoint.
        self._tables.let_go(table)

    def archive(self, table: Table) -> int:
        """Take what lies far behind the last checkpoint out of the log; under the lease. Returns the files moved.

        Raises:
            LakeError: if the lease is not held.
        """
        self._refuse_without_lease(table, "archived")
        with refusals_in_words(f"the log of {table.name} was not archived"):
            moved = archive_log(Path(self.uri(table)), self.version(table), durable=self.durable)
        if moved:
            self._tables.let_go(table)
        return moved

    def abandon(self) -> None:
        """Put every unpublished commit aside, so that its work is done again; under the lease."""
        self.repairs += recovery.abandon(self.path, self._promised()[0])
        self._forget()

    # ---- inner workings

    def _refuse_without_lease(self, table: Table, what: str) -> None:
        if not self._tables.alone:
            raise LakeError(f"{table.name} is {what} only under the writer lease; use `with lake.lease(...)`")

    def _forget(self) -> None:
        self._tables.forget()
        self._commits.forget()

    def _mend(self, tidy: bool, room: int) -> list[recovery.Repair]:
        refuse_full_disk(self.path, room)
        repairs = recovery.mend_runs(self.path, durable=self.durable)
        published, recorded = self._promised()
        if later := recovery.mend_tables(self.path, published, recorded):
            self._forget()
        # Last, because what is left over is told by the logs, and those have to be readable again.
        return repairs + later + ([] if tidy else recovery.sweep_leftovers(self.path))

    def _promised(self) -> tuple[dict[str, int], recovery.Hashes]:
        columns = ("session", "output_table", "output_version", "files")
        return recovery.promised(self._tables.load(RUNS, self.newest(RUNS), columns, [pl.col("status") == "done"]))

    def _add_missing_tables(self) -> None:
        """A lake made by an earlier program lacks the tables added since; they begin empty."""
        for table in TABLES.values():
            if not self._tables.has(table):
                self._commits.create(table)

"""The lake: open it, read a table at a version or as of a moment, and commit rows exactly once."""

from __future__ import annotations

from collections.abc import Iterator, Mapping
from contextlib import contextmanager, suppress
from datetime import date, datetime, timedelta
from pathlib import Path
from typing import Any

import polars as pl

from lake.branches.links import link_table
from lake.contract import Table
from lake.errors import LakeError
from lake.migrations import FORMATS, Formats
from lake.remote.opening import exchange_of, hold_for_writing
from lake.storage import file_repair
from lake.storage.checksums import record_checkpoint_checksum
from lake.storage.commit_pointer import CommitPointer, write_pointer
from lake.storage.delta_log import commit_entry
from lake.storage.disk import (
    MIN_FREE_BYTES,
    estimate_space,
    require_free_space,
    require_writable,
    translate_disk_errors,
)
from lake.storage.manifest import MANIFEST as MANIFEST
from lake.storage.manifest import check_format, check_path, prepare_folder, write_manifest
from lake.storage.reader import Reader
from lake.storage.snapshot import Clock, FileSpan
from lake.storage.visibility import build_predicates, refuse_sealed, select_last_revisions
from lake.storage.writer import CommitResult as CommitResult
from lake.storage.writer import Files, Writer
from lake.tables import TABLES
from lake.tables.control import RUNS
from lake.upkeep.log_archive import archive_log

LOOK_BACK = (timedelta(days=10), timedelta(days=120), timedelta(days=1200), None)
"""How far back the last rows of a table are looked for, again and again until some are found."""


class _UnrepairedError(Exception):
    """Leaves the writer lock as a crash does."""


class Lake:
    """A folder of versioned tables. Readers see what is published; the writer also sees its own work in progress."""

    def __init__(self, path: Path, formats: Formats = FORMATS) -> None:
        self.path = path
        self.formats = formats
        """How the tables have changed since the first program; older versions are read through it."""
        self.durable = True
        """False where a power cut may cost the lake, such as a demo's: nothing waits for the disk."""
        self.exchange = exchange_of(path)
        """With the object store that the lake is in; with nobody where the folder is the lake."""
        self._tables = Reader(path, formats, self.exchange.fetch if self.exchange.address else None)
        self._writer = Writer(self._tables, self.exchange.committing)
        self.repairs: list[file_repair.Repair] = []
        """What was repaired when the writer lock was taken."""

    # ---- opening

    @classmethod
    def create(cls, path: Path) -> Lake:
        """Make a lake with every table, empty; opening an existing one is the same as `open`.

        Raises:
            NotALakeError: if the folder contains something else, or its path has characters that cannot be used.
            StorageError: if the disk refuses; the next call resumes.
        """
        check_path(path)
        if (path / MANIFEST).exists():
            lake = cls.open(path)
            lake.exchange.share_new()
            return lake
        lake, quarantine = cls(path), file_repair.Quarantine(path)
        lake.exchange.prepare_new()
        prepare_folder(path)
        with translate_disk_errors(f"the lake at {path} could not be completed"):
            for table in TABLES.values():
                file_repair.quarantine_unfinished_table(path, table, quarantine)
                lake._writer.create(table)
            write_pointer(path, CommitPointer(0, ""))
            write_manifest(path)  # last: a lake with a manifest is complete
        lake.exchange.share_new()
        return lake

    @classmethod
    def open(cls, path: Path | str, *, older: bool = False) -> Lake:
        """Open an existing lake.

        Args:
            path: its folder.
            older: True opens a lake of an earlier program as well, to read, copy or migrate it.

        Raises:
            NotALakeError: if there is none at the path, or a newer program made it, or an earlier one.
            StorageError: if it is in an object store that does not answer, and nothing of it was fetched before.
        """
        lake = cls(Path(path))
        lake.exchange.open()
        check_format(lake.path, older=older)
        return lake

    def uri(self, table: Table) -> str:
        """The table's folder."""
        return self._tables.uri(table)

    @contextmanager
    def lock(self, purpose: str, min_free: int = MIN_FREE_BYTES) -> Iterator[None]:
        """Hold the writer lock for the block; what a crash left is repaired first.

        Args:
            purpose: what for; others who want to write are told.
            min_free: bytes that have to be free on the disk; 0 for what only frees space.

        Raises:
            BusyError: naming the holder, if there is another writer.
            DamageError: if something published is missing or damaged, naming the file.
            StorageError: if the folder cannot be written, or the disk is nearly full.
        """
        if self._tables.is_writer:
            yield
            return
        with hold_for_writing(self.path, self.exchange, purpose) as released:
            self._reset()
            with translate_disk_errors(f"the lake at {self.path} could not be repaired"):
                self.repairs = self._repair(released, min_free)
                self._add_missing_tables()
            self.exchange.share("repair")
            self._tables.is_writer = True
            try:
                yield
                self._tables.keep_handles()
            finally:
                self._tables.is_writer = False
            self.exchange.share(purpose, ends=True)

    @contextmanager
    def lock_for_runs(self, purpose: str) -> Iterator[None]:
        """Hold the writer lock to write `runs` alone, in a lake whose other tables may be damaged.

        The other tables are not checked; the lock then counts as not released, so that the next writer repairs them.

        Raises:
            BusyError: naming the holder, if there is another writer.
            DamageError: if `runs` itself is damaged.
            StorageError: if the folder cannot be written.
        """
        if self._tables.is_writer:
            yield
            return
        with suppress(_UnrepairedError), hold_for_writing(self.path, self.exchange, purpose):
            self._reset()
            with translate_disk_errors(f"the runs of the lake at {self.path} could not be repaired"):
                self.repairs = file_repair.repair_runs(self.path, durable=self.durable)
            self._tables.is_writer = True
            try:
                yield
            finally:
                self._tables.is_writer = False
            self.exchange.share(purpose)
            raise _UnrepairedError

    # ---- versions

    def has_table(self, table: Table) -> bool:
        """Whether the table is there at all; a lake of an earlier program lacks those added since."""
        return self._tables.has_table(table)

    def newest(self, table: Table) -> int:
        """The last version on disk, published or not; 0 for a table that the lake does not have yet."""
        self._refresh()
        return self._tables.newest(table)

    def published_versions(self) -> dict[str, int]:
        """Table name -> the version readers see. Tables that no run publishes are at their newest."""
        self._refresh()
        return self._tables.published_versions()

    def version(self, table: Table) -> int:
        """The version readers see."""
        self._refresh()
        return self._tables.version(table)

    def version_by_runs(self, table: Table) -> int:
        """The last version that a published run wrote; 0 before the first. Landings are read by others before that."""
        self._refresh()
        return self._tables.version_by_runs(table)

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
        sealed_from: date | None = None,
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
            sealed_from: the first day of a test window: whoever says so may be shown nothing of it, nor what was known
                from that day on, and has to ask for what lies before.

        Raises:
            SealedError: if facts of the test window are asked for.
            LakeError: if the version does not exist.
            DamageError: if a file of the version is missing or unreadable.
        """
        refuse_sealed(table, until, as_of, sealed_from)
        version = self.version(table) if version is None else version
        conditions = build_predicates(table, since, until, as_of, where)
        needed = (*table.key, *([table.withdrawal] if table.withdrawal and not every_revision else []))
        extra = tuple(c for c in needed if columns is not None and c not in columns)
        wanted = (*columns, *extra) if columns is not None else None
        frame = self._tables.load(table, version, wanted, conditions, since, until, order=table.key)
        if table.entity and not every_revision and not frame.is_empty():
            frame = select_last_revisions(frame, table)
        return frame.drop(extra) if extra else frame

    def rows(self, table: Table, version: int | None = None) -> int:
        """How many rows the table has, from its log alone."""
        files = self._tables.files(table, self.version(table) if version is None else version)
        return sum(file.rows for file in files)

    def clock_span(self, table: Table, *, until: date, where: pl.Expr | None = None) -> tuple[date, date] | None:
        """First and last clock value not after a date, at the newest version; None if there is none."""
        conditions = [pl.col(table.clock) <= until, *([where] if where is not None else [])]
        frame = self._tables.load(table, self.newest(table), (table.clock,), conditions, until=until)
        first, last = frame[table.clock].min(), frame[table.clock].max()
        return (first, last) if isinstance(first, date) and isinstance(last, date) else None

    def last_clock(
        self, table: Table, *, until: date, where: pl.Expr | None = None, version: int | None = None
    ) -> date | None:
        """The last clock value not after a date, at a version (the newest where None); None if there is none.

        It is looked for from the end backwards, so that what it costs does not grow with the table.
        """
        at = self.newest(table) if version is None else version
        ends = [file.last for file in self._tables.files(table, at)]
        if ends and None not in ends:
            until = min(until, max(end for end in ends if end is not None))
        conditions = [pl.col(table.clock) <= until, *([where] if where is not None else [])]
        for back in LOOK_BACK:
            since = until - back if back is not None and until - date.min > back else None
            near = conditions if since is None else [pl.col(table.clock) >= since, *conditions]
            frame = self._tables.load(table, at, (table.clock,), near, since, until)
            if isinstance(last := frame[table.clock].max(), date):
                return last
        return None

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
        return self._tables.files(table, version)

    # ---- writing

    def commit(self, table: Table, rows: pl.DataFrame, run_id: str, recipe: Mapping[str, Any]) -> CommitResult:
        """Write rows in the table's mode, exactly once per run.

        Rows already there with the same content are left out; if nothing is new there is no new version. The recipe
        goes into the commit itself. A table that runs publish is written only under the writer lock.

        Raises:
            ConflictError: if an append table holds a row of the same key with other content.
            LakeError: if the writer lock is not held.
            StorageError: if the folder cannot be written, or the disk has no room for the rows.
        """
        if table.published_by_run:
            self._require_lock(table, "written")
        else:
            require_writable(self.path)  # taking the lock does so where one is needed
        require_free_space(self.path, estimate_space(rows), f"writing {table.name}")
        table = table.for_columns(rows.columns)
        return self._writer.commit(table, rows, run_id, recipe, durable=self.durable)

    def add_files(self, table: Table, files: Files, run_id: str, recipe: Mapping[str, Any]) -> CommitResult:
        """Add files that `lake.parts` wrote, exactly once per run, in one commit. Needs the writer lock."""
        self._require_lock(table, "written")
        return self._writer.add_files(table, files, run_id, recipe)

    def find_commit(self, table: Table, run_id: str) -> int | None:
        """The version at which the run wrote the table; None if it did not, as far back as it can matter."""
        return self._writer.find_commit(table, run_id)

    def rewrite(
        self,
        table: Table,
        rows: pl.DataFrame,
        since: Clock,
        run_id: str,
        recipe: Mapping[str, Any],
        before: int | None = None,
    ) -> int:
        """Rewrite all rows whose clock is not before `since`, each with its own `run_id`, and return the version.

        Args:
            table: its contract.
            rows: what takes their place.
            since: the first value of the clock that is rewritten.
            run_id: who does it.
            recipe: goes into the commit itself.
            before: the version the rows were read at; needed of a table that others append to.

        Raises:
            OvertakenError: if another process has written since then.
        """
        return self._writer.rewrite(table, rows, since, run_id, recipe, before)

    def columns(self, table: Table) -> tuple[str, ...]:
        """The columns that the newest version has on disk; a lake of an earlier program can lack some."""
        return self._tables.columns(table)

    def contract(self, table: Table, version: int | None = None) -> Table:
        """The table's contract with the further columns that it has at a version; at the newest where None."""
        if table.further is None:
            return table
        return table.for_columns(self._tables.columns_at(table, self.newest(table) if version is None else version))

    def reshape(
        self, table: Table, rows: pl.DataFrame | None, run_id: str, recipe: Mapping[str, Any], before: int
    ) -> int:
        """Give the table on disk the contract's columns, in one commit, and return the version. Needs the writer lock.

        Args:
            table: its contract.
            rows: what takes the place of all rows, each with its own `run_id`; None leaves them as they are, with
                null in the new columns.
            run_id: who does it.
            recipe: goes into the commit itself.
            before: the version the rows were read at.

        Raises:
            LakeError: if the writer lock is not held.
            OvertakenError: if another process has written since then.
        """
        self._require_lock(table, "reshaped")
        return self._writer.reshape(table, rows, run_id, recipe, before)

    def adopt(self, table: Table, source: Lake, upto: int) -> None:
        """Take over further versions of a table from a lake that it shares the versions before with.

        Nothing is copied, and a version that is there already is left alone. Needs the writer lock.

        Raises:
            LakeError: if the writer lock is not held.
            DamageError: if a file is missing there.
            StorageError: if the disk refuses.
        """
        self._require_lock(table, "taken over")
        if (first := self.newest(table) + 1) <= upto:
            link_table(Path(source.uri(table)), Path(self.uri(table)), first, upto)
            self._tables.close(table)

    def checkpoint(self, table: Table) -> None:
        """Write a checkpoint of the table's log, which keeps opening it fast."""
        handle = self._tables.open_for_writing(table)
        version = int(handle.version())
        with translate_disk_errors(f"{table.name} could not be given a checkpoint"):
            handle.create_checkpoint()
            record_checkpoint_checksum(Path(self.uri(table)), version)
        # An open handle goes on reading the log from where it began; only a new one begins at the checkpoint.
        self._tables.close(table)

    def archive_log(self, table: Table) -> int:
        """Archive what is far behind the last checkpoint of the log, and return the number of files moved.

        Needs the writer lock.

        Raises:
            LakeError: if the writer lock is not held.
        """
        self._require_lock(table, "archived")
        with translate_disk_errors(f"the log of {table.name} was not archived"):
            moved = archive_log(Path(self.uri(table)), self.version(table), durable=self.durable)
        if moved:
            self._tables.close(table)
        return moved

    def discard_unpublished(self) -> None:
        """Quarantine every unpublished commit, so that its work is done again. Needs the writer lock."""
        self.repairs += file_repair.discard_unpublished(self.path, self._read_published()[0])
        self._reset()

    # ---- inner workings

    def _require_lock(self, table: Table, what: str) -> None:
        if not self._tables.is_writer:
            raise LakeError(f"{table.name} can be {what} only under the writer lock; use `with lake.lock(...)`")

    def _refresh(self) -> None:
        if not self._tables.is_writer:
            self.exchange.refresh()

    def _reset(self) -> None:
        self._tables.reset()
        self._writer.reset()

    def _repair(self, released: bool, min_free: int) -> list[file_repair.Repair]:
        require_free_space(self.path, min_free)
        repairs = file_repair.repair_runs(self.path, durable=self.durable)
        published, recorded = self._read_published()
        if table_repairs := file_repair.repair_tables(self.path, published, recorded):
            self._reset()
        # Last, because the logs say what is left over, and they have to be readable again.
        return repairs + table_repairs + ([] if released else file_repair.remove_leftovers(self.path))

    def _read_published(self) -> tuple[dict[str, int], file_repair.Hashes]:
        columns = ("session", "output_table", "output_version", "files")
        return file_repair.read_published(
            self._tables.load(RUNS, self.newest(RUNS), columns, [pl.col("status") == "done"])
        )

    def _add_missing_tables(self) -> None:
        """Create the tables, empty, that an earlier program did not know."""
        for table in TABLES.values():
            if not self._tables.has_table(table):
                self._writer.create(table)

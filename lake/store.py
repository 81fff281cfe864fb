"""The lake: open it, read a table at a version or as of a time, and commit rows exactly once."""

from __future__ import annotations

from collections import OrderedDict
from collections.abc import Iterator, Mapping
from contextlib import contextmanager
from dataclasses import dataclass
from datetime import date, datetime
from pathlib import Path
from typing import Any

import polars as pl

from lake import delta, recovery
from lake.contract import RUN_ID, Table
from lake.durability import commit_files, make_durable
from lake.errors import ConflictError, DamageError, LakeError
from lake.lease import writer_lease
from lake.listing import Clock, FileSpan, file_spans, overlapping
from lake.log import commit_entry, publication_hash, refuse_damaged_entries
from lake.marker import MARKER as MARKER
from lake.marker import mark, prepare, refuse_foreign, refuse_path
from lake.reading import FileReader
from lake.rows import clock_range, conflict_words, differing, last_revisions, predicates, stamp
from lake.storage import in_words, refuse_full_disk
from lake.tables import TABLES
from lake.tables.control import RUNS

LISTINGS_KEPT = 256
COMMIT_ATTEMPTS = 8
REMEMBERED = 64
"""Commits of a table without publications that are searched for a run that is tried again."""


@dataclass(frozen=True)
class Written:
    """What a commit did: the table's version after it, and how many rows were new or changed."""

    version: int
    rows: int


class Lake:
    """A folder of versioned tables. Readers see what is published; the writer also sees its own work in progress."""

    def __init__(self, path: Path) -> None:
        self.path = path
        self.durable = True
        """False where a power cut may cost the lake, such as a demo's: nothing waits for the disk."""
        self._handles: dict[str, delta.DeltaTable] = {}
        self._listings: OrderedDict[tuple[str, int], tuple[FileSpan, ...]] = OrderedDict()
        self._files = FileReader()
        self._published: tuple[int, dict[str, int]] = (-1, {})
        self._wrote: dict[str, dict[int, str | None]] = {}
        self._writing = False
        self._held = ""
        """The table a commit is being made to: it stands on one state of it, and fails if somebody moves it."""
        self.repairs: list[recovery.Repair] = []
        """What was put right when the lease was taken."""

    # ---- opening

    @classmethod
    def create(cls, path: Path) -> Lake:
        """Make a lake with every table, empty; opening an existing one is the same as `open`.

        Raises:
            NotALakeError: if the folder holds something else, or its path has characters that cannot be used.
        """
        refuse_path(path)
        if (path / MARKER).exists():
            return cls.open(path)
        prepare(path)
        lake = cls(path)
        for table in TABLES.values():
            delta.create(lake.uri(table), table)
        mark(path)  # last: a lake with a marker is whole
        return lake

    @classmethod
    def open(cls, path: Path) -> Lake:
        """Open an existing lake.

        Raises:
            NotALakeError: if there is none at the path, or a newer program made it.
        """
        refuse_foreign(path)
        return cls(path)

    def uri(self, table: Table) -> str:
        """Where the table lies."""
        return str(self.path / "tables" / table.name)

    @contextmanager
    def lease(self, purpose: str) -> Iterator[None]:
        """Be the lake's one writer for the block; what a crash left is repaired first.

        Raises:
            BusyError: naming the holder, if there is another writer.
            DamageError: if something published is missing or damaged, naming the file.
            StorageError: if the folder cannot be written, or the disk is nearly full.
        """
        if self._writing:
            yield
            return
        with writer_lease(self.path, purpose) as tidy:
            self._forget()
            self.repairs = self._mend(tidy)
            self._add_missing_tables()
            self._writing = True
            try:
                yield
            finally:
                self._writing = False

    # ---- versions

    def newest(self, table: Table) -> int:
        """The last version on disk, published or not; 0 for a table that the lake does not have yet."""
        return int(self._handle(table).version()) if self._has(table) else 0

    def published(self) -> dict[str, int]:
        """Table name -> the version readers see. Tables without a story are always at their newest."""
        versions = {name: self._published_by_runs().get(name, 0) for name in TABLES}
        return versions | {t.name: self.newest(t) for t in TABLES.values() if not t.story or t.name == RUNS.name}

    def _published_by_runs(self) -> dict[str, int]:
        head = self.newest(RUNS)
        if head != self._published[0]:
            runs = self._load(RUNS, head, ("output_table", "output_version"), [pl.col("status") == "done"])
            highest = runs.group_by("output_table").agg(pl.col("output_version").max())
            self._published = (head, dict(highest.iter_rows()))
        return self._published[1]

    def version(self, table: Table) -> int:
        """The version readers see."""
        if not table.story or table.name == RUNS.name:
            return self.newest(table)
        return self._published_by_runs().get(table.name, 0)

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
        frame = self._load(table, version, wanted, conditions, since, until, order=table.key)
        if table.entity and not every_revision and not frame.is_empty():
            frame = last_revisions(frame, table)
        return frame.drop(extra) if extra else frame

    def rows(self, table: Table, version: int | None = None) -> int:
        """How many rows the table has, from its log alone."""
        listing = self._listing(table, self.version(table) if version is None else version)
        return sum(span.rows for span in listing)

    def clock_span(self, table: Table, *, until: date) -> tuple[date, date] | None:
        """First and last clock value not after a date, at the newest version; None if there is none."""
        clock = pl.col(table.clock)
        frame = self._load(table, self.newest(table), (table.clock,), [clock <= until], until=until)
        first, last = frame[table.clock].min(), frame[table.clock].max()
        return (first, last) if isinstance(first, date) and isinstance(last, date) else None

    def history(self, table: Table, limit: int | None = None) -> list[dict[str, Any]]:
        """The table's commits, newest first: version, timestamp (UTC), operation, run_id, stage, files added."""
        newest = self.newest(table)
        oldest = 0 if limit is None else max(newest - limit + 1, 0)
        return [commit_entry(self.uri(table), version) for version in range(newest, oldest - 1, -1)]

    # ---- writing

    def commit(self, table: Table, rows: pl.DataFrame, run_id: str, recipe: Mapping[str, Any]) -> Written:
        """Write rows in the table's mode, exactly once per run.

        Rows already there with the same content are left out; if nothing is new there is no new version. The recipe
        goes into the commit itself. A table with a story is written only under the lease.

        Raises:
            ConflictError: if an append table holds a row of the same key with other content.
            LakeError: if the lease is not held.
        """
        if table.story and not self._writing:
            raise LakeError(f"{table.name} is written only under the writer lease; use `with lake.lease(...)`")
        if not self._has(table):
            delta.create(self.uri(table), table)
        self._handle(table)
        self._held = table.name
        try:
            return self._commit_once(table, rows, run_id, recipe)
        finally:
            self._held = ""

    def _commit_once(self, table: Table, rows: pl.DataFrame, run_id: str, recipe: Mapping[str, Any]) -> Written:
        if (done := self.committed(table, run_id)) is not None:
            return Written(done, 0)
        for attempt in range(COMMIT_ATTEMPTS):
            try:
                return self._acknowledged(table, self._write(table, rows, run_id, recipe))
            except (delta.CommitFailedError, delta.DeltaError, OSError) as error:
                # A write can fail after its commit, and another append can come between: ask the table, do not guess.
                self._handles.pop(table.name, None)
                if (done := self.committed(table, run_id)) is not None:
                    return Written(done, rows.height)
                if attempt == COMMIT_ATTEMPTS - 1 or not isinstance(error, delta.CommitFailedError):
                    raise in_words(error, f"{table.name} could not be written") from error
        raise AssertionError("unreachable")

    def committed(self, table: Table, run_id: str) -> int | None:
        """The version at which the run wrote the table; None if it did not, as far back as it can matter.

        That is back to the published version, for below it the publication itself is the record; and for tables
        that are read at their newest version, over the last commits.
        """
        newest = self.newest(table)
        own_story = table.story and table.name != RUNS.name
        oldest = self.version(table) if own_story else max(newest - REMEMBERED, 0)
        wrote = self._wrote.setdefault(table.name, {})
        for version in range(newest, oldest, -1):
            if version not in wrote:
                wrote[version] = commit_entry(self.uri(table), version)["run_id"]
            if wrote[version] == run_id:
                return version
        return None

    def commits_after(self, table: Table, version: int) -> list[dict[str, Any]]:
        """The commits above a version, oldest first, each with its recipe."""
        return [commit_entry(self.uri(table), v) for v in range(version + 1, self.newest(table) + 1)]

    def files(self, table: Table, version: int) -> tuple[FileSpan, ...]:
        """The data files of a version with their rows and the span of the clock in each."""
        return self._listing(table, version)

    def rewrite(self, table: Table, rows: pl.DataFrame, since: Clock, run_id: str, recipe: Mapping[str, Any]) -> int:
        """Write again all rows, each with its own `run_id`, whose clock is not before `since`; returns the version."""
        recipe = self._chained(table, {**recipe, RUN_ID: run_id, "written": rows.height})
        delta.overwrite(self._handle(table), rows, recipe, f"{table.clock} >= '{since}'")
        return self.newest(table)

    def checkpoint(self, table: Table) -> None:
        """Fold the table's log into a checkpoint, which keeps opening it fast."""
        handle = self._handle(table)
        version = int(handle.version())
        handle.create_checkpoint()
        recovery.witness_checkpoint(Path(self.uri(table)), version)
        # A handle goes on reading the log it was opened on; only a new one begins at the checkpoint.
        self._handles.pop(table.name, None)

    def abandon(self) -> None:
        """Put every unpublished commit aside, so that its work is done again; under the lease."""
        self.repairs += recovery.abandon(self.path, self._promised()[0])
        self._forget()

    # ---- inner workings

    def _forget(self) -> None:
        """Drop what is known of the tables: another process may have moved them, or mending will."""
        self._handles.clear()
        self._listings.clear()
        self._wrote.clear()
        self._published = (-1, {})

    def _mend(self, tidy: bool) -> list[recovery.Repair]:
        refuse_full_disk(self.path)
        repairs = recovery.mend_runs(self.path, durable=self.durable) + (
            [] if tidy else recovery.sweep_leftovers(self.path)
        )
        published, recorded = self._promised()
        if later := recovery.mend_tables(self.path, published, recorded):
            self._forget()
        return repairs + later

    def _promised(self) -> tuple[dict[str, int], recovery.Hashes]:
        columns = ("session", "output_table", "output_version", "files")
        return recovery.promised(self._load(RUNS, self.newest(RUNS), columns, [pl.col("status") == "done"]))

    def _has(self, table: Table) -> bool:
        return table.name in self._handles or (Path(self.uri(table)) / "_delta_log").is_dir()

    def _add_missing_tables(self) -> None:
        """A lake made by an earlier program lacks the tables added since; they begin empty."""
        for table in TABLES.values():
            if not self._has(table):
                delta.create(self.uri(table), table)

    def _acknowledged(self, table: Table, written: Written) -> Written:
        """What is read at its newest version is promised at once: force it onto the disk. The rest is published."""
        if written.rows and not self._writing:
            uri = self.uri(table)
            if self.durable:
                make_durable(commit_files(uri, written.version, commit_entry(uri, written.version)["files"]))
            recovery.witness_commit(Path(uri), written.version)
        return written

    def _chained(self, table: Table, recipe: dict[str, Any]) -> dict[str, Any]:
        """Each publication names the hash of the one before it."""
        if table.name == RUNS.name:
            recipe["follows"] = publication_hash(self.uri(table), self.newest(table))
        return recipe

    def _write(self, table: Table, rows: pl.DataFrame, run_id: str, recipe: Mapping[str, Any]) -> Written:
        handle = self._handle(table)
        recipe = self._chained(table, {**recipe, RUN_ID: run_id})
        if table.mode == "replace":
            stamped = stamp(table, rows, run_id)
            if self._same(table, rows):
                return Written(self.newest(table), 0)
            delta.overwrite(handle, stamped, {**recipe, "written": rows.height}, None)
            return Written(self.newest(table), rows.height)
        fresh, changed = self._against_existing(table, rows)
        if fresh.is_empty() and changed.is_empty():
            return Written(self.newest(table), 0)
        recipe["written"] = fresh.height + changed.height
        if changed.is_empty():
            delta.append(handle, stamp(table, fresh, run_id), recipe)
        elif table.mode == "merge":
            self._rewrite(table, handle, fresh, changed, recipe)
        else:
            raise ConflictError(conflict_words(table, changed))
        return Written(self.newest(table), fresh.height + changed.height)

    def _against_existing(self, table: Table, rows: pl.DataFrame) -> tuple[pl.DataFrame, pl.DataFrame]:
        """Part the rows into those whose key is new, and those that differ from what is there under their key."""
        if rows.is_empty() or self.newest(table) == 0:
            return rows, rows.clear()
        low, high = clock_range(table, rows) if table.clock in table.key else (None, None)
        present = self._load(table, self.newest(table), table.key, predicates(table, low, high), low, high)
        fresh = rows.join(present, on=table.key, how="anti", nulls_equal=True)
        if fresh.height == rows.height:
            return fresh, rows.clear()
        repeated = rows.join(present, on=table.key, how="semi", nulls_equal=True)
        keys = repeated.select(table.key)
        conditions = predicates(table, low, high)
        stored = self._load(table, self.newest(table), table.content_columns, conditions, low, high)
        stored = stored.join(keys, on=table.key, how="semi", nulls_equal=True).sort(table.key)
        return fresh, differing(table, repeated.sort(table.key), stored)

    def _rewrite(
        self,
        table: Table,
        handle: delta.DeltaTable,
        fresh: pl.DataFrame,
        changed: pl.DataFrame,
        recipe: Mapping[str, Any],
    ) -> None:
        """Replace changed rows within the span of the clock that holds them, in one commit."""
        stored = self._load(table, self.newest(table), None, [])
        old = stored.join(changed.select(table.key), on=table.key, how="semi", nulls_equal=True)
        low, high = clock_range(table, pl.concat([old.drop(RUN_ID), fresh, changed]))
        kept = stored.filter(pl.col(table.clock).is_between(low, high)).join(
            changed.select(table.key), on=table.key, how="anti", nulls_equal=True
        )
        rows = pl.concat([kept, stamp(table, pl.concat([fresh, changed]), recipe[RUN_ID])])
        predicate = f"{table.clock} >= '{low}' AND {table.clock} <= '{high}'"
        delta.overwrite(handle, rows.sort(table.key), recipe, predicate)

    def _same(self, table: Table, rows: pl.DataFrame) -> bool:
        stored = self._load(table, self.newest(table), table.content_columns, [])
        mine = rows.select(table.content_columns)
        return stored.height == mine.height and stored.sort(table.key).equals(mine.sort(table.key))

    def _handle(self, table: Table) -> delta.DeltaTable:
        handle = self._handles.get(table.name)
        if handle is None:
            handle = self._handles[table.name] = self._opened(table, None)
        elif self._held != table.name and not (self._writing and table.story):  # nobody else moves it, or may
            handle.update_incremental()
        return handle

    def _opened(self, table: Table, version: int | None) -> delta.DeltaTable:
        try:
            if version is not None:
                refuse_damaged_entries(self.uri(table), version)
            return delta.opened(self.uri(table), table, version)
        except LakeError:
            raise
        except Exception as error:  # the library raises many kinds; each means the version cannot be had
            at = "" if version is None else f" at version {version}"
            raise DamageError(f"{table.name}{at} cannot be opened in {self.path}: {error}") from error

    def _listing(self, table: Table, version: int) -> tuple[FileSpan, ...]:
        """The version's files with their row counts and the span of the clock in each."""
        at = (table.name, version)
        if at in self._listings:
            self._listings.move_to_end(at)
            return self._listings[at]
        if version == 0 and not self._has(table):
            return ()
        held = self._handle(table) if self._writing or not table.story else self._handles.get(table.name)
        handle = held if held is not None and held.version() == version else self._opened(table, version)
        listing = file_spans(handle, table)
        self._listings[at] = listing
        while len(self._listings) > LISTINGS_KEPT:
            self._listings.popitem(last=False)
        return listing

    def _load(
        self,
        table: Table,
        version: int,
        columns: tuple[str, ...] | None,
        conditions: list[pl.Expr],
        since: Clock | None = None,
        until: Clock | None = None,
        order: tuple[str, ...] = (),
    ) -> pl.DataFrame:
        """Read in one query; columns, conditions and whole files are pushed down; unordered where `order` is empty."""
        schema = table.stored_schema
        wanted = list(columns) if columns is not None else list(schema)
        files = overlapping(self._listing(table, version), since, until)
        if not files:
            return pl.DataFrame(schema={name: schema[name] for name in wanted})
        try:
            scan = self._files.scan(Path(self.uri(table)), files, schema)
            rows = scan.filter(*conditions).select(wanted) if conditions else scan.select(wanted)
            return rows.sort(order).collect() if order else rows.collect()
        except FileNotFoundError as error:
            raise DamageError(f"{table.name} at version {version}: a data file is missing: {error}") from error
        except (pl.exceptions.PolarsError, pl.exceptions.PanicException) as error:
            if (file := recovery.damaged_file(Path(self.uri(table)), (span.path for span in files))) is None:
                raise
            raise DamageError(f"{table.name} at version {version}: the data file {file} is damaged") from error

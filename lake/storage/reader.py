"""Read the tables of a lake: which versions there are, the files that make one up, and the rows in them."""

from __future__ import annotations

from collections import OrderedDict
from collections.abc import Callable, Collection, Iterable, Iterator, Sequence
from contextlib import contextmanager, suppress
from datetime import datetime
from functools import partial
from pathlib import Path

import polars as pl

from lake.contract import Table, require_columns
from lake.errors import DamageError, LakeError, OvertakenError
from lake.migrations import FORMATS, Formats
from lake.migrations.steps import columns_after, select_steps, upgrade_rows
from lake.storage import delta
from lake.storage.appending import WRITER_PROTOCOL
from lake.storage.checksums import CHECKSUMS
from lake.storage.delta_log import EntryFile, entry_versions, identify_entry
from lake.storage.file_repair import find_damaged_file
from lake.storage.memory.file_cache import MAX_FILE_ROWS, FileCache, collect_rows
from lake.storage.memory.kept_rows import KeptRows
from lake.storage.memory.known_keys import KnownKeys
from lake.storage.memory.ordered_read import MANY, read_in_order
from lake.storage.snapshot import EMPTY, Clock, FileSpan, Snapshot, read_snapshot, select_overlapping
from lake.tables import TABLES
from lake.tables.control import RUNS

FEW_FILES = 8
"""Files of which each is asked for its columns."""
MAX_SNAPSHOTS = 16
"""Snapshots remembered of each table: a walk over its history goes on from the last one."""


class Reader:
    """The tables of one lake as one process sees them; keeps them open between reads."""

    def __init__(
        self, path: Path, formats: Formats = FORMATS, fetch: Callable[[Iterable[str]], None] | None = None
    ) -> None:
        """
        Args:
            path: the lake's folder.
            formats: how tables have changed since the first program.
            fetch: has the contents of data files there before they are read; None where they always are.
        """
        self.path = path
        self._fetch = fetch
        self._root = str(path / "tables")
        self._formats = formats
        self.is_writer = False
        """True while this process holds the writer lock: nobody else changes a table that runs publish."""
        self._handles: dict[str, delta.DeltaTable] = {}
        self._kept: dict[str, tuple[delta.DeltaTable, EntryFile]] = {}
        """Handles of this process's last time as the writer, each with the log entry that it was at."""
        self._snapshots: dict[str, OrderedDict[int, Snapshot]] = {}
        self._cache = FileCache()
        self._kept_rows = KeptRows()
        self._known_keys = KnownKeys()
        self._schemas: dict[str, pl.Schema] = {}
        """Data file -> the columns it was written with, of tables whose columns have changed."""
        self._distinct_schemas: dict[tuple[tuple[str, pl.DataType], ...], pl.Schema] = {}
        """Each of these schemas once: thousands of files have a few among them."""
        self._published: tuple[int, dict[str, int]] = (-1, {})
        self._newest: dict[str, int] = {}
        """Table -> its newest version, of those that nobody else can change now."""
        self._pinned = ""
        """The table a commit is being made to: it rests on one version of it, and fails if somebody else commits."""

    def uri(self, table: Table) -> str:
        """The table's folder."""
        return f"{self._root}/{table.name}"

    def has_table(self, table: Table) -> bool:
        """Whether the lake has the table at all; one made by an earlier program may not.

        A folder in which nothing was ever finished does not count: creating the table was cut off, and is done again.
        """
        if table.name in self._handles or self._snapshots.get(table.name):
            return True
        uri = Path(self.uri(table))
        return bool(entry_versions(uri)) or any(uri.glob(f"{CHECKSUMS}/*.commit")) or any(uri.glob("*.parquet"))

    # ---- versions

    def newest(self, table: Table) -> int:
        """The last version on disk, published or not; 0 for a table that the lake does not have yet."""
        if not self._is_pinned(table):
            return max(entry_versions(self.uri(table)), default=0)
        if table.name not in self._newest:
            self._newest[table.name] = max(entry_versions(self.uri(table)), default=0)
        return self._newest[table.name]

    def version(self, table: Table) -> int:
        """The version readers see."""
        if not table.published_by_run or table.name == RUNS.name:
            return self.newest(table)
        return self.version_by_runs(table)

    def version_by_runs(self, table: Table) -> int:
        """The last version that a published run wrote; 0 before the first."""
        return self._published_by_runs().get(table.name, 0)

    def published_versions(self) -> dict[str, int]:
        """Table name -> the version readers see. Tables that no run publishes are at their newest."""
        versions = {name: self._published_by_runs().get(name, 0) for name in TABLES}
        return versions | {
            t.name: self.newest(t) for t in TABLES.values() if not t.published_by_run or t.name == RUNS.name
        }

    def _published_by_runs(self) -> dict[str, int]:
        newest = self.newest(RUNS)
        if newest != self._published[0]:
            runs = self.load(RUNS, newest, ("output_table", "output_version"), [pl.col("status") == "done"])
            highest = runs.group_by("output_table").agg(pl.col("output_version").max())
            self._published = (newest, dict(highest.iter_rows()))
        return self._published[1]

    # ---- opening

    def open_for_writing(self, table: Table) -> delta.DeltaTable:
        """The table opened for writing, at its newest version.

        Raises:
            OvertakenError: if that is another than the one that a commit in the making rests on.
        """
        handle = self._handles.get(table.name)
        if handle is None:
            handle = self._handles[table.name] = self._take_up(table) or self._open(table)
        elif handle.version() != self.newest(table):
            handle.update_incremental()
        if handle.version() != self.newest(table):
            raise OvertakenError(f"{table.name} is at version {handle.version()}: another process wrote it")
        return handle

    @contextmanager
    def pin(self, table: Table) -> Iterator[None]:
        """Stay at the table's present version for the block, and at those that are made within it."""
        if not self._is_pinned(table):
            self._newest.pop(table.name, None)
        self._pinned = table.name
        try:
            yield
        finally:
            self._pinned = ""

    def advance(self, table: Table, version: int) -> None:
        """Take note of a version that was made just now."""
        self._newest[table.name] = version

    def close(self, table: Table) -> None:
        """Look at the table anew next time: it has changed in a way that an open handle does not notice."""
        self._handles.pop(table.name, None)
        self._newest.pop(table.name, None)

    def reset(self) -> None:
        """Forget what is known of the tables: another process may have changed them, or a repair will."""
        self._handles.clear()
        self._newest.clear()
        self._snapshots.clear()
        self._published = (-1, {})

    def keep_handles(self) -> None:
        """Keep what is open for this process's next time as the writer; call it while it still is.

        Reading a log anew costs several times what looking for further entries does. Tables that others write too are
        left out: for them nothing says that an entry is still the one that a handle has read.
        """
        open_now = {one.name: one for one in TABLES.values() if one.published_by_run and one.name in self._handles}
        found = {name: identify_entry(self.uri(one), self._handles[name].version()) for name, one in open_now.items()}
        self._kept = {name: (self._handles[name], entry) for name, entry in found.items() if entry is not None}

    def _take_up(self, table: Table) -> delta.DeltaTable | None:
        """A kept handle, brought up to the newest version; None unless the entry it was at is the same file still."""
        handle, entry = self._kept.pop(table.name, (None, None))
        if handle is None or not self.is_writer or identify_entry(self.uri(table), handle.version()) != entry:
            return None
        try:
            return delta.bring_up_to_date(handle, self.uri(table), table)
        except delta.DeltaError:  # what it lacks may have been archived since; a new handle knows the checkpoint
            return None

    def _is_pinned(self, table: Table) -> bool:
        """Whether nobody else can change the version that counts now."""
        return self._pinned == table.name or (self.is_writer and table.published_by_run)

    def _open(self, table: Table) -> delta.DeltaTable:
        try:
            return delta.open_table(self.uri(table), table)
        except LakeError:
            raise
        except Exception as error:  # the library raises errors of many kinds; each means the table cannot be opened
            raise DamageError(f"{table.name} cannot be opened in {self.path}: {error}") from error

    # ---- files and rows

    def files(self, table: Table, version: int) -> tuple[FileSpan, ...]:
        """The version's files with their row counts and the span of the clock in each.

        Raises:
            LakeError: if there is no such version.
            DamageError: naming the log entry that is missing or damaged.
            NotALakeError: if its columns are not the contract's.
        """
        if version == 0 and not self.has_table(table):
            return ()
        return self._snapshot(table, version).spans

    def columns(self, table: Table) -> tuple[str, ...]:
        """The stored columns of the newest version, as they are on disk."""
        return self._snapshot(table, self.newest(table)).columns

    def columns_at(self, table: Table, version: int) -> tuple[str, ...]:
        """The stored columns of a version; none of a table that is not there yet."""
        return () if version == 0 and not self.has_table(table) else self._snapshot(table, version).columns

    def takes_files(self, table: Table, columns: Collection[str]) -> bool:
        """Whether a file of these columns may be added to the table as it is, without the library."""
        snapshot = self._snapshot(table, self.newest(table))
        return snapshot.writer == WRITER_PROTOCOL and set(snapshot.columns) == set(columns)

    def remember(self, table: Table, path: str, rows: pl.DataFrame) -> None:
        """Keep the rows of a data file written just now, as if it had been read."""
        file = f"{self.uri(table)}/{path}"
        self._cache.add(file, rows)
        self._schemas[file] = self._distinct_schemas.setdefault(tuple(rows.schema.items()), rows.schema)

    def _snapshot(self, table: Table, version: int) -> Snapshot:
        kept = self._snapshots.setdefault(table.name, OrderedDict())
        if version in kept:
            kept.move_to_end(version)
            return kept[version]
        nearest = max((at for at in kept if at < version), default=-1)
        snapshot = read_snapshot(Path(self.uri(table)), table, version, kept.get(nearest, EMPTY))
        require_columns(
            self.uri(table), table, columns_after(select_steps(self._formats, table.name), snapshot.columns)
        )
        kept[version] = snapshot
        while len(kept) > MAX_SNAPSHOTS:
            kept.popitem(last=False)
        return snapshot

    def load(
        self,
        table: Table,
        version: int,
        columns: tuple[str, ...] | None = None,
        conditions: list[pl.Expr] | None = None,
        since: Clock | None = None,
        until: Clock | None = None,
        order: tuple[str, ...] = (),
    ) -> pl.DataFrame:
        """Read in one query; columns, conditions and whole files are pushed down; unordered where `order` is empty.

        Raises:
            DamageError: naming the table, the version and the file, if one is missing or unreadable.
        """
        if table.further is not None:
            table = table.for_columns((*self.columns_at(table, version), *(columns or ())))
        wanted = list(columns if columns is not None else table.stored_schema)
        with self._naming_damage(table, version):
            asked_again = self.is_writer and (order or since is not None)
            kept = self._find_kept(table, version, wanted, since) if asked_again else None
            if kept is not None:
                return self._kept_rows.select(kept, conditions or [], wanted)
            files = select_overlapping(self.files(table, version), since, until)
            return self._load_files(table, files, wanted, conditions or [], order)

    def may_have(self, table: Table, version: int, rows: pl.DataFrame) -> bool:
        """Whether a version may have the key of one of the rows; False is certain.

        Raises:
            DamageError: as `load`.
        """

        def read(files: Sequence[FileSpan]) -> pl.DataFrame:
            return self._load_files(table, files, list(table.key), [], ())

        with self._naming_damage(table, version):
            return self._known_keys.may_have(table, self._snapshot(table, version), rows, read)

    @contextmanager
    def _naming_damage(self, table: Table, version: int) -> Iterator[None]:
        """Say which file is missing or unreadable where reading a version fails."""
        try:
            yield
        except FileNotFoundError as error:
            raise DamageError(f"{table.name} at version {version}: a data file is missing: {error}") from error
        except (pl.exceptions.PolarsError, pl.exceptions.PanicException) as error:
            paths = (span.path for span in self.files(table, version))
            if (file := find_damaged_file(Path(self.uri(table)), paths)) is None:
                raise
            raise DamageError(f"{table.name} at version {version}: the data file {file} is damaged") from error

    def _load_files(
        self,
        table: Table,
        files: Sequence[FileSpan],
        wanted: list[str],
        conditions: list[pl.Expr],
        order: tuple[str, ...],
    ) -> pl.DataFrame:
        if not files:
            return table.empty_as_stored()[wanted]

        def read(scan: pl.LazyFrame) -> pl.DataFrame:
            if order and sum(file.rows for file in files) > MANY:
                return read_in_order(scan, conditions, wanted, order)
            rows = scan.filter(*conditions).select(wanted) if conditions else scan.select(wanted)
            return collect_rows(rows.sort(order) if order else rows, files)

        try:
            return read(self._scan(table, files))
        except (pl.exceptions.SchemaError, pl.exceptions.ShapeError):
            if table.published_by_run:
                raise
            return read(self._scan_any(table, files))

    def _find_kept(self, table: Table, version: int, wanted: list[str], since: Clock | None) -> pl.DataFrame | None:
        """Rows that the writer keeps of a table whose clock is a day; None where it keeps none that would do."""
        if not table.published_by_run or table.columns[table.clock].dtype != pl.Date or isinstance(since, datetime):
            return None
        if version == 0 and not self.has_table(table):
            return None
        snapshot = self._snapshot(table, version)
        table = TABLES[table.name].for_columns(snapshot.columns)
        if not table.stored_schema.keys() >= set(wanted):
            return None
        return self._kept_rows.find(table, snapshot, since, partial(self._scan_whole, table))

    def _scan_whole(self, table: Table, files: Sequence[FileSpan]) -> pl.LazyFrame:
        """The files' rows in all columns, in the contract's order."""
        return self._scan(table, files).select(list(table.stored_schema))

    def _scan(self, table: Table, files: Sequence[FileSpan]) -> pl.LazyFrame:
        """The files' rows in the contract's columns, whatever columns each file was written with."""
        self.fetch_files(table, files)
        root, schema = Path(self.uri(table)), table.stored_schema
        steps = select_steps(self._formats, table.name)
        if not steps and table.further is None:
            return self._cache.scan(root, files, schema)
        self._guess_schemas(root, files)
        by_columns: dict[tuple[str, ...], list[FileSpan]] = {}
        for file in files:
            by_columns.setdefault(tuple(self._schema(f"{root}/{file.path}")), []).append(file)
        parts = []
        for columns, alike in by_columns.items():
            rows = self._cache.scan(root, alike, self._schema(f"{root}/{alike[0].path}"))
            lacking = [name for name, one in table.columns.items() if one is table.further and name not in columns]
            rows = rows.with_columns(pl.lit(None, dtype=schema[name]).alias(name) for name in lacking)
            parts.append(upgrade_rows(rows, steps, [*columns, *lacking], schema))
        return pl.concat(parts)

    def _guess_schemas(self, root: Path, files: Sequence[FileSpan]) -> None:
        """Read small files as if all had the columns of the first and the last, where these two have the same.

        To open each for its columns alone takes as long as to read it. The guess cannot go wrong unseen: a file that
        has others refuses to be read so, and then each is asked.
        """
        unknown = [file for file in files if file.rows <= MAX_FILE_ROWS and f"{root}/{file.path}" not in self._schemas]
        if len(unknown) < FEW_FILES:
            return
        schema = self._schema(f"{root}/{unknown[0].path}")
        if self._schema(f"{root}/{unknown[-1].path}") is not schema:
            return
        with suppress(pl.exceptions.PolarsError):  # what is damaged is found, and named, when it is read for its rows
            self._cache.scan(root, unknown, schema)
            self._schemas |= dict.fromkeys((f"{root}/{file.path}" for file in unknown), schema)

    def _scan_any(self, table: Table, files: Sequence[FileSpan]) -> pl.LazyFrame:
        """The rows of a control table to which another program added files: of their columns those that are known."""
        self.fetch_files(table, files)
        root, schema = Path(self.uri(table)), table.stored_schema
        parts = []
        for file in files:
            there = self._schema(f"{root}/{file.path}")
            known = [pl.col(name).cast(kind, strict=False) if name in there else pl.lit(None, dtype=kind).alias(name)
                     for name, kind in schema.items()]  # fmt: skip
            parts.append(self._cache.scan(root, [file], there).select(known))
        return pl.concat(parts)

    def fetch_files(self, table: Table, files: Iterable[FileSpan]) -> None:
        """Have the contents of a table's data files here."""
        if self._fetch is not None:
            self._fetch(f"{self.uri(table)}/{file.path}" for file in files)

    def _schema(self, file: str) -> pl.Schema:
        """The columns a file was written with; files never change."""
        if file not in self._schemas:
            schema = pl.scan_parquet(file, glob=False).collect_schema()
            self._schemas[file] = self._distinct_schemas.setdefault(tuple(schema.items()), schema)
        return self._schemas[file]

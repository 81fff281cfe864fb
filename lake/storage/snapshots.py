"""Tables as they stand at a version: which versions there are, the files that make one up, and the rows in them."""

from __future__ import annotations

from collections import OrderedDict
from collections.abc import Iterator
from contextlib import contextmanager
from pathlib import Path

import polars as pl

from lake.contract import Table, refuse_strange
from lake.errors import DamageError, LakeError
from lake.migrations import FORMATS, Formats
from lake.migrations.steps import bring_forward, columns_after, steps_of
from lake.storage import delta
from lake.storage.checksums import WITNESSES
from lake.storage.delta_log import entry_versions
from lake.storage.listing import NOTHING, Clock, FileSpan, Listing, listing_at, overlapping
from lake.storage.reader import FileReader, gathered
from lake.storage.recovery import damaged_file
from lake.tables import TABLES
from lake.tables.control import RUNS

LISTINGS_KEPT = 16
"""Versions of a table whose files are remembered: walks over its history go on from the last one."""


class Snapshots:
    """The tables of one lake as one process sees them; holds them open between reads."""

    def __init__(self, path: Path, formats: Formats = FORMATS) -> None:
        self.path = path
        self._root = str(path / "tables")
        self._formats = formats
        self.alone = False
        """True while this process is the lake's writer: nobody else moves a table that has a story."""
        self._handles: dict[str, delta.DeltaTable] = {}
        self._listings: dict[str, OrderedDict[int, Listing]] = {}
        self._files = FileReader()
        self._shapes: dict[str, pl.Schema] = {}
        """What files of tables that have changed were written with."""
        self._distinct: dict[tuple[tuple[str, pl.DataType], ...], pl.Schema] = {}
        """Each of these schemas once: thousands of files have a few among them."""
        self._published: tuple[int, dict[str, int]] = (-1, {})
        self._held = ""
        """The table a commit is being made to: it stands on one state of it, and fails if somebody moves it."""

    def uri(self, table: Table) -> str:
        """Where the table lies."""
        return f"{self._root}/{table.name}"

    def has(self, table: Table) -> bool:
        """Whether the lake has the table at all; one made by an earlier program may not.

        A folder in which nothing was ever finished is no table: making it was cut off, and is done again.
        """
        if table.name in self._handles:
            return True
        uri = Path(self.uri(table))
        return bool(entry_versions(uri)) or any(uri.glob(f"{WITNESSES}/*.commit")) or any(uri.glob("*.parquet"))

    # ---- versions

    def newest(self, table: Table) -> int:
        """The last version on disk, published or not; 0 for a table that the lake does not have yet."""
        if table.name in self._handles and self._stands_still(table):
            return int(self._handles[table.name].version())
        return max(entry_versions(self.uri(table)), default=0)

    def version(self, table: Table) -> int:
        """The version readers see."""
        if not table.story or table.name == RUNS.name:
            return self.newest(table)
        return self._published_by_runs().get(table.name, 0)

    def published(self) -> dict[str, int]:
        """Table name -> the version readers see. Tables without a story are always at their newest."""
        versions = {name: self._published_by_runs().get(name, 0) for name in TABLES}
        return versions | {t.name: self.newest(t) for t in TABLES.values() if not t.story or t.name == RUNS.name}

    def _published_by_runs(self) -> dict[str, int]:
        head = self.newest(RUNS)
        if head != self._published[0]:
            runs = self.load(RUNS, head, ("output_table", "output_version"), [pl.col("status") == "done"])
            highest = runs.group_by("output_table").agg(pl.col("output_version").max())
            self._published = (head, dict(highest.iter_rows()))
        return self._published[1]

    # ---- opening

    def handle(self, table: Table) -> delta.DeltaTable:
        """The table opened for writing, at its newest version."""
        handle = self._handles.get(table.name)
        if handle is None:
            handle = self._handles[table.name] = self._opened(table)
        elif not self._stands_still(table):
            handle.update_incremental()
        return handle

    @contextmanager
    def held(self, table: Table) -> Iterator[None]:
        """Let the table stand still for the block, as it is now."""
        self.handle(table)
        self._held = table.name
        try:
            yield
        finally:
            self._held = ""

    def let_go(self, table: Table) -> None:
        """Open the table anew next time: it has moved in a way that an open handle does not see."""
        self._handles.pop(table.name, None)

    def forget(self) -> None:
        """Drop what is known of the tables: another process may have moved them, or mending will."""
        self._handles.clear()
        self._listings.clear()
        self._published = (-1, {})

    def _stands_still(self, table: Table) -> bool:
        """Whether nobody else moves the table now, or may."""
        return self._held == table.name or (self.alone and table.story)

    def _opened(self, table: Table) -> delta.DeltaTable:
        try:
            return delta.opened(self.uri(table), table)
        except LakeError:
            raise
        except Exception as error:  # the library raises many kinds; each means the table cannot be had
            raise DamageError(f"{table.name} cannot be opened in {self.path}: {error}") from error

    # ---- files and rows

    def listing(self, table: Table, version: int) -> tuple[FileSpan, ...]:
        """The version's files with their row counts and the span of the clock in each.

        Raises:
            LakeError: if there is no such version.
            DamageError: naming the log entry that is missing or damaged.
            NotALakeError: if a table of other columns lies there.
        """
        if version == 0 and not self.has(table):
            return ()
        return self._listing(table, version).spans

    def columns(self, table: Table) -> tuple[str, ...]:
        """The stored columns of the newest version, as they lie on disk."""
        return self._listing(table, self.newest(table)).columns

    def _listing(self, table: Table, version: int) -> Listing:
        kept = self._listings.setdefault(table.name, OrderedDict())
        if version in kept:
            kept.move_to_end(version)
            return kept[version]
        nearest = max((at for at in kept if at < version), default=-1)
        listing = listing_at(Path(self.uri(table)), table, version, kept.get(nearest, NOTHING))
        refuse_strange(self.uri(table), table, columns_after(steps_of(self._formats, table.name), listing.columns))
        kept[version] = listing
        while len(kept) > LISTINGS_KEPT:
            kept.popitem(last=False)
        return listing

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
        schema = table.stored_schema
        wanted = list(columns) if columns is not None else list(schema)
        files = overlapping(self.listing(table, version), since, until)
        if not files:
            return pl.DataFrame(schema={name: schema[name] for name in wanted})
        try:
            scan = self._scan(table, files)
            rows = scan.filter(*conditions).select(wanted) if conditions else scan.select(wanted)
            return gathered(rows.sort(order) if order else rows, files)
        except FileNotFoundError as error:
            raise DamageError(f"{table.name} at version {version}: a data file is missing: {error}") from error
        except (pl.exceptions.PolarsError, pl.exceptions.PanicException) as error:
            if (file := damaged_file(Path(self.uri(table)), (span.path for span in files))) is None:
                raise
            raise DamageError(f"{table.name} at version {version}: the data file {file} is damaged") from error

    def _scan(self, table: Table, files: list[FileSpan]) -> pl.LazyFrame:
        """The files' rows in today's columns, whatever columns each file was written with."""
        root, schema = Path(self.uri(table)), table.stored_schema
        steps = steps_of(self._formats, table.name)
        if not steps:
            return self._files.scan(root, files, schema)
        shapes: dict[tuple[str, ...], list[FileSpan]] = {}
        for file in files:
            shapes.setdefault(tuple(self._shape(f"{root}/{file.path}")), []).append(file)
        parts = [
            bring_forward(self._files.scan(root, alike, self._shape(f"{root}/{alike[0].path}")), steps, columns, schema)
            for columns, alike in shapes.items()
        ]
        return pl.concat(parts)

    def _shape(self, file: str) -> pl.Schema:
        """The columns a file was written with; files never change."""
        if file not in self._shapes:
            shape = pl.Schema(pl.read_parquet_schema(file))
            self._shapes[file] = self._distinct.setdefault(tuple(shape.items()), shape)
        return self._shapes[file]

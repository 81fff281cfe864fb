"""Write rows into a table exactly once: set against what is there, in the table's mode, in one commit."""

from __future__ import annotations

from collections.abc import Mapping
from dataclasses import dataclass
from pathlib import Path
from typing import Any

import polars as pl

from lake.contract import RUN_ID, Table
from lake.errors import BusyError, ConflictError, OvertakenError
from lake.storage import delta
from lake.storage.atomic import commit_files, fsync_files
from lake.storage.checksums import witness_commit
from lake.storage.delta_log import archived, commit_entry, entry_path, publication_hash
from lake.storage.disk import in_words
from lake.storage.listing import Clock
from lake.storage.predicates import clock_range, conflict_words, differing, predicates, stamp
from lake.storage.snapshots import Snapshots
from lake.tables.control import RUNS
from lake.upkeep.log_archive import took_back_late

COMMIT_ATTEMPTS = 8
REMEMBERED = 64
"""Commits of a table without publications that are searched for a run that is tried again."""


@dataclass(frozen=True)
class Written:
    """What a commit did: the table's version after it, and how many rows were new or changed."""

    version: int
    rows: int


class Commits:
    """Makes the commits of one lake, on the tables as `Snapshots` holds them."""

    def __init__(self, tables: Snapshots) -> None:
        self._tables = tables
        self._wrote: dict[str, dict[int, str | None]] = {}

    def create(self, table: Table) -> None:
        """Make the table, empty, and write down the hash of the entry that does; no barrier comes by here again."""
        uri = Path(self._tables.uri(table))
        delta.create(str(uri), table)
        fsync_files((entry_path(uri, 0), witness_commit(uri, 0), uri))

    def commit(
        self, table: Table, rows: pl.DataFrame, run_id: str, recipe: Mapping[str, Any], *, durable: bool
    ) -> Written:
        """Write rows in the table's mode, once per run; see `Lake.commit`.

        Args:
            table: its contract.
            rows: in the contract's columns.
            run_id: who writes them.
            recipe: goes into the commit itself.
            durable: whether what is read at its newest version waits for the disk.
        """
        if not self._tables.has(table):
            self.create(table)
        with self._tables.held(table):
            return self._commit_once(table, rows, run_id, recipe, durable)

    def committed(self, table: Table, run_id: str) -> int | None:
        """The version at which the run wrote the table; None if it did not, as far back as it can matter.

        That is back to the published version, for below it the publication itself is the record; and for tables
        that are read at their newest version, over the last commits.
        """
        newest = self._tables.newest(table)
        own_story = table.story and table.name != RUNS.name
        oldest = self._tables.version(table) if own_story else max(newest - REMEMBERED, 0)
        wrote = self._wrote.setdefault(table.name, {})
        for version in range(newest, oldest, -1):
            if version not in wrote:
                wrote[version] = commit_entry(self._tables.uri(table), version)["run_id"]
            if wrote[version] == run_id:
                return version
        return None

    def rewrite(
        self,
        table: Table,
        rows: pl.DataFrame,
        since: Clock,
        run_id: str,
        recipe: Mapping[str, Any],
        before: int | None = None,
    ) -> int:
        """Write again all rows, each with its own `run_id`, whose clock is not before `since`; see `Lake.rewrite`."""
        recipe = self._chained(table, {**recipe, RUN_ID: run_id, "written": rows.height})
        with self._tables.held(table):
            handle = self._tables.handle(table)
            read_at = int(handle.version()) if before is None else before
            if handle.version() != read_at:
                raise OvertakenError(f"{table.name} is at version {handle.version()}, the rows are of {read_at}")
            try:
                delta.overwrite(handle, rows, recipe, f"{table.clock} >= '{since}'")
            except delta.CommitFailedError as error:
                self._tables.let_go(table)
                raise OvertakenError(f"{table.name} was written by another process after version {read_at}") from error
        return read_at + 1

    def reshape(
        self, table: Table, rows: pl.DataFrame | None, run_id: str, recipe: Mapping[str, Any], before: int
    ) -> int:
        """Give the table on disk the contract's columns, in one commit; see `Lake.reshape`."""
        recipe = self._chained(table, {**recipe, RUN_ID: run_id, "written": 0 if rows is None else rows.height})
        handle = delta.DeltaTable(self._tables.uri(table))
        if handle.version() != before:
            raise OvertakenError(f"{table.name} is at version {handle.version()}, the change is for {before}")
        try:
            if rows is None:
                delta.add_columns(handle, table, recipe)
            else:
                delta.reshape(handle, table, rows, recipe)
        except delta.CommitFailedError as error:
            raise OvertakenError(f"{table.name} was written by another process after version {before}") from error
        finally:
            self._tables.let_go(table)
        return before + 1

    def forget(self) -> None:
        """Drop what is known of who wrote what."""
        self._wrote.clear()

    def _commit_once(
        self, table: Table, rows: pl.DataFrame, run_id: str, recipe: Mapping[str, Any], durable: bool
    ) -> Written:
        if (done := self.committed(table, run_id)) is not None:
            return Written(done, 0)
        for attempt in range(COMMIT_ATTEMPTS):
            stood = self._tables.newest(table)
            try:
                written = self._write(table, rows, run_id, recipe)
                if not written.rows or not took_back_late(Path(self._tables.uri(table)), written.version):
                    return self._acknowledged(table, written, durable)
                self._tables.let_go(table)
            except (delta.CommitFailedError, delta.DeltaError, OSError) as error:
                # A write can fail after its commit, and another append can come between: ask the table, do not guess.
                self._tables.let_go(table)
                if (done := self.committed(table, run_id)) is not None:
                    return Written(done, rows.height)
                # The library finds no ground to stand on where the log was archived while this process slept.
                again = isinstance(error, delta.CommitFailedError) or archived(self._tables.uri(table), stood).exists()
                if attempt == COMMIT_ATTEMPTS - 1 or not again:
                    raise in_words(error, f"{table.name} could not be written") from error
        raise BusyError(f"{table.name} was moved by others {COMMIT_ATTEMPTS} times in a row; try again later")

    def _acknowledged(self, table: Table, written: Written, durable: bool) -> Written:
        """What is read at its newest version is promised at once: force it onto the disk. The rest is published."""
        if written.rows and not self._tables.alone:
            uri = self._tables.uri(table)
            if durable:
                fsync_files(commit_files(uri, written.version, commit_entry(uri, written.version)["files"]))
            witness_commit(Path(uri), written.version, durable=durable)
        return written

    def _chained(self, table: Table, recipe: dict[str, Any]) -> dict[str, Any]:
        """Each publication names the hash of the one before it."""
        if table.name == RUNS.name:
            recipe["follows"] = publication_hash(self._tables.uri(table), self._tables.newest(table))
        return recipe

    def _write(self, table: Table, rows: pl.DataFrame, run_id: str, recipe: Mapping[str, Any]) -> Written:
        handle = self._tables.handle(table)
        recipe = self._chained(table, {**recipe, RUN_ID: run_id})
        if table.mode == "replace":
            stamped = stamp(table, rows, run_id)
            if self._same(table, rows):
                return Written(self._tables.newest(table), 0)
            delta.overwrite(handle, stamped, {**recipe, "written": rows.height}, None)
            return Written(self._tables.newest(table), rows.height)
        fresh, changed = self._against_existing(table, rows)
        if fresh.is_empty() and changed.is_empty():
            return Written(self._tables.newest(table), 0)
        recipe["written"] = fresh.height + changed.height
        if changed.is_empty():
            delta.append(handle, stamp(table, fresh, run_id), recipe)
        elif table.mode == "merge":
            self._restate(table, handle, fresh, changed, recipe)
        else:
            raise ConflictError(conflict_words(table, changed))
        return Written(self._tables.newest(table), fresh.height + changed.height)

    def _against_existing(self, table: Table, rows: pl.DataFrame) -> tuple[pl.DataFrame, pl.DataFrame]:
        """Part the rows into those whose key is new, and those that differ from what is there under their key."""
        newest = self._tables.newest(table)
        if rows.is_empty() or newest == 0:
            return rows, rows.clear()
        low, high = clock_range(table, rows) if table.clock in table.key else (None, None)
        conditions = predicates(table, low, high)
        present = self._tables.load(table, newest, table.key, conditions, low, high)
        fresh = rows.join(present, on=table.key, how="anti", nulls_equal=True)
        if fresh.height == rows.height:
            return fresh, rows.clear()
        repeated = rows.join(present, on=table.key, how="semi", nulls_equal=True)
        keys = repeated.select(table.key)
        stored = self._tables.load(table, newest, table.content_columns, conditions, low, high)
        stored = stored.join(keys, on=table.key, how="semi", nulls_equal=True).sort(table.key)
        return fresh, differing(table, repeated.sort(table.key), stored)

    def _restate(
        self,
        table: Table,
        handle: delta.DeltaTable,
        fresh: pl.DataFrame,
        changed: pl.DataFrame,
        recipe: Mapping[str, Any],
    ) -> None:
        """Replace changed rows within the span of the clock that holds them, in one commit."""
        stored = self._tables.load(table, self._tables.newest(table))
        old = stored.join(changed.select(table.key), on=table.key, how="semi", nulls_equal=True)
        low, high = clock_range(table, pl.concat([old.drop(RUN_ID), fresh, changed]))
        kept = stored.filter(pl.col(table.clock).is_between(low, high)).join(
            changed.select(table.key), on=table.key, how="anti", nulls_equal=True
        )
        rows = pl.concat([kept, stamp(table, pl.concat([fresh, changed]), recipe[RUN_ID])])
        predicate = f"{table.clock} >= '{low}' AND {table.clock} <= '{high}'"
        delta.overwrite(handle, rows.sort(table.key), recipe, predicate)

    def _same(self, table: Table, rows: pl.DataFrame) -> bool:
        stored = self._tables.load(table, self._tables.newest(table), table.content_columns)
        mine = rows.select(table.content_columns)
        return stored.height == mine.height and stored.sort(table.key).equals(mine.sort(table.key))

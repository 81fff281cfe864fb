"""Write rows into a table exactly once: compared with what is there, in the table's mode, in one commit."""

from __future__ import annotations

from collections.abc import Callable, Iterator, Mapping, Sequence
from contextlib import AbstractContextManager, nullcontext
from dataclasses import dataclass
from pathlib import Path
from typing import Any

import polars as pl

from lake.contract import RUN_ID, Table
from lake.engine import is_in_order
from lake.errors import BusyError, ConflictError, OvertakenError
from lake.remote.exchange import Turn
from lake.storage import delta
from lake.storage.appending import BLOCK, MAX_ROWS, add_files, append_files
from lake.storage.atomic import fsync_files
from lake.storage.checksums import record_commit_checksums
from lake.storage.delta_log import archived_entry_path, commit_entry, commit_paths, entry_path, publication_hash
from lake.storage.disk import as_storage_error
from lake.storage.reader import Reader
from lake.storage.snapshot import Clock
from lake.storage.visibility import build_predicates
from lake.tables.control import RUNS
from lake.upkeep.log_archive import undo_late_commit

Files = Sequence[Mapping[str, Any]]
"""Data files that no version has yet, as `lake.storage.appending.write_file` describes them."""
OPERATOR = "operator"
"""Owner of the tables that hold decisions, which no publication will force onto the disk later."""
MAX_ATTEMPTS = 8
MAX_COMMITS_SEARCHED = 64
"""Writer of a table without publications that are searched for a run that is tried again."""


@dataclass(frozen=True)
class CommitResult:
    """The table's version after a commit, and how many rows were new or changed."""

    version: int
    rows: int


class Writer:
    """Makes the commits of one lake, on the tables as its `Reader` sees them."""

    def __init__(self, tables: Reader, committing: Callable[[str], AbstractContextManager[Turn]]) -> None:
        """
        Args:
            tables: of the lake.
            committing: what a commit to a table that several append to is made within, by the table's name.
        """
        self._tables = tables
        self._committing = committing
        self._run_ids: dict[str, dict[int, str | None]] = {}

    def create(self, table: Table) -> None:
        """Create the table, empty, and record the checksum of its first log entry, all of it forced onto the disk."""
        uri = Path(self._tables.uri(table))
        delta.create(str(uri), table)
        fsync_files((entry_path(uri, 0), record_commit_checksums(uri, 0), uri))

    def commit(
        self, table: Table, rows: pl.DataFrame, run_id: str, recipe: Mapping[str, Any], *, durable: bool
    ) -> CommitResult:
        """Write rows in the table's mode, once per run; see `Lake.commit`.

        Args:
            table: its contract.
            rows: in the contract's columns.
            run_id: who writes them.
            recipe: goes into the commit itself.
            durable: whether to wait for the disk where no run publishes the table.
        """
        if not self._tables.has_table(table):
            self.create(table)
        for _ in range(MAX_ATTEMPTS):
            with self._take_turn(table) as turn, self._tables.pin(table):
                written = self._commit_once(table, rows, run_id, recipe, durable)
            if not turn.overtaken:
                return written
            self._tables.close(table)
        raise _busy(table)

    def add_files(self, table: Table, files: Files, run_id: str, recipe: Mapping[str, Any]) -> CommitResult:
        """Add files to an append table in one commit, once per run.

        Args:
            table: its contract, with all columns that the files have; those that it lacks on disk are added.
            files: of rows whose keys are new.
            run_id: who wrote the rows.
            recipe: goes into the commit itself.

        Raises:
            StorageError: if the folder cannot be written.
        """
        if (done := self.find_commit(table, run_id)) is not None:
            return CommitResult(done, 0)
        before, rows = self._tables.newest(table), sum(one["rows"] for one in files)
        widened = delta.describe_widened(self._tables.open_for_writing(table), table)
        recipe = self._chain(table, {**recipe, RUN_ID: run_id, "written": rows})
        try:
            add_files(self._tables.uri(table), before + 1, files, recipe, widened)
        except OSError as error:
            self._tables.close(table)
            raise as_storage_error(error, f"{table.name} could not be written") from error
        if widened is None:
            self._tables.advance(table, before + 1)
        else:
            self._tables.close(table)  # a handle that is open knows its columns
        return CommitResult(before + 1, rows)

    def find_commit(self, table: Table, run_id: str) -> int | None:
        """The version at which the run wrote the table; None if it did not, as far back as it can matter.

        That is back to the published version, for below it the publication itself is the record; and for tables
        that are read at their newest version, over the last commits.
        """
        newest = self._tables.newest(table)
        by_run = table.published_by_run and table.name != RUNS.name
        oldest = self._tables.version(table) if by_run else max(newest - MAX_COMMITS_SEARCHED, 0)
        run_ids = self._run_ids.setdefault(table.name, {})
        for version in range(newest, oldest, -1):
            if version not in run_ids:
                run_ids[version] = commit_entry(self._tables.uri(table), version)["run_id"]
            if run_ids[version] == run_id:
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
        """Rewrite all rows whose clock is not before `since`, each with its own `run_id`; see `Lake.rewrite`."""
        recipe = self._chain(table, {**recipe, RUN_ID: run_id, "written": rows.height})
        with self._take_turn(table) as turn, self._tables.pin(table):
            handle = self._tables.open_for_writing(table)
            read_at = int(handle.version()) if before is None else before
            if handle.version() != read_at:
                raise OvertakenError(f"{table.name} is at version {handle.version()}, the rows are of {read_at}")
            self._tables.fetch_files(table, self._tables.files(table, read_at))
            try:
                delta.overwrite(handle, rows, recipe, f"{table.clock} >= '{since}'")
                self._tables.advance(table, read_at + 1)
            except delta.CommitFailedError as error:
                self._tables.close(table)
                raise OvertakenError(f"{table.name} was written by another process after version {read_at}") from error
        self._require_turn(table, turn, read_at)
        return read_at + 1

    def reshape(
        self, table: Table, rows: pl.DataFrame | None, run_id: str, recipe: Mapping[str, Any], before: int
    ) -> int:
        """Give the table on disk the contract's columns, in one commit; see `Lake.reshape`."""
        recipe = self._chain(table, {**recipe, RUN_ID: run_id, "written": 0 if rows is None else rows.height})
        handle = delta.DeltaTable(self._tables.uri(table))
        if handle.version() != before:
            raise OvertakenError(f"{table.name} is at version {handle.version()}, the change is for {before}")
        try:
            with self._take_turn(table) as turn:
                if rows is None:
                    delta.add_columns(handle, table, recipe)
                else:
                    delta.reshape(handle, table, rows, recipe)
        except delta.CommitFailedError as error:
            raise OvertakenError(f"{table.name} was written by another process after version {before}") from error
        finally:
            self._tables.close(table)
        self._require_turn(table, turn, before)
        return before + 1

    def reset(self) -> None:
        """Forget which run wrote which version."""
        self._run_ids.clear()

    def _take_turn(self, table: Table) -> AbstractContextManager[Turn]:
        """What a commit is made within: of tables that runs publish, the writer lock has seen to that."""
        return nullcontext(Turn()) if table.published_by_run else self._committing(table.name)

    def _require_turn(self, table: Table, turn: Turn, before: int) -> None:
        if turn.overtaken:
            self._tables.close(table)
            raise OvertakenError(f"{table.name} was written by another machine after version {before}")

    def _commit_once(
        self, table: Table, rows: pl.DataFrame, run_id: str, recipe: Mapping[str, Any], durable: bool
    ) -> CommitResult:
        if (done := self.find_commit(table, run_id)) is not None:
            return CommitResult(done, 0)
        for attempt in range(MAX_ATTEMPTS):
            before = self._tables.newest(table)
            try:
                written = self._write(table, rows, run_id, recipe)
                if not written.rows or not undo_late_commit(Path(self._tables.uri(table)), written.version):
                    return self._acknowledge(table, written, durable)
                self._tables.close(table)
            except (delta.CommitFailedError, delta.DeltaError, OSError, OvertakenError) as error:
                # A write can fail after its commit, and another append can come in between: look instead of guessing.
                self._tables.close(table)
                if (done := self.find_commit(table, run_id)) is not None:
                    return CommitResult(done, rows.height)
                # The library cannot go on from a version whose entry was archived while this process slept.
                archived = archived_entry_path(self._tables.uri(table), before).exists()
                overtaken = isinstance(error, (delta.CommitFailedError, FileExistsError, OvertakenError))
                if attempt == MAX_ATTEMPTS - 1 or not (overtaken or archived):
                    raise as_storage_error(error, f"{table.name} could not be written") from error
        raise _busy(table)

    def _acknowledge(self, table: Table, written: CommitResult, durable: bool) -> CommitResult:
        """Force onto the disk what is read at its newest version; what stages write is by their publication.

        What the operator decided is promised at once, also by who holds the writer lock, as a merge does.
        """
        if written.rows and (table.owner == OPERATOR or not self._tables.is_writer):
            uri = self._tables.uri(table)
            if durable:
                fsync_files(commit_paths(uri, written.version, commit_entry(uri, written.version)["files"]))
            record_commit_checksums(Path(uri), written.version, durable=durable)
        return written

    def _chain(self, table: Table, recipe: dict[str, Any]) -> dict[str, Any]:
        """Add to a publication the hash of the one before it."""
        if table.name == RUNS.name:
            recipe["follows"] = publication_hash(self._tables.uri(table), self._tables.newest(table))
        return recipe

    def _write(self, table: Table, rows: pl.DataFrame, run_id: str, recipe: Mapping[str, Any]) -> CommitResult:
        before = self._tables.newest(table)
        recipe = self._chain(table, {**recipe, RUN_ID: run_id})
        fresh, changed = self._compare(table, rows)
        written = fresh.height + changed.height
        if not written:
            return CommitResult(before, 0)
        recipe["written"] = written
        if changed.is_empty():
            self._append(table, fresh, recipe)
        elif table.mode == "merge":
            self._restate(table, fresh, changed, recipe)
        else:
            raise ConflictError(_describe_conflict(table, changed))
        self._tables.advance(table, before + 1)
        return CommitResult(before + 1, written)

    def _append(self, table: Table, rows: pl.DataFrame, recipe: Mapping[str, Any]) -> None:
        """Add rows in one commit; without the library, which reads the log's end for each, wherever that may be."""
        run_id = recipe[RUN_ID]
        if not self._tables.takes_files(table, table.stored_schema):
            delta.append(self._tables.open_for_writing(table), _stamp(table, rows, run_id), recipe)
            return
        version = self._tables.newest(table) + 1
        if rows.height > MAX_ROWS:
            append_files(self._tables.uri(table), table, version, _stamp_blocks(table, rows, run_id), recipe)
            return
        stamped = _stamp(table, rows, run_id)
        (path,) = append_files(self._tables.uri(table), table, version, [stamped], recipe)
        self._tables.remember(table, path, stamped)

    def _compare(self, table: Table, rows: pl.DataFrame) -> tuple[pl.DataFrame, pl.DataFrame]:
        """Split off the rows whose key is new, and those that differ from what is stored under their key."""
        newest = self._tables.newest(table)
        if rows.is_empty() or newest == 0:
            return rows, rows.clear()
        if table.clock not in table.key and not self._tables.may_have(table, newest, rows):
            return rows, rows.clear()  # without the history, in any of whose files the keys could be
        low, high = _clock_range(table, rows) if table.clock in table.key else (None, None)
        conditions = [*build_predicates(table, low, high), *_bound_key(table, rows)]
        present = self._tables.load(table, newest, table.key, conditions, low, high)
        if present.height > rows.height:  # what is looked up in is laid out first: let that be the fewer
            present = present.join(rows.select(table.key), on=table.key, how="semi", nulls_equal=True)
        if present.is_empty():
            return rows, rows.clear()
        fresh = rows.join(present, on=table.key, how="anti", nulls_equal=True)
        if fresh.height == rows.height:
            return fresh, rows.clear()
        repeated = rows.join(present, on=table.key, how="semi", nulls_equal=True)
        keys = repeated.select(table.key)
        stored = self._tables.load(table, newest, (*table.compared_columns,), conditions, low, high)
        stored = stored.join(keys, on=table.key, how="semi", nulls_equal=True).sort(table.key)
        return fresh, _select_changed(table, repeated.sort(table.key), stored)

    def _restate(self, table: Table, fresh: pl.DataFrame, changed: pl.DataFrame, recipe: Mapping[str, Any]) -> None:
        """Replace changed rows within the span of the clock that contains them, in one commit."""
        stored = self._tables.load(table, self._tables.newest(table))
        old = stored.join(changed.select(table.key), on=table.key, how="semi", nulls_equal=True)
        low, high = _clock_range(table, pl.concat([old.drop(RUN_ID), fresh, changed]))
        kept = stored.filter(pl.col(table.clock).is_between(low, high)).join(
            changed.select(table.key), on=table.key, how="anti", nulls_equal=True
        )
        rows = pl.concat([kept, _stamp(table, pl.concat([fresh, changed]), recipe[RUN_ID])])
        predicate = f"{table.clock} >= '{low}' AND {table.clock} <= '{high}'"
        delta.overwrite(self._tables.open_for_writing(table), rows.sort(table.key), recipe, predicate)


def _busy(table: Table) -> BusyError:
    return BusyError(f"other processes wrote {table.name} {MAX_ATTEMPTS} times in a row; try again later")


def _select_changed(table: Table, rows: pl.DataFrame, stored: pl.DataFrame) -> pl.DataFrame:
    """The rows whose content differs from what is stored under their key; both frames hold the same keys in order."""
    beside = pl.concat(
        [rows.select(table.compared_columns), stored.select(pl.all().name.suffix(" stored"))], how="horizontal"
    )
    differs = pl.any_horizontal(pl.col(name).ne_missing(pl.col(f"{name} stored")) for name in table.compared_columns)
    return rows.filter(beside.select(differs).to_series())


def _stamp(table: Table, rows: pl.DataFrame, run_id: str) -> pl.DataFrame:
    """The rows as they are stored: with the run that writes them, in the order of the clock."""
    stored = rows.lazy() if RUN_ID in table.columns else rows.lazy().with_columns(pl.lit(run_id).alias(RUN_ID))
    return stored.select(list(table.stored_schema)).sort(table.clock, *table.key).collect(engine="in-memory")


def _stamp_blocks(table: Table, rows: pl.DataFrame, run_id: str) -> Iterator[pl.DataFrame]:
    """The rows of `_stamp` in the same order, a block at a time: no second frame of them all is made."""
    by = [table.clock] if is_in_order(rows, table.key) else [table.clock, *table.key]
    order = rows.select(pl.arg_sort_by(by, nulls_last=False, maintain_order=True)).to_series()
    for start in range(0, rows.height, BLOCK):
        block = rows[order.slice(start, BLOCK)]
        stamped = block if RUN_ID in table.columns else block.with_columns(pl.lit(run_id).alias(RUN_ID))
        yield stamped.select(list(table.stored_schema))


def _clock_range(table: Table, rows: pl.DataFrame) -> tuple[Any, Any]:
    """First and last value of the table's clock in the rows."""
    clock = rows[table.clock]
    return clock.min(), clock.max()


def _bound_key(table: Table, rows: pl.DataFrame) -> Iterator[pl.Expr]:
    """Conditions on the key beside the clock that every row meets whose key is among the rows': its times."""
    for name in table.key:
        column = rows.get_column(name)
        if name != table.clock and column.dtype.is_temporal() and not column.null_count():
            yield pl.col(name).is_between(column.min(), column.max())


def _describe_conflict(table: Table, changed: pl.DataFrame) -> str:
    first = dict(zip(table.key, changed.select(table.key).row(0), strict=True))
    return (
        f"{table.name}: {changed.height} rows already exist with other content, the first is {first}; "
        "rows of this table are never changed, so nothing was written"
    )

"""A snapshot: what makes up a version of a table, from its log alone: columns, files, and the clock's span in each."""

from __future__ import annotations

import json
from collections.abc import Callable, Iterable, Iterator, Mapping
from dataclasses import dataclass
from datetime import date, datetime, timedelta
from functools import cached_property
from pathlib import Path
from typing import Any
from urllib.parse import unquote

import polars as pl

from lake.contract import Table
from lake.errors import DamageError, NotALakeError
from lake.storage import delta_log
from lake.storage.checksums import is_checkpoint_intact

Clock = date | datetime
READER_PROTOCOL = 1
"""The version of Delta's reader protocol that our tables ask for, and that is understood here."""
MAX_STEPS = 32
"""Versions up to which going on from an earlier snapshot is cheaper than looking for a checkpoint."""
_UNREADABLE = (KeyError, TypeError, ValueError, AttributeError)
"""What reading a damaged action can raise."""
_COARSE = timedelta(microseconds=999)
"""Statistics of instants are truncated to milliseconds: the last value may be up to this much later."""


@dataclass(frozen=True)
class FileSpan:
    """A data file with its row count and the first and last value of the table's clock in it."""

    path: str
    rows: int
    first: Clock | None
    last: Clock | None

    def may_hold(self, since: Clock | None, until: Clock | None) -> bool:
        """Whether the file may have rows in the span; a file without statistics always may."""
        starts_late = until is not None and self.first is not None and self.first > until
        ends_early = since is not None and self.last is not None and self.last < since
        return not (starts_late or ends_early)


@dataclass(frozen=True)
class Snapshot:
    """A version of a table: its stored columns and its files by path."""

    version: int
    columns: tuple[str, ...]
    files: Mapping[str, FileSpan]
    writer: int = 0
    """The version of Delta's writer protocol that the table asks for."""

    @cached_property
    def spans(self) -> tuple[FileSpan, ...]:
        """The files in the order of their paths."""
        return tuple(sorted(self.files.values(), key=lambda span: span.path))


EMPTY = Snapshot(-1, (), {})
"""Before a table's first entry."""


def read_snapshot(uri: Path, table: Table, version: int, before: Snapshot = EMPTY) -> Snapshot:
    """Replay the log up to a version, from the last intact checkpoint or from an earlier snapshot.

    Raises:
        DamageError: if there is no such version, or naming the log entry that is missing or incomplete.
        NotALakeError: if the table asks for a protocol that this program does not read.
    """
    if not (before.version >= 0 and version - before.version <= MAX_STEPS):
        before = _from_checkpoint(uri, table, version, before)
    files, columns, writer = dict(before.files), before.columns, before.writer
    for at in range(before.version + 1, version + 1):
        path = delta_log.entry_path(uri, at)
        if not path.exists() and at > max(delta_log.entry_versions(uri), default=-1):
            raise DamageError(
                f"{table.name} has no version {version}, the newest is {at - 1}: a run refers to a later state of the "
                "lake; `nextgen scrub` lists what is missing, `nextgen restore` brings it back from a backup"
            )
        for action in delta_log.read_actions(path):
            columns = _columns(uri, action) or columns
            writer = _writer(action) or writer
            _apply(path, table, action, files)
    return Snapshot(version, columns, files, writer)


def select_overlapping(spans: Iterable[FileSpan], since: Clock | None, until: Clock | None) -> list[FileSpan]:
    """The files that may have rows in the span."""
    return [span for span in spans if span.may_hold(since, until)]


def _apply(path: Path, table: Table, action: Mapping[str, Any], files: dict[str, FileSpan]) -> None:
    try:
        if "add" in action:
            stats = json.loads(action["add"]["stats"])
            ends = (stats.get(side, {}).get(table.clock) for side in ("minValues", "maxValues"))
            span = _span(_clock(table), action["add"]["path"], stats["numRecords"], *ends)
            files[span.path] = span
        elif "remove" in action:
            files.pop(unquote(action["remove"]["path"]), None)
    except _UNREADABLE:
        raise DamageError(f"the log entry {path} is damaged; restore it from a backup") from None


def _from_checkpoint(uri: Path, table: Table, version: int, before: Snapshot) -> Snapshot:
    """The newest intact checkpoint up to the version, or the earlier snapshot; damaged checkpoints are skipped."""
    for at in _checkpoints_before(uri, version):
        if at > before.version and is_checkpoint_intact(uri, at):
            path = delta_log.checkpoint_path(uri, at)
            content = pl.read_parquet(path, columns=["add", "metaData", "protocol"], glob=False)
            files = {span.path: span for span in _spans(path, table, content["add"].drop_nulls())}
            actions = [{kind: one} for kind in ("protocol", "metaData") for one in content[kind].drop_nulls().to_list()]
            columns = next(names for action in actions if (names := _columns(uri, action)))
            return Snapshot(at, columns, files, max(_writer(action) for action in actions))
    return before if before.version <= version else EMPTY


def _checkpoints_before(uri: Path, version: int) -> Iterator[int]:
    """Newest first; the archive is searched only if the log itself has none."""
    yield from (at for at in reversed(delta_log.checkpoint_versions(uri)) if at <= version)
    yield from (at for at in reversed(delta_log.archived_checkpoints(uri)) if at <= version)


def _columns(uri: Path, action: Mapping[str, Any]) -> tuple[str, ...]:
    """The stored columns, where the action names them."""
    if "metaData" in action:
        return tuple(field["name"] for field in json.loads(action["metaData"]["schemaString"])["fields"])
    if "protocol" in action and (needed := action["protocol"]["minReaderVersion"]) > READER_PROTOCOL:
        raise NotALakeError(
            f"another tool changed {uri} to reader protocol {needed}, and this program reads {READER_PROTOCOL}; "
            "restore the table from a backup"
        )
    return ()


def _writer(action: Mapping[str, Any]) -> int:
    """The version of the writer protocol, where the action names it."""
    return int(action["protocol"]["minWriterVersion"]) if "protocol" in action else 0


def _spans(path: Path, table: Table, adds: pl.Series) -> Iterator[FileSpan]:
    """The files of a checkpoint: there can be thousands, so their statistics are read in one query."""
    ends = pl.Struct({table.clock: pl.String})
    wanted = pl.Struct({"numRecords": pl.Int64, "minValues": ends, "maxValues": ends})
    try:
        stats = adds.struct.field("stats").str.json_decode(wanted).struct
        rows = stats.field("numRecords").cast(pl.Int64, strict=True).to_list()
        first, last = (stats.field(side).struct.field(table.clock).to_list() for side in ("minValues", "maxValues"))
        clock = _clock(table)
        for name, *values in zip(adds.struct.field("path").to_list(), rows, first, last, strict=True):
            yield _span(clock, name, *values)
    except (pl.exceptions.PolarsError, *_UNREADABLE):
        raise DamageError(f"the checkpoint {path} is damaged; restore it from a backup") from None


def _span(clock: Callable[[str], Clock], path: str, rows: int, first: str | None, last: str | None) -> FileSpan:
    begin, end = (None if value is None else clock(value) for value in (first, last))
    return FileSpan(unquote(path), int(rows), begin, end + _COARSE if isinstance(end, datetime) else end)


def _clock(table: Table) -> Callable[[str], Clock]:
    """A parser of the table's clock as statistics write it."""
    return date.fromisoformat if table.columns[table.clock].dtype == pl.Date else datetime.fromisoformat

"""What makes up a version of a table, from its log alone: its columns, its files, and the span of the clock in each."""

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
from lake.storage.checksums import witnessed_checkpoint

Clock = date | datetime
READER = 1
"""The version of Delta's reader protocol that our tables ask for, and that is understood here."""
STEP = 32
"""Versions up to which going on from a listing at hand is cheaper than looking for a checkpoint."""
_STRANGE = (KeyError, TypeError, ValueError, AttributeError)
"""What reading an action can raise that says something else than ours do."""
_COARSE = timedelta(microseconds=999)
"""Statistics of instants are cut to milliseconds: the last value lies up to this much later."""


@dataclass(frozen=True)
class FileSpan:
    """A data file with its row count and the first and last value of the table's clock in it."""

    path: str
    rows: int
    first: Clock | None
    last: Clock | None

    def meets(self, since: Clock | None, until: Clock | None) -> bool:
        """Whether the file can hold rows of the span; a file without statistics always can."""
        starts_late = until is not None and self.first is not None and self.first > until
        ends_early = since is not None and self.last is not None and self.last < since
        return not (starts_late or ends_early)


@dataclass(frozen=True)
class Listing:
    """A version of a table: its stored columns and its files by path."""

    version: int
    columns: tuple[str, ...]
    files: Mapping[str, FileSpan]

    @cached_property
    def spans(self) -> tuple[FileSpan, ...]:
        """The files in the order of their paths."""
        return tuple(sorted(self.files.values(), key=lambda span: span.path))


NOTHING = Listing(-1, (), {})
"""Before a table's first entry."""


def listing_at(uri: Path, table: Table, version: int, before: Listing = NOTHING) -> Listing:
    """Fold the log up to a version: from the last checkpoint that is whole, or from an earlier listing at hand.

    Raises:
        DamageError: if there is no such version, or naming the log entry that is missing or not whole.
        NotALakeError: if the table asks for a protocol that this program does not read.
    """
    if not (before.version >= 0 and version - before.version <= STEP):
        before = _from_checkpoint(uri, table, version, before)
    files, columns = dict(before.files), before.columns
    for at in range(before.version + 1, version + 1):
        path = delta_log.entry_path(uri, at)
        if not path.exists() and at > max(delta_log.entry_versions(uri), default=-1):
            raise DamageError(
                f"{table.name} has no version {version}, the newest is {at - 1}: what names it is of another state of "
                "the lake; `nextgen scrub` tells what is missing, `nextgen restore` brings it back from a backup"
            )
        for action in delta_log.actions(path):
            columns = _columns(uri, action) or columns
            _apply(path, table, action, files)
    return Listing(version, columns, files)


def overlapping(spans: Iterable[FileSpan], since: Clock | None, until: Clock | None) -> list[FileSpan]:
    """The files that can hold rows of the span."""
    return [span for span in spans if span.meets(since, until)]


def _apply(path: Path, table: Table, action: Mapping[str, Any], files: dict[str, FileSpan]) -> None:
    try:
        if "add" in action:
            stats = json.loads(action["add"]["stats"])
            ends = (stats.get(side, {}).get(table.clock) for side in ("minValues", "maxValues"))
            span = _span(_clock(table), action["add"]["path"], stats["numRecords"], *ends)
            files[span.path] = span
        elif "remove" in action:
            files.pop(unquote(action["remove"]["path"]), None)
    except _STRANGE:
        raise DamageError(f"the log entry {path} is damaged; restore it from a backup") from None


def _from_checkpoint(uri: Path, table: Table, version: int, before: Listing) -> Listing:
    """The newest checkpoint at or below the version that is what was written; one that is not is passed over."""
    for at in _checkpoints_before(uri, version):
        if at > before.version and witnessed_checkpoint(uri, at):
            path = delta_log.checkpoint_path(uri, at)
            whole = pl.read_parquet(path, columns=["add", "metaData", "protocol"], glob=False)
            files = {span.path: span for span in _spans(path, table, whole["add"].drop_nulls())}
            tells = [{kind: one} for kind in ("protocol", "metaData") for one in whole[kind].drop_nulls().to_list()]
            return Listing(at, next(names for tell in tells if (names := _columns(uri, tell))), files)
    return before if before.version <= version else NOTHING


def _checkpoints_before(uri: Path, version: int) -> Iterator[int]:
    """Newest first; the archive is looked into only if the log itself has none."""
    yield from (at for at in reversed(delta_log.checkpoint_versions(uri)) if at <= version)
    yield from (at for at in reversed(delta_log.archived_checkpoints(uri)) if at <= version)


def _columns(uri: Path, action: Mapping[str, Any]) -> tuple[str, ...]:
    """The stored columns, where the action names them."""
    if "metaData" in action:
        return tuple(field["name"] for field in json.loads(action["metaData"]["schemaString"])["fields"])
    if "protocol" in action and (asked := action["protocol"]["minReaderVersion"]) > READER:
        raise NotALakeError(
            f"{uri} was changed by another tool to reader protocol {asked}, this program reads {READER}; "
            "restore the table from a backup"
        )
    return ()


def _spans(path: Path, table: Table, adds: pl.Series) -> Iterator[FileSpan]:
    """The files of a checkpoint: there can be thousands, so what is wanted of their statistics is read in one go."""
    ends = pl.Struct({table.clock: pl.String})
    wanted = pl.Struct({"numRecords": pl.Int64, "minValues": ends, "maxValues": ends})
    try:
        stats = adds.struct.field("stats").str.json_decode(wanted).struct
        rows = stats.field("numRecords").cast(pl.Int64, strict=True).to_list()
        first, last = (stats.field(side).struct.field(table.clock).to_list() for side in ("minValues", "maxValues"))
        clock = _clock(table)
        for name, *told in zip(adds.struct.field("path").to_list(), rows, first, last, strict=True):
            yield _span(clock, name, *told)
    except (pl.exceptions.PolarsError, *_STRANGE):
        raise DamageError(f"the checkpoint {path} is damaged; restore it from a backup") from None


def _span(clock: Callable[[str], Clock], path: str, rows: int, first: str | None, last: str | None) -> FileSpan:
    begin, end = (None if told is None else clock(told) for told in (first, last))
    return FileSpan(unquote(path), int(rows), begin, end + _COARSE if isinstance(end, datetime) else end)


def _clock(table: Table) -> Callable[[str], Clock]:
    """Reads a value of the table's clock as statistics have it."""
    return date.fromisoformat if table.columns[table.clock].dtype == pl.Date else datetime.fromisoformat

"""What other programs did to the tables: commits that no run of ours wrote, and files that are gone."""

from __future__ import annotations

from collections.abc import Iterator
from dataclasses import dataclass
from datetime import datetime
from functools import lru_cache
from pathlib import Path
from typing import Any

from lake.errors import DamageError
from lake.storage import delta_log
from lake.storage.checksums import HINT
from lake.storage.file_repair import Quarantine, Repair
from lake.store import Lake
from lake.tables import TABLES
from lake.tables.control import RUNS

RECENT = 20
"""Entries at the end of a log that are looked at where nothing says up to where the program wrote it."""
WAY_OUT = "`nextgen recover --discard-foreign` sets such commits aside; what was published is as it was"


@dataclass(frozen=True)
class ForeignCommit:
    """A commit of another program, such as OPTIMIZE, DELETE, RESTORE or VACUUM."""

    table: str
    version: int
    operation: str
    at: datetime
    stops: bool = True
    """Whether no run can write until it is set aside: it lies on top of what runs published."""

    def __str__(self) -> str:
        what = self.operation or "a change"
        when = f"{self.at:%Y-%m-%d %H:%M} UTC, version {self.version}"
        return f"{self.table} was changed by another program: {what} at {when}"


def find_foreign_commits(lake: Lake) -> list[ForeignCommit]:
    """Commits on top of what is published that no run wrote, and others' recent ones in tables that no run publishes.

    Nothing is read that costs time.
    """
    published = lake.published_versions()
    found: list[ForeignCommit] = []
    for name, table in TABLES.items():
        uri = lake.uri(table)
        if table.published_by_run:
            above = [version for version in delta_log.entry_versions(uri) if version > published[name]]
            found += [] if name == RUNS.name else _find_among(name, uri, above, "run", stops=True)
        else:
            recent = delta_log.entry_versions(uri)[-RECENT:]
            found += _find_among(name, uri, [version for version in recent if version], "run_id", stops=False)
    return found


def _find_among(name: str, uri: str | Path, versions: list[int], mark: str, *, stops: bool) -> Iterator[ForeignCommit]:
    for version in versions:
        try:
            # What lies on top of published versions may be set aside and written again; other entries never change.
            entry = delta_log.commit_entry(uri, version) if stops else _read_entry(str(uri), version)
        except DamageError:
            continue  # a crash's or one in the making: the next writer repairs it
        if mark not in entry["recipe"]:
            yield ForeignCommit(name, version, str(entry["operation"]), entry["timestamp"], stops)


@lru_cache(maxsize=1_000)
def _read_entry(uri: str, version: int) -> dict[str, Any]:
    """An entry that was read before, in a program that looks again and again."""
    return delta_log.commit_entry(uri, version)


def find_missing_files(lake: Lake) -> list[Path]:
    """Data files of the published versions that are not there, as after a VACUUM of another program."""
    published = lake.published_versions()
    missing: list[Path] = []
    for name, table in TABLES.items():
        if not table.published_by_run or name == RUNS.name:
            continue
        uri = Path(lake.uri(table))
        there = {path.name for path in uri.glob("*.parquet")}
        wanted = [span.path for span in lake.files(table, published[name])]
        missing += [uri / path for path in wanted if Path(path).name not in there and not (uri / path).exists()]
    return missing


def discard_foreign_commits(lake: Lake) -> list[Repair]:
    """Set aside foreign commits, and with them all work that is not published, so that it is done again.

    Args:
        lake: under the writer lock.

    Returns:
        What was moved to quarantine; nothing where there is no foreign commit.
    """
    tables = {commit.table for commit in find_foreign_commits(lake) if commit.stops}
    if not tables:
        return []
    published, before = lake.published_versions(), len(lake.repairs)
    quarantine = Quarantine(lake.path)
    for name in sorted(tables):
        uri = Path(lake.uri(TABLES[name]))
        for version in delta_log.checkpoint_versions(uri):
            if version > published[name]:  # it would bring back what is set aside
                (uri / delta_log.FOLDER / HINT).unlink(missing_ok=True)
                quarantine(delta_log.checkpoint_path(uri, version))
    lake.discard_unpublished()
    return list(lake.repairs[before:])

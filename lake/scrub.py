"""Read every file the lake ever promised and hold it against the hash recorded when it was published."""

from __future__ import annotations

from collections.abc import Callable
from dataclasses import dataclass
from pathlib import Path

import polars as pl

from lake import log
from lake.durability import file_hash
from lake.errors import DamageError
from lake.head import Head, read_head
from lake.recovery import chain_problem, promised, witnessed_checkpoint, witnessed_commits
from lake.store import Lake
from lake.tables import TABLES
from lake.tables.control import RUNS

Progress = Callable[[str, int, int], None]


@dataclass(frozen=True)
class Finding:
    """A file that is not what it was."""

    table: str
    file: str
    """Relative to the lake."""
    what: str


@dataclass(frozen=True)
class Scrubbed:
    """What a scrub looked at and found."""

    files: int
    unwitnessed: int
    """Files whose hash nobody recorded; they were only read."""
    findings: tuple[Finding, ...]


def scrub(lake: Lake, progress: Progress = lambda *_: None) -> Scrubbed:
    """Verify every published data file, log entry and checkpoint; changes nothing, and needs no lease.

    Raises:
        DamageError: if `runs` itself, where the hashes lie, cannot be read, or its witness is gone.
    """
    head = read_head(lake.path) or Head(0, "")
    findings, files = _scrub_runs(lake, head)
    if findings:  # hashes out of a damaged table prove nothing
        return Scrubbed(files, 0, tuple(findings))
    columns = ("session", "output_table", "output_version", "files")
    runs = lake.read(RUNS, where=pl.col("status") == "done", columns=columns)
    published, recorded = promised(runs, back=None)
    by_table: dict[str, dict[str, str]] = {}
    for (name, _), hashes in recorded.items():
        by_table.setdefault(name, {}).update(hashes)
    unwitnessed = 0
    for number, table in enumerate(table for table in TABLES.values() if table.name != RUNS.name):
        progress(table.name, number, len(TABLES) - 1)
        uri = Path(lake.uri(table))
        known = by_table.get(table.name, {}) | witnessed_commits(uri)
        upto = published.get(table.name, 0) if table.story else max(log.entry_versions(uri), default=0)
        seen, bare, found = _scrub_table(lake.path, table.name, upto, known)
        files, unwitnessed = files + seen, unwitnessed + bare
        findings += found
    progress("scrub", len(TABLES) - 1, len(TABLES) - 1)
    return Scrubbed(files, unwitnessed, tuple(findings))


def _scrub_runs(lake: Lake, head: Head) -> tuple[list[Finding], int]:
    """Walk the whole chain of publications; each names the hash of the one before it, files included."""
    uri = Path(lake.uri(RUNS))
    findings: list[Finding] = []
    files = 0
    for version in range(head.version, 0, -1):
        files += 2
        try:
            problem = chain_problem(uri, version, head)
        except DamageError as error:
            problem = str(error)
        if problem:
            findings.append(Finding(RUNS.name, str(log.entry_path(uri, version).relative_to(lake.path)), problem))
    return findings + _scrub_checkpoints(lake.path, RUNS.name), files


def _scrub_table(lake: Path, name: str, upto: int, known: dict[str, str]) -> tuple[int, int, list[Finding]]:
    """Files seen, files without a recorded hash, and what is wrong."""
    uri = lake / "tables" / name
    present = {path.name: path for path in (*uri.glob("*.parquet"), *(uri / log.FOLDER).glob("*.json"))}
    findings: list[Finding] = []
    for file, digest in known.items():
        folder = uri / log.FOLDER if file.endswith(".json") else uri
        if file not in present:
            findings.append(Finding(name, str((folder / file).relative_to(lake)), "it is missing"))
        elif file_hash(present[file]) != digest:
            findings.append(Finding(name, str((folder / file).relative_to(lake)), "its content has changed"))
    bare = 0
    for version in range(upto + 1):
        path = log.entry_path(uri, version)
        if path.name in known:
            continue
        bare += 1
        try:
            added = log.added_files(uri, version)
        except DamageError as error:
            findings.append(Finding(name, str(path.relative_to(lake)), str(error)))
            continue
        for data, size in added.items():
            if data.name not in known and (not data.exists() or data.stat().st_size != size):
                findings.append(Finding(name, str(data.relative_to(lake)), "it is missing or cut short"))
    return len(known) + bare, bare, findings + _scrub_checkpoints(lake, name)


def _scrub_checkpoints(lake: Path, name: str) -> list[Finding]:
    uri = lake / "tables" / name
    return [
        Finding(name, str(log.checkpoint_path(uri, version).relative_to(lake)), "its content has changed")
        for version in log.checkpoint_versions(uri)
        if not witnessed_checkpoint(uri, version)
    ]

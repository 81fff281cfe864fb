"""Verify every file of a lake against the checksum that was recorded when it was published."""

from __future__ import annotations

from collections.abc import Mapping
from dataclasses import dataclass
from pathlib import Path

import polars as pl

from lake.errors import DamageError
from lake.storage import delta_log
from lake.storage.checksums import (
    CHECKSUMS,
    HINT,
    checkpoint_checksum_path,
    diagnose_hint,
    has_valid_checksum,
    hash_file,
    is_checkpoint_intact,
    read_commit_checksums,
)
from lake.storage.commit_pointer import HEAD, CommitPointer, read_pointer
from lake.storage.file_repair import diagnose_publication, read_published
from lake.storage.manifest import MANIFEST, check_format
from lake.store import Lake
from lake.tables import TABLES
from lake.tables.control import RUNS
from lake.upkeep import Progress

CHECKSUMMED_SINCE = 2
"""The first format whose files outside the tables contain a checksum of themselves."""


@dataclass(frozen=True)
class Finding:
    """A file that is missing or has changed."""

    table: str
    file: str
    """Relative to the lake."""
    what: str


@dataclass(frozen=True)
class ScrubReport:
    """What a scrub verified and found."""

    files: int
    without_checksum: int
    """Files whose checksum was never recorded; they were only read."""
    findings: tuple[Finding, ...]


def scrub(lake: Lake, progress: Progress = lambda *_: None) -> ScrubReport:
    """Verify every published data file, log entry, checkpoint and checksum file; changes nothing, needs no lock."""
    lake.exchange.fetch_all()
    findings = _scrub_top(lake.path)
    try:
        found, files = _scrub_runs(lake, read_pointer(lake.path) or _pointer_to_newest(lake))
    except DamageError as error:
        return ScrubReport(1, 0, (*findings, Finding(RUNS.name, HEAD, str(error))))
    findings += found
    if found:  # hashes from a damaged table prove nothing
        return ScrubReport(files, 0, tuple(findings))
    columns = ("session", "output_table", "output_version", "files")
    runs = lake.read(RUNS, where=pl.col("status") == "done", columns=columns)
    published, recorded = read_published(runs, back=None)
    by_table: dict[str, dict[str, str]] = {}
    for (name, _), hashes in recorded.items():
        by_table.setdefault(name, {}).update(hashes)
    without_checksum = 0
    for number, table in enumerate(table for table in TABLES.values() if table.name != RUNS.name):
        progress(table.name, number, len(TABLES) - 1)
        if not lake.has_table(table) and not published.get(table.name, 0):
            continue  # an older lake lacks the tables added since, until the next writer creates them
        upto = published.get(table.name, 0) if table.published_by_run else lake.newest(table)
        seen, bare, found = _scrub_table(lake.path, table.name, upto, by_table.get(table.name, {}))
        files, without_checksum = files + seen, without_checksum + bare
        findings += found
    progress("scrub", len(TABLES) - 1, len(TABLES) - 1)
    return ScrubReport(files, without_checksum, tuple(findings))


def _scrub_top(lake: Path) -> list[Finding]:
    """Verify the two files outside the tables; those of format 1 have no checksum until the next writer."""
    findings: list[Finding] = []
    checksummed = check_format(lake, older=True) >= CHECKSUMMED_SINCE
    for name in (MANIFEST, HEAD):
        path = lake / name
        if not path.exists():
            what = "it is missing; the next writer rebuilds it if the chain of publications is intact"
            findings.append(Finding("", name, what))
        elif checksummed and not has_valid_checksum(path.read_bytes()):
            findings.append(Finding("", name, "its content has changed; restore it from a backup"))
    return findings


def _pointer_to_newest(lake: Lake) -> CommitPointer:
    newest = lake.newest(RUNS)
    return CommitPointer(newest, delta_log.publication_hash(lake.uri(RUNS), newest) if newest else "")


def _scrub_runs(lake: Lake, head: CommitPointer) -> tuple[list[Finding], int]:
    """Verify the chain of publications; each names the hash of the one before it, files included."""
    uri = Path(lake.uri(RUNS))
    findings: list[Finding] = []
    files = 0
    for version in range(head.version, 0, -1):
        files += 2
        try:
            problem = diagnose_publication(uri, version, head)
        except DamageError as error:
            problem = str(error)
        if problem:
            findings.append(Finding(RUNS.name, str(delta_log.entry_path(uri, version).relative_to(lake.path)), problem))
    seen, _, found = _scrub_table(lake.path, RUNS.name, -1, {})
    return findings + found, files + seen


def _scrub_table(lake: Path, name: str, upto: int, recorded: dict[str, str]) -> tuple[int, int, list[Finding]]:
    """Verify a table; returns files seen, files without a recorded checksum, and what is wrong."""
    uri = lake / "tables" / name
    findings = _scrub_checkpoints(lake, name)
    known = {file: (digest, "") for file, digest in recorded.items()}
    try:
        for path, hashes in read_commit_checksums(uri):
            known |= {file: (digest, f" (or its checksum file {path.name} has)") for file, digest in hashes.items()}
    except DamageError as error:
        findings.append(Finding(name, str((uri / CHECKSUMS).relative_to(lake)), str(error)))
    findings += _scrub_known(lake, name, known)
    bare = 0
    for version in range(upto + 1):
        path = delta_log.entry_path(uri, version)
        if path.name not in known:
            bare += 1
            findings += _scrub_bare(lake, name, version, known)
    return len(known) + bare, bare, findings


def _scrub_known(lake: Path, name: str, known: Mapping[str, tuple[str, str]]) -> list[Finding]:
    """Compare each file with its recorded checksum."""
    uri = lake / "tables" / name
    present = {path.name: path for path in uri.glob("*.parquet")}
    present |= {(path := delta_log.entry_path(uri, version)).name: path for version in delta_log.all_versions(uri)}
    findings: list[Finding] = []
    for file, (digest, doubt) in known.items():
        path = present.get(file, uri / "_delta_log" / file if file.endswith(".json") else uri / file)
        if file not in present:
            findings.append(Finding(name, str(path.relative_to(lake)), f"it is missing{doubt}"))
        elif hash_file(path) != digest:
            findings.append(Finding(name, str(path.relative_to(lake)), f"its content has changed{doubt}"))
    return findings


def _scrub_bare(lake: Path, name: str, version: int, known: Mapping[str, object]) -> list[Finding]:
    """Check what can be checked of an entry without a recorded checksum."""
    path = delta_log.entry_path(lake / "tables" / name, version)
    try:
        added = delta_log.added_files(lake / "tables" / name, version)
    except DamageError as error:
        return [Finding(name, str(path.relative_to(lake)), str(error))]
    return [
        Finding(name, str(data.relative_to(lake)), "it is missing or truncated")
        for data, size in added.items()
        if data.name not in known and (not data.exists() or data.stat().st_size != size)
    ]


def _scrub_checkpoints(lake: Path, name: str) -> list[Finding]:
    uri = lake / "tables" / name
    findings = [
        Finding(
            name,
            str(delta_log.checkpoint_path(uri, version).relative_to(lake)),
            f"its content has changed (or its checksum {checkpoint_checksum_path(uri, version).name} has)",
        )
        for version in (*delta_log.archived_checkpoints(uri), *delta_log.checkpoint_versions(uri))
        if not is_checkpoint_intact(uri, version)
    ]
    if what := diagnose_hint(uri):
        findings.append(Finding(name, str((uri / delta_log.FOLDER / HINT).relative_to(lake)), what))
    return findings

"""Read every file the lake ever promised and hold it against the hash recorded when it was published."""

from __future__ import annotations

from collections.abc import Callable, Mapping
from dataclasses import dataclass
from pathlib import Path

import polars as pl

from lake.errors import DamageError
from lake.storage import delta_log
from lake.storage.atomic import file_hash
from lake.storage.checksummed_json import is_sealed
from lake.storage.checksums import (
    HINT,
    WITNESSES,
    hint_problem,
    witness_of,
    witnessed_checkpoint,
    witnessed_commits,
)
from lake.storage.commit_pointer import HEAD, Head, read_head
from lake.storage.manifest import MARKER, refuse_foreign
from lake.storage.recovery import chain_problem, promised
from lake.store import Lake
from lake.tables import TABLES
from lake.tables.control import RUNS

Progress = Callable[[str, int, int], None]
SEALED_SINCE = 2
"""The format from which on the files outside the tables vouch for themselves."""


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
    """Verify every published data file, log entry, checkpoint and witness; changes nothing, and needs no lease."""
    findings = _scrub_top(lake.path)
    try:
        found, files = _scrub_runs(lake, read_head(lake.path) or _head_as_found(lake))
    except DamageError as error:
        return Scrubbed(1, 0, (*findings, Finding(RUNS.name, HEAD, str(error))))
    findings += found
    if found:  # hashes out of a damaged table prove nothing
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
        if not lake.has(table) and not published.get(table.name, 0):
            continue  # a lake of an earlier program lacks the tables added since, until somebody writes
        upto = published.get(table.name, 0) if table.story else lake.newest(table)
        seen, bare, found = _scrub_table(lake.path, table.name, upto, by_table.get(table.name, {}))
        files, unwitnessed = files + seen, unwitnessed + bare
        findings += found
    progress("scrub", len(TABLES) - 1, len(TABLES) - 1)
    return Scrubbed(files, unwitnessed, tuple(findings))


def _scrub_top(lake: Path) -> list[Finding]:
    """The two files outside the tables. Those of earlier programs carry no seal, and get one with the next writer."""
    findings: list[Finding] = []
    sealed = refuse_foreign(lake, older=True) >= SEALED_SINCE
    for name in (MARKER, HEAD):
        path = lake / name
        if not path.exists():
            what = "it is missing; the next writer makes it again if the chain of publications is whole"
            findings.append(Finding("", name, what))
        elif sealed and not is_sealed(path.read_bytes()):
            findings.append(Finding("", name, "its content has changed; restore it from a backup"))
    return findings


def _head_as_found(lake: Lake) -> Head:
    newest = lake.newest(RUNS)
    return Head(newest, delta_log.publication_hash(lake.uri(RUNS), newest) if newest else "")


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
            findings.append(Finding(RUNS.name, str(delta_log.entry_path(uri, version).relative_to(lake.path)), problem))
    witnessed, _, found = _scrub_table(lake.path, RUNS.name, -1, {})
    return findings + found, files + witnessed


def _scrub_table(lake: Path, name: str, upto: int, recorded: dict[str, str]) -> tuple[int, int, list[Finding]]:
    """Files seen, files without a recorded hash, and what is wrong."""
    uri = lake / "tables" / name
    findings = _scrub_checkpoints(lake, name)
    known = {file: (digest, "") for file, digest in recorded.items()}
    try:
        for witness, hashes in witnessed_commits(uri):
            known |= {file: (digest, f" (or its witness {witness.name} has)") for file, digest in hashes.items()}
    except DamageError as error:
        findings.append(Finding(name, str((uri / WITNESSES).relative_to(lake)), str(error)))
    findings += _scrub_known(lake, name, known)
    bare = 0
    for version in range(upto + 1):
        path = delta_log.entry_path(uri, version)
        if path.name not in known:
            bare += 1
            findings += _scrub_bare(lake, name, version, known)
    return len(known) + bare, bare, findings


def _scrub_known(lake: Path, name: str, known: Mapping[str, tuple[str, str]]) -> list[Finding]:
    """Hold each file against its recorded hash."""
    uri = lake / "tables" / name
    present = {path.name: path for path in uri.glob("*.parquet")}
    present |= {(path := delta_log.entry_path(uri, version)).name: path for version in delta_log.every_version(uri)}
    findings: list[Finding] = []
    for file, (digest, doubt) in known.items():
        path = present.get(file, uri / "_delta_log" / file if file.endswith(".json") else uri / file)
        if file not in present:
            findings.append(Finding(name, str(path.relative_to(lake)), f"it is missing{doubt}"))
        elif file_hash(path) != digest:
            findings.append(Finding(name, str(path.relative_to(lake)), f"its content has changed{doubt}"))
    return findings


def _scrub_bare(lake: Path, name: str, version: int, known: Mapping[str, object]) -> list[Finding]:
    """What can be said of an entry without a recorded hash."""
    path = delta_log.entry_path(lake / "tables" / name, version)
    try:
        added = delta_log.added_files(lake / "tables" / name, version)
    except DamageError as error:
        return [Finding(name, str(path.relative_to(lake)), str(error))]
    return [
        Finding(name, str(data.relative_to(lake)), "it is missing or cut short")
        for data, size in added.items()
        if data.name not in known and (not data.exists() or data.stat().st_size != size)
    ]


def _scrub_checkpoints(lake: Path, name: str) -> list[Finding]:
    uri = lake / "tables" / name
    findings = [
        Finding(
            name,
            str(delta_log.checkpoint_path(uri, version).relative_to(lake)),
            f"its content has changed (or its witness {witness_of(uri, version).name} has)",
        )
        for version in (*delta_log.archived_checkpoints(uri), *delta_log.checkpoint_versions(uri))
        if not witnessed_checkpoint(uri, version)
    ]
    if what := hint_problem(uri):
        findings.append(Finding(name, str((uri / delta_log.FOLDER / HINT).relative_to(lake)), what))
    return findings

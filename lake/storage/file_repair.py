"""Repair of files before a writer writes: what a crash left above the published versions; damage below is refused.

A log entry above the published version was never acknowledged: if it is incomplete, all of the interrupted work is
moved to quarantine and done again. At or below it, damage stops the writer with the file's name.
"""

from __future__ import annotations

import json
import os
from collections.abc import Callable, Iterable, Mapping
from dataclasses import dataclass
from datetime import UTC, date, datetime, timedelta
from hashlib import sha256
from pathlib import Path
from time import time

import polars as pl

from lake.contract import Table
from lake.errors import DamageError
from lake.storage import delta_log
from lake.storage.atomic import fsync_files, replace_atomic
from lake.storage.checksums import CHECKSUMS, HINT, diagnose_hint, is_checkpoint_intact
from lake.storage.commit_pointer import HEAD, CommitPointer, read_pointer, write_pointer
from lake.storage.snapshot import read_snapshot
from lake.tables import TABLES
from lake.tables.control import RUNS
from lake.upkeep.log_archive import finish_archiving, restore_from_archive

QUARANTINE = "quarantine"
"""Folder of the lake that damaged and discarded files are moved to; nothing reads it, `nextgen gc` empties it."""
SETTLED_SECONDS = 60.0
"""Age below which a file of a table that several processes append to may still be in the making."""
VERIFIED_SPAN = timedelta(days=60)
"""How far back a writer compares log entries with their recorded hashes; scrub compares all of them."""

Hashes = Mapping[tuple[str, int], Mapping[str, str]]
"""(table, version) -> file name -> SHA-256, as recorded when the version was published."""


@dataclass(frozen=True)
class Repair:
    """One thing that was repaired."""

    table: str
    file: str
    """Relative to the lake."""
    what: str


class Quarantine:
    """Moves files out of the tables into a folder of their own, keeping their relative paths."""

    def __init__(self, lake: Path) -> None:
        self._lake = lake
        self._folder = lake / QUARANTINE / f"{datetime.now(UTC):%Y%m%dT%H%M%S%f}"

    def __call__(self, path: Path) -> None:
        """Move one file; one that is already gone is ignored."""
        target = self._folder / path.relative_to(self._lake)
        target.parent.mkdir(parents=True, exist_ok=True)
        if path.exists():
            path.rename(target)


def read_published(runs: pl.DataFrame, *, back: timedelta | None = VERIFIED_SPAN) -> tuple[dict[str, int], Hashes]:
    """What the runs that are done published: table -> version, and the file hashes of recent versions.

    Args:
        runs: rows of `runs` that are done, with session, output_table, output_version and files.
        back: how far before the last session hashes are wanted; all of them where None.
    """
    highest = dict(runs.group_by("output_table").agg(pl.col("output_version").max()).iter_rows())
    last = runs["session"].max()
    recent = runs.filter(pl.col("session") >= last - back) if back is not None and isinstance(last, date) else runs
    recorded: dict[tuple[str, int], dict[str, str]] = {}
    for name, version, files in recent.select("output_table", "output_version", "files").iter_rows():
        recorded.setdefault((name, version), {}).update(json.loads(files))
    return highest, recorded


def repair_runs(lake: Path, *, durable: bool) -> list[Repair]:
    """Compare the log of `runs` with the commit pointer, and quarantine what a crash left unfinished above it.

    Raises:
        DamageError: if an entry that was acknowledged is missing or has changed.
    """
    uri = _uri(lake, RUNS)
    quarantine = Quarantine(lake)
    repairs = quarantine_late_entries(lake, RUNS, quarantine) + repair_checkpoints(lake, RUNS, quarantine)
    versions = delta_log.entry_versions(uri)
    pointer = read_pointer(lake)
    if pointer is None:
        pointer = _rebuild_pointer(uri, versions)
        write_pointer(lake, pointer, durable=durable)
        if pointer.version:
            what = f"it was missing and has been rebuilt from the chain of publications up to version {pointer.version}"
            repairs.append(Repair(RUNS.name, HEAD, what))
    _check_no_gap(uri, versions, pointer.version)
    _verify_chain(uri, pointer)
    valid = pointer.version
    newest = versions[-1] if versions else 0
    while (
        valid < newest
        and diagnose_entry(uri, valid + 1, {}, contents=True) is None
        and _links_to_previous(uri, valid + 1)
    ):
        valid += 1
    for version in range(newest, valid, -1):
        if (path := delta_log.entry_path(uri, version)).exists():
            quarantine(path)
            repairs.append(_repair(lake, RUNS, path, "an unfinished publication was moved to quarantine"))
    if valid > pointer.version:
        if durable:
            added = range(pointer.version + 1, valid + 1)
            fsync_files(
                path for at in added for path in (delta_log.entry_path(uri, at), *delta_log.added_files(uri, at))
            )
        write_pointer(lake, CommitPointer(valid, delta_log.publication_hash(uri, valid)), durable=durable)
    return repairs


def _rebuild_pointer(uri: Path, versions: list[int]) -> CommitPointer:
    """The pointer according to the chain of publications, each of which names the hash of the one before it.

    Raises:
        DamageError: if the chain has a gap or a damaged entry.
    """
    newest = versions[-1] if versions else 0
    _check_no_gap(uri, versions, newest)
    for version in range(newest, 0, -1):
        problem = diagnose_entry(uri, version, {}, contents=True)
        if problem or not _links_to_previous(uri, version):
            raise DamageError(
                f"{uri.parent.parent / HEAD} is missing, and without it the publications cannot be verified: "
                f"{problem or f'{delta_log.entry_path(uri, version)} does not follow its predecessor'}; "
                "restore the lake from a backup"
            )
    _check_nothing_lost(uri.parent.parent, newest)
    return CommitPointer(newest, delta_log.publication_hash(uri, newest) if newest else "")


def _check_nothing_lost(lake: Path, newest: int) -> None:
    """An intact chain may have lost its end. A crash leaves one cycle above it; more than one were published."""
    uri = _uri(lake, RUNS)
    files = [uri / file for file in read_snapshot(uri, RUNS, newest).files] if newest else []
    columns = ["session", "status", "output_table", "output_version", "files"]
    runs = pl.concat(pl.read_parquet(file, columns=columns, glob=False) for file in files) if files else None
    published = read_published(runs.filter(status="done"))[0] if runs is not None else {}
    cycles = {
        str(delta_log.commit_entry(_uri(lake, table), version)["recipe"].get("run", {}).get("cycle_id"))
        for table in TABLES.values()
        if table.published_by_run and table.name != RUNS.name
        for version in delta_log.entry_versions(_uri(lake, table))
        if version > published.get(table.name, 0) and not diagnose_entry(_uri(lake, table), version, {}, contents=False)
    }
    if len(cycles) > 1:
        raise DamageError(
            f"{lake / HEAD} is missing, and {len(cycles)} cycles ({', '.join(sorted(cycles)[:3])}, ...) are newer than "
            "the last publication: publications are lost; restore the lake from a backup"
        )


def repair_tables(lake: Path, published: Mapping[str, int], recorded: Hashes) -> list[Repair]:
    """Check every table's log behind its last checkpoint; repair above the published version, refuse at or below.

    Args:
        lake: its folder; the caller holds the writer lock.
        published: table name -> the version up to which damage is refused.
        recorded: hashes of the files of recent versions.

    Returns:
        What was repaired; damage above the published version of any table costs all unpublished work.

    Raises:
        DamageError: naming the first file that was published and is missing or damaged.
    """
    quarantine = Quarantine(lake)
    repairs: list[Repair] = []
    is_damaged = False
    for table in TABLES.values():
        if table.name != RUNS.name:
            late: list[Repair] = []
            if not delta_log.has_entries_alone(_uri(lake, table)):
                late = quarantine_late_entries(lake, table, quarantine)
                repairs += late + repair_checkpoints(lake, table, quarantine)
            damaged = _repair_tail(lake, table, published.get(table.name, 0), recorded, quarantine)
            repairs += damaged
            is_damaged |= bool(late or damaged) and table.domain != "control"
    if is_damaged:
        repairs += discard_unpublished(lake, published, quarantine)
    return repairs


def quarantine_unfinished_table(lake: Path, table: Table, quarantine: Callable[[Path], None]) -> list[Repair]:
    """Make room for a table whose creation a power cut interrupted: only its first entry is there, and incomplete.

    Such a table has no rows, so whatever is left of it can go; if there is anything else, nothing is done.
    """
    uri = _uri(lake, table)
    if delta_log.all_versions(uri) not in ([], [0]) or not diagnose_entry(uri, 0, {}, contents=False):
        return []
    left = sorted(path for path in uri.rglob("*") if path.is_file())
    begun = (delta_log.FOLDER, CHECKSUMS)
    if not all(path.parent.name in begun and path.name.startswith(f"{0:020d}.") for path in left):
        return []
    for path in left:
        quarantine(path)
    return [_repair(lake, table, path, "a partly created table was moved to quarantine") for path in left[:1]]


def discard_unpublished(
    lake: Path, published: Mapping[str, int], quarantine: Callable[[Path], None] | None = None
) -> list[Repair]:
    """Quarantine every unpublished commit of the tables that runs publish, so that their work is done again."""
    quarantine = quarantine or Quarantine(lake)
    repairs: list[Repair] = []
    for table in TABLES.values():
        if not table.published_by_run or table.name == RUNS.name:
            continue
        uri = _uri(lake, table)
        # From the top down: a crash half way leaves a log without gaps.
        for version in reversed(delta_log.entry_versions(uri)):
            if version > published.get(table.name, 0):
                path = delta_log.entry_path(uri, version)
                files = [] if diagnose_entry(uri, version, {}, contents=False) else delta_log.added_files(uri, version)
                for file in (path, *files):  # the entry first: without it nothing names the data
                    quarantine(file)
                repairs.append(
                    _repair(lake, table, path, "an unpublished commit was moved to quarantine and will be made again")
                )
    return repairs


def quarantine_late_entries(lake: Path, table: Table, quarantine: Callable[[Path], None]) -> list[Repair]:
    """Complete an interrupted archiving, and quarantine the entries whose version was archived before they came."""
    late = finish_archiving(_uri(lake, table))
    for path in late:
        quarantine(path)
    what = "an entry that came too late and was never acknowledged was moved to quarantine"
    return [_repair(lake, table, path, what) for path in late]


def repair_checkpoints(lake: Path, table: Table, quarantine: Callable[[Path], None]) -> list[Repair]:
    """Quarantine damaged checkpoints; the log itself, archive included, contains all that they say."""
    uri = _uri(lake, table)
    repairs: list[Repair] = []
    versions: list[int] = []
    for version in delta_log.checkpoint_versions(uri):
        path = delta_log.checkpoint_path(uri, version)
        if is_checkpoint_intact(uri, version):
            versions.append(version)
        elif table.published_by_run or _age(path) > SETTLED_SECONDS:  # another process may be writing one
            (uri / delta_log.FOLDER / HINT).unlink(missing_ok=True)
            quarantine(path)
            repairs.append(_repair(lake, table, path, "a damaged or unfinished checkpoint was moved to quarantine"))
    hint = uri / delta_log.FOLDER / HINT
    if hint.exists() and not (versions and _read_hint(hint) == versions[-1] and not diagnose_hint(uri)):
        hint.unlink()
        repairs.append(_repair(lake, table, hint, "a wrong pointer to the last checkpoint was removed"))
    if back := restore_from_archive(uri):
        what = f"{len(back)} files were restored from the archive, because the checkpoint after them is lost"
        repairs.append(_repair(lake, table, back[-1], what))
    return repairs


def diagnose_entry(uri: Path, version: int, recorded: Mapping[str, str], *, contents: bool) -> str | None:
    """What is wrong with a log entry or the files it added; None if nothing.

    Args:
        uri: the table's folder.
        version: of the entry.
        recorded: file name -> SHA-256, where known; only the entry itself is compared with it.
        contents: True reads the data files completely, False looks only at their sizes.
    """
    try:
        files = delta_log.added_files(uri, version)
    except DamageError as error:
        return str(error)
    if wanted := recorded.get(f"{version:020d}.json"):
        path = delta_log.entry_path(uri, version)
        if sha256(path.read_bytes()).hexdigest() != wanted:
            return f"the log entry {path} does not match its checksum; restore it from a backup"
    for file, size in files.items():
        try:
            actual = file.stat().st_size
        except OSError:
            return f"the data file {file} is missing; restore it from a backup"
        if actual != size or (contents and not _readable(file)):
            return f"the data file {file} is damaged; restore it from a backup"
    return None


def find_damaged_file(root: Path, names: Iterable[str]) -> Path | None:
    """The first of a table's data files that cannot be read; None if all can."""
    return next((file for name in names if not _readable(file := root / name)), None)


def remove_leftovers(lake: Path) -> list[Repair]:
    """Remove what a writer that died had begun to write: staged files, and data that no log entry names."""
    repairs: list[Repair] = []
    for table in TABLES.values():
        uri = _uri(lake, table)
        staged = [
            p for folder in (uri, uri / delta_log.FOLDER) if folder.is_dir() for p in folder.iterdir() if "#" in p.name
        ]
        # Others may be appending to a table that no run publishes; their files are young.
        old = [path for path in staged if table.published_by_run or _age(path) > SETTLED_SECONDS]
        for path in old + (_orphans(uri) if table.published_by_run else []):
            path.unlink(missing_ok=True)
            repairs.append(_repair(lake, table, path, "an unfinished file was removed"))
    return repairs


def _orphans(uri: Path) -> list[Path]:
    """Data files newer than the last log entry that no entry names; their age only saves reading the log."""
    versions = delta_log.entry_versions(uri)
    if not versions:
        return []
    last = delta_log.entry_path(uri, versions[-1]).stat().st_mtime
    recent = [path for path in uri.glob("*.parquet") if path.stat().st_mtime >= last]
    if not recent:
        return []
    named = {file.name for version in delta_log.all_versions(uri) for file in delta_log.added_files(uri, version)}
    return [path for path in recent if path.name not in named]


def _repair_tail(
    lake: Path, table: Table, published: int, recorded: Hashes, quarantine: Callable[[Path], None]
) -> list[Repair]:
    uri = _uri(lake, table)
    versions = delta_log.entry_versions(uri)
    as_created = versions == [0] and not published and not recorded.get((table.name, 0))
    if as_created and not diagnose_entry(uri, 0, {}, contents=False):
        return []
    if not published and (repairs := quarantine_unfinished_table(lake, table, quarantine)):
        return repairs
    _check_no_gap(uri, versions, published)
    if not versions:
        return []
    checkpoints = [version for version in delta_log.checkpoint_versions(uri) if version <= published]
    repairs = []
    for version in range(checkpoints[-1] + 1 if checkpoints else 0, versions[-1] + 1):
        known = recorded.get((table.name, version), {})
        problem = diagnose_entry(uri, version, known, contents=version > published)
        if problem is None:
            continue
        if version <= published:
            raise DamageError(f"{problem} ({table.name}, published version {version})")
        repairs.append(_repair(lake, table, delta_log.entry_path(uri, version), f"unpublished damage: {problem}"))
        if not table.published_by_run:
            _replace_with_empty_commit(uri, version, quarantine)
    return repairs


def _replace_with_empty_commit(uri: Path, version: int, quarantine: Callable[[Path], None]) -> None:
    """Replace a damaged entry by an empty commit: later entries, and other appenders, depend on its number."""
    path = delta_log.entry_path(uri, version)
    info = {"timestamp": 0, "operation": "REPAIR", "operationParameters": {}}
    with replace_atomic(path, durable=False) as draft:
        draft.write_text(json.dumps({"commitInfo": info}) + "\n", encoding="utf-8")
        quarantine(path)


def _check_no_gap(uri: Path, versions: list[int], published: int) -> None:
    """Check that every entry up to the published version is in the log or the archive, and not empty."""
    present = set(versions)
    first = versions[0] if versions and delta_log.archived_entry_path(uri, versions[0] - 1).exists() else 0
    if missing := [version for version in range(first, published + 1) if version not in present] if published else []:
        path = delta_log.entry_path(uri, missing[0])
        raise DamageError(f"the log entry {path} is missing; restore it from a backup")
    log = f"{uri}/{delta_log.FOLDER}"
    for version in versions:
        if version <= published and os.stat(f"{log}/{version:020d}.json").st_size == 0:  # noqa: PTH116, for thousands
            raise DamageError(f"the log entry {delta_log.entry_path(uri, version)} is empty; restore it from a backup")


def _verify_chain(uri: Path, pointer: CommitPointer) -> None:
    """Walk back from the pointer to the last checkpoint: each entry names the hash of the one before it."""
    if pointer.version == 0:
        return
    checkpoints = [version for version in delta_log.checkpoint_versions(uri) if version < pointer.version]
    oldest = checkpoints[-1] if checkpoints else 0
    for version in range(pointer.version, oldest, -1):
        if problem := diagnose_publication(uri, version, pointer):
            raise DamageError(problem)


def diagnose_publication(uri: Path, version: int, pointer: CommitPointer) -> str | None:
    """What is wrong with a publication: its files, or its place in the chain that ends at the pointer."""
    if problem := diagnose_entry(uri, version, {}, contents=False):
        return f"{problem} (runs, published version {version})"
    last = version == pointer.version
    right = delta_log.publication_hash(uri, version) == pointer.entry if last else _links_to_previous(uri, version + 1)
    files = ", ".join(str(file) for file in (delta_log.entry_path(uri, version), *delta_log.added_files(uri, version)))
    return None if right else f"{files}: changed since publication; restore them from a backup"


def _links_to_previous(uri: Path, version: int) -> bool:
    """Whether the entry names the hash of the one before it; entries of earlier programs name none."""
    named = delta_log.commit_entry(uri, version)["recipe"].get("follows")
    return named is None or version == 1 or named == delta_log.publication_hash(uri, version - 1)


def _read_hint(hint: Path) -> int | None:
    try:
        return int(json.loads(hint.read_bytes())["version"])
    except (ValueError, KeyError, TypeError):
        return None


def _readable(file: Path) -> bool:
    try:
        pl.read_parquet(file, glob=False)
    except BaseException:  # polars panics at some damage, and its panic is not an Exception
        return False
    return True


def _repair(lake: Path, table: Table, path: Path, what: str) -> Repair:
    return Repair(table.name, str(path.relative_to(lake)), what)


def _age(path: Path) -> float:
    try:
        return time() - path.stat().st_mtime
    except FileNotFoundError:
        return 0.0


def _uri(lake: Path, table: Table) -> Path:
    return lake / "tables" / table.name

"""What a writer does before it writes: repair what a crash left above the published versions, refuse damage below.

A log entry above the published version was never acknowledged: if it is not whole, the whole interrupted work is put
aside and done again. Below, every byte was promised: damage there stops the writer with the file's name.
"""

from __future__ import annotations

import json
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
from lake.storage.checksums import HINT, WITNESSES, hint_problem, witnessed_checkpoint
from lake.storage.commit_pointer import HEAD, Head, read_head, write_head
from lake.storage.listing import listing_at
from lake.tables import TABLES
from lake.tables.control import RUNS
from lake.upkeep.log_archive import bring_back, finish_moving

ASIDE = "quarantine"
"""Folder of the lake that damaged and abandoned files are moved to; nothing reads it, `nextgen gc` empties it."""
SETTLED_SECONDS = 60.0
"""Age below which a file of a table that several processes append to may still be in the making."""

VERIFIED = timedelta(days=60)
"""How far back, in sessions, a writer holds log entries against their recorded hashes; scrub goes all the way."""

Hashes = Mapping[tuple[str, int], Mapping[str, str]]
"""(table, version) -> file name -> SHA-256, as recorded when the version was published."""


@dataclass(frozen=True)
class Repair:
    """One thing that was put right."""

    table: str
    file: str
    """Relative to the lake."""
    what: str


class Aside:
    """Moves files out of the tables into a folder of their own, keeping their relative paths."""

    def __init__(self, lake: Path) -> None:
        self._lake = lake
        self._folder = lake / ASIDE / f"{datetime.now(UTC):%Y%m%dT%H%M%S%f}"

    def __call__(self, path: Path) -> None:
        """Move one file; one that is gone already is none to worry about."""
        target = self._folder / path.relative_to(self._lake)
        target.parent.mkdir(parents=True, exist_ok=True)
        if path.exists():
            path.rename(target)


def promised(runs: pl.DataFrame, *, back: timedelta | None = VERIFIED) -> tuple[dict[str, int], Hashes]:
    """What runs that are done promise: table -> published version, and the file hashes of recent versions.

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


def mend_runs(lake: Path, *, durable: bool) -> list[Repair]:
    """Hold the log of `runs` against its witness, and drop what a crash left unfinished behind it.

    Raises:
        DamageError: if an entry that was acknowledged is missing or is not what it was.
    """
    uri = _uri(lake, RUNS)
    aside = Aside(lake)
    repairs = mend_checkpoints(lake, RUNS, aside)
    versions = delta_log.entry_versions(uri)
    head = read_head(lake)
    if head is None:
        head = _head_again(uri, versions)
        write_head(lake, head, durable=durable)
        if head.version:
            what = f"it was missing; it is written again from the chain of publications, whole up to {head.version}"
            repairs.append(Repair(RUNS.name, HEAD, what))
    _refuse_gap(uri, versions, head.version)
    _verify_chain(uri, head)
    whole = head.version
    newest = versions[-1] if versions else 0
    while whole < newest and entry_problem(uri, whole + 1, {}, contents=True) is None and _follows(uri, whole + 1):
        whole += 1
    for version in range(newest, whole, -1):
        if (path := delta_log.entry_path(uri, version)).exists():
            aside(path)
            repairs.append(_repair(lake, RUNS, path, "an unfinished publication was put aside"))
    if whole > head.version:
        if durable:
            added = range(head.version + 1, whole + 1)
            fsync_files(
                path for at in added for path in (delta_log.entry_path(uri, at), *delta_log.added_files(uri, at))
            )
        write_head(lake, Head(whole, delta_log.publication_hash(uri, whole)), durable=durable)
    return repairs


def _head_again(uri: Path, versions: list[int]) -> Head:
    """The witness as the chain of publications has it, each of which names the hash of the one before it.

    Raises:
        DamageError: if the chain has a gap or a damaged entry, and proves nothing.
    """
    newest = versions[-1] if versions else 0
    _refuse_gap(uri, versions, newest)
    for version in range(newest, 0, -1):
        problem = entry_problem(uri, version, {}, contents=True)
        if problem or not _follows(uri, version):
            raise DamageError(
                f"{uri.parent.parent / HEAD} is missing, and what was published cannot be proven without it: "
                f"{problem or f'{delta_log.entry_path(uri, version)} does not follow the one before it'}; "
                "restore the lake from a backup"
            )
    _refuse_cut_runs(uri.parent.parent, newest)
    return Head(newest, delta_log.publication_hash(uri, newest) if newest else "")


def _refuse_cut_runs(lake: Path, newest: int) -> None:
    """A whole chain can still have lost its end. A crash leaves one cycle above it; more than one were published."""
    uri = _uri(lake, RUNS)
    files = [uri / file for file in listing_at(uri, RUNS, newest).files] if newest else []
    columns = ["session", "status", "output_table", "output_version", "files"]
    runs = pl.concat(pl.read_parquet(file, columns=columns, glob=False) for file in files) if files else None
    published = promised(runs.filter(status="done"))[0] if runs is not None else {}
    cycles = {
        str(delta_log.commit_entry(_uri(lake, table), version)["recipe"].get("run", {}).get("cycle_id"))
        for table in TABLES.values()
        if table.story and table.name != RUNS.name
        for version in delta_log.entry_versions(_uri(lake, table))
        if version > published.get(table.name, 0) and not entry_problem(_uri(lake, table), version, {}, contents=False)
    }
    if len(cycles) > 1:
        raise DamageError(
            f"{lake / HEAD} is missing, and {len(cycles)} pieces of work ({', '.join(sorted(cycles)[:3])}, ...) are "
            "newer than the last publication: publications are lost; restore the lake from a backup"
        )


def mend_tables(lake: Path, published: Mapping[str, int], recorded: Hashes) -> list[Repair]:
    """Check every table's log behind its last checkpoint; repair above the published version, refuse at or below.

    Args:
        lake: its folder; the caller holds the lease.
        published: table name -> the version up to which every byte was promised.
        recorded: hashes of the files of recent versions.

    Returns:
        What was repaired; damage above the published version of any table costs all unpublished work.

    Raises:
        DamageError: naming the first file that was published and is missing or damaged.
    """
    aside = Aside(lake)
    repairs: list[Repair] = []
    for table in TABLES.values():
        if table.name != RUNS.name:
            repairs += mend_checkpoints(lake, table, aside)
            repairs += _mend_tail(lake, table, published.get(table.name, 0), recorded, aside)
    if any(TABLES[repair.table].domain != "control" and "checkpoint" not in repair.what for repair in repairs):
        repairs += abandon(lake, published, aside)
    return repairs


def put_aside_half_made(lake: Path, table: Table, aside: Callable[[Path], None]) -> list[Repair]:
    """Make room for a table whose making a power cut undid: only the entry that makes it is there, and not whole.

    Such a table holds no row, so whatever is left of it can go; where there is anything else, nothing is done.
    """
    uri = _uri(lake, table)
    if delta_log.every_version(uri) not in ([], [0]) or not entry_problem(uri, 0, {}, contents=False):
        return []
    left = sorted(path for path in uri.rglob("*") if path.is_file())
    begun = (delta_log.FOLDER, WITNESSES)
    if not all(path.parent.name in begun and path.name.startswith(f"{0:020d}.") for path in left):
        return []
    for path in left:
        aside(path)
    return [_repair(lake, table, path, "a table was put aside that was never made to the end") for path in left[:1]]


def abandon(lake: Path, published: Mapping[str, int], aside: Callable[[Path], None] | None = None) -> list[Repair]:
    """Put aside every unpublished commit of the tables that have a story, so that their work is done again."""
    aside = aside or Aside(lake)
    repairs: list[Repair] = []
    for table in TABLES.values():
        if not table.story or table.name == RUNS.name:
            continue
        uri = _uri(lake, table)
        # From the top down: a crash half way leaves a log without gaps.
        for version in reversed(delta_log.entry_versions(uri)):
            if version > published.get(table.name, 0):
                path = delta_log.entry_path(uri, version)
                files = [] if entry_problem(uri, version, {}, contents=False) else delta_log.added_files(uri, version)
                for file in (path, *files):  # the entry first: without it nothing names the data
                    aside(file)
                repairs.append(_repair(lake, table, path, "an unpublished commit was put aside, to be done again"))
    return repairs


def mend_checkpoints(lake: Path, table: Table, aside: Callable[[Path], None]) -> list[Repair]:
    """Put aside the checkpoints that are not what was written; the log itself, archive included, holds all they say."""
    uri = _uri(lake, table)
    repairs = [_put_aside_late(lake, table, path, aside) for path in finish_moving(uri)]
    versions: list[int] = []
    for version in delta_log.checkpoint_versions(uri):
        path = delta_log.checkpoint_path(uri, version)
        if witnessed_checkpoint(uri, version):
            versions.append(version)
        elif table.story or _age(path) > SETTLED_SECONDS:  # another process may be making one without a story
            (uri / delta_log.FOLDER / HINT).unlink(missing_ok=True)
            aside(path)
            repairs.append(_repair(lake, table, path, "a damaged or unfinished checkpoint was put aside"))
    hint = uri / delta_log.FOLDER / HINT
    if hint.exists() and not (versions and _hinted(hint) == versions[-1] and not hint_problem(uri)):
        hint.unlink()
        repairs.append(_repair(lake, table, hint, "a wrong hint at the last checkpoint was removed"))
    if back := bring_back(uri):
        what = f"{len(back)} files came back from the archive, for the checkpoint after them is lost"
        repairs.append(_repair(lake, table, back[-1], what))
    return repairs


def _put_aside_late(lake: Path, table: Table, path: Path, aside: Callable[[Path], None]) -> Repair:
    aside(path)
    return _repair(lake, table, path, "an entry was put aside that came too late and was never acknowledged")


def entry_problem(uri: Path, version: int, recorded: Mapping[str, str], *, contents: bool) -> str | None:
    """What is wrong with a log entry or the files it added; None if nothing.

    Args:
        uri: the table's folder.
        version: of the entry.
        recorded: file name -> SHA-256 for what is known of them; only the entry itself is held against it.
        contents: True reads the data files whole, False looks only at their sizes.
    """
    path = delta_log.entry_path(uri, version)
    try:
        files = delta_log.added_files(uri, version)
    except DamageError as error:
        return str(error)
    if (wanted := recorded.get(path.name)) and sha256(path.read_bytes()).hexdigest() != wanted:
        return f"the log entry {path} is not what was recorded; restore it from a backup"
    for file, size in files.items():
        if not file.exists():
            return f"the data file {file} is missing; restore it from a backup"
        if file.stat().st_size != size or (contents and not _readable(file)):
            return f"the data file {file} is damaged; restore it from a backup"
    return None


def damaged_file(root: Path, names: Iterable[str]) -> Path | None:
    """The first of a table's data files that cannot be read; None if all can."""
    return next((file for name in names if not _readable(file := root / name)), None)


def sweep_leftovers(lake: Path) -> list[Repair]:
    """Remove what a dead writer had begun to write and not yet named: staged files, and data no log entry names."""
    repairs: list[Repair] = []
    for table in TABLES.values():
        uri = _uri(lake, table)
        staged = [
            p for folder in (uri, uri / delta_log.FOLDER) if folder.is_dir() for p in folder.iterdir() if "#" in p.name
        ]
        # Others may be appending to a table without a story; what is theirs is young.
        ripe = [path for path in staged if table.story or _age(path) > SETTLED_SECONDS]
        for path in ripe + (_orphans(uri) if table.story else []):
            path.unlink(missing_ok=True)
            repairs.append(_repair(lake, table, path, "a file that was being written was removed"))
    return repairs


def _orphans(uri: Path) -> list[Path]:
    """Data files newer than the last log entry that no entry names. Their age only saves reading the log in vain."""
    versions = delta_log.entry_versions(uri)
    if not versions:
        return []
    last = delta_log.entry_path(uri, versions[-1]).stat().st_mtime
    recent = [path for path in uri.glob("*.parquet") if path.stat().st_mtime >= last]
    if not recent:
        return []
    named = {file.name for version in delta_log.every_version(uri) for file in delta_log.added_files(uri, version)}
    return [path for path in recent if path.name not in named]


def _mend_tail(
    lake: Path, table: Table, published: int, recorded: Hashes, aside: Callable[[Path], None]
) -> list[Repair]:
    uri = _uri(lake, table)
    if not published and (repairs := put_aside_half_made(lake, table, aside)):
        return repairs
    versions = delta_log.entry_versions(uri)
    _refuse_gap(uri, versions, published)
    if not versions:
        return []
    checkpoints = [version for version in delta_log.checkpoint_versions(uri) if version <= published]
    repairs = []
    for version in range(checkpoints[-1] + 1 if checkpoints else 0, versions[-1] + 1):
        known = recorded.get((table.name, version), {})
        problem = entry_problem(uri, version, known, contents=version > published)
        if problem is None:
            continue
        if version <= published:
            raise DamageError(f"{problem} ({table.name}, published version {version})")
        repairs.append(_repair(lake, table, delta_log.entry_path(uri, version), f"unpublished damage: {problem}"))
        if not table.story:
            _neutralise(uri, version, aside)
    return repairs


def _neutralise(uri: Path, version: int, aside: Callable[[Path], None]) -> None:
    """Put a commit of nothing in place of a damaged entry: later entries, and other appenders, rest on its number."""
    path = delta_log.entry_path(uri, version)
    info = {"timestamp": 0, "operation": "REPAIR", "operationParameters": {}}
    with replace_atomic(path, durable=False) as draft:
        draft.write_text(json.dumps({"commitInfo": info}) + "\n", encoding="utf-8")
        aside(path)


def _refuse_gap(uri: Path, versions: list[int], published: int) -> None:
    """Every entry up to the published version has to be there or in the archive, and none may be empty."""
    present = set(versions)
    first = versions[0] if versions and delta_log.archived(uri, versions[0] - 1).exists() else 0
    if missing := [version for version in range(first, published + 1) if version not in present] if published else []:
        path = delta_log.entry_path(uri, missing[0])
        raise DamageError(f"the log entry {path} is missing; restore it from a backup")
    for version in versions:
        if version <= published and delta_log.entry_path(uri, version).stat().st_size == 0:
            raise DamageError(f"the log entry {delta_log.entry_path(uri, version)} is empty; restore it from a backup")


def _verify_chain(uri: Path, head: Head) -> None:
    """Walk back from the witness to the last checkpoint: each entry names the hash of the one before it."""
    if head.version == 0:
        return
    checkpoints = [version for version in delta_log.checkpoint_versions(uri) if version < head.version]
    oldest = checkpoints[-1] if checkpoints else 0
    for version in range(head.version, oldest, -1):
        if problem := chain_problem(uri, version, head):
            raise DamageError(problem)


def chain_problem(uri: Path, version: int, head: Head) -> str | None:
    """What is wrong with a publication: its files, or its place in the chain that ends at the witness."""
    if problem := entry_problem(uri, version, {}, contents=False):
        return f"{problem} (runs, published version {version})"
    last = version == head.version
    right = delta_log.publication_hash(uri, version) == head.entry if last else _follows(uri, version + 1)
    files = ", ".join(str(file) for file in (delta_log.entry_path(uri, version), *delta_log.added_files(uri, version)))
    return None if right else f"{files}: not what was published; restore them from a backup"


def _follows(uri: Path, version: int) -> bool:
    """Whether the entry names the hash of the one before it; entries of earlier programs name none."""
    named = delta_log.commit_entry(uri, version)["recipe"].get("follows")
    return named is None or version == 1 or named == delta_log.publication_hash(uri, version - 1)


def _hinted(hint: Path) -> int | None:
    try:
        return int(json.loads(hint.read_bytes())["version"])
    except (ValueError, KeyError, TypeError):
        return None


def _readable(file: Path) -> bool:
    try:
        pl.read_parquet(file, glob=False)
    except BaseException:  # polars answers some damage with a panic, which is no Exception
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

"""Copy what is published to another folder, and bring it back, every byte checked on the way."""

from __future__ import annotations

import json
import os
import shutil
from collections.abc import Callable, Iterator, Mapping
from contextlib import contextmanager
from dataclasses import dataclass
from datetime import UTC, datetime
from pathlib import Path

from lake.errors import DamageError, NotALakeError
from lake.storage import delta_log
from lake.storage.atomic import DRAFT, file_hash, fsync_files, replace_atomic, write_atomic
from lake.storage.checksums import WITNESSES
from lake.storage.lease import LOCK, NOTE
from lake.storage.manifest import BEGUN, MARKER, made_at, refuse_foreign, refuse_path
from lake.store import Lake
from lake.tables import TABLES

MANIFEST = "backup.json"
"""Written last: a folder without it is no backup, and what it does not name is no part of one."""
Progress = Callable[[str, int, int], None]


@dataclass(frozen=True)
class Copied:
    """What a backup or a restore did."""

    files: int
    bytes: int
    new: int
    """Files that were not there from an earlier backup."""


def backup(lake: Lake, target: Path, progress: Progress = lambda *_: None) -> Copied:
    """Copy everything published to a folder; a second time copies only what is new, for files never change.

    Raises:
        NotALakeError: if the folder holds something that is no backup of this lake, or lies within the lake.
        DamageError: if a file of the lake is missing.
    """
    known = _earlier(lake, target)
    target.mkdir(parents=True, exist_ok=True)
    (target / f"{MANIFEST}.begun").touch()  # one cut off can be gone on with
    with _undisturbed(lake):
        # What an earlier backup names and this one replaces comes last: cut off before that, the earlier one is whole.
        wanted = sorted(_published_files(lake), key=lambda path: _is_rewritten(path, lake))
        hashes: dict[str, str] = {}
        new = size = 0
        for number, path in enumerate(wanted):
            progress("backup", number, len(wanted))
            name = str(path.relative_to(lake.path))
            there = target / name
            if _is_there(path, there, known.get(name)):
                hashes[name] = known[name]
            else:
                _copy(path, there)
                new += 1
                hashes[name] = file_hash(there)
            size += there.stat().st_size
    fsync_files(target / name for name in hashes)
    _write_manifest(target, hashes)
    progress("backup", len(wanted), len(wanted))
    return Copied(len(hashes), size, new)


def restore(source: Path, target: Path, progress: Progress = lambda *_: None) -> Copied:
    """Make a lake out of a backup in an empty folder, holding each file against its hash before it counts.

    Raises:
        NotALakeError: if the source is no backup or the target is not empty.
        DamageError: naming the first file of the backup that is missing or has changed; no lake is left behind.
    """
    refuse_path(target)
    hashes = _known(source)
    if not hashes:
        raise NotALakeError(f"{source} holds no backup; name a folder that `nextgen backup` wrote")
    _refuse_within(target, source, "a lake within its backup would be lost with it")
    # With a marker it is a lake, whatever lies beside it: a power cut can bring back the name of what was removed.
    cut_off = (target / BEGUN).exists() and not (target / MARKER).exists()
    if target.exists() and any(target.iterdir()) and not cut_off:
        raise NotALakeError(f"{target} is not empty; restore into an empty folder")
    _empty(target)  # of one that was cut off
    target.mkdir(parents=True, exist_ok=True)
    (target / BEGUN).touch()
    fsync_files([target / BEGUN])
    try:
        size = _copied_back(source, target, hashes, progress)
    except BaseException:  # whatever ended it, an interrupt too, half a lake is not left
        _empty(target)
        raise
    (target / BEGUN).unlink()
    refuse_foreign(target, older=True)
    progress("restore", len(hashes), len(hashes))
    return Copied(len(hashes), size, len(hashes))


def _copied_back(source: Path, target: Path, hashes: Mapping[str, str], progress: Progress) -> int:
    size = 0
    # The marker comes last, after the disk has the rest: only with it the folder is a lake.
    for number, name in enumerate(sorted(hashes, key=lambda name: (name == MARKER, name))):
        progress("restore", number, len(hashes))
        if name == MARKER:
            fsync_files(target / other for other in hashes if other != MARKER)
        if not (source / name).is_file():
            raise DamageError(f"the backup lacks {source / name}; use an older or a newer backup")
        _copy(source / name, target / name)
        if file_hash(target / name) != hashes[name]:
            raise DamageError(f"{source / name} is not what was backed up; use an older or a newer backup")
        size += (target / name).stat().st_size
    fsync_files([target / MARKER])
    return size


def _empty(folder: Path) -> None:
    """Take everything out. Half emptied it is no lake, and one can be restored into it: its marker goes first."""
    left = list(folder.iterdir()) if folder.is_dir() else []
    for path in sorted(left, key=lambda path: (path.name != MARKER, path.name == BEGUN)):
        if path.is_dir():
            shutil.rmtree(path)
        else:
            path.unlink()
        if path.name == MARKER:
            fsync_files([folder / BEGUN])


def _published_files(lake: Lake) -> Iterator[Path]:
    """The files a restored lake needs: top-level ones, and each table's log, data and witnesses up to its version."""
    loose = {LOCK, NOTE, MANIFEST}
    for path in sorted(lake.path.iterdir()):
        if path.is_file() and path.name not in loose and path.suffix != DRAFT:
            yield path
    published = lake.published()
    for table in TABLES.values():
        uri = Path(lake.uri(table))
        upto = published[table.name]
        for version in range(upto + 1):
            yield delta_log.entry_path(uri, version)
            # A file that is gone was only in versions nobody names: gc removed it.
            yield from (file for file in delta_log.added_files(uri, version) if file.exists())
        for version in (*delta_log.archived_checkpoints(uri), *delta_log.checkpoint_versions(uri)):
            if version <= upto:
                yield delta_log.checkpoint_path(uri, version)
        if (uri / WITNESSES).is_dir():
            yield from (path for path in sorted((uri / WITNESSES).iterdir()) if path.suffix != DRAFT)


@contextmanager
def _undisturbed(lake: Lake) -> Iterator[None]:
    """Keep writers out, except where nobody can write: a disk that has failed is to be read while that is possible."""
    if os.statvfs(lake.path).f_flag & os.ST_RDONLY:
        yield
        return
    with lake.lease("backup"):
        yield


def _is_rewritten(path: Path, lake: Lake) -> bool:
    """Whether the file takes the place of an earlier one of its name; entries of logs and data files never do."""
    return path.parent == lake.path or "checkpoint" in path.name or path.parent.name == WITNESSES


def _is_there(path: Path, there: Path, digest: str | None) -> bool:
    """Whether an earlier backup has the file.

    A data file has its name for ever. What has a number can be another in a lake that was restored and went on from
    there, so it is compared.
    """
    if digest is None or not there.exists() or there.stat().st_size != path.stat().st_size:
        return False
    return (path.suffix == ".parquet" and "checkpoint" not in path.name) or file_hash(path) == digest


def _earlier(lake: Lake, target: Path) -> dict[str, str]:
    """The files of an earlier backup of the lake in the folder, with their hashes."""
    _refuse_within(target, lake.path, "a backup within its lake would be lost with it")
    known = _known(target)
    if not known and target.exists() and any(target.iterdir()) and not (target / f"{MANIFEST}.begun").exists():
        raise NotALakeError(f"{target} is not empty and holds no backup; name an empty folder")
    if (target / MARKER).exists() and (made := made_at(target)) != made_at(lake.path):
        raise NotALakeError(f"{target} holds a backup of another lake, made {made:.19}; name another folder")
    return known


def _refuse_within(inner: Path, outer: Path, why: str) -> None:
    if inner.resolve().is_relative_to(outer.resolve()):
        raise NotALakeError(f"{inner} lies within {outer}, and {why}; name a folder outside it")


def _known(folder: Path) -> dict[str, str]:
    manifest = folder / MANIFEST
    if not manifest.exists():
        return {}
    try:
        files = json.loads(manifest.read_bytes())["files"]
        return {str(name): str(digest) for name, digest in files.items()}
    except (ValueError, KeyError, AttributeError):
        raise DamageError(f"{manifest} is damaged; use another backup") from None


def _write_manifest(folder: Path, hashes: dict[str, str]) -> None:
    content = {"made_at": datetime.now(UTC).isoformat(), "files": hashes}
    write_atomic(folder / MANIFEST, json.dumps(content, indent=1))
    (folder / f"{MANIFEST}.begun").unlink(missing_ok=True)


def _copy(source: Path, target: Path) -> None:
    target.parent.mkdir(parents=True, exist_ok=True)
    try:
        with replace_atomic(target, durable=False) as draft:  # all of them are forced onto the disk at the end
            shutil.copyfile(source, draft)
    except FileNotFoundError:
        raise DamageError(f"{source} is missing; `nextgen scrub` tells what else is") from None

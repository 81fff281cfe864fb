"""Copy what is published to another folder, and restore it, with every file verified."""

from __future__ import annotations

import json
import shutil
from collections.abc import Iterator, Mapping
from dataclasses import dataclass
from datetime import UTC, datetime
from pathlib import Path

from lake.access import OWN_FILE, make_lake_folder, make_private_folder, write_output
from lake.errors import BusyError, DamageError, NotALakeError
from lake.remote.address import REMOTE, has_contents
from lake.remote.opening import exchange_of
from lake.storage import delta_log
from lake.storage.atomic import DRAFT, fsync_files, replace_atomic
from lake.storage.checksums import CHECKSUMS, hash_file
from lake.storage.commit_pointer import read_pointer
from lake.storage.lock import WRITER_HOLDER, WRITER_LOCK, can_be_locked
from lake.storage.manifest import CREATING, MANIFEST, check_format, check_path, read_created_at
from lake.store import Lake
from lake.tables import TABLES
from lake.upkeep import Progress

BACKUP_MANIFEST = "backup.json"
"""Written last: a folder without it is not a backup, and what it does not name is not part of one."""


@dataclass(frozen=True)
class CopyResult:
    """What a backup or a restore did."""

    files: int
    bytes: int
    new: int
    """Files that an earlier backup did not have."""


def backup(lake: Lake, target: Path, progress: Progress = lambda *_: None) -> CopyResult:
    """Copy everything published to a folder; a second backup copies only what is new, for files never change.

    Raises:
        NotALakeError: if the folder contains something other than a backup of this lake, or is inside the lake.
        DamageError: if a file of the lake is missing.
    """
    lake.exchange.fetch_all()
    known = _earlier(lake, target)
    make_private_folder(target)
    (target / f"{BACKUP_MANIFEST}.begun").touch(mode=OWN_FILE)  # an interrupted one can be resumed
    if can_be_locked(lake.path):
        with lake.lock("backup"):
            hashes, size, new = _copy_published(lake, target, known, progress)
    else:
        hashes, size, new = _copy_beside_a_writer(lake, target, known, progress)
    fsync_files(target / name for name in hashes)
    _write_manifest(target, hashes)
    progress("backup", len(hashes), len(hashes))
    return CopyResult(len(hashes), size, new)


def restore(source: Path, target: Path, progress: Progress = lambda *_: None) -> CopyResult:
    """Make a lake out of a backup in an empty folder, verifying each file against its checksum.

    Raises:
        NotALakeError: if the source is not a backup or the target is not empty.
        DamageError: naming the first file of the backup that is missing or has changed; no lake is left behind.
    """
    check_path(target)
    hashes = _read_known_hashes(source)
    if not hashes:
        raise NotALakeError(f"{source} is not a backup; name a folder that `nextgen backup` wrote")
    _refuse_within(target, source, "a lake inside its backup would be lost with it")
    # With a manifest it is a lake, whatever else is there: a power cut can bring back the name of a removed file.
    cut_off = (target / CREATING).exists() and not (target / MANIFEST).exists()
    if has_contents(target) and not cut_off:
        raise NotALakeError(f"{target} is not empty; restore into an empty folder")
    exchange = exchange_of(target)
    exchange.prepare_new()
    _empty(target)  # of a restore that was cut off
    make_lake_folder(target)
    (target / CREATING).touch()
    fsync_files([target / CREATING])
    try:
        size = _copy_back(source, target, hashes, progress)
    except BaseException:  # whatever ended it, an interrupt too, no partial lake is left
        _empty(target)
        raise
    (target / CREATING).unlink()
    check_format(target, older=True)
    exchange.share_new()
    progress("restore", len(hashes), len(hashes))
    return CopyResult(len(hashes), size, len(hashes))


def _copy_back(source: Path, target: Path, hashes: Mapping[str, str], progress: Progress) -> int:
    size = 0
    # The manifest comes last, after the disk has the rest: only with it is the folder a lake.
    for number, name in enumerate(sorted(hashes, key=lambda name: (name == MANIFEST, name))):
        progress("restore", number, len(hashes))
        if name == MANIFEST:
            fsync_files(target / other for other in hashes if other != MANIFEST)
        if not (source / name).is_file():
            raise DamageError(f"the backup lacks {source / name}; use an older or a newer backup")
        _copy(source / name, target / name)
        if hash_file(target / name) != hashes[name]:
            raise DamageError(f"{source / name} has changed since the backup; use an older or a newer backup")
        size += (target / name).stat().st_size
    fsync_files([target / MANIFEST])
    return size


def _empty(folder: Path) -> None:
    """Remove everything, the manifest first: interrupted, it is not a lake, and one can be restored into it."""
    left = [one for one in folder.iterdir() if one.name != REMOTE] if folder.is_dir() else []
    for path in sorted(left, key=lambda path: (path.name != MANIFEST, path.name == CREATING)):
        if path.is_dir():
            shutil.rmtree(path)
        else:
            path.unlink()
        if path.name == MANIFEST:
            fsync_files([folder / CREATING])


def _published_files(lake: Lake) -> Iterator[Path]:
    """The files a restored lake needs: top-level ones, and each table's log, data and checksums up to its version."""
    loose = {WRITER_LOCK, WRITER_HOLDER, BACKUP_MANIFEST}
    for path in sorted(lake.path.iterdir()):
        if path.is_file() and path.name not in loose and path.suffix != DRAFT:
            yield path
    published = lake.published_versions()
    for table in TABLES.values():
        uri = Path(lake.uri(table))
        upto = published[table.name]
        for version in range(upto + 1):
            yield delta_log.entry_path(uri, version)
            # A file that is gone was only in versions that no run refers to: gc removed it.
            yield from (file for file in delta_log.added_files(uri, version) if file.exists())
        for version in (*delta_log.archived_checkpoints(uri), *delta_log.checkpoint_versions(uri)):
            if version <= upto:
                yield delta_log.checkpoint_path(uri, version)
        if (uri / CHECKSUMS).is_dir():
            yield from (path for path in sorted((uri / CHECKSUMS).iterdir()) if path.suffix != DRAFT)


def _copy_published(
    lake: Lake, target: Path, known: Mapping[str, str], progress: Progress
) -> tuple[dict[str, str], int, int]:
    """Copy what is published and not there yet; return all hashes by name, the bytes in all, and how many were new."""
    # What replaces a file of an earlier backup comes last: interrupted before that, the earlier one is intact.
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
            hashes[name] = hash_file(there)
        size += there.stat().st_size
    return hashes, size, new


def _copy_beside_a_writer(
    lake: Lake, target: Path, known: Mapping[str, str], progress: Progress
) -> tuple[dict[str, str], int, int]:
    """Copy a lake that this user, or nobody, can lock: again where something was published or moved meanwhile.

    Files that are published never change, so a second attempt copies little.
    """
    for last in (False, False, False, True):
        reader = Lake(lake.path, lake.formats)
        before = read_pointer(lake.path)
        try:
            copied = _copy_published(reader, target, known, progress)
            if read_pointer(lake.path) == before:
                return copied
        except DamageError:
            if last and read_pointer(lake.path) == before:
                raise
        known = {}
    raise BusyError(f"the lake at {lake.path} went on being written while it was copied; try again later")


def _is_rewritten(path: Path, lake: Lake) -> bool:
    """Whether the file replaces an earlier one of its name; log entries and data files never do."""
    return path.parent == lake.path or "checkpoint" in path.name or path.parent.name == CHECKSUMS


def _is_there(path: Path, there: Path, digest: str | None) -> bool:
    """Whether an earlier backup has the file.

    A data file keeps its name for ever. A numbered file may differ in a lake that was restored and then continued,
    so it is compared.
    """
    if digest is None or not there.exists() or there.stat().st_size != path.stat().st_size:
        return False
    return (path.suffix == ".parquet" and "checkpoint" not in path.name) or hash_file(path) == digest


def _earlier(lake: Lake, target: Path) -> dict[str, str]:
    """The files of an earlier backup of the lake in the folder, with their hashes."""
    _refuse_within(target, lake.path, "a backup inside its lake would be lost with it")
    known = _read_known_hashes(target)
    if not known and target.exists() and any(target.iterdir()) and not (target / f"{BACKUP_MANIFEST}.begun").exists():
        raise NotALakeError(f"{target} is neither empty nor a backup; name an empty folder")
    if (target / MANIFEST).exists() and (made := read_created_at(target)) != read_created_at(lake.path):
        raise NotALakeError(f"{target} contains a backup of another lake, made {made:.19}; name another folder")
    return known


def _refuse_within(inner: Path, outer: Path, why: str) -> None:
    if inner.resolve().is_relative_to(outer.resolve()):
        raise NotALakeError(f"{inner} is inside {outer}, and {why}; name a folder outside it")


def _read_known_hashes(folder: Path) -> dict[str, str]:
    manifest = folder / BACKUP_MANIFEST
    if not manifest.exists():
        return {}
    try:
        files = json.loads(manifest.read_bytes())["files"]
        return {str(name): str(digest) for name, digest in files.items()}
    except (ValueError, KeyError, AttributeError):
        raise DamageError(f"{manifest} is damaged; use another backup") from None


def _write_manifest(folder: Path, hashes: dict[str, str]) -> None:
    content = {"made_at": datetime.now(UTC).isoformat(), "files": hashes}
    write_output(folder / BACKUP_MANIFEST, json.dumps(content, indent=1))
    (folder / f"{BACKUP_MANIFEST}.begun").unlink(missing_ok=True)


def _copy(source: Path, target: Path) -> None:
    make_private_folder(target.parent)
    try:
        with replace_atomic(target, durable=False) as draft:  # all of them are forced onto the disk at the end
            draft.touch(mode=OWN_FILE)
            shutil.copyfile(source, draft)
    except FileNotFoundError:
        raise DamageError(f"{source} is missing; `nextgen scrub` lists what else is") from None

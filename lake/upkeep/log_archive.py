"""Keep a table's log short: entries older than its last two checkpoints move to a folder of their own.

The storage library lists a table's whole log to open it, to write to it and to look for new versions. An entry below
the checkpoint before the last is needed only to read old versions, and our own reader finds it in the archive as well.
An entry is linked into the archive before its name leaves the log, so that it always has at least one; if a crash
comes in between, the next writer completes the move. Only `restore_from_archive` takes anything out of the archive.
"""

from __future__ import annotations

import os
from collections.abc import Iterator
from pathlib import Path

from lake.storage import delta_log
from lake.storage.atomic import fsync_files
from lake.storage.checksums import checkpoint_checksum_path, is_checkpoint_intact


def archive_log(uri: Path, upto: int, *, durable: bool) -> int:
    """Move what lies below the checkpoint before the last; needs the writer lock.

    Args:
        uri: the table's folder.
        upto: the last published version; the log above it stays, whatever checkpoints it has.
        durable: whether to force the checkpoints that take its place, and the archive, onto the disk first.

    Returns:
        How many files were moved.
    """
    intact = [at for at in delta_log.checkpoint_versions(uri) if at <= upto and is_checkpoint_intact(uri, at)]
    if len(intact) < 2:
        return 0
    old = list(_below(uri, intact[-2]))
    if durable and old:
        fsync_files(delta_log.checkpoint_path(uri, at) for at in intact[-2:])
        fsync_files(checkpoint_checksum_path(uri, at) for at in intact[-2:])
    moved = [path for path in old if _link(path, uri / delta_log.ARCHIVE / path.name)]
    if durable and moved:
        fsync_files(uri / delta_log.ARCHIVE / path.name for path in moved)
    for path in moved:
        path.unlink(missing_ok=True)
    return len(moved)


def undo_late_commit(uri: Path, version: int) -> bool:
    """Undo a commit just made if its version is in the archive, where nobody would ever see it; True if it was.

    The version was committed and archived by others while this process slept between its look at the table and its
    commit. Entries enter the archive before they leave the log, so whoever finds the version free finds it there.
    """
    if late := delta_log.archived_entry_path(uri, version).exists():
        (uri / delta_log.FOLDER / f"{version:020d}.json").unlink(missing_ok=True)
    return late


def finish_archiving(uri: Path) -> list[Path]:
    """Remove entries from the log that are in the archive as well, after a crash in between.

    Returns:
        Entries that differ from the archive's of the same version: a writer that had slept through many commits
        found the version free, and its commit was never acknowledged. The caller has to quarantine them.
    """
    late: list[Path] = []
    if not (uri / delta_log.ARCHIVE).exists():
        return late
    for version in delta_log.entry_versions(uri):
        old, here = delta_log.archived_entry_path(uri, version), uri / delta_log.FOLDER / f"{version:020d}.json"
        if not old.exists():
            break  # the log begins here: the archive lies below it
        if _is_same(here, old):
            here.unlink()
        else:
            late.append(here)
    return late


def restore_from_archive(uri: Path) -> list[Path]:
    """Restore what the log needs to be opened after its checkpoints were lost: from the archive's last one on.

    Returns:
        The files restored; none if the log can be opened as it is.
    """
    if not (uri / delta_log.ARCHIVE).exists():
        return []
    versions = delta_log.entry_versions(uri)
    first = versions[0] if versions else 0
    covered = any(at >= first - 1 for at in delta_log.checkpoint_versions(uri))
    if covered or not delta_log.archived_entry_path(uri, first - 1).exists():
        return []
    intact = [at for at in delta_log.archived_checkpoints(uri) if at < first and is_checkpoint_intact(uri, at)]
    start = intact[-1] if intact else 0
    # From the top down, the checkpoint last: interrupted, the log still cannot be opened, and the next call resumes.
    names = [f"{at:020d}.json" for at in range(first - 1, start - 1, -1)]
    names += [delta_log.checkpoint_path(uri, start).name] if intact else []
    for name in names:
        _link(uri / delta_log.ARCHIVE / name, uri / delta_log.FOLDER / name)
        (uri / delta_log.ARCHIVE / name).unlink()
    return [uri / delta_log.FOLDER / name for name in names]


def _below(uri: Path, cut: int) -> Iterator[Path]:
    """Ascending, so that if it is interrupted the log has no gap."""
    yield from (uri / delta_log.FOLDER / f"{at:020d}.json" for at in delta_log.entry_versions(uri) if at < cut)
    yield from (delta_log.checkpoint_path(uri, at) for at in delta_log.checkpoint_versions(uri) if at < cut)


def _link(source: Path, target: Path) -> bool:
    """Give the file a second name; False if that name is taken by other content, or the file is gone."""
    target.parent.mkdir(exist_ok=True)
    try:
        os.link(source, target)
    except FileExistsError:
        return _is_same(source, target)
    except FileNotFoundError:
        return False
    return True


def _is_same(one: Path, other: Path) -> bool:
    return one.samefile(other) or one.read_bytes() == other.read_bytes()

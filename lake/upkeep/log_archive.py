"""Keep the log that every opening lists short: what lies behind the last checkpoints goes to a folder of its own.

The storage library lists a table's whole log to open it, to write to it and to look for news. An entry below the
checkpoint before the last is needed only to read old versions, and that our own reader finds in the archive as well.
An entry is linked into the archive before its name leaves the log, so that at every moment it has at least one; what a
crash leaves half moved is moved to the end by the next writer. Nothing ever leaves the archive but by `bring_back`.
"""

from __future__ import annotations

import os
from collections.abc import Iterator
from pathlib import Path

from lake.storage import delta_log
from lake.storage.atomic import fsync_files
from lake.storage.checksums import witness_of, witnessed_checkpoint


def archive_log(uri: Path, upto: int, *, durable: bool) -> int:
    """Move what lies below the checkpoint before the last; under the lease.

    Args:
        uri: the table's folder.
        upto: the last version that is promised; the log above it stays, whatever checkpoints it has.
        durable: whether to force the checkpoints that take its place, and the archive, onto the disk first.

    Returns:
        How many files were moved.
    """
    whole = [at for at in delta_log.checkpoint_versions(uri) if at <= upto and witnessed_checkpoint(uri, at)]
    if len(whole) < 2:
        return 0
    old = list(_below(uri, whole[-2]))
    if durable and old:
        fsync_files(path for at in whole[-2:] for path in (delta_log.checkpoint_path(uri, at), witness_of(uri, at)))
    moved = [path for path in old if _link(path, uri / delta_log.ARCHIVE / path.name)]
    if durable and moved:
        fsync_files(uri / delta_log.ARCHIVE / path.name for path in moved)
    for path in moved:
        path.unlink(missing_ok=True)
    return len(moved)


def took_back_late(uri: Path, version: int) -> bool:
    """Take back a commit just made if its number is in the archive: nobody would ever see it.

    The number was given and archived while this process slept between its look at the table and its commit. Entries
    enter the archive before they leave the log, so whoever could take the number for free finds it there.
    """
    if late := delta_log.archived(uri, version).exists():
        (uri / delta_log.FOLDER / f"{version:020d}.json").unlink(missing_ok=True)
    return late


def finish_moving(uri: Path) -> list[Path]:
    """Take names out of the log that the archive has as well: a crash came between.

    Returns:
        Entries that are not what the archive holds under their number: a writer that had slept through many commits
        took the number for free, and was never told that its commit counted. The caller has to put them aside.
    """
    late: list[Path] = []
    for version in delta_log.entry_versions(uri):
        old, here = delta_log.archived(uri, version), uri / delta_log.FOLDER / f"{version:020d}.json"
        if not old.exists():
            break  # the log begins here: what is archived lies below it
        if _same(here, old):
            here.unlink()
        else:
            late.append(here)
    return late


def bring_back(uri: Path) -> list[Path]:
    """Put back what the log needs to be opened again after its checkpoints were lost: from the archive's last one on.

    Returns:
        The files put back; none if the log can be opened as it is.
    """
    versions = delta_log.entry_versions(uri)
    first = versions[0] if versions else 0
    covered = any(at >= first - 1 for at in delta_log.checkpoint_versions(uri))
    if covered or not delta_log.archived(uri, first - 1).exists():
        return []
    whole = [at for at in delta_log.archived_checkpoints(uri) if at < first and witnessed_checkpoint(uri, at)]
    start = whole[-1] if whole else 0
    # From the top down, the checkpoint last: cut off half way, the log still cannot be opened, and this goes on.
    names = [f"{at:020d}.json" for at in range(first - 1, start - 1, -1)]
    names += [delta_log.checkpoint_path(uri, start).name] if whole else []
    for name in names:
        _link(uri / delta_log.ARCHIVE / name, uri / delta_log.FOLDER / name)
        (uri / delta_log.ARCHIVE / name).unlink()
    return [uri / delta_log.FOLDER / name for name in names]


def _below(uri: Path, cut: int) -> Iterator[Path]:
    """Rising, so that cut off half way the log has no hole."""
    yield from (uri / delta_log.FOLDER / f"{at:020d}.json" for at in delta_log.entry_versions(uri) if at < cut)
    yield from (delta_log.checkpoint_path(uri, at) for at in delta_log.checkpoint_versions(uri) if at < cut)


def _link(source: Path, target: Path) -> bool:
    """Give the file a second name; False if that name holds something else, or the file is gone."""
    target.parent.mkdir(exist_ok=True)
    try:
        os.link(source, target)
    except FileExistsError:
        return _same(source, target)
    except FileNotFoundError:
        return False
    return True


def _same(one: Path, other: Path) -> bool:
    return one.samefile(other) or one.read_bytes() == other.read_bytes()

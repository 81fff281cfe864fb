"""What has changed in a working copy since it was last the same as the store."""

from __future__ import annotations

import os
from collections.abc import Iterator
from dataclasses import dataclass, field
from pathlib import Path
from time import time_ns

from lake.remote.address import REMOTE
from lake.remote.index import Index
from lake.storage.atomic import DRAFT
from lake.storage.lock import WRITER_HOLDER, WRITER_LOCK
from lake.storage.manifest import CREATING

SETTLED_NS = 2_000_000_000
"""Age from which the time of a folder tells of every later change: clocks of file systems tick coarsely."""
OWN = frozenset({WRITER_LOCK, WRITER_HOLDER, CREATING, REMOTE})
"""Of this machine alone; so are the lake's other folders: branches, quarantine, what the daemon keeps."""
TABLES = "tables"


@dataclass
class Differences:
    """Paths relative to the lake."""

    changed: dict[str, os.stat_result] = field(default_factory=dict)
    """New here, or with another content."""
    removed: list[str] = field(default_factory=list)
    folders: list[tuple[str, int]] = field(default_factory=list)
    """The folders looked at, with the times up to which they are then known."""

    def __bool__(self) -> bool:
        return bool(self.changed or self.removed)


def find_differences(lake: Path, index: Index, table: str | None = None) -> Differences:
    """Compare the working copy with what is known of the store.

    Args:
        lake: the working copy.
        index: what is known.
        table: only the folders of this table; the whole lake where None.
    """
    found = Differences()
    seen = index.folder_times()
    for folder in _folders(lake, table):
        _compare_folder(lake, folder, index, seen, found)
    if table is None:
        gone = index.folders().difference(_folders(lake, None))
        found.removed += [path for folder in sorted(gone) for path in index.files(folder)]
    return found


def _compare_folder(lake: Path, folder: str, index: Index, seen: dict[str, int], found: Differences) -> None:
    path = lake / folder
    now, changed_at = time_ns(), path.stat().st_mtime_ns
    if folder and seen.get(folder) == changed_at:  # a file is only ever replaced by a rename, which the folder notes
        return
    known = index.files(folder)
    here: set[str] = set()
    for entry in os.scandir(path):
        name = f"{folder}/{entry.name}" if folder else entry.name
        if not entry.is_file(follow_symlinks=False) or entry.name.endswith(DRAFT) or "#" in entry.name:
            continue
        if not folder and entry.name in OWN:
            continue
        here.add(name)
        stat, before = entry.stat(), known.get(name)
        if before is None or (stat.st_size, stat.st_mtime_ns) != (before.size, before.mtime_ns):
            found.changed[name] = stat
    found.removed += [name for name in known if name not in here]
    found.folders.append((folder, changed_at if now - changed_at > SETTLED_NS else 0))


def _folders(lake: Path, table: str | None) -> Iterator[str]:
    """The lake's own folder, and each table's with those within it; none that is not there."""
    if table is None:
        yield ""
    names = [table] if table is not None else sorted(_subfolders(lake / TABLES))
    for name in names:
        if (lake / TABLES / name).is_dir():
            yield f"{TABLES}/{name}"
            yield from (f"{TABLES}/{name}/{one}" for one in sorted(_subfolders(lake / TABLES / name)))


def _subfolders(path: Path) -> list[str]:
    try:
        with os.scandir(path) as entries:
            return [entry.name for entry in entries if entry.is_dir(follow_symlinks=False)]
    except FileNotFoundError:
        return []

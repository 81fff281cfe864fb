"""Remove what nothing needs any more, and never a file of a version that a run names."""

from __future__ import annotations

import json
import shutil
from collections.abc import Iterable, Mapping
from dataclasses import dataclass
from pathlib import Path
from time import time
from urllib.parse import unquote

from lake.contract import Table
from lake.storage import delta_log
from lake.storage.disk import refusals_in_words
from lake.storage.recovery import ASIDE
from lake.store import Lake
from lake.tables import TABLES
from lake.tables.control import RUNS

RIPE_SECONDS = 24 * 3600.0
"""Age from which a file that no log names is taken for a leftover: a writer may have made it just before its commit."""
ASIDE_SECONDS = 30 * 24 * 3600.0
"""Age from which damaged files that were put aside are let go."""


@dataclass(frozen=True)
class Garbage:
    """A file that is not needed."""

    table: str
    file: str
    """Relative to the lake."""
    size: int
    why: str


def pinned_versions(lake: Lake) -> dict[str, set[int]]:
    """Table name -> the versions that a run reads or wrote, with the published and the newest one.

    Of `runs` it is every version, for the chain of publications is proven with the files themselves; and of the logs
    of tasks, which no run names.
    """
    pins = {
        name: set(range(lake.newest(table) + 1)) if table.domain == "control" else {lake.newest(table)}
        for name, table in TABLES.items()
    }
    for name, version in lake.published().items():
        pins[name].add(version)
    runs = lake.read(RUNS, columns=("output_table", "output_version", "inputs"))
    for name, version, inputs in runs.select("output_table", "output_version", "inputs").iter_rows():
        if version is not None:
            pins.setdefault(name, set()).add(version)
        for read, pinned in json.loads(inputs).items():
            pins.setdefault(read, set()).add(pinned)
    return pins


def needless(lives: Mapping[str, tuple[int, int | None]], pins: Iterable[int]) -> set[str]:
    """The files that no pinned version holds.

    Args:
        lives: file -> the version that added it, and the one that removed it (None while it is still there).
        pins: versions that have to stay readable.
    """
    kept = sorted(set(pins))
    return {
        file
        for file, (added, removed) in lives.items()
        if not any(added <= pin and (removed is None or pin < removed) for pin in kept)
    }


def find_garbage(lake: Lake) -> list[Garbage]:
    """Everything that could go, without touching it.

    Raises:
        DamageError: if a log entry is missing or damaged: what a table needs cannot be told then.
    """
    # The logs first: what is put on record meanwhile, which needs no lease, is then either pinned or not seen yet.
    lives = {name: _lives(Path(lake.uri(table))) for name, table in TABLES.items()}
    pins = pinned_versions(lake)
    return [one for name, table in TABLES.items() for one in _of_table(lake, table, lives[name], pins[name])]


def collect_garbage(lake: Lake) -> list[Garbage]:
    """Remove it, under the lease; returns what was removed.

    The log is left as it is: a version nobody names stays listed but can no longer be read.

    Raises:
        BusyError: if another process is writing.
        StorageError: if the disk refuses; what was removed stays so.
    """
    with lake.lease("gc", room=0), refusals_in_words("the lake could not be tidied to the end"):
        found = find_garbage(lake)
        for one in found:
            (lake.path / one.file).unlink(missing_ok=True)
        _let_go_of_old(lake.path / ASIDE)
    return found


def _of_table(lake: Lake, table: Table, lives: Mapping[str, tuple[int, int | None]], pins: set[int]) -> list[Garbage]:
    uri = Path(lake.uri(table))
    unneeded = needless(lives, pins)
    found: list[Garbage] = []
    for path in sorted(uri.glob("*.parquet*")):
        if "#" in path.name or path.name not in lives:
            if time() - path.stat().st_mtime > RIPE_SECONDS:
                found.append(_garbage(lake.path, table, path, "no version ever held it"))
        elif path.name in unneeded:
            found.append(_garbage(lake.path, table, path, "only in versions that no run names"))
    return found


def _lives(uri: Path) -> dict[str, tuple[int, int | None]]:
    """File -> the versions that added and removed it, from the whole log."""
    lives: dict[str, tuple[int, int | None]] = {}
    for version in range(max(delta_log.every_version(uri), default=-1) + 1):
        for action in delta_log.actions(delta_log.entry_path(uri, version)):
            if "add" in action:
                lives[unquote(action["add"]["path"])] = (version, None)
            elif "remove" in action:
                name = unquote(action["remove"]["path"])
                lives[name] = (lives[name][0], version)
    return lives


def _let_go_of_old(aside: Path) -> None:
    for folder in aside.iterdir() if aside.is_dir() else ():
        if time() - folder.stat().st_mtime > ASIDE_SECONDS:
            shutil.rmtree(folder, ignore_errors=True)


def _garbage(lake: Path, table: Table, path: Path, why: str) -> Garbage:
    return Garbage(table.name, str(path.relative_to(lake)), path.stat().st_size, why)

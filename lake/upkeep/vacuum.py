"""Vacuum: remove data files that no recorded run refers to, and what crashes left behind."""

from __future__ import annotations

import json
import shutil
from collections.abc import Iterable, Mapping
from dataclasses import dataclass
from pathlib import Path
from time import time
from urllib.parse import unquote

from lake.branches.branch import remove_leftovers
from lake.contract import Table
from lake.storage import delta_log
from lake.storage.atomic import DRAFT
from lake.storage.disk import translate_disk_errors
from lake.storage.file_repair import QUARANTINE
from lake.store import Lake
from lake.tables import TABLES
from lake.tables.control import RUNS

LEFTOVER_SECONDS = 24 * 3600.0
"""Age from which a file that no log entry names counts as a leftover: a writer makes it just before its commit."""
QUARANTINE_SECONDS = 30 * 24 * 3600.0
"""Age from which files in quarantine are removed."""


@dataclass(frozen=True)
class UnneededFile:
    """A file that is not needed."""

    table: str
    file: str
    """Relative to the lake."""
    size: int
    why: str


def find_pinned_versions(lake: Lake) -> dict[str, set[int]]:
    """Table name -> the versions that a run read or wrote, with the published and the newest one.

    Of the control tables it is every version: the chain of publications is verified with the files of `runs`, and
    no run refers to the others.
    """
    pins = {
        name: set(range(lake.newest(table) + 1)) if table.domain == "control" else {lake.newest(table)}
        for name, table in TABLES.items()
    }
    for name, version in lake.published_versions().items():
        pins[name].add(version)
    runs = lake.read(RUNS, columns=("output_table", "output_version", "inputs"))
    for name, version, inputs in runs.select("output_table", "output_version", "inputs").iter_rows():
        if version is not None:
            pins.setdefault(name, set()).add(version)
        for read, pinned in json.loads(inputs).items():
            pins.setdefault(read, set()).add(pinned)
    return pins


def select_unneeded(lives: Mapping[str, tuple[int, int | None]], pins: Iterable[int]) -> set[str]:
    """The files that belong to no pinned version.

    Args:
        lives: file -> the version that added it, and the one that removed it (None while it is still there).
        pins: the versions that have to stay readable.
    """
    pinned = sorted(set(pins))
    return {
        file
        for file, (added, removed) in lives.items()
        if not any(added <= pin and (removed is None or pin < removed) for pin in pinned)
    }


def find_unneeded(lake: Lake) -> list[UnneededFile]:
    """List what could be removed, without touching it.

    Raises:
        DamageError: if a log entry is missing or damaged: it is not known then what the table needs.
    """
    # The logs first: what is committed meanwhile, which needs no lock, is then either pinned or not seen yet.
    lives = {name: _lives(Path(lake.uri(table))) for name, table in TABLES.items()}
    pins = find_pinned_versions(lake)
    found = [one for name, table in TABLES.items() for one in _find_in_table(lake, table, lives[name], pins[name])]
    return found + _find_drafts(lake)


def vacuum(lake: Lake) -> list[UnneededFile]:
    """Remove what `find_unneeded` lists, and return it.

    The log stays as it is: a version that no run refers to remains listed but can no longer be read.

    Raises:
        BusyError: if another process is writing.
        StorageError: if the disk refuses; what was removed stays removed.
    """
    with lake.lock("gc", min_free=0), translate_disk_errors("the lake could not be vacuumed completely"):
        found = find_unneeded(lake)
        for one in found:
            (lake.path / one.file).unlink(missing_ok=True)
        _empty_quarantine(lake.path / QUARANTINE)
        remove_leftovers(lake.path, LEFTOVER_SECONDS)
        lake.exchange.share("gc")
        lake.exchange.prune(LEFTOVER_SECONDS)
    return found


def _find_in_table(
    lake: Lake, table: Table, lives: Mapping[str, tuple[int, int | None]], pins: set[int]
) -> list[UnneededFile]:
    uri = Path(lake.uri(table))
    unneeded = select_unneeded(lives, pins)
    found: list[UnneededFile] = []
    for path in sorted(uri.glob("*.parquet*")):
        if "#" in path.name or path.name not in lives:
            if time() - path.stat().st_mtime > LEFTOVER_SECONDS:
                found.append(_describe(lake.path, table.name, path, "it never belonged to any version"))
        elif path.name in unneeded:
            found.append(_describe(lake.path, table.name, path, "only in versions that no run refers to"))
    return found


def _find_drafts(lake: Lake) -> list[UnneededFile]:
    """What is left of files whose writing a crash cut off."""
    tables = lake.path / "tables"
    found: list[UnneededFile] = []
    for path in sorted(lake.path.rglob(f"*{DRAFT}")):
        if path.is_file() and time() - path.stat().st_mtime > LEFTOVER_SECONDS:
            table = path.relative_to(tables).parts[0] if path.is_relative_to(tables) else ""
            found.append(_describe(lake.path, table, path, "it was never completely written"))
    return found


def _lives(uri: Path) -> dict[str, tuple[int, int | None]]:
    """File -> the versions that added and removed it, from the whole log."""
    lives: dict[str, tuple[int, int | None]] = {}
    for version in range(max(delta_log.all_versions(uri), default=-1) + 1):
        for action in delta_log.read_actions(delta_log.entry_path(uri, version)):
            if "add" in action:
                lives[unquote(action["add"]["path"])] = (version, None)
            elif "remove" in action:
                name = unquote(action["remove"]["path"])
                lives[name] = (lives[name][0], version)
    return lives


def _empty_quarantine(quarantine: Path) -> None:
    for folder in quarantine.iterdir() if quarantine.is_dir() else ():
        if time() - folder.stat().st_mtime > QUARANTINE_SECONDS:
            shutil.rmtree(folder, ignore_errors=True)


def _describe(lake: Path, table: str, path: Path, why: str) -> UnneededFile:
    return UnneededFile(table, str(path.relative_to(lake)), path.stat().st_size, why)

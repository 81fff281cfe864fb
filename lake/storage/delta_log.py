"""A table's Delta log, read and continued without the library: where an entry is, what it says, if it is complete."""

from __future__ import annotations

import json
import os
import re
from collections.abc import Iterable, Mapping
from datetime import UTC, datetime
from functools import lru_cache
from hashlib import sha256
from pathlib import Path
from typing import Any, NamedTuple
from urllib.parse import unquote
from uuid import uuid4

from lake.errors import DamageError

FOLDER = "_delta_log"
ARCHIVE = "_log_archive"
"""Folder of a table with the older part of its log, so that opening the table does not list it. Names with an
underscore are no data."""
APP = "nextgen"
"""One application id for all commits: concurrent ones exclude each other, and checkpoints stay small. An id per run
would stay in every checkpoint for ever."""
METADATA = "nextgen"
"""The key of the recipe in a commit's metadata."""
MAX_KEPT_BYTES = 32_768
"""Size up to which a log entry is parsed once: one that adds few files. Longer ones are read seldom."""
_ENTRY = re.compile(r"(\d{20})\.json")
_NO_ENTRY = (ValueError, KeyError, TypeError, AttributeError, OverflowError, OSError)
"""What reading a damaged entry can raise."""
_CHECKPOINT = re.compile(r"(\d{20})\.checkpoint\.parquet")


def entry_path(uri: str | Path, version: int) -> Path:
    """The log entry of a version, existing or not: in the archive if it is there."""
    name = f"{version:020d}.json"
    old = f"{uri}/{ARCHIVE}/{name}"
    return Path(old if os.path.exists(old) else f"{uri}/{FOLDER}/{name}")  # noqa: PTH110, for thousands


class EntryFile(NamedTuple):
    """What tells a log entry's file from one that took its place."""

    number: int
    size: int
    changed_ns: int


def identify_entry(uri: str | Path, version: int) -> EntryFile | None:
    """The file of a version's log entry as it is now; None where there is none, or it was archived."""
    try:
        found = os.stat(f"{uri}/{FOLDER}/{version:020d}.json")  # noqa: PTH116, for every table of a cycle
    except OSError:
        return None
    return EntryFile(found.st_ino, found.st_size, found.st_mtime_ns)


def archived_entry_path(uri: str | Path, version: int) -> Path:
    """The log entry of a version if it is archived."""
    return Path(f"{uri}/{ARCHIVE}/{version:020d}.json")  # quicker than to join three: a writer asks for thousands


def entry_versions(uri: str | Path) -> list[int]:
    """The versions that have an entry in the log itself, rising; none where there is no table."""
    return _versions(f"{uri}/{FOLDER}", _ENTRY)


def has_entries_alone(uri: str | Path) -> bool:
    """Whether there is neither an archive nor anything but entries in the log, as of a table with few commits."""
    try:
        with os.scandir(f"{uri}/{FOLDER}") as entries:
            names = [entry.name for entry in entries]
    except (FileNotFoundError, NotADirectoryError):
        return False
    return all(map(_ENTRY.fullmatch, names)) and not os.path.exists(f"{uri}/{ARCHIVE}")  # noqa: PTH110, for thousands


def all_versions(uri: str | Path) -> list[int]:
    """The versions that have an entry in the log or in the archive, rising."""
    return sorted({*_versions(f"{uri}/{ARCHIVE}", _ENTRY), *entry_versions(uri)})


def checkpoint_path(uri: str | Path, version: int) -> Path:
    """The checkpoint of a version, existing or not: in the archive if it is only there."""
    name = f"{version:020d}.checkpoint.parquet"
    here, old = Path(uri) / FOLDER / name, Path(uri) / ARCHIVE / name
    return old if not here.exists() and old.exists() else here


def checkpoint_versions(uri: str | Path) -> list[int]:
    """The versions that have a checkpoint in the log itself, rising."""
    return _versions(f"{uri}/{FOLDER}", _CHECKPOINT)


def archived_checkpoints(uri: str | Path) -> list[int]:
    """The versions that have a checkpoint in the archive, rising."""
    return _versions(f"{uri}/{ARCHIVE}", _CHECKPOINT)


def publication_hash(uri: str | Path, version: int) -> str:
    """SHA-256 of a log entry and the data files it added, for the chain that runs through `runs`."""
    digest = sha256(entry_path(uri, version).read_bytes())
    for file in added_files(uri, version):
        digest.update(file.read_bytes())
    return digest.hexdigest()


def commit_entry(uri: str | Path, version: int) -> dict[str, Any]:
    """Read what a commit says of itself.

    Returns:
        version, timestamp (UTC), operation, run_id, recipe ({} if another program made it), and the paths of its files.

    Raises:
        DamageError: if the entry is not complete, naming its file.
    """
    path = entry_path(uri, version)
    found = read_actions(path)
    try:
        info = next(action["commitInfo"] for action in found if "commitInfo" in action)
        recipe = json.loads(info.get(METADATA, "{}"))
        return {
            "version": version,
            "timestamp": datetime.fromtimestamp(info.get("timestamp", 0) / 1000, UTC),
            "operation": info.get("operation", ""),
            "run_id": recipe.get("run_id"),
            "recipe": recipe,
            "files": [action["add"]["path"] for action in found if "add" in action],
        }
    except _NO_ENTRY:
        raise _damage_error(path) from None


def read_actions(path: Path) -> list[dict[str, Any]]:
    """The actions of a log entry; they belong to all who ask, and are not to be changed.

    The storage library reads an empty entry as an empty commit, and one truncated after a complete line as a smaller
    commit; here both are damage.

    Raises:
        DamageError: naming the file, if it is missing, cut short, or not a log entry at all.
    """
    try:
        content = path.read_bytes()
        return (_parse_small if len(content) <= MAX_KEPT_BYTES else _parse)(content)
    except FileNotFoundError:
        raise DamageError(f"the log entry {path} is missing; restore it from a backup") from None
    except _NO_ENTRY:
        raise _damage_error(path) from None


def _parse(content: bytes) -> list[dict[str, Any]]:
    """The actions that a log entry's bytes stand for.

    Raises:
        ValueError: if they are not a complete entry; other errors of `_NO_ENTRY` where they are no entry at all.
    """
    found = [json.loads(line) for line in content.splitlines()]
    if not (found and all(isinstance(action, dict) and action for action in found) and _is_complete(found)):
        raise ValueError("the entry is not complete")
    return found


@lru_cache(maxsize=256)
def _parse_small(content: bytes) -> list[dict[str, Any]]:
    """Kept, because a writer asks several times for the same entries; by their bytes, so damage is always seen."""
    return _parse(content)


def add_entry(uri: str | Path, version: int, actions: Iterable[Mapping[str, Any]]) -> None:
    """Make the actions the log entry of a version, in one step; a name with `#` is a draft that a crash left.

    Raises:
        FileExistsError: if the version has an entry: another process was first.
        OSError: if the disk refuses.
    """
    entry = f"{uri}/{FOLDER}/{version:020d}.json"
    draft = Path(f"{entry}#{uuid4()}")
    try:
        draft.write_text("".join(f"{json.dumps(action)}\n" for action in actions), encoding="utf-8")
        os.link(draft, entry)
    finally:
        draft.unlink(missing_ok=True)


def added_files(uri: str | Path, version: int) -> dict[Path, int]:
    """The data files that a commit added, with their sizes in bytes as it recorded them."""
    path = entry_path(uri, version)
    try:
        found = [action["add"] for action in read_actions(path) if "add" in action]
        return {Path(uri) / unquote(add["path"]): int(add["size"]) for add in found}
    except _NO_ENTRY:
        raise _damage_error(path) from None


def commit_paths(uri: str | Path, version: int, added: Iterable[str]) -> list[Path]:
    """The data files of a commit, named as in its entry, and the entry itself."""
    root = Path(uri)
    return [*(root / unquote(name) for name in added), root / FOLDER / f"{version:020d}.json"]


def _damage_error(path: Path) -> DamageError:
    return DamageError(f"the log entry {path} is damaged; restore it from a backup")


def _is_complete(found: list[dict[str, Any]]) -> bool:
    """Whether the entry has as many files as it says it added, and what our commits end with."""
    infos = [action["commitInfo"] for action in found if "commitInfo" in action]
    if len(infos) != 1:
        return False
    metrics = infos[0].get("operationMetrics") or {}
    counts = {kind: sum(kind in action for action in found) for kind in ("add", "remove", "txn", "metaData")}
    for kind, name in (("add", "num_added_files"), ("remove", "num_removed_files")):
        if name in metrics and int(metrics[name]) != counts[kind]:
            return False
    if infos[0].get("operation") == "CREATE TABLE":
        return counts["metaData"] == 1
    return METADATA not in infos[0] or counts["txn"] == 1


def _versions(folder: str, pattern: re.Pattern[str]) -> list[int]:
    try:
        with os.scandir(folder) as entries:  # names alone: a log can have thousands
            names = [entry.name for entry in entries]
    except (FileNotFoundError, NotADirectoryError):
        return []
    return sorted(int(match[1]) for name in names if (match := pattern.fullmatch(name)))

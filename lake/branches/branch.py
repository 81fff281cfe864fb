"""A branch: a lake of its own inside another's folder, that shares its files up to a publication and writes beside it.

Whoever opens the branch's folder has a lake like any other, with a writer lock of its own, so that nothing done there
waits for the lake it came from, or touches it.
"""

from __future__ import annotations

import re
import shutil
from collections.abc import Collection
from dataclasses import dataclass
from datetime import UTC, date, datetime
from pathlib import Path
from time import time
from typing import Any
from uuid import uuid4

from lake.access import make_private_folder
from lake.branches.fork_point import ForkPoint, find_fork_point
from lake.branches.links import link_table
from lake.errors import BranchError, BusyError, NoSuchError
from lake.migrations.run import migrate, plan_migration
from lake.storage.atomic import fsync_files, fsync_folders, write_atomic
from lake.storage.checksums import CHECKSUMS, dump_checksummed, load_checksummed
from lake.storage.commit_pointer import HEAD, CommitPointer, write_pointer
from lake.storage.delta_log import FOLDER, publication_hash
from lake.storage.disk import translate_disk_errors
from lake.storage.lock import WRITER_LOCK, find_holder
from lake.storage.manifest import MANIFEST, read_created_at, write_manifest
from lake.store import Lake
from lake.tables import TABLES
from lake.tables.control import RUNS

BRANCHES = "branches"
"""Folder of a lake with its branches, each a lake."""
RECORD = "branch.json"
"""File that makes a lake a branch, and says where it left its parent."""
MAIN = "main"
"""What the lake itself is called among its branches."""
PENDING = "."
"""How the names of folders begin that are being made or taken away; what a crash left of one means nothing."""
CONFIG = "nextgen.toml"
"""The configuration file of a lake; a branch has its own from then on."""
OWN_FILES = (MANIFEST, HEAD, RECORD)
"""Files of a lake that a branch has of its own."""
NAME = re.compile(r"[a-z0-9][a-z0-9._-]{0,59}")


@dataclass(frozen=True, kw_only=True)
class Branch:
    """Where a branch is and what it rests on."""

    name: str
    path: Path
    session: date | None
    """The last session whose cycle it took over; None where there was none."""
    created_at: datetime
    """Wall clock."""
    reason: str
    parent_created_at: str
    """When its lake was made, which tells that from any other."""
    versions: dict[str, int]
    """Table -> the version that it took over."""
    config_at_fork: str
    """The configuration file that it took over; empty where there was none."""
    named: frozenset[str] = frozenset()
    """Settings that it was made to try, by dotted key, whatever they were before."""


def check_name(name: str) -> str:
    """Return the name, if a branch can be called so.

    Raises:
        BranchError: saying how to write it.
    """
    if name == MAIN:
        raise BranchError(f"{MAIN} is the lake itself; choose another name for the branch")
    if not NAME.fullmatch(name):
        raise BranchError(
            f"{name!r} cannot be the name of a branch; write up to 60 small letters, digits, dots, dashes and"
            " underscores, beginning with a letter or digit"
        )
    return name


def create_branch(
    lake: Lake,
    name: str,
    *,
    session: date | None = None,
    reason: str = "",
    migrates: bool = True,
    named: Collection[str] = (),
) -> Branch:
    """Make a branch of what is published now, or was just after a session's cycle.

    Its folder gets its name last: a crash before leaves nothing that anyone sees. No lock is needed, for what is
    published does not change.

    Args:
        lake: the parent; a branch of a branch is made in its own folder.
        name: small letters, digits, dots, dashes, underscores.
        session: after whose cycle it leaves; now where None.
        reason: why, for the record.
        migrates: whether tables of a session before a migration get the columns of today at once; what follows its
            parent commit by commit does that where it goes its own way.
        named: settings that it is made to try, by dotted key.

    Raises:
        BranchError: if there is such a branch, or it cannot be called so.
        NoSuchError: if no cycle of the session is published.
        DamageError: naming the file of the lake that is missing.
        StorageError: if the disk refuses, or its file system cannot link.
    """
    path = lake.path / BRANCHES / check_name(name)
    if path.exists():
        raise BranchError(f"there is a branch {name} already; choose another name, or discard it first")
    lake.exchange.fetch_all()  # a branch has the same files, and nobody to fetch them from
    fork = find_fork_point(lake, session)
    draft = path.with_name(f"{PENDING}making-{name}-{uuid4().hex[:8]}")
    with translate_disk_errors(f"the branch {name} could not be made"):
        try:
            _build(lake, draft, fork)
            if migrates and plan_migration(made := Lake(draft, lake.formats)):
                migrate(made)
            _write_record(lake, draft, name, fork, reason, named)
            draft.rename(path)
        except BaseException:  # whatever ended it, an interrupt too, nothing half made is left
            shutil.rmtree(draft, ignore_errors=True)
            raise
        fsync_folders([path.parent, lake.path])
    return read_branch(path)


def list_branches(lake: Path) -> list[Branch]:
    """Return the branches of the lake at a path, the oldest first."""
    folder = lake / BRANCHES
    found = sorted(folder.iterdir()) if folder.is_dir() else []
    branches = [read_branch(one) for one in found if not one.name.startswith(PENDING) and (one / RECORD).exists()]
    return sorted(branches, key=lambda one: (one.created_at, one.name))


def find_branch(lake: Path, name: str) -> Branch:
    """Return the branch of that name.

    Raises:
        NoSuchError: if there is none, naming those that there are.
        BranchError: if no branch can be called so.
    """
    path = lake / BRANCHES / check_name(name)
    if not (path / RECORD).exists():
        names = ", ".join(one.name for one in list_branches(lake)[:10])
        raise NoSuchError(f"there is no branch {name}; " + (f"choose from {names}" if names else "this lake has none"))
    return read_branch(path)


def discard_branch(lake: Path, name: str) -> int:
    """Take a branch away, and return the bytes that no other lake has; nothing of its parent is touched.

    It loses its name first: a crash after that leaves nothing that anyone sees, and `remove_leftovers` the rest.

    Raises:
        NoSuchError: if there is no such branch.
        BusyError: if somebody writes to it, or it has branches of its own that would go with it.
    """
    branch = find_branch(lake, name)
    if holder := find_holder(branch.path / WRITER_LOCK):
        raise BusyError(f"the branch {name} is being written by {holder}; wait for it, or stop it")
    if inner := list_branches(branch.path):
        raise BusyError(f"the branch {name} has branches of its own ({inner[0].name}, ...); discard them first")
    freed = own_bytes(branch.path)
    gone = branch.path.with_name(f"{PENDING}discarded-{name}-{uuid4().hex[:8]}")
    with translate_disk_errors(f"the branch {name} could not be discarded"):
        branch.path.rename(gone)
        fsync_folders([gone.parent])  # before its files go: they must not lack under its name after a power cut
        shutil.rmtree(gone)
    return freed


def remove_leftovers(lake: Path, min_age_seconds: float) -> int:
    """Remove what a crash left of branches in the making or being discarded, and return how many there were.

    Args:
        lake: its folder.
        min_age_seconds: younger ones may be in the making.
    """
    folder = lake / BRANCHES
    left = [one for one in folder.iterdir() if one.name.startswith(PENDING)] if folder.is_dir() else []
    old = [one for one in left if time() - one.stat().st_mtime >= min_age_seconds]
    for one in old:
        shutil.rmtree(one, ignore_errors=True)
    return len(old)


def own_bytes(path: Path) -> int:
    """Return the bytes of a branch's files that have no other name, so that they would be free without it."""
    stats = (file.stat() for file in path.rglob("*") if file.is_file())
    return sum(stat.st_size for stat in stats if stat.st_nlink == 1)


def read_branch(path: Path) -> Branch:
    """Return what the record in a branch's folder says.

    Raises:
        BranchError: if it is damaged.
    """
    try:
        content = load_checksummed((path / RECORD).read_bytes())
        told = content["session"]
        return Branch(
            name=str(content["name"]),
            path=path,
            session=date.fromisoformat(told) if told else None,
            created_at=datetime.fromisoformat(content["created_at"]),
            reason=str(content["reason"]),
            parent_created_at=str(content["parent_created_at"]),
            versions={str(table): int(version) for table, version in content["versions"].items()},
            config_at_fork=str(content["config"]),
            named=frozenset(map(str, content.get("named", ()))),
        )
    except (ValueError, KeyError, TypeError, AttributeError):
        raise BranchError(f"{path / RECORD} is damaged; discard the branch by removing {path}") from None


def read_config(lake: Path) -> str:
    """Return the configuration file of the lake at a path; empty where there is none."""
    path = lake / CONFIG
    return path.read_text(encoding="utf-8") if path.is_file() else ""


# ---- inner workings


def _build(lake: Lake, draft: Path, fork: ForkPoint) -> None:
    """The tables of the fork point in a folder that is a lake at the end."""
    make_private_folder(draft)
    draft.chmod(lake.path.stat().st_mode & 0o7777)
    for name, version in fork.versions.items():
        link_table(Path(lake.uri(TABLES[name])), draft / "tables" / name, 0, version)
    runs, version = draft / "tables" / RUNS.name, fork.versions[RUNS.name]
    write_pointer(draft, CommitPointer(version, publication_hash(runs, version) if version else ""))
    # The configuration, plugins beside it, and what a demo keeps there.
    beside = [one for one in lake.path.iterdir() if one.is_file() and one.name not in OWN_FILES]
    copied = [Path(shutil.copy2(one, draft)) for one in beside if not one.name.startswith(PENDING)]
    # What the files of tables say is on the disk long since; their new names are not.
    tables = [draft / "tables" / name for name in fork.versions]
    fsync_folders([draft / "tables", *(one / part for one in tables for part in (".", FOLDER, CHECKSUMS))])
    fsync_files(copied)
    write_manifest(draft)


def _write_record(lake: Lake, draft: Path, name: str, fork: ForkPoint, reason: str, named: Collection[str]) -> None:
    record: dict[str, Any] = {
        "name": name,
        "session": fork.session.isoformat() if fork.session else "",
        "created_at": datetime.now(UTC).isoformat(),
        "reason": reason,
        "parent_created_at": read_created_at(lake.path),
        "versions": fork.versions,
        "config": read_config(lake.path),
        "named": sorted(named),
    }
    write_atomic(draft / RECORD, dump_checksummed(record))

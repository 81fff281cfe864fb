"""Who may read a lake: its folder's mode says so, and whatever is made in it, or from it, is open to nobody else."""

from __future__ import annotations

import os
import stat
from collections.abc import Iterator
from contextlib import suppress
from pathlib import Path
from typing import Literal

from lake.storage.atomic import replace_atomic

Sharing = Literal["private", "group"]
FOLDER_MODES: dict[str, int] = {"private": 0o700, "group": 0o2770}
"""Sharing -> mode of every folder in the lake. With setgid, what is made in a folder belongs to the folder's group."""
GROUP = 0o070
OTHERS = 0o007
OWN_FILE = 0o600
OWN_FOLDER = 0o700


def follow_access(folder: Path) -> None:
    """Let this process make files that are as open as a lake's folder, whatever mask of modes it was started with.

    Nobody but owner and group is ever let write; where there is no folder yet, all that is made is the owner's alone.
    """
    os.umask(0o777 & ~_mode(folder, OWN_FOLDER) & (GROUP | OTHERS) | 0o002)


def keep_private() -> None:
    """Let this process make files for its user alone, until it knows which lake it works for."""
    os.umask(GROUP | OTHERS)


def make_lake_folder(path: Path) -> None:
    """Make a folder for a lake, private; one that is there and has the setgid bit stays open to its group.

    Raises:
        OSError: if it cannot be made.
    """
    make_private_folder(path)
    shared = stat.S_IMODE(path.stat().st_mode) & stat.S_ISGID
    with suppress(PermissionError):  # somebody else's folder, lent to us as it is
        path.chmod(FOLDER_MODES["group" if shared else "private"])
    follow_access(path)


def make_private_folder(path: Path) -> None:
    """Make a folder, and those above it that are missing, for the owner alone; one that is there stays as it is.

    Raises:
        OSError: if it cannot be made.
    """
    for folder in [one for one in (*reversed(path.absolute().parents), path) if not one.exists()]:
        folder.mkdir(mode=OWN_FOLDER, exist_ok=True)
        folder.chmod(OWN_FOLDER)  # the mask may have taken rights from the owner too


def set_access(lake: Path, sharing: Sharing) -> int:
    """Give every file and folder of a lake the modes of a sharing; nothing is done where its folder has them.

    The lake's folder comes last: cut off before, the next call does the rest. Files of other members stay as they are.

    Returns:
        How many files and folders were changed; 0 too where the folder is another user's.
    """
    found = lake.stat()
    if stat.S_IMODE(found.st_mode) == FOLDER_MODES[sharing] or os.geteuid() not in (0, found.st_uid):
        return 0
    changed = 0
    for path in _contents(lake):
        with suppress(FileNotFoundError, PermissionError):
            _change(path, sharing, found.st_gid)
            changed += 1
    follow_access(lake)
    return changed


def write_output(path: Path, content: str) -> None:
    """Write a file outside the lake that tells of what is in it: the owner's alone, unless it replaces a more open one.

    Raises:
        OSError: if it cannot be written.
    """
    with replace_atomic(path) as draft:
        descriptor = os.open(draft, os.O_WRONLY | os.O_CREAT | os.O_EXCL | os.O_CLOEXEC, OWN_FILE)
        with os.fdopen(descriptor, "w", encoding="utf-8") as file:
            os.fchmod(descriptor, _mode(path, OWN_FILE))
            file.write(content)


def _contents(lake: Path) -> Iterator[Path]:
    """What is in the lake, links left out, each folder after what it holds and the lake's own last."""
    for folder, _, files in os.walk(lake, topdown=False):
        yield from (path for name in files if not (path := Path(folder, name)).is_symlink())
        yield Path(folder)


def _change(path: Path, sharing: Sharing, group: int) -> None:
    folder = path.is_dir()
    if sharing == "group" and path.stat().st_gid != group:
        os.chown(path, -1, group)
    path.chmod(FOLDER_MODES[sharing] if folder else FOLDER_MODES[sharing] & 0o660)


def _mode(path: Path, otherwise: int) -> int:
    """The permissions of a path, setgid left out; those given where it is not there."""
    try:
        return stat.S_IMODE(path.stat().st_mode) & 0o777
    except OSError:
        return otherwise

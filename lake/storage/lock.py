"""Locks that one process at a time can hold, the writer lock of a lake among them: kernel locks that die with their
holder, each with a file that names the holder.

The holder file is complete and locked before anybody can see it. So one that is locked names the present holder, one
that is not was left by a process that died, and whoever only looks never keeps anybody from taking the lock.
"""

from __future__ import annotations

import errno
import fcntl
import json
import os
import socket
import stat
from collections.abc import Iterator
from contextlib import ExitStack, contextmanager, suppress
from datetime import UTC, datetime
from pathlib import Path
from time import sleep

from lake.errors import BusyError
from lake.storage.atomic import replace_atomic
from lake.storage.disk import as_storage_error

WRITER_LOCK = ".writer.lock"
"""In the lake's folder; its holder is the lake's one writer."""
WRITER_HOLDER = ".writer.holder"
TRIES = 100
"""Looks, a hundredth of a second apart, at a lock that is taken before its holder stays unnamed."""


# ---- the writer lock of a lake


@contextmanager
def writer_lock(lake: Path, purpose: str) -> Iterator[bool]:
    """Hold the lake's writer lock for the block.

    Yields:
        Whether the last holder released it; False after a crash, when its holder file is still there.

    Raises:
        BusyError: at once, naming the holder, if another process has it.
        StorageError: if the folder cannot be written.
    """
    with ExitStack() as stack:
        try:
            released = stack.enter_context(hold_lock(lake / WRITER_LOCK, purpose))
        except BusyError as holder:
            raise BusyError(f"the lake at {lake} is being written by {holder}; try again later") from None
        except OSError as error:
            raise as_storage_error(error, f"the lake at {lake} cannot be written") from error
        yield released


def can_be_locked(lake: Path) -> bool:
    """Whether this user can be the lake's writer, as its disk and the modes of its files have it."""
    lock = lake / WRITER_LOCK
    return os.access(lake, os.W_OK) and (not lock.exists() or os.access(lock, os.R_OK | os.W_OK))


def writer_died(lake: Path) -> bool:
    """Whether the last writer ended without releasing the lock, and nobody has written since."""
    return holder_died(lake / WRITER_LOCK)


# ---- any lock


@contextmanager
def hold_lock(lock: Path, purpose: str) -> Iterator[bool]:
    """Hold a lock for the block.

    Args:
        lock: its file, made if it is not there.
        purpose: what for; others who want the lock are told.

    Yields:
        Whether the last holder released it; False after a crash, when its holder file is still there.

    Raises:
        BusyError: at once, its text naming the holder, if another process has the lock.
        OSError: if the folder cannot be written.
    """
    descriptor = _open(lock, lock.parent)
    try:
        _acquire(descriptor, lock)
        released = not holder_file(lock).exists()
        holder = _write_holder(lock, purpose)
        try:
            yield released
            holder_file(lock).unlink(missing_ok=True)
        finally:
            os.close(holder)
    finally:
        os.close(descriptor)


def find_holder(lock: Path) -> str:
    """Describe who holds the lock now; empty if nobody does."""
    found = _read_holder(lock)
    return _describe(found[0]) if found and found[1] else ""


def holder_died(lock: Path) -> bool:
    """Whether the last holder ended without releasing the lock, and nobody has taken it since."""
    found = _read_holder(lock)
    return found is not None and not found[1]


def holder_file(lock: Path) -> Path:
    """The file that names the holder while the lock is held, and after a crash."""
    return lock.with_suffix(".holder")


def _acquire(descriptor: int, lock: Path) -> None:
    for _ in range(TRIES):
        if _try_flock(descriptor, fcntl.LOCK_EX):
            return
        if holder := find_holder(lock):
            raise BusyError(holder)
        sleep(0.01)  # it is writing its holder file, or releasing the lock
    raise BusyError("another process")


def _write_holder(lock: Path, purpose: str) -> int:
    """Put the holder file in place in one step, with its own lock, which lasts as long as the descriptor returned."""
    since = datetime.now(UTC).isoformat(timespec="seconds")
    content = {"pid": os.getpid(), "host": socket.gethostname(), "purpose": purpose, "since": since}
    with ExitStack() as undo:
        with replace_atomic(holder_file(lock), durable=False) as draft:
            descriptor = _open(draft, lock.parent)
            undo.callback(os.close, descriptor)
            fcntl.flock(descriptor, fcntl.LOCK_EX)
            with _ignore_full_disk():
                os.write(descriptor, json.dumps(content).encode())
        undo.pop_all()
    return descriptor


@contextmanager
def _ignore_full_disk() -> Iterator[None]:
    """An empty holder file excludes others just as well, and whoever frees space has to hold the lock to do so."""
    try:
        yield
    except OSError as error:
        if error.errno not in (errno.ENOSPC, errno.EDQUOT):
            raise


def _read_holder(lock: Path) -> tuple[str, bool] | None:
    """The content of the holder file, and whether its writer lives; None where there is no such file."""
    try:
        descriptor = os.open(holder_file(lock), os.O_RDONLY | os.O_CLOEXEC)
    except (FileNotFoundError, NotADirectoryError):
        return None
    except PermissionError:  # another user's, who kept it to himself; the kernel tells whether he lives all the same
        return "", _is_locked(holder_file(lock))
    try:
        return os.pread(descriptor, 4096, 0).decode(errors="replace"), not _try_flock(descriptor, fcntl.LOCK_SH)
    finally:
        os.close(descriptor)


def _open(path: Path, folder: Path) -> int:
    """Open a file to be locked; a new one is as open as its folder, so that whoever shares the folder can look."""
    try:
        descriptor = os.open(path, os.O_RDWR | os.O_CREAT | os.O_EXCL | os.O_CLOEXEC, 0o600)
    except FileExistsError:
        return os.open(path, os.O_RDWR | os.O_CREAT | os.O_CLOEXEC, 0o600)
    os.fchmod(descriptor, 0o600 | stat.S_IMODE(folder.stat().st_mode) & 0o064)
    return descriptor


def _is_locked(path: Path) -> bool:
    """Whether some process has the file locked, by the kernel's own list; True where there is no such list."""
    try:
        inode = path.stat().st_ino
        lines = Path("/proc/locks").read_text(encoding="ascii").splitlines()
    except FileNotFoundError as error:
        return bool(error.filename == "/proc/locks")
    # 1: FLOCK ADVISORY WRITE pid major:minor:inode start end
    locks = [line.split() for line in lines]
    return any(words[1] == "FLOCK" and words[-3].endswith(f":{inode}") for words in locks)


def _try_flock(descriptor: int, kind: int) -> bool:
    with suppress(BlockingIOError):
        fcntl.flock(descriptor, kind | fcntl.LOCK_NB)
        return True
    return False


def _describe(holder: str) -> str:
    try:
        values = json.loads(holder)
        return f"process {values['pid']} on {values['host']} ({values['purpose']}, since {values['since']})"
    except (ValueError, KeyError, TypeError):
        return "another process"

"""A post that one process at a time can hold: a kernel lock that dies with its holder, and a note naming the holder.

The note is whole and locked before anybody can see it. So a note that is locked names who holds the post now, one that
is not was left by the dead, and whoever only looks never keeps anybody from taking the post.
"""

from __future__ import annotations

import errno
import fcntl
import json
import os
import socket
from collections.abc import Iterator
from contextlib import ExitStack, contextmanager, suppress
from datetime import UTC, datetime
from pathlib import Path
from time import sleep

from lake.errors import BusyError
from lake.storage.atomic import replace_atomic

TRIES = 100
"""Looks, a hundredth of a second apart, at a post that is taken before its holder stays unnamed."""


@contextmanager
def held(lock: Path, purpose: str) -> Iterator[bool]:
    """Hold the post for the block.

    Args:
        lock: its file, made if it is not there.
        purpose: what for, told to others who want it.

    Yields:
        Whether the last holder gave it back; False after a crash, when its note is still there.

    Raises:
        BusyError: at once, its text naming the holder, if another has the post.
        OSError: if the folder cannot be written.
    """
    descriptor = os.open(lock, os.O_RDWR | os.O_CREAT | os.O_CLOEXEC, 0o600)
    try:
        _take(descriptor, lock)
        tidy = not note_of(lock).exists()
        note = _sign(lock, purpose)
        try:
            yield tidy
            note_of(lock).unlink(missing_ok=True)
        finally:
            os.close(note)
    finally:
        os.close(descriptor)


def holder(lock: Path) -> str:
    """Who holds the post now, in words; empty if nobody does."""
    found = _note(lock)
    return _in_words(found[0]) if found and found[1] else ""


def left_behind(lock: Path) -> bool:
    """Whether the last holder ended without giving the post back, and nobody has taken it since."""
    found = _note(lock)
    return found is not None and not found[1]


def note_of(lock: Path) -> Path:
    """Where the holder's note lies while the post is held, and after a crash."""
    return lock.with_suffix(".holder")


def _take(descriptor: int, lock: Path) -> None:
    for _ in range(TRIES):
        if _locked(descriptor, fcntl.LOCK_EX):
            return
        if named := holder(lock):
            raise BusyError(named)
        sleep(0.01)  # it signs in this moment, or it is leaving
    raise BusyError("another process")


def _sign(lock: Path, purpose: str) -> int:
    """Put the note in place in one step, with its lock, which lasts as long as the descriptor that is returned."""
    since = datetime.now(UTC).isoformat(timespec="seconds")
    words = {"pid": os.getpid(), "host": socket.gethostname(), "purpose": purpose, "since": since}
    with ExitStack() as undo:
        with replace_atomic(note_of(lock), durable=False) as draft:
            descriptor = os.open(draft, os.O_RDWR | os.O_CREAT | os.O_CLOEXEC, 0o600)
            undo.callback(os.close, descriptor)
            fcntl.flock(descriptor, fcntl.LOCK_EX)
            with _though_full():
                os.write(descriptor, json.dumps(words).encode())
        undo.pop_all()
    return descriptor


@contextmanager
def _though_full() -> Iterator[None]:
    """A note without words bars others all the same, and whoever gives room back has to hold the post for it."""
    try:
        yield
    except OSError as error:
        if error.errno not in (errno.ENOSPC, errno.EDQUOT):
            raise


def _note(lock: Path) -> tuple[str, bool] | None:
    """What the note says, and whether its writer lives; None where there is no note."""
    try:
        descriptor = os.open(note_of(lock), os.O_RDONLY | os.O_CLOEXEC)
    except (FileNotFoundError, NotADirectoryError):
        return None
    try:
        return os.pread(descriptor, 4096, 0).decode(errors="replace"), not _locked(descriptor, fcntl.LOCK_SH)
    finally:
        os.close(descriptor)


def _locked(descriptor: int, kind: int) -> bool:
    with suppress(BlockingIOError):
        fcntl.flock(descriptor, kind | fcntl.LOCK_NB)
        return True
    return False


def _in_words(note: str) -> str:
    try:
        values = json.loads(note)
        return f"process {values['pid']} on {values['host']} ({values['purpose']}, since {values['since']})"
    except (ValueError, KeyError, TypeError):
        return "another process"

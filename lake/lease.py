"""One writer at a time: a kernel lock that dies with its holder, and a note saying who holds it."""

from __future__ import annotations

import fcntl
import json
import os
import socket
from collections.abc import Iterator
from contextlib import contextmanager
from datetime import UTC, datetime
from pathlib import Path
from time import sleep

from lake.errors import BusyError
from lake.storage import in_words

LOCK = ".writer.lock"
NOTE_TRIES = 100
"""Looks at the note, a hundredth of a second apart, before its holder stays unnamed."""


@contextmanager
def writer_lease(lake: Path, purpose: str) -> Iterator[bool]:
    """Hold the lake's writer lease for the block.

    Yields:
        Whether the last holder gave it back; False after a crash, when its note is still there.

    Raises:
        BusyError: at once, naming the holder, if another process has it.
        StorageError: if the folder cannot be written.
    """
    try:
        descriptor = os.open(lake / LOCK, os.O_RDWR | os.O_CREAT | os.O_CLOEXEC, 0o600)
    except OSError as error:
        raise in_words(error, f"the lake at {lake} cannot be written") from error
    try:
        try:
            fcntl.flock(descriptor, fcntl.LOCK_EX | fcntl.LOCK_NB)
        except BlockingIOError:
            raise BusyError(f"the lake at {lake} is being written by {_holder(descriptor)}; try again later") from None
        tidy = os.fstat(descriptor).st_size == 0
        _sign(descriptor, purpose)
        yield tidy
        os.ftruncate(descriptor, 0)
    finally:
        os.close(descriptor)


def left_untidy(lake: Path) -> bool:
    """Whether the last writer ended without giving the lease back, and nobody has written since."""
    try:
        descriptor = os.open(lake / LOCK, os.O_RDONLY | os.O_CLOEXEC)
    except FileNotFoundError:
        return False
    try:
        fcntl.flock(descriptor, fcntl.LOCK_SH | fcntl.LOCK_NB)
        return os.fstat(descriptor).st_size > 0
    except BlockingIOError:
        return False
    finally:
        os.close(descriptor)


def _sign(descriptor: int, purpose: str) -> None:
    note = {
        "pid": os.getpid(),
        "host": socket.gethostname(),
        "purpose": purpose,
        "since": datetime.now(UTC).isoformat(),
    }
    os.ftruncate(descriptor, 0)
    os.pwrite(descriptor, json.dumps(note).encode(), 0)


def _holder(descriptor: int) -> str:
    """Who holds the lease, by the note that is written a moment after the lock is taken."""
    for _ in range(NOTE_TRIES):
        try:
            note = json.loads(os.pread(descriptor, 4096, 0))
            return f"process {note['pid']} on {note['host']} ({note['purpose']}, since {note['since']})"
        except (ValueError, KeyError):
            sleep(0.01)
    return "another process"

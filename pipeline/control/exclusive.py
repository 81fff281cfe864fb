"""One daemon per lake: a kernel lock that dies with its holder, and a note saying who holds it."""

from __future__ import annotations

import fcntl
import json
import os
from collections.abc import Iterator
from contextlib import contextmanager
from datetime import UTC, datetime
from pathlib import Path

from lake.errors import BusyError

LOCK = "daemon.lock"


@contextmanager
def the_only_daemon(control: Path) -> Iterator[None]:
    """Be the lake's daemon for the block.

    Raises:
        BusyError: at once, naming the other, if there is one.
    """
    control.mkdir(parents=True, exist_ok=True)
    descriptor = os.open(control / LOCK, os.O_RDWR | os.O_CREAT | os.O_CLOEXEC, 0o600)
    try:
        try:
            fcntl.flock(descriptor, fcntl.LOCK_EX | fcntl.LOCK_NB)
        except BlockingIOError:
            note = os.pread(descriptor, 4096, 0).decode(errors="replace")
            raise BusyError(f"this lake has a daemon already: {_holder(note)}; stop it first") from None
        os.ftruncate(descriptor, 0)
        note = json.dumps({"pid": os.getpid(), "since": datetime.now(UTC).isoformat(timespec="seconds")})
        os.pwrite(descriptor, note.encode(), 0)
        yield
    finally:
        os.close(descriptor)


def daemon_present(control: Path) -> bool:
    """Whether a daemon holds the lock now."""
    try:
        descriptor = os.open(control / LOCK, os.O_RDONLY | os.O_CLOEXEC)
    except FileNotFoundError:
        return False
    try:
        fcntl.flock(descriptor, fcntl.LOCK_SH | fcntl.LOCK_NB)
    except BlockingIOError:
        return True
    finally:
        os.close(descriptor)
    return False


def _holder(note: str) -> str:
    try:
        values = json.loads(note)
        return f"process {values['pid']}, since {values['since']}"
    except (ValueError, KeyError, TypeError):
        return "another process"

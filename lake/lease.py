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

from lake.errors import BusyError

LOCK = ".writer.lock"


@contextmanager
def writer_lease(lake: Path, purpose: str) -> Iterator[None]:
    """Hold the lake's writer lease for the block.

    Raises:
        BusyError: at once, naming the holder, if another process has it.
    """
    descriptor = os.open(lake / LOCK, os.O_RDWR | os.O_CREAT | os.O_CLOEXEC, 0o600)
    try:
        try:
            fcntl.flock(descriptor, fcntl.LOCK_EX | fcntl.LOCK_NB)
        except BlockingIOError:
            raise BusyError(f"the lake at {lake} is being written by {_holder(descriptor)}; try again later") from None
        _sign(descriptor, purpose)
        yield
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
    try:
        note = json.loads(os.pread(descriptor, 4096, 0))
        return f"process {note['pid']} on {note['host']} ({note['purpose']}, since {note['since']})"
    except (ValueError, KeyError):
        return "another process"

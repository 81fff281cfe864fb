"""Disks that are full, read-only or failing: check before a write, and name the cause when one refuses."""

from __future__ import annotations

import errno
import os
import shutil
from collections.abc import Iterator
from contextlib import contextmanager
from pathlib import Path
from typing import TYPE_CHECKING

from lake.errors import LakeError, StorageError

if TYPE_CHECKING:  # programs that only ask who holds the lake start without the libraries
    import polars as pl

MIN_FREE_BYTES = 64 * 1024 * 1024
"""Bytes that have to be free before a writer begins: about twice what a session of 500 names adds. A tiny commit may
still succeed on a disk where the next, larger one fails."""
MIN_COMMIT_BYTES = 1024 * 1024
"""Bytes that a commit of a few rows may take, with its log entry and its checksums."""
_REFUSALS = {
    errno.ENOSPC: ("No space left on device", "free some space"),
    errno.EDQUOT: ("Disk quota exceeded", "free some space"),
    errno.EROFS: ("Read-only file system", "make it writable"),
    errno.EACCES: ("Permission denied", "make the folder writable"),
    errno.EIO: ("Input/output error", "check the disk"),
}


def as_storage_error(error: Exception, what: str) -> Exception:
    """Turn what the disk refused, named by the system or quoted by a library, into a storage error; else return it."""
    number = error.errno if isinstance(error, OSError) else None
    for code, (message, fix) in _REFUSALS.items():
        if code == number or message.lower() in str(error).lower():
            return StorageError(f"{what}: {message.lower()}; {fix} and try again, nothing that was published is lost")
    return error


@contextmanager
def translate_disk_errors(what: str) -> Iterator[None]:
    """Raise what the disk refuses within the block as a storage error; other errors pass unchanged.

    Raises:
        StorageError: if the disk refused.
    """
    try:
        yield
    except LakeError:
        raise
    except Exception as error:  # libraries report a full disk with errors of many kinds
        if (refusal := as_storage_error(error, what)) is error:
            raise
        raise refusal from error


def estimate_space(rows: pl.DataFrame) -> int:
    """Bytes that have to be free before rows are committed: more than they take on disk."""
    return MIN_COMMIT_BYTES + int(rows.estimated_size())


def require_free_space(path: Path, min_free: int = MIN_FREE_BYTES, what: str = "a run") -> None:
    """Refuse to begin a write on a disk that is nearly full: the storage library would panic on stderr at exit.

    Raises:
        StorageError: saying how much is free and how much is needed.
    """
    free = shutil.disk_usage(path).free
    if free < min_free:
        raise StorageError(
            f"only {free / 1e6:.0f} MB are free at {path} and {what} needs {min_free / 1e6:.0f} MB; "
            "free some space, nothing was written"
        )


def require_writable(path: Path) -> None:
    """Refuse to begin a write in a read-only folder: the storage library would panic on stderr at exit.

    Raises:
        StorageError: if the folder cannot be written.
    """
    if not os.access(path, os.W_OK):
        raise StorageError(f"the lake at {path} cannot be written: make the folder writable, or use another lake")

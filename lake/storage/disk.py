"""What the disk can do to us, in words: full, read-only, failing."""

from __future__ import annotations

import errno
import os
import shutil
from collections.abc import Iterator
from contextlib import contextmanager
from pathlib import Path

import polars as pl

from lake.errors import LakeError, StorageError

LEAST_FREE = 64 * 1024 * 1024
"""Bytes that have to be free before a writer begins: about twice what a session of 500 names adds. A tiny commit can
still pass on a disk where the next, larger one fails."""
LEAST_FOR_A_COMMIT = 1024 * 1024
"""Bytes that a commit of a few rows may take, with its log entry and its witness."""
_SIGNS = {
    errno.ENOSPC: ("No space left on device", "free some space"),
    errno.EDQUOT: ("Disk quota exceeded", "free some space"),
    errno.EROFS: ("Read-only file system", "make it writable"),
    errno.EACCES: ("Permission denied", "make the folder writable"),
    errno.EIO: ("Input/output error", "see to the disk"),
}


def in_words(error: Exception, what: str) -> Exception:
    """A storage error for what the disk refused, said by the system or only quoted by a library; else the error."""
    number = error.errno if isinstance(error, OSError) else None
    for code, (sign, fix) in _SIGNS.items():
        if code == number or sign.lower() in str(error).lower():
            return StorageError(f"{what}: {sign.lower()}; {fix} and try again, nothing that was published is lost")
    return error


@contextmanager
def refusals_in_words(what: str) -> Iterator[None]:
    """Let what the disk refuses within the block be told as such; other errors pass as they are.

    Raises:
        StorageError: if the disk refused.
    """
    try:
        yield
    except LakeError:
        raise
    except Exception as error:  # a library tells of a full disk by errors of many kinds
        if (told := in_words(error, what)) is error:
            raise
        raise told from error


def room_for(rows: pl.DataFrame) -> int:
    """Bytes that have to be free before rows are committed: more than they take on disk."""
    return LEAST_FOR_A_COMMIT + int(rows.estimated_size())


def refuse_full_disk(path: Path, least: int = LEAST_FREE, what: str = "a run") -> None:
    """Begin no write on a disk that is nearly full: the storage library would panic on the way out, on stderr.

    Raises:
        StorageError: saying how much is free and how much is needed.
    """
    free = shutil.disk_usage(path).free
    if free < least:
        raise StorageError(
            f"only {free / 1e6:.0f} MB are free at {path} and {what} needs {least / 1e6:.0f} MB; "
            "free some space, nothing was written"
        )


def refuse_read_only(path: Path) -> None:
    """Begin no write where none can end: the storage library would panic on the way out.

    Raises:
        StorageError: if the folder cannot be written.
    """
    if not os.access(path, os.W_OK):
        raise StorageError(f"the lake at {path} cannot be written: make the folder writable, or use another lake")

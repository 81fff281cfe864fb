"""Gives the files of a table up to a version further names in another lake, so that nothing is copied."""

from __future__ import annotations

import errno
import os
from pathlib import Path

from lake.errors import DamageError, StorageError
from lake.storage import delta_log
from lake.storage.checksums import CHECKSUMS, checkpoint_checksum_path

NO_LINKS = (errno.EXDEV, errno.EPERM, errno.EOPNOTSUPP, errno.EMLINK)
"""What file systems answer that cannot give a file another name."""


def link_table(source: Path, target: Path, first: int, upto: int) -> None:
    """Link log entries, checkpoints, data files and checksums of some versions of a table into another lake.

    Files never change once they are written, so neither lake sees what becomes of the other: each takes away its own
    names alone, and a file is gone when it has none left. Data files come before the entry that names them.

    Args:
        source: the table's folder in the one lake.
        target: its folder in the other, made if it is not there.
        first: the first version; the versions before are there.
        upto: the last one.

    Raises:
        DamageError: if a log entry is missing or damaged, or the other lake has another one in its place.
        StorageError: if the disk refuses, or its file system cannot link.
    """
    log, checksums = target / delta_log.FOLDER, target / CHECKSUMS
    for folder in (log, checksums):
        folder.mkdir(parents=True, exist_ok=True)
    for version in range(first, upto + 1):
        for file in delta_log.added_files(source, version):
            _link(file, target / file.relative_to(source), optional=True)
        checkpoint = delta_log.checkpoint_path(source, version)
        _link(checkpoint, log / checkpoint.name, optional=True)
        for path in (checkpoint_checksum_path(source, version), source / CHECKSUMS / f"{version:020d}.commit"):
            _link(path, checksums / path.name, optional=True)
        entry = delta_log.entry_path(source, version)
        _link(entry, log / entry.name)


def _link(source: Path, target: Path, *, optional: bool = False) -> None:
    """Give a file a second name; data that no run refers to may be gone, and not every version has a checkpoint."""
    try:
        os.link(source, target)
    except FileExistsError:
        if not source.samefile(target):
            raise DamageError(
                f"{target} is another file than {source}: the two lakes have gone different ways"
            ) from None
    except FileNotFoundError:
        if not optional:
            raise DamageError(f"{source} is missing; `nextgen scrub` lists what else is") from None
    except OSError as error:
        if error.errno in NO_LINKS:
            raise StorageError(
                f"{target} cannot share a file with {source} ({error.strerror}); branches need a file system that can"
                " give a file two names, such as ext4, XFS, APFS or NTFS"
            ) from error
        raise StorageError(f"{target} could not be made: {error.strerror}") from error

"""The one way to replace a file: write a draft, force it onto the disk, rename it into place, force the folder too."""

from __future__ import annotations

import os
from collections.abc import Iterable, Iterator
from concurrent.futures import ThreadPoolExecutor
from contextlib import contextmanager
from pathlib import Path
from threading import get_native_id

DRAFT = ".draft"
"""How the name of a file ends that is still being written; what a crash left of one means nothing."""


def write_atomic(path: Path, content: str | bytes, *, durable: bool = True) -> None:
    """Replace a file in one step: a reader, and whoever looks after a crash, finds the old content or the new.

    Args:
        path: the file; its folder exists.
        content: text is written as UTF-8.
        durable: False for what may be lost in a power cut (a cache, a sign of life); it costs no wait for the disk.

    Raises:
        OSError: if the disk refuses; the old content is then still there.
    """
    with replace_atomic(path, durable=durable) as draft:
        draft.write_bytes(content.encode() if isinstance(content, str) else content)


@contextmanager
def replace_atomic(path: Path, *, durable: bool = True) -> Iterator[Path]:
    """Give the path of a draft to write within the block, which then takes the place of `path` in one step.

    Two threads or processes that write the same file each have a draft of their own; the last to finish wins.

    Raises:
        OSError: if the disk refuses; the old content is then still there.
    """
    draft = path.with_name(f"{path.name}.{get_native_id()}{DRAFT}")
    try:
        yield draft
        if durable:
            _fsync(draft)  # before the rename: a name without content would pass for a file that was emptied
        draft.replace(path)
    except BaseException:  # whatever ended it, an interrupt too, no draft is left behind
        draft.unlink(missing_ok=True)
        raise
    if durable:
        _fsync(path.parent)


def fsync_files(files: Iterable[Path]) -> None:
    """Force files that were written elsewhere, and the folders that name them, onto the disk.

    Raises:
        OSError: if the disk refuses; what was written must then be taken as lost.
    """
    paths = sorted(set(files))
    with ThreadPoolExecutor(8) as pool:
        list(pool.map(_fsync, paths))
    fsync_folders(folder for path in paths for folder in (path.parent, path.parent.parent))


def fsync_folders(folders: Iterable[Path]) -> None:
    """Force the names in folders onto the disk, those within others first.

    Raises:
        OSError: if the disk refuses; files that got their names there must then be taken as lost.
    """
    with ThreadPoolExecutor(8) as pool:
        list(pool.map(_fsync, sorted(set(folders), reverse=True)))


def _fsync(path: Path) -> None:
    descriptor = os.open(path, os.O_RDONLY)
    try:
        os.fsync(descriptor)
    finally:
        os.close(descriptor)

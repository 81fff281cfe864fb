"""Make commits survive a power cut: the storage library never calls fsync, so publication does it first."""

from __future__ import annotations

import os
from collections.abc import Iterable
from concurrent.futures import ThreadPoolExecutor
from hashlib import sha256
from pathlib import Path
from urllib.parse import unquote


def make_durable(files: Iterable[Path]) -> None:
    """Force the files, then the folders that name them, onto the disk.

    Raises:
        OSError: if the disk refuses; what was written must then be taken as lost.
    """
    paths = sorted(set(files))
    folders = sorted({folder for path in paths for folder in (path.parent, path.parent.parent)}, reverse=True)
    with ThreadPoolExecutor(8) as pool:
        list(pool.map(_sync, paths))
        list(pool.map(_sync, folders))


def commit_files(uri: str, version: int, added: Iterable[str]) -> list[Path]:
    """The data files of a commit and its log entry."""
    root = Path(uri)
    log = root / "_delta_log" / f"{version:020d}.json"
    return [*(root / unquote(name) for name in added), log]


def file_hash(path: Path) -> str:
    """SHA-256 of the file's bytes."""
    with path.open("rb") as file:
        digest = sha256()
        while block := file.read(1 << 20):
            digest.update(block)
    return digest.hexdigest()


def _sync(path: Path) -> None:
    descriptor = os.open(path, os.O_RDONLY)
    try:
        os.fsync(descriptor)
    finally:
        os.close(descriptor)

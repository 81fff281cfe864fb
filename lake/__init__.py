"""What is true: versioned tables on disk, their contracts, and who wrote which row from what."""

from __future__ import annotations

from pathlib import Path
from typing import TYPE_CHECKING

if TYPE_CHECKING:
    from lake.published import PublishedLake

__all__ = ["open"]


def open(path: Path | str) -> PublishedLake:
    """Open a lake to read what is published in it, each table by its name, as polars frames.

    `docs/from_python.md` shows how.

    Args:
        path: its folder, or its address in an object store, such as s3://bucket/lake.

    Raises:
        NotALakeError: if there is none at the path, or a program of another format made it.
    """
    import os

    from lake.published import PublishedLake
    from lake.remote.address import is_address, resolve
    from lake.store import Lake

    if is_address(str(path)):
        path = resolve(str(path), os.environ)
    return PublishedLake(Lake.open(Path(path).expanduser()))

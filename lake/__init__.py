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

    Raises:
        NotALakeError: if there is none at the path, or a program of another format made it.
    """
    from lake.published import PublishedLake
    from lake.store import Lake

    return PublishedLake(Lake.open(Path(path).expanduser()))

"""The file that makes a folder a lake, and what a folder has to be to become one."""

from __future__ import annotations

import json
from datetime import UTC, datetime
from pathlib import Path

from lake.errors import NotALakeError, StorageError

FORMAT = 1
MARKER = "lake.json"
BEGUN = ".creating"
"""Lies in a folder while a lake is made there, so that one interrupted can be made after all."""
FORBIDDEN_IN_PATH = "%[]*"
"""The storage library misreads these in a path, so a lake cannot live under one."""


def prepare(path: Path) -> None:
    """Make the folder that a lake is to be made in.

    Raises:
        NotALakeError: if it holds something else, or its path has characters that cannot be used.
        StorageError: if it cannot be written.
    """
    refuse_path(path)
    if path.exists() and not path.is_dir():
        raise NotALakeError(f"{path} is a file; choose an empty folder or another path")
    try:
        if path.exists() and not (path / BEGUN).exists() and any(path.iterdir()):
            raise NotALakeError(f"{path} is not empty and holds no lake; choose an empty folder or another path")
        path.mkdir(parents=True, exist_ok=True)
        (path / BEGUN).touch()
    except OSError as error:
        raise StorageError(f"no lake can be made at {path}: {error.strerror}; make the folder writable") from error


def mark(path: Path) -> None:
    """Make the folder a lake, after everything else is there."""
    content = {"format": FORMAT, "created_at": datetime.now(UTC).isoformat()}
    draft = path / f"{MARKER}.draft"
    draft.write_text(json.dumps(content), encoding="utf-8")
    draft.replace(path / MARKER)
    (path / BEGUN).unlink(missing_ok=True)


def refuse_foreign(path: Path) -> None:
    """Let only lakes pass that this program can use.

    Raises:
        NotALakeError: if there is no lake at the path, or a newer program made it.
    """
    refuse_path(path)
    marker = path / MARKER
    if not marker.exists():
        raise NotALakeError(f"there is no lake at {path}; make one with `nextgen init`, or name another with --lake")
    try:
        made_with = int(json.loads(marker.read_text(encoding="utf-8"))["format"])
    except (ValueError, KeyError, TypeError) as error:
        raise NotALakeError(f"{marker} cannot be read; restore it from a backup") from error
    if made_with > FORMAT:
        raise NotALakeError(
            f"the lake at {path} has format {made_with}, this program knows up to {FORMAT}; upgrade the program"
        )


def refuse_path(path: Path) -> None:
    """Refuse a path that the storage library would misread."""
    if bad := sorted({sign for sign in str(path.absolute()) if sign in FORBIDDEN_IN_PATH}):
        raise NotALakeError(f"a lake cannot live at {path}: its path has {' '.join(bad)}; choose another folder")

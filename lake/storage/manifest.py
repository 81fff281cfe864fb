"""The file that makes a folder a lake, and what a folder has to be to become one."""

from __future__ import annotations

from datetime import UTC, datetime
from pathlib import Path
from unicodedata import category

from lake.errors import NotALakeError, StorageError
from lake.migrations import FORMAT
from lake.storage.atomic import fsync_files, write_atomic
from lake.storage.checksummed_json import sealed, unsealed

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
        fsync_files([path / BEGUN])
    except OSError as error:
        raise StorageError(f"no lake can be made at {path}: {error.strerror}; make the folder writable") from error


def mark(path: Path) -> None:
    """Make the folder a lake, after everything else is there."""
    _write(path, {"format": FORMAT, "created_at": datetime.now(UTC).isoformat()})
    (path / BEGUN).unlink(missing_ok=True)


def mark_migrated(path: Path) -> None:
    """Say that the lake is of this program's format, after all its tables are."""
    content = unsealed((path / MARKER).read_bytes())
    _write(path, {**content, "format": FORMAT, "migrated_at": datetime.now(UTC).isoformat()})


def made_at(path: Path) -> str:
    """When the lake was made, which tells it from every other; empty where its marker does not say."""
    try:
        return str(unsealed((path / MARKER).read_bytes()).get("created_at", ""))
    except ValueError:
        return ""


def refuse_foreign(path: Path, *, older: bool = False) -> int:
    """Let only lakes pass that this program can use; returns the format.

    Args:
        path: the lake's folder.
        older: True lets lakes of earlier programs pass, to look at or to bring up to date.

    Raises:
        NotALakeError: if there is no lake at the path, or a newer program made it, or an earlier one.
    """
    refuse_path(path)
    marker = path / MARKER
    if not marker.exists():
        raise NotALakeError(f"there is no lake at {path}; make one with `nextgen init`, or name another with --lake")
    try:
        made_with = int(unsealed(marker.read_bytes())["format"])
    except (ValueError, KeyError, TypeError) as error:
        raise NotALakeError(f"{marker} cannot be read; restore it from a backup") from error
    if made_with > FORMAT:
        raise NotALakeError(
            f"the lake at {path} has format {made_with}, this program knows up to {FORMAT}; upgrade the program"
        )
    if made_with < FORMAT and not older:
        raise NotALakeError(
            f"the lake at {path} has format {made_with}, this program works with {FORMAT}; copy it with "
            "`nextgen backup`, then run `nextgen migrate` (with --dry-run to see what would change)"
        )
    return made_with


def _write(path: Path, content: dict[str, object]) -> None:
    write_atomic(path / MARKER, sealed(content))


def refuse_path(path: Path) -> None:
    """Refuse a path that the storage library would misread, or not read at all."""
    if any(category(sign) in ("Cc", "Cs") for sign in str(path.absolute())):
        shown = ascii(str(path.absolute()))
        raise NotALakeError(f"a lake cannot live at {shown}: its path has a control character; choose another folder")
    if bad := sorted({sign for sign in str(path.absolute()) if sign in FORBIDDEN_IN_PATH}):
        raise NotALakeError(f"a lake cannot live at {path}: its path has {' '.join(bad)}; choose another folder")

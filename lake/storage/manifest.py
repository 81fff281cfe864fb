"""The file lake.json, which makes a folder a lake, and the checks on a folder that is to become one."""

from __future__ import annotations

from collections.abc import Iterator
from contextlib import contextmanager
from datetime import UTC, datetime
from pathlib import Path
from unicodedata import category

from lake.access import make_lake_folder
from lake.errors import NotALakeError, StorageError
from lake.migrations import FORMAT
from lake.remote.address import has_contents
from lake.storage.atomic import fsync_files, write_atomic
from lake.storage.checksums import dump_checksummed, load_checksummed

MANIFEST = "lake.json"
CREATING = ".creating"
"""File in a folder while a lake is being made there, so that an interrupted creation can be completed."""
FORBIDDEN_IN_PATH = "%[]*"
"""The storage library misreads these in a path, so that no lake can be under one."""


def prepare_folder(path: Path) -> None:
    """Make the folder for a new lake.

    Raises:
        NotALakeError: if it contains something else, or its path has characters that cannot be used.
        StorageError: if it cannot be written.
    """
    check_path(path)
    if path.exists() and not path.is_dir():
        raise NotALakeError(f"{path} is a file; choose an empty folder or another path")
    try:
        if not (path / CREATING).exists() and has_contents(path):
            raise NotALakeError(f"{path} is neither empty nor a lake; choose an empty folder or another path")
        make_lake_folder(path)
        (path / CREATING).touch()
        fsync_files([path / CREATING])
    except OSError as error:
        raise StorageError(f"a lake cannot be created at {path}: {error.strerror}; make the folder writable") from error


def write_manifest(path: Path) -> None:
    """Make the folder a lake, after everything else is in place."""
    _write(path, {"format": FORMAT, "created_at": datetime.now(UTC).isoformat()})
    (path / CREATING).unlink(missing_ok=True)


def record_migration(path: Path) -> None:
    """Record that the lake has this program's format, after all its tables have."""
    content = load_checksummed((path / MANIFEST).read_bytes())
    _write(path, {**content, "format": FORMAT, "migrated_at": datetime.now(UTC).isoformat()})


def read_created_at(path: Path) -> str:
    """When the lake was made, which distinguishes it from every other; empty where its manifest does not say."""
    try:
        return str(load_checksummed((path / MANIFEST).read_bytes()).get("created_at", ""))
    except ValueError:
        return ""


def check_format(path: Path, *, older: bool = False) -> int:
    """Check that this program can use the lake, and return its format.

    Args:
        path: the lake's folder.
        older: True accepts lakes of earlier programs, to read or to migrate.

    Raises:
        NotALakeError: if there is no lake at the path, or a newer program made it, or an earlier one.
        StorageError: if this user may not read it.
    """
    check_path(path)
    manifest = path / MANIFEST
    if not _exists(manifest):
        raise NotALakeError(
            f"there is no lake at {path}; create one with `nextgen init`, or choose another with --lake"
        )
    try:
        made_with = int(load_checksummed(_read(manifest))["format"])
    except (ValueError, KeyError, TypeError) as error:
        raise NotALakeError(f"{manifest} cannot be read; restore it from a backup") from error
    if made_with > FORMAT:
        raise NotALakeError(
            f"the lake at {path} has format {made_with}, newer than this program's {FORMAT}; upgrade the program"
        )
    if made_with < FORMAT and not older:
        raise NotALakeError(
            f"the lake at {path} has format {made_with}, and this program works with format {FORMAT}; copy it with "
            "`nextgen backup`, then run `nextgen migrate` (with --dry-run to see what would change)"
        )
    return made_with


def _exists(manifest: Path) -> bool:
    with _say_who_may_read(manifest.parent):
        return manifest.exists()


def _read(manifest: Path) -> bytes:
    with _say_who_may_read(manifest.parent):
        return manifest.read_bytes()


@contextmanager
def _say_who_may_read(lake: Path) -> Iterator[None]:
    try:
        yield
    except PermissionError:
        raise StorageError(
            f"the lake at {lake} may not be read by this user; ask its owner to open it to a group you are in "
            "(the setting runtime.access), or choose another with --lake"
        ) from None


def _write(path: Path, content: dict[str, object]) -> None:
    write_atomic(path / MANIFEST, dump_checksummed(content))


def check_path(path: Path) -> None:
    """Check that the storage library can read the path.

    Raises:
        NotALakeError: naming the characters that it cannot.
    """
    if any(category(sign) in ("Cc", "Cs") for sign in str(path.absolute())):
        shown = ascii(str(path.absolute()))
        raise NotALakeError(f"a lake cannot be at {shown}: the path has a control character; choose another folder")
    if bad := sorted({sign for sign in str(path.absolute()) if sign in FORBIDDEN_IN_PATH}):
        raise NotALakeError(f"a lake cannot be at {path}: the path has {' '.join(bad)}; choose another folder")

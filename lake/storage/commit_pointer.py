"""The file HEAD: the last publication and its hash, outside the tables, so that a truncated log is noticed."""

from __future__ import annotations

from dataclasses import asdict, dataclass
from pathlib import Path

from lake.errors import DamageError
from lake.storage.atomic import write_atomic
from lake.storage.checksums import dump_checksummed, load_checksummed

HEAD = "HEAD"


@dataclass(frozen=True)
class CommitPointer:
    """The newest entry of `runs` that was acknowledged. Each entry names the hash of the one before it."""

    version: int
    """The version of `runs`."""
    entry: str
    """SHA-256 of its log entry and data files; empty for version 0, which has no rows."""


def read_pointer(lake: Path) -> CommitPointer | None:
    """The pointer; None where there is none.

    Raises:
        DamageError: if the file is damaged.
    """
    path = lake / HEAD
    try:
        content = load_checksummed(path.read_bytes())
        return CommitPointer(int(content["version"]), str(content["entry"]))
    except FileNotFoundError:
        return None
    except (ValueError, KeyError, TypeError):
        raise DamageError(f"{path} is damaged; restore it from a backup") from None


def write_pointer(lake: Path, pointer: CommitPointer, *, durable: bool = True) -> None:
    """Replace the pointer in one step: after a crash it is the old one or the new one."""
    write_atomic(lake / HEAD, dump_checksummed(asdict(pointer)), durable=durable)

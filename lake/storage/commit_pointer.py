"""The witness outside the tables: the last publication and its hash, so that a log cut short cannot pass for whole."""

from __future__ import annotations

from dataclasses import asdict, dataclass
from pathlib import Path

from lake.errors import DamageError
from lake.storage.atomic import write_atomic
from lake.storage.checksummed_json import sealed, unsealed

HEAD = "HEAD"


@dataclass(frozen=True)
class Head:
    """The newest entry of `runs` that was acknowledged. Each entry names the hash of the one before it."""

    version: int
    """The version of `runs`."""
    entry: str
    """SHA-256 of its log entry; empty for version 0, which holds no row."""


def read_head(lake: Path) -> Head | None:
    """The witness; None where there is none.

    Raises:
        DamageError: if the file is no witness of ours.
    """
    path = lake / HEAD
    try:
        content = unsealed(path.read_bytes())
        return Head(int(content["version"]), str(content["entry"]))
    except FileNotFoundError:
        return None
    except (ValueError, KeyError, TypeError):
        raise DamageError(f"{path} is damaged; restore it from a backup") from None


def write_head(lake: Path, head: Head, *, durable: bool = True) -> None:
    """Replace the witness in one step: after a crash it is the old one or the new one."""
    write_atomic(lake / HEAD, sealed(asdict(head)), durable=durable)

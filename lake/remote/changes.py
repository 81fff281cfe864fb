"""The log of changes in the store: numbered objects with the files that were put and removed, each naming the hash of
the one before it. Whoever writes the next number has made its change; nobody else can."""

from __future__ import annotations

import base64
import json
from collections.abc import Mapping
from dataclasses import dataclass
from datetime import UTC, datetime
from hashlib import sha256
from typing import Any

from lake.errors import DamageError

ROOT = "_nextgen"
"""Folder in the store with what is not of any table."""
CHANGES = f"{ROOT}/changes"
BLOBS = f"{ROOT}/blobs"
SNAPSHOTS = f"{ROOT}/snapshots"
MAX_INLINE = 16_384
"""Bytes up to which a file's content stands in the change itself, so that whoever follows asks once."""


@dataclass(frozen=True)
class FileChange:
    """A file that was put: new, or in place of an earlier one of its path."""

    path: str
    """Relative to the lake."""
    size: int
    sha256: str
    content: bytes | None = None
    """Of a small file that is no data; a large one is an object of its own, named by its hash."""

    @property
    def is_data(self) -> bool:
        """Whether it is a data file: its path never gets another content, so that it lies there before the change."""
        return is_data(self.path)

    @property
    def key(self) -> str:
        """Where the content is while only the change says so."""
        return self.path if self.is_data else f"{BLOBS}/{self.sha256}"


@dataclass(frozen=True)
class StoredChange:
    """One step of the lake in the store."""

    number: int
    follows: str
    """SHA-256 of the change before; empty for the first."""
    copy: str
    """The working copy that made it."""
    epoch: int | None
    """The lease it was made under; None for what needs none, such as a request."""
    made_at: datetime
    purpose: str
    put: tuple[FileChange, ...] = ()
    removed: tuple[str, ...] = ()

    def dump(self) -> bytes:
        """The change as the object that it is."""
        put = [
            {"path": one.path, "size": one.size, "sha256": one.sha256}
            | ({} if one.content is None else {"content": base64.b64encode(one.content).decode()})
            for one in self.put
        ]
        content = {
            "number": self.number, "follows": self.follows, "copy": self.copy, "epoch": self.epoch,
            "made_at": self.made_at.isoformat(), "purpose": self.purpose, "put": put, "removed": list(self.removed),
        }  # fmt: skip
        return json.dumps(content).encode()


@dataclass(frozen=True)
class State:
    """All files of the lake after a change, and what the next one follows."""

    number: int
    digest: str
    epoch: int
    copy: str
    """The working copy that held the lease of that epoch."""
    files: Mapping[str, FileChange]

    def dump(self) -> bytes:
        """The state as an object, from which a new working copy begins."""
        files = [[one.path, one.size, one.sha256] for one in self.files.values()]
        content = {"number": self.number, "digest": self.digest, "epoch": self.epoch, "copy": self.copy, "files": files}
        body = json.dumps(content)
        return json.dumps({"sha256": sha256(body.encode()).hexdigest(), "state": body}).encode()


EMPTY = State(-1, "", 0, "", {})


def is_data(path: str) -> bool:
    """Whether a path is that of a table's data file, whose name no other file ever has."""
    parts = path.split("/")
    return parts[0] == "tables" and len(parts) == 3 and path.endswith(".parquet")


def change_key(number: int) -> str:
    """The key of a change."""
    return f"{CHANGES}/{number:020d}.json"


def snapshot_key(number: int) -> str:
    """The key of the state after a change."""
    return f"{SNAPSHOTS}/{number:020d}.json"


def read_change(content: bytes, number: int, follows: str) -> StoredChange:
    """Read a change.

    Raises:
        DamageError: if it is damaged, or does not follow the one before it.
    """
    try:
        told = json.loads(content)
        change = StoredChange(
            number=int(told["number"]),
            follows=str(told["follows"]),
            copy=str(told["copy"]),
            epoch=None if told["epoch"] is None else int(told["epoch"]),
            made_at=datetime.fromisoformat(told["made_at"]).astimezone(UTC),
            purpose=str(told["purpose"]),
            put=tuple(_read_file(one) for one in told["put"]),
            removed=tuple(_check_path(one) for one in told["removed"]),
        )
    except (ValueError, KeyError, TypeError, AttributeError):
        raise DamageError(f"{change_key(number)} in the store is damaged; restore the lake from a backup") from None
    if change.number != number or change.follows != follows:
        raise DamageError(
            f"{change_key(number)} in the store does not follow the change before it: the log was altered, or two "
            "lakes share the address; restore the lake from a backup"
        )
    return change


def read_state(content: bytes, key: str) -> State:
    """Read a state.

    Raises:
        DamageError: if it is damaged.
    """
    try:
        outer = json.loads(content)
        if sha256(outer["state"].encode()).hexdigest() != outer["sha256"]:
            raise ValueError("the content does not match its checksum")
        told = json.loads(outer["state"])
        files = {path: FileChange(_check_path(path), int(size), str(digest)) for path, size, digest in told["files"]}
        return State(int(told["number"]), str(told["digest"]), int(told["epoch"]), str(told["copy"]), files)
    except (ValueError, KeyError, TypeError, AttributeError):
        raise DamageError(f"{key} in the store is damaged; restore the lake from a backup") from None


def _read_file(told: Mapping[str, Any]) -> FileChange:
    content = base64.b64decode(told["content"], validate=True) if "content" in told else None
    file = FileChange(_check_path(told["path"]), int(told["size"]), str(told["sha256"]), content)
    if content is not None and (len(content) != file.size or sha256(content).hexdigest() != file.sha256):
        raise ValueError("a file's content does not match its hash")
    return file


def _check_path(path: Any) -> str:
    """A path within the lake: what a store says is not to be written anywhere else."""
    parts = str(path).split("/")
    if not path or str(path).startswith("/") or any(part in ("", ".", "..") for part in parts) or "\\" in str(path):
        raise ValueError("a path leaves the lake")
    if parts[0].startswith("."):
        raise ValueError("a path belongs to the machine")
    return str(path)

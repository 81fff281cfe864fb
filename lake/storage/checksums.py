"""SHA-256 checksums: of a file, inside small JSON files, and beside a table's log for what no run records."""

from __future__ import annotations

import json
from collections.abc import Iterator, Mapping
from hashlib import sha256
from pathlib import Path
from typing import Any

from lake.errors import DamageError
from lake.storage import delta_log
from lake.storage.atomic import write_atomic

CHECKSUMS = "_witness"
"""Folder of a table with the checksums of its checkpoints and of commits that no run records. Names that begin with an
underscore are no data."""
HINT = "_last_checkpoint"
"""The storage library's own pointer to the last checkpoint, in the log."""
_KEY = "seal"
"""The key of the checksum within a JSON file."""


def hash_file(path: Path) -> str:
    """SHA-256 of the file's bytes."""
    with path.open("rb") as file:
        digest = sha256()
        while block := file.read(1 << 20):
            digest.update(block)
    return digest.hexdigest()


# ---- small JSON files


def dump_checksummed(content: Mapping[str, Any]) -> str:
    """The content as JSON, with a checksum of it as a further value."""
    return json.dumps({**content, _KEY: _hash_content(content)})


def load_checksummed(text: bytes) -> dict[str, Any]:
    """Read the content; files of the first programs have no checksum, and are taken as they are.

    Raises:
        ValueError: if it is not a JSON object, or does not match its checksum.
    """
    content = json.loads(text)
    if not isinstance(content, dict) or content.pop(_KEY, _hash_content(content)) != _hash_content(content):
        raise ValueError("the content does not match its checksum")
    return content


def has_valid_checksum(text: bytes) -> bool:
    """Whether the file carries a checksum and matches it."""
    try:
        return _KEY in json.loads(text) and bool(load_checksummed(text))
    except ValueError:
        return False


def _hash_content(content: Mapping[str, Any]) -> str:
    hashed = {name: value for name, value in content.items() if name != _KEY}
    return sha256(json.dumps(hashed, sort_keys=True).encode()).hexdigest()


# ---- beside a table's log


def record_commit_checksums(uri: Path, version: int, *, durable: bool = True) -> Path:
    """Write the checksums of a commit that no run will record, and return where."""
    files = (delta_log.entry_path(uri, version), *delta_log.added_files(uri, version))
    hashes = json.dumps({file.name: hash_file(file) for file in files})
    return _write(uri, f"{version:020d}.commit", hashes, durable=durable)


def read_commit_checksums(uri: Path) -> Iterator[tuple[Path, dict[str, str]]]:
    """Each commit's checksum file, with file name -> SHA-256.

    Raises:
        DamageError: naming the checksum file that cannot be read.
    """
    for path in sorted((uri / CHECKSUMS).glob("*.commit")):
        try:
            yield path, {str(name): str(digest) for name, digest in json.loads(path.read_bytes()).items()}
        except (ValueError, AttributeError):
            raise DamageError(f"{path} is damaged; restore it from a backup") from None


def record_checkpoint_checksum(uri: Path, version: int) -> None:
    """Write the checksums of a checkpoint just made, and of the hint at it; without one it is not trusted."""
    _write(uri, checkpoint_checksum_path(uri, version).name, hash_file(delta_log.checkpoint_path(uri, version)))
    _write(uri, f"{HINT}.sha256", hash_file(uri / delta_log.FOLDER / HINT))


def checkpoint_checksum_path(uri: Path, version: int) -> Path:
    """The file with the checksum of a checkpoint."""
    return uri / CHECKSUMS / f"{version:020d}.sha256"


def is_checkpoint_intact(uri: Path, version: int) -> bool:
    """Whether the checkpoint matches the checksum that was recorded when it was made."""
    return _matches(checkpoint_checksum_path(uri, version), delta_log.checkpoint_path(uri, version))


def diagnose_hint(uri: Path) -> str | None:
    """What is wrong with the hint at the last checkpoint; None if nothing is, or its checksum was never recorded."""
    hint, checksum = uri / delta_log.FOLDER / HINT, uri / CHECKSUMS / f"{HINT}.sha256"
    if not hint.exists() or not checksum.exists() or _matches(checksum, hint):
        return None
    return f"its content has changed (or its checksum {checksum.name} has); the next writer removes it"


def _matches(checksum: Path, file: Path) -> bool:
    try:
        return checksum.read_text("ascii", errors="replace") == hash_file(file)
    except FileNotFoundError:
        return False


def _write(uri: Path, name: str, text: str, *, durable: bool = False) -> Path:
    path = uri / CHECKSUMS / name
    path.parent.mkdir(exist_ok=True)
    write_atomic(path, text, durable=durable)  # an empty one after a power cut would accuse an intact file
    return path

"""Hashes kept beside a table's log: of checkpoints, and of commits that no run records."""

from __future__ import annotations

import json
from collections.abc import Iterator
from pathlib import Path

from lake.errors import DamageError
from lake.storage import delta_log
from lake.storage.atomic import file_hash, write_atomic

WITNESSES = "_witness"
"""Folder of a table that holds the hash of each checkpoint. Names with an underscore are no data."""


HINT = "_last_checkpoint"
"""The library's own note of the last checkpoint, in the log."""


def witness_commit(uri: Path, version: int, *, durable: bool = True) -> Path:
    """Write down the hashes of a commit that no run will record; returns where."""
    files = (delta_log.entry_path(uri, version), *delta_log.added_files(uri, version))
    hashes = json.dumps({file.name: file_hash(file) for file in files})
    return _write(uri, f"{version:020d}.commit", hashes, durable=durable)


def witnessed_commits(uri: Path) -> Iterator[tuple[Path, dict[str, str]]]:
    """Each commit's witness, with file name -> SHA-256.

    Raises:
        DamageError: naming the witness that cannot be read.
    """
    for witness in sorted((uri / WITNESSES).glob("*.commit")):
        try:
            yield witness, {str(name): str(digest) for name, digest in json.loads(witness.read_bytes()).items()}
        except (ValueError, AttributeError):
            raise DamageError(f"{witness} is damaged; restore it from a backup") from None


def witness_checkpoint(uri: Path, version: int) -> None:
    """Write down the hash of a checkpoint just made, and of the hint at it; one without it is not trusted."""
    _write(uri, witness_of(uri, version).name, file_hash(delta_log.checkpoint_path(uri, version)))
    _write(uri, f"{HINT}.sha256", file_hash(uri / delta_log.FOLDER / HINT))


def witness_of(uri: Path, version: int) -> Path:
    """Where the hash of a checkpoint lies."""
    return uri / WITNESSES / f"{version:020d}.sha256"


def witnessed_checkpoint(uri: Path, version: int) -> bool:
    """Whether the checkpoint is what was written down when it was made."""
    return _is_witnessed(witness_of(uri, version), delta_log.checkpoint_path(uri, version))


def hint_problem(uri: Path) -> str | None:
    """What is wrong with the hint at the last checkpoint; None if nothing is, or nobody wrote down what it was."""
    hint, witness = uri / delta_log.FOLDER / HINT, uri / WITNESSES / f"{HINT}.sha256"
    if not hint.exists() or not witness.exists() or _is_witnessed(witness, hint):
        return None
    return f"its content has changed (or its witness {witness.name} has); the next writer removes it"


def _is_witnessed(witness: Path, file: Path) -> bool:
    try:
        return witness.read_text("ascii", errors="replace") == file_hash(file)
    except FileNotFoundError:
        return False


def _write(uri: Path, name: str, text: str, *, durable: bool = False) -> Path:
    path = uri / WITNESSES / name
    path.parent.mkdir(exist_ok=True)
    write_atomic(path, text, durable=durable)  # one that a power cut emptied would accuse a file that is whole
    return path

"""Where a training stands, on disk: one file for each thing that is fitted, whole or not there, of one job only.

A file is the hash of what follows, then safetensors: opening one can never run code, and one that was torn or altered
counts as not there. What a training takes up again is exact, so that its weights are those of a training that was
never interrupted.
"""

from __future__ import annotations

import json
import shutil
import time
from collections.abc import Mapping
from contextlib import suppress
from dataclasses import dataclass, field
from hashlib import sha256
from pathlib import Path
from typing import Any

import numpy as np
import numpy.typing as npt

from lake.storage.atomic import write_atomic

Arrays = Mapping[str, npt.NDArray[Any]]
FACTS = "facts"
JOB_FILE = "job.json"
MAX_AGE = 7 * 24 * 3600.0
"""Seconds after which what another job left is stale: nobody takes up a training of last week."""


@dataclass(frozen=True)
class State:
    """Something that is being fitted, or has been, as it can be taken up again."""

    arrays: Arrays
    facts: Mapping[str, Any] = field(default_factory=dict)
    """Numbers, texts and tuples beside the arrays, as JSON keeps them."""

    def part(self, prefix: str) -> dict[str, npt.NDArray[Any]]:
        """The arrays whose names begin so, without the beginning."""
        return {name.removeprefix(prefix): value for name, value in self.arrays.items() if name.startswith(prefix)}


class Checkpoints:
    """The folder of one job's files."""

    def __init__(self, folder: Path, fingerprint: str) -> None:
        """Open the folder for a job; what another job left in it is stale and removed.

        Args:
            folder: of the job's name, beside those of other jobs.
            fingerprint: of all that decides its weights: files of another one would give others.
        """
        self.folder = folder
        with suppress(OSError):
            if read_fingerprint(folder) != fingerprint:
                remove_checkpoints(folder)
            folder.mkdir(parents=True, exist_ok=True)
            write_atomic(folder / JOB_FILE, json.dumps({"fingerprint": fingerprint}), durable=False)

    def keep(self, name: str, state: State) -> None:
        """Replace a file by where a fit stands.

        A disk that refuses costs the file, never the training; so does a plugin's choice that would come back as
        something else.
        """
        with suppress(OSError):
            if (content := _encode(state)) is not None:
                write_atomic(self._path(name), content, durable=False)

    def restore(self, name: str) -> State | None:
        """What was kept under a name; None where nothing was, or not as it was written."""
        try:
            content = self._path(name).read_bytes()
        except OSError:
            return None
        return _decode(content)

    def _path(self, name: str) -> Path:
        return self.folder / f"{sha256(name.encode()).hexdigest()[:24]}.state"


def remove_checkpoints(folder: Path) -> None:
    """Remove what a job kept: it is done."""
    shutil.rmtree(folder, ignore_errors=True)


def remove_old(folder: Path) -> None:
    """Remove the folders in this one that nothing was written to for long."""
    oldest = time.time() - MAX_AGE
    with suppress(OSError):
        for job in folder.iterdir():
            if max(one.stat().st_mtime for one in (job, *job.rglob("*"))) < oldest:
                remove_checkpoints(job)


def read_fingerprint(folder: Path) -> str | None:
    """The job whose standing a folder keeps; None where it keeps none."""
    try:
        found: str | None = json.loads((folder / JOB_FILE).read_text(encoding="utf-8")).get("fingerprint")
    except (OSError, ValueError, AttributeError):
        return None
    return found


def _encode(state: State) -> bytes | None:
    from safetensors import SafetensorError
    from safetensors.numpy import save

    try:
        text = json.dumps(dict(state.facts)).encode()
        if _read_facts(text) != dict(state.facts):
            return None
        arrays = {name: np.ascontiguousarray(value) for name, value in state.arrays.items()}
        body: bytes = save({**arrays, FACTS: np.frombuffer(text, dtype=np.uint8)})
    except (TypeError, ValueError, KeyError, SafetensorError):
        return None
    return sha256(body).hexdigest().encode() + body


def _decode(content: bytes) -> State | None:
    from safetensors.numpy import load

    told, body = content[:64], content[64:]
    if sha256(body).hexdigest().encode() != told:
        return None
    arrays = load(body)
    return State(arrays, _read_facts(arrays.pop(FACTS).tobytes()))


def _read_facts(text: bytes) -> dict[str, Any]:
    return {name: as_tuples(value) for name, value in json.loads(text).items()}


def as_tuples(value: Any) -> Any:
    """Lists, as JSON gives them, as the tuples they were."""
    return tuple(as_tuples(one) for one in value) if isinstance(value, list) else value

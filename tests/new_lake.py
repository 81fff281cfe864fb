"""Empty lakes for tests: made once by a process and written down again, which takes a hundredth of making one."""

from __future__ import annotations

import os
import tempfile
from functools import cache
from pathlib import Path

from lake.store import Lake


@cache
def _parts() -> list[tuple[str, int, bytes | None]]:
    """The folders and files of an empty lake, each folder before what is in it: place, mode, and a file's bytes."""
    with tempfile.TemporaryDirectory(prefix="nextgen-new-lake-") as folder:
        lake = Lake.create(Path(folder) / "lake").path
        found = [lake, *sorted(lake.rglob("*"))]
        return [
            (str(one).removeprefix(str(lake)), one.stat().st_mode & 0o7777, one.read_bytes() if one.is_file() else None)
            for one in found
        ]


def new_lake(path: Path) -> Lake:
    """An empty lake at the path; the one that is there already, if there is one."""
    if not path.exists():
        path.parent.mkdir(parents=True, exist_ok=True)
        for place, mode, content in _parts():
            _write(f"{path}{place}", mode, content)
    return Lake.open(path)


def _write(path: str, mode: int, content: bytes | None) -> None:
    if content is None:
        os.mkdir(path, mode)  # noqa: PTH102, for thousands
        return
    file = os.open(path, os.O_WRONLY | os.O_CREAT | os.O_EXCL, mode)
    os.write(file, content)
    os.close(file)

"""Make a file-system call of a real cycle go wrong, or cut the power, in a process of its own."""

from __future__ import annotations

import json
import os
import shutil
import subprocess
import sys
from collections.abc import Iterator
from contextlib import contextmanager, suppress
from enum import IntEnum
from itertools import count
from pathlib import Path
from typing import Any

from pipeline.engine.child_command import python_command

ROOT = Path(__file__).parents[2]


class Fault(IntEnum):
    """What happens at the chosen call; the numbers are the shim's."""

    NOTHING = 0
    KILL = 1
    TORN = 2
    NO_SPACE_ONCE = 3
    NO_SPACE = 4
    IO_ERROR_ONCE = 5
    IO_ERROR = 6
    DONE_BUT_ERROR = 7
    NO_ROOM = 8


class Worker:
    """A process under the shim that carries out orders in lakes; one that was ended from outside is replaced."""

    def __init__(self, shim: Path) -> None:
        self._shim = shim
        self._process = self._started()

    def __call__(self, do: str, lake: Path, **given: Any) -> dict[str, Any]:
        if self._process.poll() is not None:
            self.close()
            self._process = self._started()
        assert self._process.stdin and self._process.stdout
        order = {"do": do, "lake": str(lake), **given}
        self._process.stdin.write(json.dumps(order) + "\n")
        self._process.stdin.flush()
        answer = self._process.stdout.readline()
        if not answer:
            self._process.wait()
            raise AssertionError(f"the worker itself was ended ({self._process.returncode}) over {order}")
        result: dict[str, Any] = json.loads(answer)
        return result

    def close(self) -> None:
        """Let it end."""
        assert self._process.stdin and self._process.stdout
        with suppress(BrokenPipeError):
            self._process.stdin.close()
        self._process.wait(timeout=90)
        self._process.stdout.close()

    def _started(self) -> subprocess.Popen[str]:
        environment = {
            "PATH": os.environ["PATH"],
            "LD_PRELOAD": str(self._shim),
            "POLARS_MAX_THREADS": "2",
            "OPENBLAS_NUM_THREADS": "1",
            "OMP_NUM_THREADS": "1",
            **{name: value for name, value in os.environ.items() if name.startswith("TORTURE_")},
        }
        return subprocess.Popen(
            python_command("tests.torture.worker"),
            stdin=subprocess.PIPE,
            stdout=subprocess.PIPE,
            stderr=subprocess.DEVNULL,
            text=True,
            cwd=ROOT,
            env=environment,
        )


def build_shim(folder: Path) -> Path | None:
    """Compile the shim; None where there is no C compiler, or the system cannot preload it."""
    compiler = shutil.which("gcc") or shutil.which("cc")
    if compiler is None or sys.platform != "linux":
        return None
    library = folder / "shim.so"
    source = Path(__file__).with_name("shim.c")
    subprocess.run([compiler, "-O1", "-shared", "-fPIC", "-o", library, source, "-ldl"], check=True)
    return library


def command(*words: str) -> list[str]:
    """The words with which a shell would run `nextgen`, in a process of its own."""
    return python_command("nextgen_tui.cli.main", *words)


@contextmanager
def worker(shim: Path) -> Iterator[Worker]:
    """Start the worker; it ends with the block."""
    one = Worker(shim)
    try:
        yield one
    finally:
        one.close()


def cut_power(journal: Path, *, drop_names: bool) -> int:
    """Take from the disk what the dead process never forced onto it; returns how many files were hit.

    Args:
        journal: what the shim told, which is used up; the files whose names others took lie beside it, numbered.
        drop_names: True undoes namings whose folder was not synced after them: the name is gone, or stands for the
            file again that it was taken from. False empties the files whose content was not synced.
    """
    content: dict[str, int] = {}  # name -> file, as links and renames move it
    dirty: set[int] = set()
    folders: list[tuple[str, str]] = []  # those that were renamed, and into what
    unnamed: dict[str, Path | None] = {}  # name -> the file that it stands for on the disk; None if for none
    kept = (journal.with_name(f"{journal.name}.{number}") for number in count(1))
    for number, line in enumerate(journal.read_text().splitlines()):
        kind, one, two = line.split("\t")
        if kind in "CT":
            content[one] = number
            dirty.add(number)
            if kind == "C":
                unnamed.setdefault(one, None)
        elif kind == "W":
            dirty.add(content.setdefault(one, number))
        elif kind == "R" and one not in content and Path(two).is_dir():
            folders.append((one, two))
            content, unnamed = ({_moved(name, one, two): at for name, at in of.items()} for of in (content, unnamed))
        elif kind in "ROL":
            file = content.get(one, -1)
            before = next(kept) if kind == "O" else None
            if kind in "RO":
                content.pop(one, None)
                unnamed.pop(one, None)
            content[two] = file
            unnamed.setdefault(two, before)
        elif kind == "U":
            content.pop(one, None)
            unnamed.pop(one, None)
        elif kind == "S" and one not in content and not Path(one).is_file():
            unnamed = {name: was for name, was in unnamed.items() if str(Path(name).parent) != one}
            folders = [each for each in folders if str(Path(each[1]).parent) != one]
        elif kind == "S":
            dirty.discard(content.get(one, -1))
    lost = unnamed if drop_names else {name: None for name, file in content.items() if file in dirty}
    hit = sum(_lose(Path(name), was, drop_names) for name, was in lost.items())
    for was, now in reversed(folders if drop_names else []):
        Path(now).rename(was)
        hit += 1
    for path in journal.parent.glob(f"{journal.name}*"):
        path.unlink()
    return hit


def _moved(name: str, one: str, two: str) -> str:
    """What a file is called after its folder was renamed."""
    return f"{two}{name.removeprefix(one)}" if name.startswith(f"{one}/") else name


def _lose(path: Path, was: Path | None, drop_names: bool) -> bool:
    if not path.is_file():
        return False
    if not drop_names:
        os.truncate(path, 0)
    elif was is not None:
        was.replace(path)
    else:
        path.unlink()
    return True

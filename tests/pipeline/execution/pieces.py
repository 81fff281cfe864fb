"""Pieces as the tests have them done: functions of the top level, as work that is shared out has to be."""

from __future__ import annotations

import logging
import os
import signal
import time
from pathlib import Path
from typing import Any

from lake.errors import ContractError
from pipeline.execution.piece import Piece, tell

log = logging.getLogger("pipeline.tests")


def numbered(count: int) -> list[Piece]:
    return [Piece(f"number {number}", number) for number in range(count)]


def square(given: int, shared: int) -> int:
    time.sleep(0.02 * (given % 3))
    return given * given + shared


def speak(given: int, _shared: Any) -> int:
    for at in range(3):
        tell(given=given, at=at)
    log.info("piece %d speaks", given)
    return os.getpid()


def fail(given: int, _shared: Any) -> int:
    if given == 2:
        raise ContractError(f"number {given} is no good")
    return given


def meet(given: int, shared: tuple[str, bytes]) -> bool:
    """Wait for the other piece of two: whether it was begun as well."""
    marks = [Path(shared[0]) / str(number) for number in range(2)]
    marks[given].touch()
    until = time.monotonic() + 10
    while not marks[1 - given].exists() and time.monotonic() < until:
        time.sleep(0.01)
    return marks[1 - given].exists()


class OddError(Exception):
    """Asks for more than its text."""

    def __init__(self, first: int, second: int) -> None:
        super().__init__(f"{first} and {second}")


def fail_oddly(given: int, _shared: Any) -> int:
    raise OddError(given, 7)


def return_what_cannot_travel(given: int, _shared: Any) -> Any:
    return lambda: given


def die_once(given: int, shared: str) -> int:
    """The first to come to a piece is killed there, as by a machine that goes."""
    mark = Path(shared) / str(given)
    if given % 2 and not mark.exists():
        mark.touch()
        os.kill(os.getpid(), signal.SIGKILL)
    return given


def die(_given: int, _shared: Any) -> int:
    os.kill(os.getpid(), signal.SIGKILL)
    return 0


def wait_long(given: int, shared: str) -> int:
    (Path(shared) / f"{given}.{os.getpid()}").touch()
    time.sleep(600 if given else 0)
    return given


def read_threads(_given: int, _shared: Any) -> tuple[int, str | None]:
    import polars as pl

    return pl.thread_pool_size(), os.environ.get("OMP_NUM_THREADS")

"""How far the daemon's workers are: a small file for each that runs, for whoever watches; nothing depends on it."""

from __future__ import annotations

import contextlib
import json
from collections.abc import Callable, Iterator
from contextlib import contextmanager
from dataclasses import asdict, dataclass
from pathlib import Path

from lake.storage.atomic import write_atomic
from pipeline.control.workers.job import Job

FOLDER = "steps"


@dataclass(frozen=True)
class JobStep:
    """Where an attempt stands."""

    task: str
    slot: str
    what: str
    """The stage or session it is at."""
    done: int
    total: int
    """How many there are; 0 where nobody knows."""


@contextmanager
def report_progress(lake: Path, order: Job) -> Iterator[Callable[[str, int, int], None]]:
    """Give a callable (what, done, total) that tells where the order stands while the block works.

    A disk that refuses costs the telling, never the work.
    """
    path = lake / "control" / FOLDER / f"{order.file_stem}.json"

    def tell(what: str, done: int, total: int) -> None:
        with contextlib.suppress(OSError):
            path.parent.mkdir(parents=True, exist_ok=True)
            step = JobStep(order.task, order.slot, what, done, total)
            write_atomic(path, json.dumps(asdict(step)), durable=False)

    try:
        yield tell
    finally:
        with contextlib.suppress(OSError):
            path.unlink(missing_ok=True)


def read_steps(lake: Path) -> dict[tuple[str, str], JobStep]:
    """Task and slot -> where it stands. One whose worker was killed stays until its slot is done: ask who runs."""
    found: dict[tuple[str, str], JobStep] = {}
    with contextlib.suppress(OSError):
        for path in sorted((lake / "control" / FOLDER).glob("*.json")):
            with contextlib.suppress(OSError, ValueError, TypeError):
                step = JobStep(**json.loads(path.read_text(encoding="utf-8")))
                found[step.task, step.slot] = step
    return found

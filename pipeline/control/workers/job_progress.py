"""The progress of running jobs: a small file for each, for display only."""

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
    """The progress of an attempt."""

    task: str
    slot: str
    what: str
    """The stage or session it works on."""
    done: int
    total: int
    """How many there are; 0 where that is unknown."""


@contextmanager
def report_progress(lake: Path, job: Job) -> Iterator[Callable[[str, int, int], None]]:
    """Yield a function (what, done, total) that writes the progress of a job; the file is gone after the block.

    A disk error costs the progress file, never the work.
    """
    path = lake / "control" / FOLDER / f"{job.file_stem}.json"

    def write(what: str, done: int, total: int) -> None:
        with contextlib.suppress(OSError):
            path.parent.mkdir(parents=True, exist_ok=True)
            step = JobStep(job.task, job.slot, what, done, total)
            write_atomic(path, json.dumps(asdict(step)), durable=False)

    try:
        yield write
    finally:
        with contextlib.suppress(OSError):
            path.unlink(missing_ok=True)


def read_steps(lake: Path) -> dict[tuple[str, str], JobStep]:
    """Read task and slot -> progress. The file of a killed worker stays: check which attempts are running."""
    found: dict[tuple[str, str], JobStep] = {}
    with contextlib.suppress(OSError):
        for path in sorted((lake / "control" / FOLDER).glob("*.json")):
            with contextlib.suppress(OSError, ValueError, TypeError):
                step = JobStep(**json.loads(path.read_text(encoding="utf-8")))
                found[step.task, step.slot] = step
    return found

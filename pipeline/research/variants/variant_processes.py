"""Runs many variants at once, each in a process of its own; one that fails ends none of the others."""

from __future__ import annotations

import json
import os
import subprocess
import sys
from collections.abc import Callable, Iterator, Mapping
from concurrent.futures import ThreadPoolExecutor, as_completed
from dataclasses import dataclass
from datetime import date
from pathlib import Path
from time import perf_counter

from pipeline.engine.child_command import python_command
from pipeline.research.variants.variant_branch import run_variant

Told = Callable[[str, int, int], None]
"""Told which variant is at which session, of how many."""
THREADS = ("POLARS_MAX_THREADS", "OMP_NUM_THREADS", "OPENBLAS_NUM_THREADS")


@dataclass(frozen=True, kw_only=True)
class Finished:
    """How a variant's process ended."""

    branch: str
    computed: int
    taken: int
    seconds: float
    error: str
    """Its last words where it failed; empty where it did not."""


def run_variants(
    parent: Path,
    branches: Mapping[Path, bool],
    last: date,
    workers: int | None = None,
    told: Told = lambda *_: None,
) -> Iterator[Finished]:
    """Run variants in processes side by side, and yield each as it ends.

    Args:
        parent: the lake that they fork from.
        branches: their folders -> whether today's code is tried as well.
        last: the session that they are run to.
        workers: processes at a time; as many as there are processors where None.
        told: of progress.
    """
    at_once = max(1, min(workers or os.cpu_count() or 1, len(branches)))
    with ThreadPoolExecutor(at_once) as pool:
        yield from (
            one.result()
            for one in as_completed([pool.submit(_run, parent, *one, last, told) for one in branches.items()])
        )


def _run(parent: Path, branch: Path, tries_code: bool, last: date, told: Told) -> Finished:
    begun, answer = perf_counter(), {"computed": 0, "taken": 0}
    with subprocess.Popen(
        python_command(
            "pipeline.research.variants.variant_processes", parent, branch, last.isoformat(), int(tries_code)
        ),
        stdout=subprocess.PIPE,
        stderr=subprocess.PIPE,
        text=True,
        env={**os.environ, **dict.fromkeys(THREADS, "1")},  # the processes share the processors out already
    ) as process:
        assert process.stdout is not None and process.stderr is not None
        for line in process.stdout:
            said = json.loads(line)
            if "done" in said:
                told(branch.name, said["done"], said["total"])
            else:
                answer = said
        words = process.stderr.read().strip()
    error = (
        "" if process.returncode == 0 else (words.splitlines() or [f"it ended with status {process.returncode}"])[-1]
    )
    return Finished(branch=branch.name, **answer, seconds=perf_counter() - begun, error=error)


def main() -> None:
    """What the process of a variant does: run it, a line for each session, and at the end what was computed."""
    parent, branch, last = Path(sys.argv[1]), Path(sys.argv[2]), date.fromisoformat(sys.argv[3])

    def say(_: str, done: int, total: int) -> None:
        sys.stdout.write(json.dumps({"done": done, "total": total}) + "\n")
        sys.stdout.flush()

    done = run_variant(parent, branch, last, say, tries_code=sys.argv[4] == "1")
    counted = {name: sum(getattr(one, name) for one in done) for name in ("computed", "taken")}
    sys.stdout.write(json.dumps(counted) + "\n")


if __name__ == "__main__":
    main()

"""The process of one attempt: reads its order, waits for the word, works within its limits, and reports."""

from __future__ import annotations

import logging
import os
import sys
from pathlib import Path

from pipeline.control.monitoring.logs import begin_worker_logging
from pipeline.control.workers.job import GO, Job, JobReport

log = logging.getLogger("pipeline.control.workers.worker")
MAX_REASON = 900


def main() -> int:
    """Read the lake's folder, the report's path and the order from stdin; do it once `go` follows.

    If the daemon dies before it has put the attempt on record, stdin ends without the word and nothing is done.
    """
    lake, report, order_line = (sys.stdin.readline().rstrip("\n") for _ in range(3))
    if sys.stdin.readline().strip() != GO:
        return 0
    order = Job.from_json(order_line)
    begin_worker_logging(task=order.task, slot=order.slot, attempt=order.attempt)
    try:
        _limit_memory(order.memory)
        outcome = _perform(Path(lake), order)
    except BaseException as error:  # SystemExit and a panic of the storage library end an attempt, not the record
        outcome = JobReport(ok=False, reason=_describe(error))
        log.error("%s", outcome.reason, exc_info=error, extra=_name_run(error))
    outcome.write(Path(report))
    # Threads that a stage left behind cannot keep the process: what counts is on disk.
    sys.stdout.flush()
    sys.stderr.flush()
    os._exit(0 if outcome.ok else 1)


def _perform(lake: Path, order: Job) -> JobReport:
    from lake.store import Lake
    from pipeline.control.workers.task_actions import perform

    return perform(Lake.open(lake), order, dict(os.environ))


def _limit_memory(most: int | None) -> None:
    if most is None:
        return
    import resource

    _, hard = resource.getrlimit(resource.RLIMIT_AS)
    soft = most if hard == resource.RLIM_INFINITY else min(most, hard)
    resource.setrlimit(resource.RLIMIT_AS, (soft, hard))


def _name_run(error: BaseException) -> dict[str, str]:
    """The run that failed, where it is a stage that did."""
    run = getattr(error, "run", None)
    return {"run_id": run.run_id, "stage": run.recipe.stage, "cycle_id": run.recipe.cycle_id} if run else {}


def _describe(error: BaseException) -> str:
    if isinstance(error, SystemExit):
        return f"it called sys.exit({error.code!r})"
    if isinstance(error, MemoryError):
        return f"it ran out of memory: {error}" if str(error) else "it ran out of memory"
    own = type(error).__module__.partition(".")[0] in ("lake", "pipeline")  # these are sentences already
    text = str(error) if own and str(error) else f"{type(error).__name__}: {error}"
    return text if len(text) <= MAX_REASON else text[:MAX_REASON] + "..."


if __name__ == "__main__":
    sys.exit(main())

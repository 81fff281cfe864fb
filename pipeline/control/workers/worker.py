"""The process of one attempt: reads its job, waits until it may begin, works within its limits, and reports."""

from __future__ import annotations

import logging
import os
import sys
from pathlib import Path

from lake.access import follow_access
from pipeline.control.logging.json_logs import begin_worker_logging
from pipeline.control.workers.job import GO, Job, JobReport

log = logging.getLogger("pipeline.control.workers.worker")
MAX_REASON = 900


def main() -> int:
    """Read the lake's folder, the report's path and the job from stdin; do it once `go` follows.

    If the daemon dies before the attempt is on record, stdin ends without `go` and nothing is done.
    """
    lake, report, job_line = (sys.stdin.readline().rstrip("\n") for _ in range(3))
    if sys.stdin.readline().strip() != GO:
        return 0
    follow_access(Path(lake))
    job = Job.from_json(job_line)
    begin_worker_logging(task=job.task, slot=job.slot, attempt=job.attempt)
    try:
        _limit_memory(job.memory)
        report_made = _perform(Path(lake), job)
    except BaseException as error:  # SystemExit and a panic of the storage library end an attempt, not the record
        report_made = JobReport(ok=False, reason=_describe(error))
        log.error("%s", report_made.reason, exc_info=error, extra=_name_run(error))
    report_made.write(Path(report))
    # Threads left behind by a stage must not keep the process alive: what counts is on disk.
    sys.stdout.flush()
    sys.stderr.flush()
    os._exit(0 if report_made.ok else 1)


def _perform(lake: Path, job: Job) -> JobReport:
    from lake.store import Lake
    from pipeline.control.workers.task_actions import perform

    return perform(Lake.open(lake), job, dict(os.environ))


def _limit_memory(max_bytes: int | None) -> None:
    if max_bytes is None:
        return
    import resource

    _, hard = resource.getrlimit(resource.RLIMIT_AS)
    soft = max_bytes if hard == resource.RLIM_INFINITY else min(max_bytes, hard)
    resource.setrlimit(resource.RLIMIT_AS, (soft, hard))


def _name_run(error: BaseException) -> dict[str, str]:
    """The fields of the log record that name the failed run, if a stage failed."""
    run = getattr(error, "run", None)
    return {"run_id": run.run_id, "stage": run.recipe.stage, "cycle_id": run.recipe.cycle_id} if run else {}


def _describe(error: BaseException) -> str:
    if isinstance(error, SystemExit):
        return f"it called sys.exit({error.code!r})"
    if isinstance(error, MemoryError):
        return f"it ran out of memory: {error}" if str(error) else "it ran out of memory"
    own = type(error).__module__.partition(".")[0] in ("lake", "pipeline")  # their messages are sentences already
    text = str(error) if own and str(error) else f"{type(error).__name__}: {error}"
    return text if len(text) <= MAX_REASON else text[:MAX_REASON] + "..."


if __name__ == "__main__":
    sys.exit(main())

"""The worker processes of a daemon: spawned, watched, adopted, and ended at their deadline with their children."""

from __future__ import annotations

import contextlib
import os
import signal
import subprocess
import threading
from collections.abc import Callable, Sequence
from dataclasses import dataclass, replace
from datetime import timedelta
from pathlib import Path
from typing import Literal, Protocol

from pipeline.control.logging.json_logs import MAX_BYTES
from pipeline.control.workers.job import GO, Job, JobReport
from pipeline.control.workers.process_identity import Identity, identify, is_alive, signal_group
from pipeline.engine.child_command import python_command

PROGRAM = tuple(python_command("pipeline.control.workers.worker"))
POLL_ADOPTED = 2.0
"""Seconds between two checks of an adopted worker: its end does not wake the daemon."""
EndState = Literal["done", "failed", "dead", "cancelled"]
StopReason = Literal["", "deadline", "cancelled", "drained"]


@dataclass(frozen=True, kw_only=True)
class AttemptOutcome:
    """How an attempt ended."""

    task: str
    slot: str
    attempt: int
    state: EndState
    reason: str = ""
    cycle_id: str = ""


class WorkerPool(Protocol):
    """Carries out attempts; the orchestrator decides which."""

    def spawn(self, job: Job) -> Identity:
        """Start a worker that waits until it may begin."""

    def begin(self, job: Job) -> None:
        """Let the worker begin: its attempt is on record."""

    def discard(self, job: Job) -> None:
        """End a worker that never began: its attempt could not be put on record."""

    def adopt(self, job: Job, who: Identity, passed: timedelta) -> None:
        """Watch a worker that an earlier daemon started so long ago; a dead one is reported at once."""

    def stop(self, task: str, slot: str, why: StopReason) -> None:
        """End an attempt: SIGTERM, and SIGKILL after its grace period."""

    def collect_ended(self) -> list[AttemptOutcome]:
        """The attempts that ended since the last call; also ends those past their deadline."""

    def forget(self, outcome: AttemptOutcome) -> None:
        """Forget the worker: its outcome is on record."""

    def seconds_to_check(self) -> float | None:
        """Seconds until `collect_ended` has to be called even if nothing wakes the daemon; None if it need not be."""


@dataclass
class _Worker:
    job: Job
    who: Identity
    deadline: float
    report: Path
    process: subprocess.Popen[bytes] | None = None
    exited: bool = False
    ending: StopReason = ""
    kill_at: float | None = None
    killed: bool = False


class ProcessPool:
    """Worker processes, each the leader of its own session."""

    def __init__(
        self,
        lake: Path,
        wake: Callable[[], None],
        steady: Callable[[], float],
        program: Sequence[str] = PROGRAM,
    ) -> None:
        """Write logs and reports under `lake/control`; call `wake` from another thread when a worker ends."""
        self._lake = lake
        self._wake = wake
        self._steady = steady
        self._program = tuple(program)
        self._workers: dict[tuple[str, str], _Worker] = {}
        self._logs = lake / "control" / "logs"
        self._reports = lake / "control" / "reports"

    def spawn(self, job: Job) -> Identity:
        """See `WorkerPool`."""
        self._logs.mkdir(parents=True, exist_ok=True)
        log = self._logs / f"{job.task.replace(':', '-')}.log"
        if log.exists() and log.stat().st_size >= MAX_BYTES:
            log.rename(log.with_suffix(".log.1"))
        with log.open("ab") as output:
            process = subprocess.Popen(
                self._program, stdin=subprocess.PIPE, stdout=output, stderr=output, start_new_session=True
            )
        who = identify(process.pid) or Identity(process.pid, "", "")
        report = self._reports / f"{job.file_stem}.json"
        report.unlink(missing_ok=True)
        deadline = self._steady() + job.timeout.total_seconds()
        self._workers[job.key] = worker = _Worker(job, who, deadline, report, process)
        self._write(worker, f"{self._lake}\n{report}\n{job.to_json()}\n")
        threading.Thread(target=self._await, args=(worker,), daemon=True).start()
        return who

    def begin(self, job: Job) -> None:
        """See `WorkerPool`."""
        worker = self._workers[job.key]
        self._write(worker, f"{GO}\n")
        assert worker.process is not None and worker.process.stdin is not None
        with contextlib.suppress(BrokenPipeError):
            worker.process.stdin.close()

    def discard(self, job: Job) -> None:
        """See `WorkerPool`."""
        if worker := self._workers.pop(job.key, None):
            if not worker.exited:
                signal_group(worker.who.pid, signal.SIGKILL)
            if worker.process is not None and worker.process.stdin is not None:
                worker.process.stdin.close()

    def adopt(self, job: Job, who: Identity, passed: timedelta) -> None:
        """See `WorkerPool`."""
        remaining = (job.timeout - max(passed, timedelta())).total_seconds()
        report = self._reports / f"{job.file_stem}.json"
        self._workers[job.key] = _Worker(job, who, self._steady() + remaining, report)

    def stop(self, task: str, slot: str, why: StopReason) -> None:
        """See `WorkerPool`."""
        worker = self._workers.get((task, slot))
        if worker is None or worker.ending or worker.exited:  # the pid of an ended process may belong to another by now
            return
        if worker.process is not None or is_alive(worker.who):
            self._terminate(worker, why)

    def collect_ended(self) -> list[AttemptOutcome]:
        """See `WorkerPool`."""
        return [self._outcome(worker) for worker in self._workers.values() if not self._is_working(worker)]

    def forget(self, outcome: AttemptOutcome) -> None:
        """See `WorkerPool`."""
        worker = self._workers.pop((outcome.task, outcome.slot))
        worker.report.unlink(missing_ok=True)

    def seconds_to_check(self) -> float | None:
        """See `WorkerPool`."""
        moments = [w.kill_at if w.kill_at is not None else w.deadline for w in self._workers.values() if not w.killed]
        waits = [max(moment - self._steady(), 0.0) for moment in moments]
        if any(worker.process is None or worker.killed for worker in self._workers.values()):
            waits.append(POLL_ADOPTED)
        return min(waits, default=None)

    # ---- inner workings

    def _is_working(self, worker: _Worker) -> bool:
        if worker.exited or (worker.process is None and not is_alive(worker.who)):
            return False
        now = self._steady()
        if not worker.ending and now >= worker.deadline:
            self._terminate(worker, "deadline")
        elif worker.kill_at is not None and now >= worker.kill_at and not worker.killed:
            signal_group(worker.who.pid, signal.SIGKILL)
            worker.killed = True
        return True

    def _terminate(self, worker: _Worker, why: StopReason) -> None:
        worker.ending = why
        worker.kill_at = self._steady() + worker.job.grace.total_seconds()
        signal_group(worker.who.pid, signal.SIGTERM)

    def _await(self, worker: _Worker) -> None:
        """Wait for the process, kill what it left behind, and only then reap it, so that its pid stays taken."""
        assert worker.process is not None
        if hasattr(os, "waitid"):
            os.waitid(os.P_PID, worker.who.pid, os.WEXITED | os.WNOWAIT)
            signal_group(worker.who.pid, signal.SIGKILL)
        worker.process.wait()
        worker.exited = True
        self._wake()

    def _outcome(self, worker: _Worker) -> AttemptOutcome:
        report = JobReport.read(worker.report)
        job = worker.job
        outcome = AttemptOutcome(task=job.task, slot=job.slot, attempt=job.attempt, state="failed")
        if report is not None and report.ok:
            return _with_state(outcome, "done", report.reason, report.cycle_id)
        if worker.ending == "cancelled":
            return _with_state(outcome, "cancelled", "cancelled by an operator")
        if worker.ending == "drained":
            return _with_state(outcome, "dead", "the daemon was stopped at once")
        if worker.ending == "deadline":
            return _with_state(outcome, "failed", f"it exceeded its timeout of {job.timeout} and was ended")
        if report is not None:
            return _with_state(outcome, "failed", report.reason)
        if worker.process is None:
            return _with_state(outcome, "dead", "its process has vanished without a report")
        return _with_state(outcome, "failed", _describe_exit(worker.process.returncode))

    def _write(self, worker: _Worker, text: str) -> None:
        assert worker.process is not None and worker.process.stdin is not None
        # A worker that ended early is found by its end, not by a broken pipe.
        with contextlib.suppress(BrokenPipeError):
            worker.process.stdin.write(text.encode())
            worker.process.stdin.flush()


def _with_state(outcome: AttemptOutcome, state: EndState, reason: str, cycle_id: str = "") -> AttemptOutcome:
    return replace(outcome, state=state, reason=reason, cycle_id=cycle_id)


def _describe_exit(code: int) -> str:
    if code >= 0:
        return f"its process exited with code {code} and left no report"
    name = signal.Signals(-code).name
    hint = "; the system may have run out of memory" if name == "SIGKILL" else ""
    return f"its process was killed by {name}{hint}"

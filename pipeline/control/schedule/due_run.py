"""A slot that is to run now, and the job and the records that come of it."""

from __future__ import annotations

from dataclasses import dataclass
from datetime import datetime

from pipeline.control.operator.requests import EXPIRES_AFTER, Request
from pipeline.control.schedule.journal import Event, SlotState
from pipeline.control.schedule.task import Task
from pipeline.control.schedule.trigger import Slot
from pipeline.control.workers.job import Job
from pipeline.control.workers.process_identity import Identity


@dataclass(frozen=True)
class DueRun:
    """A slot that is to run, of the schedule or of a request."""

    task: Task
    slot: Slot
    state: SlotState
    requested: bool = False


def make_job(run: DueRun) -> Job:
    """Describe to a worker what it has to do."""
    task = run.task
    return Job(
        task=task.name,
        slot=run.slot.key,
        attempt=run.state.attempt,
        run=task.run,
        session=run.slot.session,
        due_at=run.slot.due_at,
        timeout=task.timeout,
        grace=task.grace,
        memory=task.memory,
        fallback=task.fallback if run.state.on_fallback else "",
        settings=task.settings,
        outputs=task.outputs,
        target=task.target,
        requested=run.requested,
    )


def make_start_event(job: Job, who: Identity, now: datetime) -> Event:
    """Record that an attempt begins."""
    return Event(
        task=job.task,
        slot=job.slot,
        attempt=job.attempt,
        state="started",
        due_at=job.due_at,
        session=job.session,
        at=now,
        pid=who.pid,
        process_started=who.started,
        boot_id=who.boot_id,
    )


def make_request_event(request: Request, now: datetime) -> Event:
    """Record that a request was carried out the moment it was read."""
    return Event(
        task=request.task_name,
        slot=request.request_id,
        attempt=0,
        state="done",
        due_at=request.requested_at,
        session=request.session,
        at=now,
    )


def make_slot_event(run: DueRun, now: datetime) -> Event:
    """Make the first record of a slot."""
    slot = run.slot
    return Event(
        task=run.task.name, slot=slot.key, attempt=0, state="done", due_at=slot.due_at, session=slot.session, at=now
    )


def make_skip_event(task: Task, slot: Slot, attempt: int, reason: str, now: datetime) -> Event:
    """Record that a slot is not run, with the reason."""
    return Event(
        task=task.name,
        slot=slot.key,
        attempt=attempt,
        state="skipped",
        due_at=slot.due_at,
        session=slot.session,
        at=now,
        reason=reason,
    )


def has_expired(request: Request, now: datetime) -> bool:
    """Whether the request has waited so long that whoever made it no longer expects it to run."""
    return now - request.requested_at > EXPIRES_AFTER

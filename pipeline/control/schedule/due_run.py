"""A slot that is owed, and the order and the records that come of it."""

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
    """A slot that is owed, of the schedule or of a request."""

    task: Task
    slot: Slot
    standing: SlotState
    asked_for: bool = False


def make_job(one: DueRun) -> Job:
    """What a worker is told to do for it."""
    task = one.task
    return Job(
        task=task.name,
        slot=one.slot.key,
        attempt=one.standing.attempt,
        run=task.run,
        session=one.slot.session,
        due_at=one.slot.due_at,
        timeout=task.timeout,
        grace=task.grace,
        memory=task.memory,
        fallback=task.fallback if one.standing.on_fallback else "",
        settings=task.settings,
        outputs=task.outputs,
        asked_for=one.asked_for,
    )


def make_start_event(order: Job, who: Identity, now: datetime) -> Event:
    """The record of an attempt that begins."""
    return Event(
        task=order.task,
        slot=order.slot,
        attempt=order.attempt,
        state="started",
        due_at=order.due_at,
        session=order.session,
        at=now,
        pid=who.pid,
        process_started=who.started,
        boot_id=who.boot_id,
    )


def make_request_event(request: Request, now: datetime) -> Event:
    """The record of a request that is done as soon as it is read."""
    return Event(
        task=request.task_name,
        slot=request.request_id,
        attempt=0,
        state="done",
        due_at=request.requested_at,
        session=request.session,
        at=now,
    )


def make_slot_event(one: DueRun, now: datetime) -> Event:
    """The record of a slot that nothing has happened to yet."""
    slot = one.slot
    return Event(
        task=one.task.name, slot=slot.key, attempt=0, state="done", due_at=slot.due_at, session=slot.session, at=now
    )


def has_expired(request: Request, now: datetime) -> bool:
    """Whether who asked has gone on since."""
    return now - request.requested_at > EXPIRES_AFTER

"""What follows from how an attempt ended: a retry, the fallback source, the last good data, or a stopped task."""

from __future__ import annotations

from dataclasses import replace
from datetime import datetime

from pipeline.control.schedule.journal import Event, Follows, SlotState, fit_reason
from pipeline.control.schedule.task import Task
from pipeline.control.workers.worker_pool import AttemptOutcome

MAX_DEATHS = 10
"""Attempts that may vanish with their process or host before that counts as the task's own failure."""


def close_attempt(task: Task | None, slot_state: SlotState, outcome: AttemptOutcome, now: datetime) -> Event:
    """Make the event that ends a running attempt, with what follows by the task's policy.

    A vanished process is not the task's fault: it is retried at once and does not use up a retry. That is bounded,
    because a task may be what brings its host down.

    Args:
        task: its definition now; None if the schedule no longer has it, and then nothing follows.
        slot_state: the state of the slot, whose attempt is running.
        outcome: how it ended.
        now: the wall clock.
    """
    start = slot_state.last
    assert start is not None
    event = replace(
        start,
        state=outcome.state,
        at=now,
        cycle_id=outcome.cycle_id,
        reason=outcome.reason,
        seconds=max((now - start.at).total_seconds(), 0.0),
    )
    if outcome.state in ("done", "cancelled"):
        return fit_reason(event)
    if task is None:
        return fit_reason(replace(event, follows="give-up"))
    deaths = sum(one.state == "dead" for one in slot_state.events)
    if outcome.state == "dead" and deaths < MAX_DEATHS:
        return fit_reason(replace(event, follows="retry", retry_at=now))
    failures = slot_state.failures + 1
    if failures <= task.retries or task.on_failure == "retry":
        return fit_reason(replace(event, follows="retry", retry_at=now + task.back_off_after(failures)))
    return fit_reason(replace(event, follows=_follow_last_retry(task, slot_state), retry_at=now))


def _follow_last_retry(task: Task, slot_state: SlotState) -> Follows:
    if task.on_failure == "source":
        return "give-up" if slot_state.on_fallback else "fallback"
    if task.on_failure == "last-good":
        return "last-good"
    return "stop" if task.on_failure == "stop" else "give-up"

"""What follows from how an attempt ended: another try, another source, the last good data, or a stopped line."""

from __future__ import annotations

from dataclasses import replace
from datetime import datetime

from pipeline.control.schedule.journal import Event, Follows, SlotState, fit_reason
from pipeline.control.schedule.task import Task
from pipeline.control.workers.worker_pool import AttemptOutcome

MAX_DEATHS = 10
"""Attempts that may vanish with their process or host before the task itself is blamed."""


def close_attempt(task: Task | None, standing: SlotState, outcome: AttemptOutcome, now: datetime) -> Event:
    """The event that closes a running attempt, with what follows by the task's policy.

    A vanished process is not the task's fault: it is tried again at once without spending a retry. That is bounded,
    because a task may be what brings its host down.

    Args:
        task: its definition now; None if the manifest no longer has it, and then nothing follows.
        standing: where the slot stands, the attempt running.
        outcome: how it ended.
        now: the wall's time.
    """
    start = standing.last
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
    deaths = sum(one.state == "dead" for one in standing.events)
    if outcome.state == "dead" and deaths < MAX_DEATHS:
        return fit_reason(replace(event, follows="retry", retry_at=now))
    failures = standing.failures + 1
    if failures <= task.retries or task.failover == "retry":
        return fit_reason(replace(event, follows="retry", retry_at=now + task.pause(failures)))
    return fit_reason(replace(event, follows=_follow_last_retry(task, standing), retry_at=now))


def _follow_last_retry(task: Task, standing: SlotState) -> Follows:
    if task.failover == "source":
        return "give-up" if standing.on_fallback else "fallback"
    if task.failover == "last-good":
        return "last-good"
    return "stop" if task.failover == "stop" else "give-up"

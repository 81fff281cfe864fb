"""What follows from how an attempt ended: another try, another source, the last good data, or a stopped line."""

from __future__ import annotations

from dataclasses import replace
from datetime import datetime

from pipeline.control.schedule.journal import Event, Follows, Standing, shortened
from pipeline.control.schedule.task import Task
from pipeline.control.workers.worker_pool import Outcome

MOST_DEATHS = 10
"""Attempts that may vanish with their process or host before the task itself is blamed."""


def ending(task: Task | None, standing: Standing, outcome: Outcome, now: datetime) -> Event:
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
        return shortened(event)
    if task is None:
        return shortened(replace(event, follows="give-up"))
    deaths = sum(one.state == "dead" for one in standing.events)
    if outcome.state == "dead" and deaths < MOST_DEATHS:
        return shortened(replace(event, follows="retry", retry_at=now))
    failures = standing.failures + 1
    if failures <= task.retries or task.failover == "retry":
        return shortened(replace(event, follows="retry", retry_at=now + task.pause(failures)))
    return shortened(replace(event, follows=_last_resort(task, standing), retry_at=now))


def _last_resort(task: Task, standing: Standing) -> Follows:
    if task.failover == "source":
        return "give-up" if standing.on_fallback else "fallback"
    if task.failover == "last-good":
        return "last-good"
    return "stop" if task.failover == "stop" else "give-up"

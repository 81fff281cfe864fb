"""Lists what a schedule will run in the days ahead, in order."""

from __future__ import annotations

from collections.abc import Iterator
from dataclasses import dataclass
from datetime import date, datetime, timedelta

from pipeline.control.schedule.task import Schedule


@dataclass(frozen=True, order=True)
class PlannedRun:
    """One run to come."""

    due_at: datetime
    task: str
    slot: str
    session: date | None
    zone: str
    after: tuple[str, ...]


def preview(schedule: Schedule, now: datetime, days: int) -> list[PlannedRun]:
    """List what falls due within some days from a moment, in the order in which it would run."""
    return sorted(_plan(schedule, now, now + timedelta(days=days)))


def _plan(schedule: Schedule, first: datetime, last: datetime) -> Iterator[PlannedRun]:
    for task in schedule.tasks:
        if task.enabled and task.trigger is not None:
            for slot in task.trigger.slots(first, last):
                yield PlannedRun(slot.due_at, task.name, slot.key, slot.session, task.zone, task.after)

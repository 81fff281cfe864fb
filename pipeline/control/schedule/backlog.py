"""What is owed: the slots that are due under each task's schedule, less those the journal says are settled."""

from __future__ import annotations

from collections.abc import Iterator, Sequence
from dataclasses import dataclass
from datetime import datetime, timedelta

from pipeline.control.schedule.journal import Journal
from pipeline.control.schedule.task import Task
from pipeline.control.schedule.trigger import Slot, Trigger

MAX_LISTED = 500
"""Slots passed over that are listed one by one; the oldest stands for those before it."""
LISTED_BACK = timedelta(days=400)
"""How far back slots are listed that a policy passed over."""


@dataclass(frozen=True)
class SchedulePeriod:
    """A time during which a task was scheduled in one way; it ends where the next begins."""

    since: datetime
    """When the definition was first seen; what was due before that is none of its business."""
    trigger: Trigger | None
    """None while the task was off."""


@dataclass(frozen=True)
class Backlog:
    """What one task owes, oldest first, and what its policy passes over, with the reason."""

    owed: tuple[Slot, ...] = ()
    passed: tuple[tuple[Slot, str], ...] = ()
    floor: datetime | None = None
    """What was due before this is settled or passed over, and stays so: later looks need not go further back."""


def find_backlog(
    task: Task, epochs: Sequence[SchedulePeriod], journal: Journal, now: datetime, floor: datetime | None = None
) -> Backlog:
    """The slots that a task owes at a moment.

    A slot that is running or waiting for a retry is still owed. Nothing is owed twice, whatever the clock or the
    schedule did in between, because a slot goes by its name and not by when it was looked at.

    Args:
        task: its definition now.
        epochs: the ways in which it was scheduled, oldest first.
        journal: what happened so far.
        now: the wall's time.
        floor: that of an earlier look, whose slots passed over are in the journal by now.
    """
    if not task.enabled or not epochs or epochs[-1].trigger is None:
        return Backlog()
    begin = _list_from(task, journal, now)
    begin = max(begin, floor) if floor else begin
    due = list(find_due_slots(epochs, begin, now))
    unsettled = [slot for slot in due if not journal.standing(task.name, slot.key).settled]
    if not unsettled:
        return Backlog(floor=max(begin, now))
    oldest = now - task.window
    owed: list[Slot] = []
    passed: list[tuple[Slot, str]] = []
    for slot in unsettled:
        reason = _reason_to_skip(task, slot, due[-1], journal, oldest)
        if reason:
            passed.append((slot, reason))
        else:
            owed.append(slot)
    return Backlog(tuple(owed), _limit_listed(passed), owed[0].due_at if owed else max(begin, now))


def find_due_slots(epochs: Sequence[SchedulePeriod], first: datetime, last: datetime) -> Iterator[Slot]:
    """The slots that fell due between two moments, each at the first moment that the schedule of then made it due."""
    epochs = _since_last_off(epochs)
    if len(epochs) == 1 and epochs[0].trigger is not None:
        return epochs[0].trigger.slots(max(first, epochs[0].since), last)
    found: dict[str, Slot] = {}
    for number, epoch in enumerate(epochs):
        until = epochs[number + 1].since if number + 1 < len(epochs) else last
        if epoch.trigger is None or until < first:
            continue
        # A slot that an edit moved before the edit itself is due at the edit.
        for slot in epoch.trigger.slots(max(first, epoch.since) - epoch.trigger.slack, min(until, last)):
            if (
                slot.key not in found
                and (made := find_effective_slot(epochs, slot.key))
                and first <= made.due_at <= last
            ):
                found[slot.key] = made
    return iter(sorted(found.values()))


def find_effective_slot(epochs: Sequence[SchedulePeriod], key: str) -> Slot | None:
    """The slot of that key with the moment it fell due under the schedules as they followed each other.

    None if no schedule made it due while it was in force. A slot that was still to come when an edit moved it into
    the past was not run yet and is not lost: it falls due at the edit.
    """
    for number, epoch in enumerate(epochs):
        slot = epoch.trigger.slot(key) if epoch.trigger else None
        until = epochs[number + 1].since if number + 1 < len(epochs) else None
        if slot is None or slot.due_at < epoch.since:
            continue
        if until is None or slot.due_at < until:
            return slot
        following = epochs[number + 1].trigger
        moved = following.slot(key) if following else None
        if moved is not None and moved.due_at < until:
            return Slot(until, key, moved.session)
    return None


def find_next_due(
    task: Task, epochs: Sequence[SchedulePeriod], now: datetime, ahead: timedelta = timedelta(days=40)
) -> Slot | None:
    """The next slot after a moment."""
    if not task.enabled or not epochs or epochs[-1].trigger is None:
        return None
    slots = epochs[-1].trigger.slots(now + timedelta(microseconds=1), now + ahead)
    return next((slot for slot in slots if (made := find_effective_slot(epochs, slot.key)) and made.due_at > now), None)


def _list_from(task: Task, journal: Journal, now: datetime) -> datetime:
    """Look back over the slots since the last settled one, to list them, and as far as the policy reaches."""
    settled = journal.newest_settled(task.name)
    since = max(settled.due_at, now - LISTED_BACK) if settled else now - LISTED_BACK
    opened = [event.due_at for event in journal.open(task.name)]
    reach = now - task.window if task.catch_up == "all" or not settled else since
    return min([reach, since, *opened])


def _reason_to_skip(task: Task, slot: Slot, newest: Slot, journal: Journal, oldest: datetime) -> str:
    """Why the policy leaves the slot out; empty if it does not."""
    standing = journal.standing(task.name, slot.key)
    if standing.running or standing.stopped:
        return ""
    if slot.due_at < oldest and not (standing.begun and task.failover != "retry"):
        return f"it was due {slot.due_at:%Y-%m-%d %H:%M} UTC, longer ago than the window of {task.window}"
    if task.catch_up == "last" and slot != newest:
        return f"only the last slot is caught up, and {newest.key} is due"
    if task.catch_up == "none" and slot != newest and not standing.begun:
        return f"nothing is caught up, and {newest.key} is due"
    return ""


def _since_last_off(epochs: Sequence[SchedulePeriod]) -> Sequence[SchedulePeriod]:
    """Switching a task off cancels what it owed; switching it on begins anew."""
    off = [number for number, epoch in enumerate(epochs) if epoch.trigger is None]
    return epochs[off[-1] + 1 :] if off else epochs


def _limit_listed(passed: list[tuple[Slot, str]]) -> tuple[tuple[Slot, str], ...]:
    if len(passed) <= MAX_LISTED:
        return tuple(passed)
    hidden = len(passed) - MAX_LISTED
    kept = passed[hidden:]
    slot, reason = kept[0]
    return ((slot, f"{reason} (and {hidden} before it)"), *kept[1:])

"""The backlog of a task: the slots that have fallen due under its schedule, less those that have finished."""

from __future__ import annotations

from collections.abc import Iterator, Sequence
from dataclasses import dataclass
from datetime import datetime, timedelta

from pipeline.control.schedule.journal import Journal
from pipeline.control.schedule.task import Task
from pipeline.control.schedule.trigger import Slot, Trigger
from pipeline.text_format import rough_duration

MAX_LISTED = 500
"""Skipped slots that are listed one by one; the oldest of them stands for those before it."""
LISTED_BACK = timedelta(days=400)
"""How far back skipped slots are listed."""


@dataclass(frozen=True)
class SchedulePeriod:
    """A time during which a task had one trigger; it ends where the next period begins."""

    since: datetime
    """When the definition was first seen; slots due before that do not belong to it."""
    trigger: Trigger | None
    """None while the task was disabled."""


@dataclass(frozen=True)
class Backlog:
    """The slots of one task that are to run, oldest first, and those its policy skips, with the reason."""

    due: tuple[Slot, ...] = ()
    skipped: tuple[tuple[Slot, str], ...] = ()
    floor: datetime | None = None
    """Everything due before this has finished or is skipped for good: later searches may start here."""


def find_backlog(
    task: Task, periods: Sequence[SchedulePeriod], journal: Journal, now: datetime, floor: datetime | None = None
) -> Backlog:
    """Find the slots of a task that are to run at a moment.

    A slot that is running or waiting for a retry is still in the backlog. No slot runs twice, whatever the clock or
    the schedule did in between, because a slot is identified by its key and not by when it was looked at.

    Args:
        task: its definition now.
        periods: its triggers over time, oldest first.
        journal: what happened so far.
        now: the wall clock.
        floor: that of an earlier search, whose skipped slots are in the journal by now.
    """
    if not task.enabled or not periods or periods[-1].trigger is None:
        return Backlog()
    begin = _list_from(task, journal, now)
    begin = max(begin, floor) if floor else begin
    fallen_due = list(find_due_slots(periods, begin, now))
    unfinished = [slot for slot in fallen_due if not journal.slot_state(task.name, slot.key).finished]
    if not unfinished:
        return Backlog(floor=max(begin, now))
    oldest = now - task.window
    due: list[Slot] = []
    skipped: list[tuple[Slot, str]] = []
    for slot in unfinished:
        reason = _reason_to_skip(task, slot, fallen_due[-1], journal, oldest)
        if reason:
            skipped.append((slot, reason))
        else:
            due.append(slot)
    return Backlog(tuple(due), _limit_listed(skipped), due[0].due_at if due else max(begin, now))


def find_due_slots(periods: Sequence[SchedulePeriod], first: datetime, last: datetime) -> Iterator[Slot]:
    """Find the slots that fell due between two moments, each at the first moment its schedule made it due."""
    periods = _drop_before_disabled(periods)
    if len(periods) == 1 and periods[0].trigger is not None:
        return periods[0].trigger.slots(max(first, periods[0].since), last)
    found: dict[str, Slot] = {}
    for number, period in enumerate(periods):
        until = periods[number + 1].since if number + 1 < len(periods) else last
        if period.trigger is None or until < first:
            continue
        # A slot that an edit moved to before the edit itself is due at the edit.
        for slot in period.trigger.slots(max(first, period.since) - period.trigger.slack, min(until, last)):
            if (
                slot.key not in found
                and (made := find_effective_slot(periods, slot.key))
                and first <= made.due_at <= last
            ):
                found[slot.key] = made
    return iter(sorted(found.values()))


def find_effective_slot(periods: Sequence[SchedulePeriod], key: str) -> Slot | None:
    """Find the slot of that key, with the moment it fell due under the triggers as they followed each other.

    None if no trigger made it due while it was active. A slot that was still to come when an edit moved it into the
    past has not run and is not lost: it falls due at the edit.
    """
    for number, period in enumerate(periods):
        slot = period.trigger.slot(key) if period.trigger else None
        until = periods[number + 1].since if number + 1 < len(periods) else None
        if slot is None or slot.due_at < period.since:
            continue
        if until is None or slot.due_at < until:
            return slot
        following = periods[number + 1].trigger
        moved = following.slot(key) if following else None
        if moved is not None and moved.due_at < until:
            return Slot(until, key, moved.session)
    return None


def find_next_due(
    task: Task, periods: Sequence[SchedulePeriod], now: datetime, ahead: timedelta = timedelta(days=40)
) -> Slot | None:
    """Find the first slot after a moment."""
    if not task.enabled or not periods or periods[-1].trigger is None:
        return None
    slots = periods[-1].trigger.slots(now + timedelta(microseconds=1), now + ahead)
    return next(
        (slot for slot in slots if (made := find_effective_slot(periods, slot.key)) and made.due_at > now), None
    )


def _list_from(task: Task, journal: Journal, now: datetime) -> datetime:
    """Look back to the last finished slot, so that skipped ones are listed, and as far as the policy reaches."""
    finished = journal.newest_finished(task.name)
    since = max(finished.due_at, now - LISTED_BACK) if finished else now - LISTED_BACK
    unfinished = [event.due_at for event in journal.unfinished(task.name)]
    reach = now - task.window if task.catch_up == "all" or not finished else since
    return min([reach, since, *unfinished])


def _reason_to_skip(task: Task, slot: Slot, newest: Slot, journal: Journal, oldest: datetime) -> str:
    """Why the policy skips the slot; empty if it does not."""
    state = journal.slot_state(task.name, slot.key)
    if state.running or state.stopped:
        return ""
    if slot.due_at < oldest and not (state.attempted and task.on_failure != "retry"):
        return f"it was due at {slot.due_at:%Y-%m-%d %H:%M} UTC, before the window of {rough_duration(task.window)}"
    if task.catch_up == "last" and slot != newest:
        return f'catch_up = "last" runs only the newest slot, {newest.key}'
    if task.catch_up == "none" and slot != newest and not state.attempted:
        return f'catch_up = "none", and {newest.key} is due'
    return ""


def _drop_before_disabled(periods: Sequence[SchedulePeriod]) -> Sequence[SchedulePeriod]:
    """Disabling a task empties its backlog; enabling it starts anew."""
    disabled = [number for number, period in enumerate(periods) if period.trigger is None]
    return periods[disabled[-1] + 1 :] if disabled else periods


def _limit_listed(skipped: list[tuple[Slot, str]]) -> tuple[tuple[Slot, str], ...]:
    if len(skipped) <= MAX_LISTED:
        return tuple(skipped)
    hidden = len(skipped) - MAX_LISTED
    listed = skipped[hidden:]
    slot, reason = listed[0]
    return ((slot, f"{reason} (and {hidden} before it)"), *listed[1:])

"""The record of every attempt at every slot of a task, and the state each slot is in because of it."""

from __future__ import annotations

from collections import defaultdict
from collections.abc import Callable, Iterable, Mapping, Sequence
from dataclasses import asdict, dataclass, replace
from datetime import UTC, date, datetime, timedelta
from typing import Any, Literal
from uuid import uuid4

import polars as pl

from lake.contract import RUN_ID
from lake.store import Lake
from lake.tables.control import TASK_ATTEMPTS

State = Literal["started", "done", "failed", "dead", "skipped", "cancelled", "released"]
Follows = Literal["nothing", "retry", "fallback", "stop", "last-good", "give-up"]
Save = Callable[[Sequence["Event"]], None]
"""Writes events to disk; they count only once it has returned."""
RETENTION = timedelta(days=450)
"""How far back a daemon reads the record when it starts: longer than any sensible window."""
OPEN_ENDED: tuple[Follows, ...] = ("retry", "fallback", "stop")


@dataclass(frozen=True, kw_only=True)
class Event:
    """One row of `task_attempts`."""

    task: str
    slot: str
    attempt: int
    state: State
    follows: Follows = "nothing"
    due_at: datetime
    session: date | None = None
    at: datetime
    retry_at: datetime | None = None
    pid: int | None = None
    process_started: str = ""
    boot_id: str = ""
    cycle_id: str = ""
    seconds: float | None = None
    reason: str = ""

    @property
    def key(self) -> tuple[str, str]:
        """The task and the slot."""
        return self.task, self.slot

    @property
    def finishes(self) -> bool:
        """Whether nothing more will happen to the slot after this event."""
        return self.state not in ("started", "released") and self.follows not in OPEN_ENDED

    @property
    def unblocks(self) -> bool:
        """Whether tasks that depend on the slot may run."""
        return self.finishes and (self.state == "done" or self.follows == "last-good")


@dataclass(frozen=True)
class SlotState:
    """The state of a slot, derived from its events, oldest first."""

    events: tuple[Event, ...] = ()

    @property
    def last(self) -> Event | None:
        """The newest event."""
        return self.events[-1] if self.events else None

    @property
    def running(self) -> bool:
        """Whether an attempt was started and its end is not on record."""
        return self.last is not None and self.last.state == "started"

    @property
    def finished(self) -> bool:
        """Whether nothing more will happen, neither by itself nor by an operator's retry."""
        return self.last is not None and self.last.finishes

    @property
    def unblocks(self) -> bool:
        """Whether it has finished in a way that lets dependent tasks run."""
        return self.last is not None and self.last.unblocks

    @property
    def stopped(self) -> bool:
        """Whether it waits for an operator."""
        return self.last is not None and self.last.follows == "stop"

    @property
    def attempted(self) -> bool:
        """Whether any attempt was started."""
        return any(event.state == "started" for event in self.events)

    @property
    def on_fallback(self) -> bool:
        """Whether the next attempt, or the running one, uses the fallback source."""
        return any(event.follows == "fallback" for event in self._since_release)

    @property
    def attempt(self) -> int:
        """The number of the next attempt, or of the running one."""
        ended = [event for event in self.events if event.state not in ("started", "released")]
        return len({event.attempt for event in ended})

    @property
    def failures(self) -> int:
        """Failed attempts since an operator last retried it, or since it switched to the fallback source."""
        count = 0
        for event in self._since_release:
            count += event.state == "failed"
            if event.follows == "fallback":
                count = 0
        return count

    @property
    def _since_release(self) -> tuple[Event, ...]:
        releases = [number for number, event in enumerate(self.events) if event.state == "released"]
        return self.events[releases[-1] + 1 :] if releases else self.events


_EMPTY = SlotState()


class Journal:
    """Every known event by task and slot; an appended event is saved first and counts afterwards."""

    def __init__(self, save: Save, events: Iterable[Event] = ()) -> None:
        self._save = save
        self._slots: dict[str, dict[str, SlotState]] = defaultdict(dict)
        self._open: dict[str, dict[str, SlotState]] = defaultdict(dict)
        self._newest: dict[str, Event] = {}
        for event in events:
            self._add(event)

    def append(self, events: Sequence[Event]) -> None:
        """Save the events in one commit, then let them count."""
        if events:
            self._save(events)
            for event in events:
                self._add(event)

    def slot_state(self, task: str, slot: str) -> SlotState:
        """The state of the slot; an empty one if nothing has happened to it."""
        return self._slots.get(task, {}).get(slot, _EMPTY)

    def running(self) -> list[Event]:
        """The start event of every attempt whose end is not on record, oldest first."""
        found = [s.last for slots in self._open.values() for s in slots.values() if s.running]
        return sorted((event for event in found if event is not None), key=lambda event: (event.at, event.key))

    def unfinished(self, task: str) -> list[Event]:
        """The last event of each slot of the task that has events and has not finished, oldest due first."""
        found = [s.last for s in self._open.get(task, {}).values() if s.last is not None]
        return sorted(found, key=lambda event: (event.due_at, event.slot))

    def newest_finished(self, task: str) -> Event | None:
        """The last event of the finished slot with the latest due time."""
        return self._newest.get(task)

    def events(self) -> list[Event]:
        """Every event, in the order they happened."""
        every = [event for slots in self._slots.values() for s in slots.values() for event in s.events]
        return sorted(every, key=_order_key)

    def prune(self, before: datetime) -> None:
        """Drop finished slots that ended before the moment: the lake has them, and no policy looks back so far."""
        for task, slots in self._slots.items():
            self._slots[task] = {
                slot: s for slot, s in slots.items() if not (s.finished and s.last is not None and s.last.at < before)
            }

    def _add(self, event: Event) -> None:
        slots = self._slots[event.task]
        state = slots[event.slot] = SlotState((*slots.get(event.slot, _EMPTY).events, event))
        if state.finished:
            self._open[event.task].pop(event.slot, None)
        else:
            self._open[event.task][event.slot] = state
        newest = self._newest.get(event.task)
        if event.finishes and (newest is None or event.due_at >= newest.due_at):
            self._newest[event.task] = event


def load_journal(lake: Lake, now: datetime) -> Journal:
    """Read the journal from `task_attempts`; what is appended to it is committed there."""

    def save(events: Sequence[Event]) -> None:
        frame = pl.DataFrame([asdict(event) for event in events], schema=TASK_ATTEMPTS.schema)
        lake.commit(TASK_ATTEMPTS, TASK_ATTEMPTS.check(frame), f"attempts-{uuid4().hex}", {})

    rows = lake.read(TASK_ATTEMPTS, since=now - RETENTION).drop(RUN_ID)
    return Journal(save, parse_events(rows))


def parse_events(rows: pl.DataFrame) -> list[Event]:
    """Convert rows of `task_attempts` to events, in the order they happened."""
    return sorted((Event(**_to_utc(row)) for row in rows.iter_rows(named=True)), key=_order_key)


def fit_reason(event: Event) -> Event:
    """Cut the event's reason to the length the table allows."""
    longest = TASK_ATTEMPTS.columns["reason"].max_length
    return event if len(event.reason) <= longest else replace(event, reason=event.reason[: longest - 3] + "...")


def _to_utc(row: Mapping[str, Any]) -> dict[str, Any]:
    return {name: v.astimezone(UTC) if isinstance(v, datetime) else v for name, v in row.items()}


def _order_key(event: Event) -> tuple[str, str, int, int, datetime]:
    """Sort attempts by number: the clock may have gone back between them."""
    rank = {"started": 0, "released": 2}.get(event.state, 1)
    return event.task, event.slot, event.attempt, rank, event.at

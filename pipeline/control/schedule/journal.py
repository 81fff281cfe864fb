"""The record of what happened to each task and slot, and what it says about where each stands."""

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
"""Makes events durable before they count."""
RETENTION = timedelta(days=450)
"""How far back the record is read when a daemon starts: longer than any sensible window."""
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
    def settles(self) -> bool:
        """Whether the slot is over and done with."""
        return self.state not in ("started", "released") and self.follows not in OPEN_ENDED

    @property
    def good(self) -> bool:
        """Whether those that depend on the slot may go ahead."""
        return self.settles and (self.state == "done" or self.follows == "last-good")


@dataclass(frozen=True)
class SlotState:
    """Where a slot stands: its events in the order they happened."""

    events: tuple[Event, ...] = ()

    @property
    def last(self) -> Event | None:
        """The newest event."""
        return self.events[-1] if self.events else None

    @property
    def running(self) -> bool:
        """Whether an attempt was started and nobody has said how it ended."""
        return self.last is not None and self.last.state == "started"

    @property
    def settled(self) -> bool:
        """Whether nothing further happens by itself or by an operator's release."""
        return self.last is not None and self.last.settles

    @property
    def good(self) -> bool:
        """Whether it is settled so that those that depend on it may go ahead."""
        return self.last is not None and self.last.good

    @property
    def stopped(self) -> bool:
        """Whether it waits for an operator."""
        return self.last is not None and self.last.follows == "stop"

    @property
    def begun(self) -> bool:
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
        """Attempts that failed since an operator last released it or the fallback was turned to."""
        count = 0
        for event in self._since_release:
            count += event.state == "failed"
            if event.follows == "fallback":
                count = 0
        return count

    @property
    def _since_release(self) -> tuple[Event, ...]:
        released = [number for number, event in enumerate(self.events) if event.state == "released"]
        return self.events[released[-1] + 1 :] if released else self.events


class Journal:
    """Every event known, by task and slot; what is noted is kept first and counts afterwards."""

    def __init__(self, keep: Save, events: Iterable[Event] = ()) -> None:
        self._keep = keep
        self._slots: dict[str, dict[str, SlotState]] = defaultdict(dict)
        self._open: dict[str, dict[str, SlotState]] = defaultdict(dict)
        self._newest: dict[str, Event] = {}
        for event in events:
            self._take(event)

    def note(self, events: Sequence[Event]) -> None:
        """Keep the events, all in one go, and let them count."""
        if events:
            self._keep(events)
            for event in events:
                self._take(event)

    def standing(self, task: str, slot: str) -> SlotState:
        """Where the slot stands; an empty one if nothing has happened to it."""
        return self._slots.get(task, {}).get(slot, SlotState())

    def running(self) -> list[Event]:
        """The start of every attempt that nobody has said the end of, oldest first."""
        found = [s.last for slots in self._open.values() for s in slots.values() if s.running]
        return sorted((event for event in found if event is not None), key=lambda event: (event.at, event.key))

    def open(self, task: str) -> list[Event]:
        """The last event of each slot of the task that was begun and is not settled, oldest due first."""
        found = [s.last for s in self._open.get(task, {}).values() if s.last is not None]
        return sorted(found, key=lambda event: (event.due_at, event.slot))

    def newest_settled(self, task: str) -> Event | None:
        """The settled slot that was due last."""
        return self._newest.get(task)

    def events(self) -> list[Event]:
        """Every event, in the order of its happening."""
        every = [event for slots in self._slots.values() for s in slots.values() for event in s.events]
        return sorted(every, key=_order_key)

    def forget(self, before: datetime) -> None:
        """Drop settled slots that ended before the moment: the lake remembers them, and no policy looks so far back."""
        for task, slots in self._slots.items():
            self._slots[task] = {
                slot: s for slot, s in slots.items() if not (s.settled and s.last is not None and s.last.at < before)
            }

    def _take(self, event: Event) -> None:
        slots = self._slots[event.task]
        standing = slots[event.slot] = SlotState((*slots.get(event.slot, SlotState()).events, event))
        if standing.settled:
            self._open[event.task].pop(event.slot, None)
        else:
            self._open[event.task][event.slot] = standing
        newest = self._newest.get(event.task)
        if event.settles and (newest is None or event.due_at >= newest.due_at):
            self._newest[event.task] = event


def load_journal(lake: Lake, now: datetime) -> Journal:
    """The journal as the lake's `task_attempts` tells it; what is noted is committed there."""

    def keep(events: Sequence[Event]) -> None:
        frame = pl.DataFrame([asdict(event) for event in events], schema=TASK_ATTEMPTS.schema)
        lake.commit(TASK_ATTEMPTS, TASK_ATTEMPTS.check(frame), f"attempts-{uuid4().hex}", {})

    rows = lake.read(TASK_ATTEMPTS, since=now - RETENTION).drop(RUN_ID)
    return Journal(keep, parse_events(rows))


def parse_events(rows: pl.DataFrame) -> list[Event]:
    """The rows of `task_attempts` as events, in the order of their happening."""
    return sorted((Event(**_to_utc(row)) for row in rows.iter_rows(named=True)), key=_order_key)


def fit_reason(event: Event) -> Event:
    """The event with its reason cut to what the table takes."""
    longest = TASK_ATTEMPTS.columns["reason"].max_length
    return event if len(event.reason) <= longest else replace(event, reason=event.reason[: longest - 3] + "...")


def _to_utc(row: Mapping[str, Any]) -> dict[str, Any]:
    return {name: v.astimezone(UTC) if isinstance(v, datetime) else v for name, v in row.items()}


def _order_key(event: Event) -> tuple[str, str, int, int, datetime]:
    """Attempts come in order of their number, not of a clock that may have gone back."""
    rank = {"started": 0, "released": 2}.get(event.state, 1)
    return event.task, event.slot, event.attempt, rank, event.at

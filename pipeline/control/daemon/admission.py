"""Which due runs may start now: one slot of a task at a time, after its dependencies, with room in its group."""

from __future__ import annotations

from collections import Counter
from collections.abc import Sequence
from dataclasses import dataclass
from datetime import datetime, timedelta

from pipeline.control.schedule.backlog import find_backlog, find_due_slots
from pipeline.control.schedule.definitions import Definitions
from pipeline.control.schedule.due_run import DueRun, make_skip_event
from pipeline.control.schedule.journal import Event, Journal, SlotState
from pipeline.control.schedule.task import Schedule, Task
from pipeline.control.schedule.trigger import Slot

LOOKBACK = timedelta(days=40)
"""How far back the last slot of a dependency is searched for: longer than a month, the longest interval there is."""


@dataclass(frozen=True)
class WaitingRun:
    """A due run that has not started, with the reason."""

    task: str
    slot: str
    due_at: datetime
    reason: str
    stopped: bool = False
    """True where it waits for an operator."""
    retries_spent: bool = False
    """True where it has used up its retries, and is only retried because its policy never gives up."""


@dataclass(frozen=True)
class Admitted:
    """What became of the due runs of one step."""

    start: tuple[DueRun, ...]
    wait: tuple[WaitingRun, ...]
    skip: tuple[Event, ...]
    """Those whose dependency rules them out, as their last event."""


class Admission:
    """Decides about the due runs of one step; what it admits counts for those that come after."""

    def __init__(self, schedule: Schedule, definitions: Definitions, journal: Journal, now: datetime) -> None:
        self._schedule = schedule
        self._definitions = definitions
        self._journal = journal
        self._now = now
        self._busy: Counter[str] = Counter()
        self._first_in_group: dict[str, WaitingRun] = {}
        self._first_in_queue: dict[str, WaitingRun] = {}

    def decide(self, due: Sequence[DueRun]) -> Admitted:
        """Split the due runs, in their order, into those that start, wait, and are skipped."""
        self._busy.update(run.task.group.name for run in due if run.state.running)
        start: list[DueRun] = []
        wait: list[WaitingRun] = []
        skip: list[Event] = []
        for run in due:
            if run.state.running:
                self._first_in_queue.setdefault(_queue_name(run), self._wait(run, "it is running"))
            elif reason := self._reason_to_skip(run):
                skip.append(make_skip_event(run.task, run.slot, run.state.attempt, reason, self._now))
            elif (waiting := self._reason_to_wait(run)) is not None:
                wait.append(waiting)
                self._queue_up(run, waiting)
            else:
                start.append(run)
                self._busy[run.task.group.name] += 1
                self._first_in_queue[_queue_name(run)] = self._wait(run, "it is running")
        return Admitted(tuple(start), tuple(wait), tuple(skip))

    def _queue_up(self, run: DueRun, waiting: WaitingRun) -> None:
        self._first_in_queue.setdefault(_queue_name(run), waiting)
        if run.task.group.in_order and not waiting.stopped and not run.requested:
            self._first_in_group.setdefault(run.task.group.name, waiting)

    def _reason_to_wait(self, run: DueRun) -> WaitingRun | None:
        """Why a run does not start yet; None if it may."""
        last = run.state.last
        if run.state.stopped:
            return self._wait(run, f"stopped: {last.reason if last else ''}", stopped=True)
        before = self._first_in_queue.get(_queue_name(run))
        if before is not None:
            return self._wait_behind(run, f"{before.slot} comes first: {before.reason}", before)
        # A retry that lies further ahead than its back-off was planned by a clock that has since gone back.
        if last is not None and last.retry_at is not None and last.at <= self._now < last.retry_at:
            spent = run.state.failures > run.task.retries
            reason = f"retry at {last.retry_at:%H:%M:%S} UTC: {last.reason}"
            return self._wait(run, reason, retries_spent=spent)
        for name, (key, state) in self._find_dependencies(run):
            if not state.finished:
                first = self._first_in_queue.get(name) or self._wait(run, "", stopped=state.stopped)
                return self._wait_behind(run, f"it runs after {name} {key}", first)
        if not run.requested and (first_due := self._first_in_group.get(run.task.group.name)) is not None:
            return self._wait_behind(run, f"{first_due.task} {first_due.slot} was due before it", first_due)
        if self._busy[run.task.group.name] >= run.task.group.at_once:
            return self._wait(run, f"group {run.task.group.name} is busy")
        return None

    def _reason_to_skip(self, run: DueRun) -> str:
        """Why a run can never start; empty if it can."""
        for name, (key, state) in self._find_dependencies(run):
            if state.finished and not state.unblocks:
                return f"it runs after {name} {key}, which was {state.last.state if state.last else 'not done'}"
        return ""

    def _find_dependencies(self, run: DueRun) -> list[tuple[str, tuple[str, SlotState]]]:
        """The tasks that the run comes after, each with the key and state of the slot that counts."""
        found = []
        for name in run.task.after:
            other = self._schedule.task(name)
            state = self._find_dependency(other, run.slot) if other else None
            if state is not None:
                found.append((name, state))
        return found

    def _find_dependency(self, task: Task, slot: Slot) -> tuple[str, SlotState] | None:
        """The last slot of a task that was due by the time this one was, and its state; None if there is none."""
        periods = self._definitions.periods(task.name)
        due = list(find_due_slots(periods, slot.due_at - LOOKBACK, slot.due_at))
        if not due:
            return None
        last = due[-1]
        state = self._journal.slot_state(task.name, last.key)
        backlog = find_backlog(task, periods, self._journal, self._now).due if not state.events else ()
        return (last.key, state) if state.events or any(one.key == last.key for one in backlog) else None

    def _wait_behind(self, run: DueRun, reason: str, first: WaitingRun) -> WaitingRun:
        """It waits for another, and for as long as that one does."""
        return self._wait(run, reason, stopped=first.stopped, retries_spent=first.retries_spent)

    def _wait(self, run: DueRun, reason: str, *, stopped: bool = False, retries_spent: bool = False) -> WaitingRun:
        return WaitingRun(run.task.name, run.slot.key, run.slot.due_at, reason, stopped, retries_spent)


def _queue_name(run: DueRun) -> str:
    """Slots of a task run one after the other; each request is a queue of its own."""
    return f"{run.task.name}/{run.slot.key}" if run.requested else run.task.name

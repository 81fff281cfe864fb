"""Decides, step by step: closes what ended, works out what is owed, and starts what may start now."""

from __future__ import annotations

import logging
from collections import Counter
from collections.abc import Callable, Iterable, Sequence
from dataclasses import dataclass, field, replace
from datetime import datetime, timedelta

from pipeline.control.daemon.clock import Clock
from pipeline.control.operator.requests import EXPIRES_AFTER, STEERING, Request, RequestError, make_request_task
from pipeline.control.schedule.backlog import find_backlog, find_due_slots, find_next_due
from pipeline.control.schedule.definitions import Definitions
from pipeline.control.schedule.due_run import (
    DueRun,
    has_expired,
    make_job,
    make_request_event,
    make_slot_event,
    make_start_event,
)
from pipeline.control.schedule.journal import Event, Journal, SlotState
from pipeline.control.schedule.retry_policy import close_attempt
from pipeline.control.schedule.task import Schedule, Task
from pipeline.control.schedule.trigger import Slot
from pipeline.control.workers.job import Job
from pipeline.control.workers.process_identity import Identity
from pipeline.control.workers.worker_pool import WorkerPool

Inbox = Callable[[], Sequence[Request]]
"""The requests of the last days, answered or not."""
log = logging.getLogger(__name__)


@dataclass(frozen=True)
class WaitingRun:
    """A slot that is owed and has not started, with the reason."""

    task: str
    slot: str
    due_at: datetime
    reason: str
    stopped: bool = False
    """True where it waits for an operator."""
    spent: bool = False
    """True where it has used up the retries it counts, and is only tried again because its policy never gives up."""


@dataclass(frozen=True)
class StepResult:
    """Where things stand after a step."""

    at: datetime
    running: tuple[Event, ...] = ()
    waiting: tuple[WaitingRun, ...] = ()
    wake: datetime | None = None
    """When the next slot is due or the next retry may start."""
    events: tuple[Event, ...] = field(default=(), repr=False)
    """What this step put on record."""

    @property
    def idle(self) -> bool:
        """Whether nothing runs, and what is owed waits for an operator or has used up the retries it counts."""
        return not self.running and all(waiting.stopped or waiting.spent for waiting in self.waiting)


class Orchestrator:
    """The decisions of a daemon. Time, workers, the record and requests are given to it."""

    def __init__(
        self,
        manifest: Schedule,
        journal: Journal,
        definitions: Definitions,
        workforce: WorkerPool,
        clock: Clock,
        inbox: Inbox = tuple,
    ) -> None:
        """Take note of the schedule, and take over the workers that an earlier daemon left running."""
        self.manifest = manifest
        self._journal = journal
        self._definitions = definitions
        self._workforce = workforce
        self._clock = clock
        self._inbox = inbox
        self._floors: dict[str, datetime] = {}
        definitions.see(manifest, clock.now())
        for start in journal.running():
            self._take_over(start)

    def replace_manifest(self, manifest: Schedule) -> list[str]:
        """Go by another schedule from now on; return the tasks whose time changed."""
        changed = self._definitions.see(manifest, self._clock.now())
        self.manifest = manifest
        for task in changed:
            self._floors.pop(task, None)
        return changed

    def step(self, *, start: bool = True) -> StepResult:
        """Bring everything up to now.

        Args:
            start: False starts nothing, while a daemon drains.
        """
        now = self._clock.now()
        noted = [*self._close(now), *self._steer(now)]
        if not start:
            return StepResult(now, tuple(self._journal.running()), (), None, tuple(noted))
        candidates, passed, floors = self._candidates(now)
        self._journal.note(passed)
        self._floors |= floors
        chosen, waiting, refused = _Admission(self, now).of(candidates)
        self._journal.note(refused)
        noted += [*passed, *refused, *self._start(chosen, now)]
        return StepResult(now, tuple(self._journal.running()), tuple(waiting), self._wake(now, waiting), tuple(noted))

    def stop_all(self) -> None:
        """End every attempt; each is tried again when a daemon is back."""
        for event in self._journal.running():
            self._workforce.stop(event.task, event.slot, "drained")

    # ---- what ended

    def _close(self, now: datetime) -> list[Event]:
        outcomes = self._workforce.ended()
        events = []
        for outcome in outcomes:
            standing = self._journal.standing(outcome.task, outcome.slot)
            events.append(close_attempt(self._task(outcome.task, outcome.slot), standing, outcome, now))
        self._journal.note(events)
        for outcome in outcomes:
            self._workforce.dismiss(outcome)
        return events

    def _take_over(self, start: Event) -> None:
        task = self._task(start.task, start.slot)
        order = Job(
            task=start.task,
            slot=start.slot,
            attempt=start.attempt,
            run=task.run if task else (),
            session=start.session,
            due_at=start.due_at,
            timeout=task.timeout if task else timedelta(),
            grace=task.grace if task else timedelta(seconds=10),
        )
        who = Identity(start.pid or 0, start.process_started, start.boot_id)
        log.info("%s %s was left running by an earlier daemon: it is watched on", start.task, start.slot)
        self._workforce.adopt(order, who, self._clock.now() - start.at)

    def _task(self, name: str, slot: str) -> Task | None:
        if not name.startswith("request:"):
            return self.manifest.task(name)
        request = next((one for one in self._inbox() if one.request_id == slot), None)
        try:
            return make_request_task(request, self.manifest) if request else None
        except RequestError:
            return None

    # ---- what an operator says about another slot

    def _steer(self, now: datetime) -> list[Event]:
        events: list[Event] = []
        for request in self._inbox():
            if request.action in STEERING and not self._journal.standing(request.task_name, request.request_id).events:
                made = self._obey(request, now)
                self._journal.note(made)
                events += made
        return events

    def _obey(self, request: Request, now: datetime) -> list[Event]:
        """What a request to cancel, retry or skip leads to; the last event is the request's own."""
        own = make_request_event(request, now)
        if has_expired(request, now):
            return [replace(own, state="skipped", reason=f"nobody took it up for {EXPIRES_AFTER}")]
        task, slot = self._named(request.target)
        standing = self._journal.standing(task, slot)
        last = standing.last
        if request.action == "cancel":
            made = self._cancel(task, slot, now)
            if made is None:
                over = f"is over: it was {last.state}" if last and standing.settled else "neither runs nor is owed"
                return [replace(own, state="failed", follows="give-up", reason=f"{request.target!r} {over}")]
            return [*made, own]
        if last is None or not standing.stopped:
            return [replace(own, state="failed", follows="give-up", reason=f"{request.target!r} is not stopped")]
        if request.action == "retry":
            return [
                replace(last, state="released", follows="nothing", at=now, retry_at=now, reason=request.reason),
                own,
            ]
        skipped = replace(last, attempt=standing.attempt, state="skipped", follows="last-good", at=now, retry_at=None)
        return [replace(skipped, reason=f"an operator passed over it: {request.reason}"[:1_000]), own]

    def _cancel(self, task: str, slot: str, now: datetime) -> list[Event] | None:
        """What cancelling leads to at once; None where there is nothing to cancel."""
        standing = self._journal.standing(task, slot)
        if standing.running:
            self._workforce.stop(task, slot, "cancelled")
            return []
        if standing.settled:
            return None
        last = standing.last
        if last is None:
            request = next((one for one in self._inbox() if (one.task_name, one.request_id) == (task, slot)), None)
            owed = next((c for c in self._candidates(now)[0] if (c.task.name, c.slot.key) == (task, slot)), None)
            if request is None and owed is None:
                return None
            last = make_request_event(request, now) if request else make_slot_event(owed, now) if owed else None
        assert last is not None
        event = replace(last, attempt=standing.attempt, state="cancelled", follows="nothing", at=now, retry_at=None)
        return [replace(event, reason="an operator cancelled it")]

    def _named(self, target: str) -> tuple[str, str]:
        """A slot is named `task/slot`, or by a request's id."""
        task, slash, slot = target.partition("/")
        if slash:
            return task, slot
        request = next((one for one in self._inbox() if one.request_id == target), None)
        return (request.task_name, target) if request else ("", target)

    # ---- what is owed

    def _candidates(self, now: datetime) -> tuple[list[DueRun], list[Event], dict[str, datetime]]:
        """Everything owed: requests first, then slots as they were due; what a policy passes over; new floors."""
        asked, stale = self._asked(now)
        owed: list[tuple[datetime, int, DueRun]] = []
        passed: list[Event] = list(stale)
        floors: dict[str, datetime] = {}
        for number, task in enumerate(self.manifest.tasks):
            floor = self._floors.get(task.name)
            found = find_backlog(task, self._definitions.epochs(task.name), self._journal, now, floor)
            if found.floor is not None:
                floors[task.name] = found.floor
            for slot in found.owed:
                owed.append((slot.due_at, number, DueRun(task, slot, self._journal.standing(task.name, slot.key))))
            passed += [self._skipped(task, slot, reason, now) for slot, reason in found.passed]
        return [*asked, *(candidate for _, _, candidate in sorted(owed, key=lambda one: one[:2]))], passed, floors

    def _asked(self, now: datetime) -> tuple[list[DueRun], list[Event]]:
        candidates: list[DueRun] = []
        refused: list[Event] = []
        for request in self._inbox():
            standing = self._journal.standing(request.task_name, request.request_id)
            if request.action in STEERING or standing.settled:
                continue
            try:
                task = make_request_task(request, self.manifest)
            except RequestError as error:
                refused.append(
                    replace(make_request_event(request, now), state="failed", follows="give-up", reason=str(error))
                )
                continue
            if not standing.events and has_expired(request, now):
                refused.append(
                    replace(make_request_event(request, now), state="skipped", reason=f"waited over {EXPIRES_AFTER}")
                )
                continue
            slot = Slot(request.requested_at, request.request_id, request.session)
            candidates.append(DueRun(task, slot, standing, asked_for=True))
        return candidates, refused

    def _skipped(self, task: Task, slot: Slot, reason: str, now: datetime) -> Event:
        standing = self._journal.standing(task.name, slot.key)
        return Event(
            task=task.name,
            slot=slot.key,
            attempt=standing.attempt,
            state="skipped",
            due_at=slot.due_at,
            session=slot.session,
            at=now,
            reason=reason,
        )

    # ---- starting

    def _start(self, chosen: Iterable[DueRun], now: datetime) -> list[Event]:
        """Hire the workers, put their attempts on record in one go, and only then give them the word."""
        orders: list[Job] = []
        events: list[Event] = []
        try:
            for candidate in chosen:
                order = make_job(candidate)
                who = self._workforce.hire(order)
                orders.append(order)
                events.append(make_start_event(order, who, now))
            self._journal.note(events)
        except Exception:  # whatever it was, a worker that is not on record must not begin
            for order in orders:
                self._workforce.withdraw(order)
            raise
        for order in orders:
            self._workforce.go(order)
        return events

    def _wake(self, now: datetime, waiting: Sequence[WaitingRun]) -> datetime | None:
        """The next moment at which something changes by the clock alone."""
        moments = [
            slot.due_at
            for task in self.manifest.tasks
            if (slot := find_next_due(task, self._definitions.epochs(task.name), now)) is not None
        ]
        for one in waiting:
            last = self._journal.standing(one.task, one.slot).last
            if last is not None and last.retry_at is not None and last.retry_at > now:
                moments.append(last.retry_at)
        return min(moments, default=None)

    def dependency(self, task: Task, slot: Slot, now: datetime) -> tuple[str, SlotState] | None:
        """The last slot of a task that was due by the time this one was, and where it stands; None if there is none."""
        epochs = self._definitions.epochs(task.name)
        due = list(find_due_slots(epochs, slot.due_at - timedelta(days=40), slot.due_at))
        if not due:
            return None
        last = due[-1]
        standing = self._journal.standing(task.name, last.key)
        owed = standing.events or any(s.key == last.key for s in find_backlog(task, epochs, self._journal, now).owed)
        return (last.key, standing) if owed else None


class _Admission:
    """Which candidates may start in one step: one slot of a task at a time, dependencies, and room in the group."""

    def __init__(self, orchestrator: Orchestrator, now: datetime) -> None:
        self._orchestrator = orchestrator
        self._now = now
        self._full: Counter[str] = Counter()
        self._barred: dict[str, WaitingRun] = {}
        self._line: dict[str, WaitingRun] = {}

    def of(self, candidates: Sequence[DueRun]) -> tuple[list[DueRun], list[WaitingRun], list[Event]]:
        """The candidates to start, those that wait and why, and those whose dependency rules them out."""
        self._full.update(one.task.group.name for one in candidates if one.standing.running)
        chosen: list[DueRun] = []
        waiting: list[WaitingRun] = []
        refused: list[Event] = []
        for one in candidates:
            if one.standing.running:
                self._line.setdefault(_queue_name(one), self._waiting(one, "it is running"))
                continue
            if reason := self._ruled_out(one):
                refused.append(self._orchestrator._skipped(one.task, one.slot, reason, self._now))
                continue
            held = self._held(one)
            if held is None:
                chosen.append(one)
                self._full[one.task.group.name] += 1
                self._line[_queue_name(one)] = self._waiting(one, "it is running")
                continue
            waiting.append(held)
            self._line.setdefault(_queue_name(one), held)
            if one.task.group.in_order and not held.stopped and not one.asked_for:
                self._barred.setdefault(one.task.group.name, held)
        return chosen, waiting, refused

    def _held(self, one: DueRun) -> WaitingRun | None:
        """Why a slot does not start yet; None if it may."""
        if one.standing.stopped:
            last = one.standing.last
            return self._waiting(one, f"stopped: {last.reason if last else ''}", stopped=True)
        before = self._line.get(_queue_name(one))
        if before is not None:
            return self._behind(one, f"{before.slot} comes first: {before.reason}", before)
        last = one.standing.last
        # A retry that lies further ahead than its pause was planned by a clock that has since gone back.
        if last is not None and last.retry_at is not None and last.at <= self._now < last.retry_at:
            spent = one.standing.failures > one.task.retries
            return self._waiting(one, f"it is tried again at {last.retry_at:%H:%M:%S} UTC: {last.reason}", spent=spent)
        for name, (key, standing) in self._dependencies(one):
            if not standing.settled:
                first = self._line.get(name) or self._waiting(one, "", stopped=standing.stopped)
                return self._behind(one, f"it comes after {name} {key}", first)
        if not one.asked_for and (bar := self._barred.get(one.task.group.name)) is not None:
            return self._behind(one, f"{bar.task} {bar.slot} was due before it", bar)
        if self._full[one.task.group.name] >= one.task.group.at_once:
            return self._waiting(one, f"group {one.task.group.name} is busy")
        return None

    def _ruled_out(self, one: DueRun) -> str:
        for name, (key, standing) in self._dependencies(one):
            if standing.settled and not standing.good:
                last = standing.last
                return f"it comes after {name} {key}, which was {last.state if last else 'not done'}"
        return ""

    def _dependencies(self, one: DueRun) -> list[tuple[str, tuple[str, SlotState]]]:
        found = []
        for name in one.task.after:
            other = self._orchestrator.manifest.task(name)
            state = self._orchestrator.dependency(other, one.slot, self._now) if other else None
            if state is not None:
                found.append((name, state))
        return found

    def _behind(self, one: DueRun, reason: str, first: WaitingRun) -> WaitingRun:
        """It waits for another, and for as long as that one does."""
        return self._waiting(one, reason, stopped=first.stopped, spent=first.spent)

    def _waiting(self, one: DueRun, reason: str, *, stopped: bool = False, spent: bool = False) -> WaitingRun:
        return WaitingRun(one.task.name, one.slot.key, one.slot.due_at, reason, stopped, spent)


def _queue_name(one: DueRun) -> str:
    """Slots of a task go one after the other; each request is a line of its own."""
    return f"{one.task.name}/{one.slot.key}" if one.asked_for else one.task.name

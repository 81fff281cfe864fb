"""The daemon's decisions, step by step: record what ended, find what is due, and start what may start now."""

from __future__ import annotations

import logging
from collections.abc import Callable, Iterable, Sequence
from dataclasses import dataclass, field, replace
from datetime import datetime, timedelta

from pipeline.control.daemon.admission import Admission, WaitingRun
from pipeline.control.daemon.cancel_retry_skip import Steering
from pipeline.control.daemon.clock import Clock
from pipeline.control.operator.requests import EXPIRES_AFTER, STEERING, Request, RequestError, make_request_task
from pipeline.control.schedule.backlog import find_backlog, find_next_due
from pipeline.control.schedule.definitions import Definitions
from pipeline.control.schedule.due_run import (
    DueRun,
    has_expired,
    make_job,
    make_request_event,
    make_skip_event,
    make_start_event,
)
from pipeline.control.schedule.journal import Event, Journal
from pipeline.control.schedule.retry_policy import close_attempt
from pipeline.control.schedule.task import Schedule, Task
from pipeline.control.schedule.trigger import Slot
from pipeline.control.workers.job import Job
from pipeline.control.workers.process_identity import Identity
from pipeline.control.workers.worker_pool import WorkerPool

RequestReader = Callable[[], Sequence[Request]]
"""The requests of the last days, answered or not."""
log = logging.getLogger(__name__)


@dataclass(frozen=True)
class StepResult:
    """What runs and what waits after a step."""

    at: datetime
    running: tuple[Event, ...] = ()
    waiting: tuple[WaitingRun, ...] = ()
    wake_at: datetime | None = None
    """When the next slot is due or the next retry may start."""
    events: tuple[Event, ...] = field(default=(), repr=False)
    """What this step recorded."""

    @property
    def idle(self) -> bool:
        """Whether nothing runs, and whatever waits does so for an operator or has used up its retries."""
        return not self.running and all(one.stopped or one.retries_spent for one in self.waiting)


@dataclass(frozen=True)
class _Due:
    """What a search for due runs found."""

    runs: tuple[DueRun, ...]
    """Requests first, then slots in the order in which they were due."""
    skipped: tuple[Event, ...]
    """What a policy skips, what cannot be carried out, and requests that expired."""
    floors: dict[str, datetime]
    """Task -> the moment from which its next search may start."""


class Orchestrator:
    """Makes the decisions; time, workers, the record and requests are passed in."""

    def __init__(
        self,
        schedule: Schedule,
        journal: Journal,
        definitions: Definitions,
        workers: WorkerPool,
        clock: Clock,
        inbox: RequestReader = tuple,
    ) -> None:
        """Record the schedule, and adopt the workers that an earlier daemon left running."""
        self.schedule = schedule
        self._journal = journal
        self._definitions = definitions
        self._workers = workers
        self._clock = clock
        self._inbox = inbox
        self._steering = Steering(journal, workers, inbox, lambda now: self._find_due(now).runs)
        self._floors: dict[str, datetime] = {}
        definitions.record_schedule(schedule, clock.now())
        for start in journal.running():
            self._adopt(start)

    def replace_schedule(self, schedule: Schedule) -> list[str]:
        """Go by another schedule from now on; return the tasks whose trigger changed."""
        changed = self._definitions.record_schedule(schedule, self._clock.now())
        self.schedule = schedule
        for task in changed:
            self._floors.pop(task, None)
        return changed

    def step(self, *, start: bool = True) -> StepResult:
        """Bring everything up to now.

        Args:
            start: False starts nothing, while a daemon drains.
        """
        now = self._clock.now()
        events = [*self._close_attempts(now), *self._steering.apply(now)]
        if not start:
            return StepResult(now, tuple(self._journal.running()), events=tuple(events))
        due = self._find_due(now)
        self._journal.append(due.skipped)
        self._floors |= due.floors
        admitted = Admission(self.schedule, self._definitions, self._journal, now).decide(due.runs)
        self._journal.append(admitted.skip)
        events += [*due.skipped, *admitted.skip, *self._start(admitted.start, now)]
        wake_at = self._find_wake_time(now, admitted.wait)
        return StepResult(now, tuple(self._journal.running()), admitted.wait, wake_at, tuple(events))

    def stop_all(self) -> None:
        """End every attempt; each is retried when a daemon is back."""
        for event in self._journal.running():
            self._workers.stop(event.task, event.slot, "drained")

    # ---- attempts that ended, and those of an earlier daemon

    def _close_attempts(self, now: datetime) -> list[Event]:
        outcomes = self._workers.collect_ended()
        events = []
        for outcome in outcomes:
            state = self._journal.slot_state(outcome.task, outcome.slot)
            events.append(close_attempt(self._find_task(outcome.task, outcome.slot), state, outcome, now))
        self._journal.append(events)
        for outcome in outcomes:
            self._workers.forget(outcome)
        return events

    def _adopt(self, start: Event) -> None:
        task = self._find_task(start.task, start.slot)
        job = Job(
            task=start.task,
            slot=start.slot,
            attempt=start.attempt,
            run=task.run if task else (),
            session=start.session,
            due_at=start.due_at,
            timeout=task.timeout if task else timedelta(),
            grace=task.grace if task else timedelta(seconds=10),
            target=task.target if task else "",
        )
        who = Identity(start.pid or 0, start.process_started, start.boot_id)
        log.info("%s %s was left running by an earlier daemon and is adopted", start.task, start.slot)
        self._workers.adopt(job, who, self._clock.now() - start.at)

    def _find_task(self, name: str, slot: str) -> Task | None:
        if not name.startswith("request:"):
            return self.schedule.task(name)
        request = next((one for one in self._inbox() if one.request_id == slot), None)
        try:
            return make_request_task(request, self.schedule) if request else None
        except RequestError:
            return None

    # ---- what is due

    def _find_due(self, now: datetime) -> _Due:
        requested, refused = self._find_requested(now)
        scheduled: list[tuple[datetime, int, DueRun]] = []
        skipped: list[Event] = []
        floors: dict[str, datetime] = {}
        for number, task in enumerate(self.schedule.tasks):
            periods, floor = self._definitions.periods(task.name), self._floors.get(task.name)
            backlog = find_backlog(task, periods, self._journal, now, floor)
            if backlog.floor is not None:
                floors[task.name] = backlog.floor
            for slot in backlog.due:
                run = DueRun(task, slot, self._journal.slot_state(task.name, slot.key))
                scheduled.append((slot.due_at, number, run))
            for slot, reason in backlog.skipped:
                attempt = self._journal.slot_state(task.name, slot.key).attempt
                skipped.append(make_skip_event(task, slot, attempt, reason, now))
        in_order = (run for _, _, run in sorted(scheduled, key=lambda one: one[:2]))
        return _Due((*requested, *in_order), (*refused, *skipped), floors)

    def _find_requested(self, now: datetime) -> tuple[list[DueRun], list[Event]]:
        """Requests for work that are to run, and those that cannot or have expired, as their last event."""
        due: list[DueRun] = []
        refused: list[Event] = []
        for request in self._inbox():
            state = self._journal.slot_state(request.task_name, request.request_id)
            if request.action in STEERING or state.finished:
                continue
            own = make_request_event(request, now)
            try:
                task = make_request_task(request, self.schedule)
            except RequestError as error:
                refused.append(replace(own, state="failed", follows="give-up", reason=str(error)))
                continue
            if not state.events and has_expired(request, now):
                refused.append(replace(own, state="skipped", reason=f"it waited for more than {EXPIRES_AFTER}"))
                continue
            slot = Slot(request.requested_at, request.request_id, request.session)
            due.append(DueRun(task, slot, state, requested=True))
        return due, refused

    # ---- starting

    def _start(self, runs: Iterable[DueRun], now: datetime) -> list[Event]:
        """Spawn the workers, put their attempts on record in one commit, and only then let them begin."""
        jobs: list[Job] = []
        events: list[Event] = []
        try:
            for run in runs:
                job = make_job(run)
                who = self._workers.spawn(job)
                jobs.append(job)
                events.append(make_start_event(job, who, now))
            self._journal.append(events)
        except Exception:  # whatever it was, a worker that is not on record must not begin
            for job in jobs:
                self._workers.discard(job)
            raise
        for job in jobs:
            self._workers.begin(job)
        return events

    def _find_wake_time(self, now: datetime, waiting: Sequence[WaitingRun]) -> datetime | None:
        """The next moment at which something changes by the clock alone."""
        moments = [
            slot.due_at
            for task in self.schedule.tasks
            if (slot := find_next_due(task, self._definitions.periods(task.name), now)) is not None
        ]
        for one in waiting:
            last = self._journal.slot_state(one.task, one.slot).last
            if last is not None and last.retry_at is not None and last.retry_at > now:
                moments.append(last.retry_at)
        return min(moments, default=None)

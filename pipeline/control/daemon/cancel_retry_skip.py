"""What an operator says about another slot: cancel, retry or skip it."""

from __future__ import annotations

from collections.abc import Callable, Sequence
from dataclasses import replace
from datetime import datetime

from pipeline.control.operator.requests import EXPIRES_AFTER, STEERING, Request
from pipeline.control.schedule.due_run import DueRun, has_expired, make_request_event, make_slot_event
from pipeline.control.schedule.journal import Event, Journal
from pipeline.control.workers.worker_pool import WorkerPool

MAX_REASON = 1_000


class Steering:
    """Carries out requests on other slots, each once."""

    def __init__(
        self,
        journal: Journal,
        workers: WorkerPool,
        inbox: Callable[[], Sequence[Request]],
        find_due_runs: Callable[[datetime], Sequence[DueRun]],
    ) -> None:
        self._journal = journal
        self._workers = workers
        self._inbox = inbox
        self._find_due_runs = find_due_runs

    def apply(self, now: datetime) -> list[Event]:
        """Carry out the requests that have not been yet; return what was put on record."""
        events: list[Event] = []
        for request in self._inbox():
            if (
                request.action in STEERING
                and not self._journal.slot_state(request.task_name, request.request_id).events
            ):
                made = self._apply(request, now)
                self._journal.append(made)
                events += made
        return events

    def _apply(self, request: Request, now: datetime) -> list[Event]:
        """The events that a request leads to; the last is the request's own."""
        own = make_request_event(request, now)
        if has_expired(request, now):
            return [replace(own, state="skipped", reason=f"no daemon read it within {EXPIRES_AFTER}")]
        task, slot = self._find_target(request.target)
        state = self._journal.slot_state(task, slot)
        last = state.last
        if request.action == "cancel":
            made = self._cancel(task, slot, now)
            if made is None:
                over = f"has ended: it was {last.state}" if last and state.finished else "neither runs nor is due"
                return [_refuse(own, f"{request.target!r} {over}")]
            return [*made, own]
        if last is None or not state.stopped:
            return [_refuse(own, f"{request.target!r} is not stopped")]
        if request.action == "retry":
            released = replace(last, state="released", follows="nothing", at=now, retry_at=now, reason=request.reason)
            return [released, own]
        skipped = replace(last, attempt=state.attempt, state="skipped", follows="last-good", at=now, retry_at=None)
        return [replace(skipped, reason=f"skipped by an operator: {request.reason}"[:MAX_REASON]), own]

    def _cancel(self, task: str, slot: str, now: datetime) -> list[Event] | None:
        """The events that cancelling leads to at once; None where there is nothing to cancel."""
        state = self._journal.slot_state(task, slot)
        if state.running:
            self._workers.stop(task, slot, "cancelled")
            return []
        if state.finished:
            return None
        last = state.last or self._make_first_event(task, slot, now)
        if last is None:
            return None
        event = replace(last, attempt=state.attempt, state="cancelled", follows="nothing", at=now, retry_at=None)
        return [replace(event, reason="cancelled by an operator")]

    def _make_first_event(self, task: str, slot: str, now: datetime) -> Event | None:
        """A first event for what is requested or due and has none yet; None if it is neither."""
        for request in self._inbox():
            if (request.task_name, request.request_id) == (task, slot):
                return make_request_event(request, now)
        for run in self._find_due_runs(now):
            if (run.task.name, run.slot.key) == (task, slot):
                return make_slot_event(run, now)
        return None

    def _find_target(self, target: str) -> tuple[str, str]:
        """Task and slot of a target, which is `TASK/SLOT` or the id of a request."""
        task, slash, slot = target.partition("/")
        if slash:
            return task, slot
        request = next((one for one in self._inbox() if one.request_id == target), None)
        return (request.task_name, target) if request else ("", target)


def _refuse(own: Event, reason: str) -> Event:
    return replace(own, state="failed", follows="give-up", reason=reason)

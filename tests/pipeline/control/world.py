"""A simulated operation: the daemon's real decisions, a clock that can be moved, workers that can be made to fail."""

from __future__ import annotations

from collections import Counter
from collections.abc import Callable, Iterable, Sequence
from dataclasses import dataclass, field
from datetime import UTC, datetime, timedelta
from typing import Any

from pipeline.control.daemon.clock import SimulatedClock
from pipeline.control.daemon.orchestrator import Orchestrator, StepResult
from pipeline.control.operator.requests import Request
from pipeline.control.schedule.definitions import Definition, Definitions
from pipeline.control.schedule.journal import Event, Journal
from pipeline.control.schedule.schedule_file import parse_schedule
from pipeline.control.schedule.task import Schedule
from pipeline.control.workers.job import Job
from pipeline.control.workers.process_identity import Identity
from pipeline.control.workers.worker_pool import AttemptOutcome, StopReason
from pipeline.market.sessions import Sessions, exchange_sessions

MINUTE, HOUR, DAY = timedelta(minutes=1), timedelta(hours=1), timedelta(days=1)
Fate = Callable[[Job], str]
"""What becomes of an attempt: empty if it is done, else why it failed; `hang` never ends."""


@dataclass
class Hand:
    """One simulated worker."""

    job: Job
    who: Identity
    ends: float
    fate: str
    began: bool = False
    gone: bool = False
    ending: StopReason = ""


@dataclass
class Hands:
    """A workforce whose workers take a while and do nothing but be counted. It outlives daemons, as processes do."""

    clock: SimulatedClock
    takes: timedelta = 5 * MINUTE
    fate: Fate = lambda _job: ""
    hands: dict[tuple[str, str], Hand] = field(default_factory=dict)
    done: list[tuple[str, str, datetime]] = field(default_factory=list)
    begun: list[Job] = field(default_factory=list)
    overlapping: int = 0
    number: int = 0

    def spawn(self, job: Job) -> Identity:
        old = self.hands.get(job.key)
        self.overlapping += old is not None and old.began and not old.gone
        self.number += 1
        who = Identity(self.number, f"start-{self.number}", "boot")
        self.hands[job.key] = Hand(job, who, float("inf"), self.fate(job))
        return who

    def begin(self, job: Job) -> None:
        hand = self.hands[job.key]
        hand.began = True
        self.begun.append(job)
        took = job.timeout + job.grace if hand.fate == "hang" else self.takes
        hand.ends = self.clock.steady() + took.total_seconds()

    def discard(self, job: Job) -> None:
        self.hands.pop(job.key)

    def adopt(self, job: Job, who: Identity, passed: timedelta) -> None:
        del passed  # simulated workers keep their own time
        hand = self.hands.get(job.key)
        if hand is None or hand.who != who:
            self.hands[job.key] = Hand(job, who, 0.0, "", began=True, gone=True)

    def stop(self, task: str, slot: str, why: StopReason) -> None:
        if hand := self.hands.get((task, slot)):
            hand.ending, hand.ends = why, self.clock.steady()

    def collect_ended(self) -> list[AttemptOutcome]:
        return [self._outcome(hand) for hand in self.hands.values() if hand.gone or self._over(hand)]

    def forget(self, outcome: AttemptOutcome) -> None:
        self.hands.pop((outcome.task, outcome.slot))

    def seconds_to_check(self) -> float | None:
        working = [hand for hand in self.hands.values() if hand.began and not hand.gone and not self._over(hand)]
        return min((hand.ends - self.clock.steady() for hand in working), default=None)

    def reboot(self) -> None:
        """The host went down: workers are gone; of those that were done the report is still on disk."""
        for hand in self.hands.values():
            hand.gone = hand.fate != "reported"

    def work(self) -> None:
        """Workers that come to their end do so, whether or not a daemon is there to see it."""
        for hand in self.hands.values():
            if hand.began and not hand.gone and self._over(hand) and not hand.fate and not hand.ending:
                hand.fate = "reported"
                self.done.append((hand.job.task, hand.job.slot, self.clock.now()))

    def _over(self, hand: Hand) -> bool:
        return hand.began and self.clock.steady() >= hand.ends

    def _outcome(self, hand: Hand) -> AttemptOutcome:
        job = hand.job
        if hand.gone:
            state, reason = "dead", "its process has vanished without a report"
        elif hand.fate in ("", "reported"):
            state, reason = "done", ""
        elif hand.ending == "cancelled":
            state, reason = "cancelled", "cancelled by an operator"
        else:
            state, reason = "failed", hand.fate
        return AttemptOutcome(task=job.task, slot=job.slot, attempt=job.attempt, state=state, reason=reason)  # type: ignore[arg-type]


class PowerCutError(BaseException):
    """The daemon died at this point."""


class World:
    """A lake's control records, its workers, and one daemon after the other."""

    def __init__(
        self,
        schedule: str,
        start: datetime,
        calendar: Sessions | None = None,
        takes: timedelta = 5 * MINUTE,
        fate: Fate = lambda _job: "",
        hands: Hands | None = None,
    ) -> None:
        self.calendar = calendar
        self.hands = hands or Hands(SimulatedClock(start), takes, fate)
        self.clock = self.hands.clock
        self.events: list[Event] = []
        self.definitions: list[Definition] = []
        self.requests: list[Request] = []
        self.die_at_record = False
        self.schedule = self.read(schedule)
        self.result = StepResult(start)
        self.begin()

    def read(self, text: str) -> Schedule:
        calendars = (lambda _name: self.calendar) if self.calendar else exchange_sessions
        return parse_schedule(text, "schedules.toml", self.clock.now(), calendars)  # type: ignore[arg-type]

    def begin(self) -> None:
        """A daemon starts, knowing nothing but what was kept."""
        calendars = (lambda _name: self.calendar) if self.calendar else exchange_sessions
        self.daemon: Orchestrator | None = Orchestrator(
            self.schedule,
            Journal(self._keep, list(self.events)),
            Definitions(self.definitions.extend, list(self.definitions), calendars),  # type: ignore[arg-type]
            self.hands,
            self.clock,
            lambda: self.requests,
        )

    def kill(self) -> None:
        """kill -9 of the daemon; its workers live on."""
        self.daemon = None

    def edit(self, schedule: str) -> None:
        """The operator changes the schedule and reloads it."""
        self.schedule = self.read(schedule)
        if self.daemon is not None:
            self.daemon.replace_schedule(self.schedule)

    def run(self, length: timedelta, pulse: timedelta = 6 * HOUR) -> None:
        """Let time pass, the daemon (if there is one) waking as it would."""
        end = self.clock.steady() + length.total_seconds()
        while True:
            self.turn()
            left = end - self.clock.steady()
            if left <= 0:
                return
            waits = [left, pulse.total_seconds()]
            if self.daemon is not None and self.result.wake_at is not None:
                waits.append(max(self.clock.wait(self.result.wake_at), 0.001))
            if (look := self.hands.seconds_to_check()) is not None:
                waits.append(max(look, 0.001))
            self.clock.advance(timedelta(seconds=min(waits)))

    def turn(self) -> None:
        """One turn of the daemon, if there is one."""
        self.hands.work()
        if self.daemon is None:
            return
        try:
            # A step may end one thing and start the next: as the real loop, go on until nothing is new.
            while True:
                self.result = self.daemon.step()
                if not self.result.events:
                    return
        except PowerCutError:
            self.daemon = None

    def sleep(self, length: timedelta) -> None:
        """The machine sleeps: the wall goes on, nothing else does."""
        self.clock.shift_wall(length)

    def ran(self, task: str) -> Counter[str]:
        """Slot -> how often a worker did it to the end."""
        return Counter(slot for name, slot, _ in self.hands.done if name == task)

    def states(self, task: str, state: str) -> list[str]:
        """The slots of the task with such an event."""
        return [event.slot for event in self.events if (event.task, event.state) == (task, state)]

    def _keep(self, events: Sequence[Event]) -> None:
        if self.die_at_record and any(event.state == "started" for event in events):
            self.die_at_record = False
            for hand in [hand for hand in self.hands.hands.values() if not hand.began]:
                self.hands.hands.pop(hand.job.key)  # stdin ends without the word: the worker goes home
            raise PowerCutError
        self.events.extend(events)


def check_each(cases: Iterable[tuple[Any, ...]], check: Callable[..., None]) -> None:
    """Check every case, and fail with all that do not hold: a property of many cases is one test."""
    failed = []
    for case in cases:
        try:
            check(*case)
        except AssertionError as error:
            failed.append(f"{case}: {error}")
    assert not failed, f"{len(failed)} cases do not hold:\n" + "\n".join(failed)


def at(text: str) -> datetime:
    """An instant in UTC."""
    return datetime.fromisoformat(text).replace(tzinfo=UTC)

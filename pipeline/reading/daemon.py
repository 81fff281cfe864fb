"""What the daemon of a lake does at this moment, from the few small files it keeps beside the lake."""

from __future__ import annotations

import os
from dataclasses import dataclass, field
from datetime import UTC, datetime, timedelta
from pathlib import Path
from typing import Any, Literal

from pipeline.control.daemon.daemon_lock import daemon_is_running
from pipeline.control.daemon.heartbeat import Heartbeat, read_heartbeat
from pipeline.control.workers.job_progress import JobStep, read_steps
from pipeline.health.checks import Status
from pipeline.text_format import rough_duration

MAX_SILENCE = timedelta(seconds=90)
"""A daemon writes a heartbeat at least every half minute; after this long its loop counts as hung."""
MAX_DELAY = timedelta(minutes=30)
"""How long a slot may be overdue before it counts as late."""
NO_DAEMON = "No daemon is running on this lake"
START = "start `nextgen-daemon`"
REQUESTED = "request:"
"""Prefix of the names of requested tasks."""
DaemonPhase = Literal["absent", "stopped", "crashed", "starting", "silent", "draining", "running"]


@dataclass(frozen=True)
class DaemonState:
    """Whether a daemon serves the lake, and how it is."""

    phase: DaemonPhase
    status: Status
    sentence: str
    since: datetime | None = None
    """Time of its last heartbeat; None if there was none."""
    fix: str = ""
    """What to do about it; empty if nothing."""
    beat: Heartbeat | None = None

    @property
    def present(self) -> bool:
        """Whether the process is there, whatever it does."""
        return self.phase not in ("absent", "stopped", "crashed")

    @property
    def running(self) -> tuple[dict[str, Any], ...]:
        """The attempts that its last heartbeat names; none without a daemon."""
        return tuple(self.beat.detail.get("running") or ()) if self.beat and self.present else ()

    @property
    def waiting(self) -> tuple[dict[str, Any], ...]:
        """The slots that are owed and wait, 20 at most; none without a daemon."""
        return tuple(self.beat.detail.get("waiting") or ()) if self.beat and self.present else ()


def read_daemon(lake: Path, now: datetime | None = None) -> DaemonState:
    """How the daemon of a lake is.

    Args:
        lake: the lake's folder.
        now: the time by which the lake is operated; None for the wall's.
    """
    now = now or datetime.now(UTC)
    beat = read_heartbeat(lake)
    since = beat.at if beat else None
    if not daemon_is_running(lake / "control"):
        if beat is None:
            return DaemonState("absent", "ok", f"{NO_DAEMON}; {START} to run the schedule")
        if beat.state == "stopped":
            return DaemonState("stopped", "ok", f"The daemon was stopped; {START} to resume", since, beat=beat)
        return DaemonState(
            "crashed",
            "fail",
            f"The daemon crashed {rough_duration(timedelta(seconds=beat.age))} ago",
            since,
            START,
            beat,
        )
    if beat is None:
        return DaemonState("starting", "warn", "The daemon is starting; no heartbeat yet")
    silence = timedelta(seconds=beat.age)
    if "pace" not in beat.detail:  # a paced market's time says nothing about how long its daemon was silent
        silence = max(silence, now - beat.at)
    if silence > MAX_SILENCE:
        words = f"The daemon has not responded for {rough_duration(silence)}"
        return DaemonState("silent", "fail", words, since, f"end process {beat.who.pid} and {START}", beat)
    phase: DaemonPhase = "draining" if beat.state == "draining" else "running"
    fix = "its log is in control/logs of the lake" if beat.status == "fail" else ""
    return DaemonState(phase, beat.status, f"The daemon is {phase}: {beat.reason}", since, fix, beat)


@dataclass(frozen=True)
class Activity:
    """The daemon's present, and whether anything can be asked of it."""

    daemon: bool = False
    writable: bool = True
    """Whether the lake can be written at all."""
    doing: tuple[str, ...] = ()
    """What runs, each with its step where the worker reports it. Text from outside: make it safe before showing it."""
    late: tuple[tuple[str, str], ...] = field(default=(), compare=False)
    """Slots that are owed and should have been done, each with how late it is."""


def read_activity(lake: Path, now: datetime) -> Activity:
    """What the daemon does; nothing where none runs, for what a dead one said last is no news."""
    daemon, writable = read_daemon(lake, now), os.access(lake, os.W_OK)
    if not daemon.present:
        return Activity(False, writable)
    known = read_steps(lake)
    return Activity(
        True,
        writable,
        tuple(_describe_step(one, known.get((one["task"], one["slot"]))) for one in daemon.running),
        tuple(_describe_delay(one, now) for one in daemon.waiting if _delay(one, now) > MAX_DELAY),
    )


@dataclass(frozen=True)
class Running:
    """Something that runs now."""

    words: str
    """The task with its step. Text from outside: make it safe before showing it."""
    share: float | None
    """Of its steps that are done, 0 to 1; None where the worker does not report them."""


def read_running(lake: Path, now: datetime) -> tuple[Running, ...]:
    """What the daemon runs, and how far each is; nothing where none runs."""
    daemon, known = read_daemon(lake, now), read_steps(lake)
    steps = ((one, known.get((one["task"], one["slot"]))) for one in daemon.running)
    return tuple(
        Running(_describe_step(one, step), step.done / step.total if step and step.total else None)
        for one, step in steps
    )


def _describe_step(one: dict[str, Any], step: JobStep | None) -> str:
    name = _name(one)
    if step is None:
        return name
    count = f", {step.done + 1} of {step.total}" if step.total > step.done else ""
    return f"{name}: {step.what}{count}"


def _name(one: dict[str, Any]) -> str:
    """A task with its slot; the slot of what was asked for is the request's number, which means nothing to anybody."""
    requested = one["task"].startswith(REQUESTED)
    return str(one["task"].removeprefix(REQUESTED)) if requested else f"{one['task']} {one['slot']}"


def _delay(one: dict[str, Any], now: datetime) -> timedelta:
    return now - datetime.fromisoformat(one["due_at"])


def _describe_delay(one: dict[str, Any], now: datetime) -> tuple[str, str]:
    name = _name(one)
    return name, f"{name} is {rough_duration(_delay(one, now))} late: {one['reason']}"

"""What the daemon does at this moment, and what it is late with, from the few small files it keeps beside the lake."""

from __future__ import annotations

import os
from dataclasses import dataclass, field
from datetime import datetime
from pathlib import Path
from typing import Any

from nextgen_tui.text import formats
from nextgen_tui.text.safe_text import safe_text
from pipeline.control.daemon.daemon_lock import daemon_is_running
from pipeline.control.daemon.heartbeat import read_heartbeat
from pipeline.control.monitoring.health import LATE
from pipeline.control.workers.job_progress import JobStep, read_steps

REQUESTED = "request:"
"""What the names of tasks that somebody asked for begin with."""


@dataclass(frozen=True)
class Activity:
    """The daemon's present, and whether anything can be asked of it."""

    daemon: bool = False
    writable: bool = True
    """Whether the lake can be written at all."""
    doing: tuple[str, ...] = ()
    """What runs, each with its step where the worker tells it."""
    late: tuple[tuple[str, str], ...] = field(default=(), compare=False)
    """Slots that are owed and should have been done, each with how late it is."""


def activity(lake: Path, now: datetime) -> Activity:
    """What the daemon does; nothing where none runs, for what a dead one said last is no news."""
    present, beat = daemon_is_running(lake / "control"), read_heartbeat(lake)
    writable = os.access(lake, os.W_OK)
    if beat is None or not present:
        return Activity(present, writable)
    known = read_steps(lake)
    running: list[dict[str, Any]] = beat.detail.get("running") or []
    waiting: list[dict[str, Any]] = beat.detail.get("waiting") or []
    return Activity(
        True,
        writable,
        tuple(_doing(one, known.get((one["task"], one["slot"]))) for one in running),
        tuple(_late(one, now) for one in waiting if now - datetime.fromisoformat(one["due_at"]) > LATE),
    )


def _doing(one: dict[str, Any], step: JobStep | None) -> str:
    name = _named(one)
    if step is None:
        return name
    count = f", {step.done + 1} of {step.total}" if step.total > step.done else ""
    return f"{name}: {safe_text(step.what, 40)}{count}"


def _named(one: dict[str, Any]) -> str:
    """A task with its slot; the slot of what was asked for is the request's number, which tells nobody anything."""
    asked = one["task"].startswith(REQUESTED)
    return safe_text(one["task"].removeprefix(REQUESTED) if asked else f"{one['task']} {one['slot']}", 60)


def _late(one: dict[str, Any], now: datetime) -> tuple[str, str]:
    late = (now - datetime.fromisoformat(one["due_at"])).total_seconds()
    name = _named(one)
    return name, f"{name} is owed and {formats.duration(late)} late: {safe_text(one['reason'], 100)}"

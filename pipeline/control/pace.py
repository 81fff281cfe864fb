"""The market run at speed: the clock of a daemon that paces it, and the same clock for whoever looks on."""

from __future__ import annotations

import os
from collections.abc import Mapping
from datetime import date, timedelta
from pathlib import Path
from typing import Any

from lake.errors import LakeError
from lake.store import Lake
from lake.tables.control import TASK_DEFINITIONS
from pipeline.config.loading import load
from pipeline.control.calendars import ChildCalendars
from pipeline.control.clock import Clock, PacedClock, SystemClock
from pipeline.control.coverage import last_covered
from pipeline.control.exclusive import daemon_present
from pipeline.control.heartbeat import last_beat


def paced_clock(lake: Lake, seconds: float, environ: Mapping[str, str] = os.environ) -> PacedClock:
    """The market at speed, from the close of the last session that the lake covers.

    Raises:
        LakeError: if the lake holds no history yet, or was served by another clock that is ahead of this one.
    """
    session = last_covered(lake)
    if session is None:
        raise LakeError("the lake holds no history yet; load it with `nextgen init`")
    exchange = load(lake.path, environ).settings.market.exchange
    clock = PacedClock(ChildCalendars(session)(exchange), session, seconds)
    if not lake.read(TASK_DEFINITIONS, since=clock.now() + timedelta(days=1)).is_empty():
        raise LakeError(
            f"this lake was served in real time, and its market stands at {session}; pace a lake of its own"
        )
    return clock


def pace_of(clock: Clock) -> dict[str, Any]:
    """What a heartbeat says of a paced clock, so that others can read the same time; nothing of any other."""
    if not isinstance(clock, PacedClock):
        return {}
    pace = {"exchange": clock.exchange, "after": clock.after.isoformat()}
    return {"pace": {**pace, "seconds": clock.seconds, "began": clock.began}}


def operation_clock(lake: Path) -> Clock:
    """The clock by which a lake is served now: that of its daemon where it runs the market at speed, else the system's.

    Args:
        lake: its folder.
    """
    beat = last_beat(lake)
    pace = beat.detail.get("pace") if beat is not None else None
    if not pace or not daemon_present(lake / "control"):
        return SystemClock()
    try:
        after = date.fromisoformat(pace["after"])
        return PacedClock(ChildCalendars(after)(pace["exchange"]), after, pace["seconds"], pace["began"])
    except (KeyError, TypeError, ValueError):  # no daemon of ours wrote this
        return SystemClock()

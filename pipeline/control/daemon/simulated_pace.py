"""An accelerated simulated market: the clock of the daemon that paces it, and the same clock for other processes."""

from __future__ import annotations

import os
from collections.abc import Mapping
from dataclasses import dataclass
from datetime import date, timedelta
from pathlib import Path
from typing import Any

from lake.errors import LakeError
from lake.runs import last_decision, last_session
from lake.store import Lake
from lake.tables.control import TASK_DEFINITIONS
from pipeline.config.loading import load
from pipeline.control.daemon.clock import Clock, PacedClock, SimulatedClock, SystemClock
from pipeline.control.daemon.daemon_lock import daemon_is_running
from pipeline.control.daemon.heartbeat import read_heartbeat
from pipeline.market.calendar_cache import ChildCalendars
from pipeline.market.sessions import Sessions


def make_paced_clock(lake: Lake, seconds: float, environ: Mapping[str, str] = os.environ) -> PacedClock:
    """Make the clock of an accelerated market, from the close of the last session that the lake covers.

    Raises:
        LakeError: if the lake has no history yet, or was run by another clock that is ahead of this one.
    """
    session = last_session(lake)
    if session is None:
        raise LakeError("the lake has no history yet; load it with `nextgen init`")
    exchange = load(lake.path, environ).settings.market.exchange
    clock = PacedClock(ChildCalendars()(exchange), session, seconds)
    if not lake.read(TASK_DEFINITIONS, since=clock.now() + timedelta(days=1)).is_empty():
        raise LakeError(
            f"this lake was run in real time beyond its last session, {session}; use --pace with a lake of its own"
        )
    return clock


def describe_pace(clock: Clock) -> dict[str, Any]:
    """Describe a paced clock for the heartbeat, so that other processes can read the same time; empty for any other."""
    if not isinstance(clock, PacedClock):
        return {}
    pace = {"exchange": clock.exchange, "after": clock.after.isoformat()}
    return {"pace": {**pace, "seconds": clock.seconds, "began": clock.began}}


@dataclass(frozen=True)
class SimulatedPace:
    """How a daemon runs the accelerated market, or last did."""

    exchange: str
    after: date
    """The session at whose close it began."""
    seconds: float
    began: float


def read_pace(lake: Path) -> SimulatedPace | None:
    """Read the pace from a lake's last heartbeat; None where its daemon runs, or last ran, in real time."""
    beat = read_heartbeat(lake)
    try:
        pace = beat.detail["pace"] if beat is not None else {}
        return SimulatedPace(
            str(pace["exchange"]), date.fromisoformat(pace["after"]), float(pace["seconds"]), pace["began"]
        )
    except (KeyError, TypeError, ValueError):  # another version wrote this, or a daemon that runs in real time
        return None


def make_market_clock(lake: Lake, pace: SimulatedPace, calendar: Sessions) -> Clock:
    """Make the clock of an accelerated market; where no daemon runs it now, a clock that stands at its last moment.

    Args:
        lake: whose market it is.
        pace: from its daemon's heartbeat.
        calendar: of the pace's exchange.
    """
    if daemon_is_running(lake.path / "control"):
        return PacedClock(calendar, pace.after, pace.seconds, pace.began)
    return SimulatedClock(last_decision(lake) or calendar.close_at(pace.after))


def make_operation_clock(lake: Lake) -> Clock:
    """Make the clock a lake is operated by: its market's, where a daemon last accelerated it, else the system's."""
    pace = read_pace(lake.path)
    return make_market_clock(lake, pace, ChildCalendars()(pace.exchange)) if pace else SystemClock()

"""The schedule a lake runs by: its file, or what its daemon last read where the file cannot be used."""

from __future__ import annotations

import logging
from dataclasses import dataclass
from datetime import datetime
from pathlib import Path
from typing import Any

from lake.storage.atomic import write_atomic
from pipeline.config import ConfigError
from pipeline.config.settings import Settings
from pipeline.control.daemon.daemon_lock import daemon_is_running
from pipeline.control.daemon.heartbeat import read_heartbeat
from pipeline.control.schedule.schedule_file import (
    Calendars,
    find_schedule_file,
    load_schedule,
    parse_schedule,
    read_settings,
)
from pipeline.control.schedule.task import Schedule
from pipeline.market.sessions import exchange_sessions

FILE = "schedule.toml"
"""Below `control` of a lake: the text its daemon runs by."""
log = logging.getLogger(__name__)


@dataclass(frozen=True)
class ActiveSchedule:
    """A schedule, where it came from, and what is wrong with its file."""

    schedule: Schedule
    """What the daemon runs by; without a daemon, what one would run by."""
    file: Path
    error: str = ""
    """Why the file cannot be used; empty where it can."""
    reload_pending: bool = False
    """True where the running daemon has not read the file since it was changed."""
    read_at: str = ""
    """When the running daemon read its schedule."""


def save_active_schedule(lake: Path, schedule: Schedule) -> None:
    """Save what the daemon runs by from now on, for other processes to read."""
    path = lake / "control" / FILE
    try:
        write_atomic(path, schedule.text, durable=False)
    except OSError as error:
        log.warning("the active schedule could not be saved to %s: %s", path, error.strerror)


def read_active_schedule(lake: Path, now: datetime, calendars: Calendars = exchange_sessions) -> ActiveSchedule:
    """Read the schedule a lake runs by; where its file cannot be used and no daemon runs, one without tasks."""
    reported = _read_from_heartbeat(lake) if daemon_is_running(lake / "control") else {}
    given = reported.get("given")
    file = Path(given) if given else find_schedule_file(lake)
    settings, problem = read_settings(lake), ""
    try:
        schedule = load_schedule(file, now, calendars, settings)
    except ConfigError as error:
        schedule, problem = Schedule(tasks=(), origin=str(file)), str(error)
    if not reported:
        return ActiveSchedule(schedule, file, problem)
    running = _read_saved(lake, str(reported.get("file", "")), now, calendars, settings)
    pending = not problem and running is not None and running.text != schedule.text
    return ActiveSchedule(running or schedule, file, problem, pending, str(reported.get("read_at", "")))


def _read_from_heartbeat(lake: Path) -> dict[str, Any]:
    beat = read_heartbeat(lake)
    reported = beat.detail.get("schedule") if beat is not None else None
    return reported if isinstance(reported, dict) else {}


def _read_saved(lake: Path, origin: str, now: datetime, calendars: Calendars, settings: Settings) -> Schedule | None:
    try:
        text = (lake / "control" / FILE).read_text(encoding="utf-8")
        return parse_schedule(text, origin, now, calendars, settings)
    except (OSError, UnicodeDecodeError, ConfigError):
        return None

"""The schedule a lake is held to: what its file says, or what its daemon last read where the file cannot be used."""

from __future__ import annotations

import logging
from dataclasses import dataclass
from datetime import datetime
from pathlib import Path
from typing import Any

from lake.storage.atomic import write_atomic
from pipeline.config.errors import ConfigError
from pipeline.control.daemon.daemon_lock import daemon_is_running
from pipeline.control.daemon.heartbeat import read_heartbeat
from pipeline.control.schedule.schedule_file import Calendars, find_schedule_file, load_schedule, parse_schedule
from pipeline.control.schedule.task import Schedule
from pipeline.market.sessions import exchange_sessions

FILE = "schedule.toml"
"""Below `control` of a lake: the text its daemon goes by."""
log = logging.getLogger(__name__)


@dataclass(frozen=True)
class ActiveSchedule:
    """A schedule, where it came from, and what is wrong with its file."""

    manifest: Schedule
    """What the daemon runs by; without a daemon, what one would run by."""
    file: Path
    fault: str = ""
    """Why the file cannot be used; empty where it can."""
    unread: bool = False
    """True where the daemon that runs has not read the file since it was changed."""
    read_at: str = ""
    """When the daemon that runs read its schedule."""


def save_active_schedule(lake: Path, manifest: Schedule) -> None:
    """Note what the daemon goes by from now on, for whoever looks on."""
    path = lake / "control" / FILE
    try:
        write_atomic(path, manifest.text, durable=False)
    except OSError as error:
        log.warning("the schedule in force could not be noted in %s: %s", path, error.strerror)


def read_active_schedule(lake: Path, now: datetime, calendars: Calendars = exchange_sessions) -> ActiveSchedule:
    """The schedule to hold a lake to; where its file cannot be used and no daemon runs, one without tasks."""
    told = _read_from_heartbeat(lake) if daemon_is_running(lake / "control") else {}
    given = told.get("given")
    file = Path(given) if given else find_schedule_file(lake)
    fault = ""
    try:
        manifest = load_schedule(file, now, calendars)
    except ConfigError as error:
        manifest, fault = Schedule(tasks=(), origin=str(file)), str(error)
    if not told:
        return ActiveSchedule(manifest, file, fault)
    running = _read_saved(lake, str(told.get("file", "")), now, calendars)
    unread = not fault and running is not None and running.text != manifest.text
    return ActiveSchedule(running or manifest, file, fault, unread, str(told.get("read_at", "")))


def _read_from_heartbeat(lake: Path) -> dict[str, Any]:
    beat = read_heartbeat(lake)
    told = beat.detail.get("schedule") if beat is not None else None
    return told if isinstance(told, dict) else {}


def _read_saved(lake: Path, origin: str, now: datetime, calendars: Calendars) -> Schedule | None:
    try:
        return parse_schedule((lake / "control" / FILE).read_text(encoding="utf-8"), origin, now, calendars)
    except (OSError, UnicodeDecodeError, ConfigError):
        return None

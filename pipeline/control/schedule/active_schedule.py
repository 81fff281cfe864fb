"""The schedule a lake is held to: what its file says, or what its daemon last read where the file cannot be used."""

from __future__ import annotations

import logging
from dataclasses import dataclass
from datetime import datetime
from pathlib import Path
from typing import Any

from lake.storage.atomic import write_atomic
from pipeline.config.errors import ConfigError
from pipeline.control.daemon.daemon_lock import daemon_present
from pipeline.control.daemon.heartbeat import last_beat
from pipeline.control.schedule.manifest import Calendars, load_manifest, manifest_path, read_manifest
from pipeline.control.schedule.task import Manifest
from pipeline.market.sessions import exchange_sessions

KEPT = "schedule.toml"
"""Below `control` of a lake: the text its daemon goes by."""
log = logging.getLogger(__name__)


@dataclass(frozen=True)
class InForce:
    """A schedule, where it came from, and what is wrong with its file."""

    manifest: Manifest
    """What the daemon runs by; without a daemon, what one would run by."""
    file: Path
    fault: str = ""
    """Why the file cannot be used; empty where it can."""
    unread: bool = False
    """True where the daemon that runs has not read the file since it was changed."""
    read_at: str = ""
    """When the daemon that runs read its schedule."""


def keep(lake: Path, manifest: Manifest) -> None:
    """Note what the daemon goes by from now on, for whoever looks on."""
    path = lake / "control" / KEPT
    try:
        write_atomic(path, manifest.text, durable=False)
    except OSError as error:
        log.warning("the schedule in force could not be noted in %s: %s", path, error.strerror)


def in_force(lake: Path, now: datetime, calendars: Calendars = exchange_sessions) -> InForce:
    """The schedule to hold a lake to; where its file cannot be used and no daemon runs, one without tasks."""
    told = _told(lake) if daemon_present(lake / "control") else {}
    given = told.get("given")
    file = Path(given) if given else manifest_path(lake)
    fault = ""
    try:
        manifest = load_manifest(file, now, calendars)
    except ConfigError as error:
        manifest, fault = Manifest(tasks=(), origin=str(file)), str(error)
    if not told:
        return InForce(manifest, file, fault)
    running = _kept(lake, str(told.get("file", "")), now, calendars)
    unread = not fault and running is not None and running.text != manifest.text
    return InForce(running or manifest, file, fault, unread, str(told.get("read_at", "")))


def _told(lake: Path) -> dict[str, Any]:
    beat = last_beat(lake)
    told = beat.detail.get("schedule") if beat is not None else None
    return told if isinstance(told, dict) else {}


def _kept(lake: Path, origin: str, now: datetime, calendars: Calendars) -> Manifest | None:
    try:
        return read_manifest((lake / "control" / KEPT).read_text(encoding="utf-8"), origin, now, calendars)
    except (OSError, UnicodeDecodeError, ConfigError):
        return None

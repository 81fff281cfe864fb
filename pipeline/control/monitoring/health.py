"""Whether the operation is alive and keeps its promises: one verdict per service, and one overall with its reason."""

from __future__ import annotations

import os
import shutil
from collections.abc import Sequence
from dataclasses import dataclass, field
from datetime import date, datetime, timedelta
from typing import Any, Literal

import polars as pl

from lake.contract import RUN_ID
from lake.storage.lease import LOCK
from lake.storage.lock import holder
from lake.store import Lake
from lake.tables import TABLES
from lake.tables.control import SERVICE_HEARTBEATS, SYSTEM_HEALTH, TASK_ATTEMPTS
from pipeline.config.errors import ConfigError
from pipeline.config.loading import load
from pipeline.control.daemon.daemon_lock import daemon_is_running
from pipeline.control.daemon.heartbeat import read_heartbeat
from pipeline.control.schedule.active_schedule import ActiveSchedule
from pipeline.control.schedule.backlog import find_backlog
from pipeline.control.schedule.definitions import Definitions, load_definitions
from pipeline.control.schedule.expectations import find_newest_time
from pipeline.control.schedule.journal import Event, Journal, parse_events
from pipeline.control.schedule.schedule_file import Calendars
from pipeline.control.schedule.task import OPERATOR_ACTIONS, Schedule, Task
from pipeline.market.sessions import exchange_sessions
from pipeline.text_format import percent

Status = Literal["ok", "warn", "fail"]
ORDER: dict[Status, int] = {"fail": 0, "warn": 1, "ok": 2}
SILENT = timedelta(seconds=90)
"""A daemon beats at least every half minute; after so long its loop hangs."""
LATE = timedelta(minutes=30)
"""How long a slot may be owed before it counts as late."""
RECENT = timedelta(days=7)
"""Errors of this time are counted."""
LEAST_FREE = 1 << 30
"""Bytes of free disk below which it is a failure; below five times as much it is remarked on."""

MOST_MEMORY, MOST_DESCRIPTORS = 500_000_000, 200
"""Bytes and open files of a daemon above which it is remarked on: it needs 200 MB and 20."""
WITHOUT_LEASE = tuple(f"request:{action}" for action in OPERATOR_ACTIONS)
REPORTED = ("sources", "news", "predictions", "book")
"""Services of which the last cycle's report is told."""


@dataclass(frozen=True)
class Service:
    """The verdict on one part of the operation, with the figures behind it."""

    service: str
    status: Status
    reason: str
    facts: dict[str, Any] = field(default_factory=dict)


@dataclass(frozen=True)
class Condition:
    """All verdicts, worst first, and the one that stands for them."""

    at: datetime
    status: Status
    reason: str
    services: tuple[Service, ...]


def condition(
    lake: Lake, held_to: ActiveSchedule, now: datetime, calendars: Calendars = exchange_sessions
) -> Condition:
    """Judge a lake's operation from what is on disk; it needs no daemon, and believes none that does no work.

    Args:
        lake: only read.
        held_to: the schedule it is held to.
        now: the wall's time.
        calendars: exchange code -> its sessions.
    """
    manifest = held_to.manifest
    journal = Journal(_refuse, parse_events(lake.read(TASK_ATTEMPTS, since=now - timedelta(days=60)).drop(RUN_ID)))
    definitions = load_definitions(lake, calendars)
    services = [
        _daemon(lake, now),
        _resources(lake, now),
        _schedule(held_to),
        _configuration(lake),
        _writer(lake, journal),
        *(_task(task, definitions, journal, now) for task in manifest.tasks if task.enabled),
        *_tables(lake, manifest, now, calendars),
        _disk(lake),
        *_last_report(lake),
    ]
    return overall(now, services)


def overall(now: datetime, services: Sequence[Service]) -> Condition:
    """The worst of the verdicts stands for all."""
    ordered = tuple(sorted(services, key=lambda one: (ORDER[one.status], one.service)))
    worst = ordered[0]
    reason = "all is well" if worst.status == "ok" else f"{worst.service}: {worst.reason}"
    return Condition(now, worst.status, reason, ordered)


def _daemon(lake: Lake, now: datetime) -> Service:
    beat = read_heartbeat(lake.path)
    present = daemon_is_running(lake.path / "control")
    facts = {**(beat.detail if beat else {}), "present": present, "last_beat": beat.at if beat else None}
    if not present:
        if beat is None or beat.state == "stopped":
            told = "it was stopped" if beat else "it is not running"
            return Service("daemon", "ok", f"{told}; start `nextgen-daemon`", facts)
        ago = _length(timedelta(seconds=beat.age))
        return Service("daemon", "fail", f"it died without a word {ago} ago; start `nextgen-daemon`", facts)
    if beat is None:
        return Service("daemon", "warn", "it has just started and has not beaten yet", facts)
    # A paced market's time says nothing about how long its daemon was silent.
    silent = timedelta(seconds=beat.age) if "pace" in beat.detail else now - beat.at
    if silent > SILENT:
        return Service("daemon", "fail", f"it runs but has been silent for {_length(silent)}", facts)
    return Service("daemon", beat.status, beat.reason, facts)


def _resources(lake: Lake, now: datetime) -> Service:
    """What the daemon used by its last row of heartbeats, over all that it has run."""
    rows = lake.read(SERVICE_HEARTBEATS, since=now - timedelta(days=1))
    if rows.is_empty():
        return Service("resources", "ok", "no daemon has run for long enough to tell")
    last = rows.sort("until").row(-1, named=True)
    mine = rows.filter(pl.col("pid") == last["pid"]).sort("until")
    seconds = (last["until"] - mine["since"][0]).total_seconds()
    share = (last["cpu"] - mine["cpu"][0]) / seconds if mine.height > 1 and seconds > 0 else None
    facts = {"memory": last["memory"], "descriptors": last["descriptors"], "core": share}
    heavy = last["memory"] > MOST_MEMORY or last["descriptors"] > MOST_DESCRIPTORS
    words = f"{last['memory'] / 1e6:.0f} MB, {last['descriptors']} descriptors"
    words += f", {percent(share, 1)} of a core" if share is not None else ""
    return Service("resources", "warn" if heavy else "ok", words + ("; restart the daemon" if heavy else ""), facts)


def _schedule(held_to: ActiveSchedule) -> Service:
    tasks = [task.name for task in held_to.manifest.tasks]
    facts = {"file": str(held_to.file), "tasks": tasks, "read_at": held_to.read_at or None}
    by = f"the daemon runs by what it read at {held_to.read_at:.16} UTC ({', '.join(tasks)})" if held_to.read_at else ""
    if held_to.fault:
        return Service("schedule", "fail", f"{held_to.fault}; {by or 'no daemon can start'}", facts)
    if held_to.unread:
        return Service("schedule", "warn", f"{held_to.file} was changed since; {by}; SIGHUP lets it count", facts)
    return Service("schedule", "ok", f"{', '.join(tasks)} by {held_to.file}", facts)


def _configuration(lake: Lake) -> Service:
    try:
        load(lake.path, os.environ)
    except ConfigError as error:
        return Service("configuration", "fail", f"no task can run: {error}")
    return Service("configuration", "ok", "it can be used")


def _writer(lake: Lake, journal: Journal) -> Service:
    """Who writes the lake; a remark where what the daemon started has to wait for somebody else."""
    writer = holder(lake.path / LOCK)
    if not writer:
        return Service("writer", "ok", "nobody writes the lake")
    at_work = [event for event in journal.running() if event.task not in WITHOUT_LEASE]
    if at_work and not any(f"process {event.pid} " in writer for event in at_work):
        first = at_work[0]
        return Service("writer", "warn", f"{first.task} {first.slot} waits for {writer}, which writes the lake")
    return Service("writer", "ok", f"{writer} writes the lake")


def _task(task: Task, definitions: Definitions, journal: Journal, now: datetime) -> Service:
    mine = [event for event in journal.events() if event.task == task.name]
    good = [event for event in mine if event.state == "done"]
    bad = [event for event in mine if event.state in ("failed", "dead") and event.at > now - RECENT]
    found = find_backlog(task, definitions.epochs(task.name), journal, now)
    owed = found.owed
    standings = [journal.standing(task.name, slot.key) for slot in owed]
    stopped = next((standing.last for standing in standings if standing.stopped), None)
    # What a policy passes over is put on record at once by a daemon that works.
    missed = [slot for slot, _ in found.passed]
    waiting = missed + [slot for slot, standing in zip(owed, standings, strict=True) if not standing.running]
    late = now - waiting[0].due_at if waiting else timedelta()
    facts = {
        "last_success": max((event.at for event in good), default=None),
        "errors_of_a_week": len(bad),
        "owed": len(owed) + len(missed),
        "late_seconds": max(late.total_seconds(), 0.0),
    }
    return Service(task.name, *_task_verdict(mine, stopped, late, facts["owed"]), facts)


def _task_verdict(events: Sequence[Event], stopped: Event | None, late: timedelta, owed: Any) -> tuple[Status, str]:
    if stopped is not None:
        return (
            "fail",
            f"stopped at {stopped.slot}: {stopped.reason}; `nextgen request retry {stopped.task}/{stopped.slot}`",
        )
    last = max((e for e in events if e.state not in ("started", "skipped")), key=lambda e: e.at, default=None)
    if late > LATE:
        return "fail" if late > timedelta(days=1) else "warn", f"{owed} owed, the oldest is {_length(late)} late"
    if last is not None and last.follows in ("give-up", "last-good"):
        return "warn", f"{last.slot} was given up: {last.reason}"
    if last is not None and last.follows in ("retry", "fallback"):
        return "warn", f"{last.slot} is tried again: {last.reason}"
    return "ok", f"done for {last.slot}" if last is not None else "nothing was due yet"


def _tables(lake: Lake, manifest: Schedule, now: datetime, calendars: Calendars) -> list[Service]:
    """The freshness of each table that some task's manifest entry gives a target."""
    found = []
    for task in manifest.tasks:
        session = calendars(task.exchange).last_closed(now - timedelta(hours=2))
        for output in task.outputs:
            if output.fresh_within is None or not task.enabled:
                continue
            newest = find_newest_time(lake, TABLES[output.table])
            facts = {"newest": newest, "target": output.fresh_within.total_seconds()}
            found.append(Service(output.table, *_freshness(newest, session, now, output.fresh_within), facts))
    return found


def _freshness(newest: date | datetime | None, session: date, now: datetime, within: timedelta) -> tuple[Status, str]:
    if newest is None:
        return "warn", "it is empty"
    behind = now - newest if isinstance(newest, datetime) else session - newest
    if behind <= within:
        return "ok", f"up to {newest}"
    return "warn", f"it ends at {newest}, {_length(behind)} behind; {_length(within)} is the target"


def _disk(lake: Lake) -> Service:
    free = shutil.disk_usage(lake.path).free
    size = sum(entry.stat().st_size for entry in lake.path.rglob("*") if entry.is_file())
    facts = {"lake_bytes": size, "free_bytes": free}
    status: Status = "fail" if free < LEAST_FREE else "warn" if free < 5 * LEAST_FREE else "ok"
    room = f"{free / 1e9:.1f} GB" if free >= LEAST_FREE else f"{free / 1e6:.0f} MB"
    return Service("disk", status, f"{room} free, the lake takes {size / 1e6:.0f} MB", facts)


def _last_report(lake: Lake) -> list[Service]:
    """What the last cycle's health report says of sources, opinions, forecasts and book: the worst line of each."""
    rows = lake.read(SYSTEM_HEALTH)
    if rows.is_empty():
        return [Service("predictions", "warn", "no cycle has reported yet")]
    last = rows.filter(pl.col("session") == pl.col("session").max(), pl.col("service").is_in(REPORTED))
    found = []
    for (name,), group in last.sort("service", "check").group_by("service", maintain_order=True):
        worst = min(group.iter_rows(named=True), key=lambda row: ORDER[row["status"]])
        facts = {row["check"]: row["value"] for row in group.iter_rows(named=True)} | {"session": worst["session"]}
        found.append(Service(str(name), worst["status"], worst["message"], facts))
    return found


def _length(time: timedelta) -> str:
    seconds = int(time.total_seconds())
    for size, name in ((86_400, "d"), (3_600, "h"), (60, "min")):
        if seconds >= 2 * size:
            return f"{seconds // size} {name}"
    return f"{seconds} s"


def _refuse(_events: Sequence[Event]) -> None:
    raise AssertionError("health only reads")

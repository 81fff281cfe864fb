"""How each part of the operation is, from what is on disk: daemon, schedule, configuration, tasks, tables, space."""

from __future__ import annotations

import os
import shutil
from collections.abc import Sequence
from dataclasses import dataclass, field
from datetime import date, datetime, timedelta
from typing import Any

import polars as pl

from lake.contract import RUN_ID
from lake.foreign import WAY_OUT, find_foreign_commits, find_missing_files
from lake.runs import decision_lag, last_decision
from lake.storage.lock import WRITER_LOCK, find_holder
from lake.store import Lake
from lake.tables import TABLES
from lake.tables.control import SERVICE_HEARTBEATS, TASK_ATTEMPTS, TRADING_SWITCHES
from pipeline.config import ConfigError
from pipeline.config.loading import load
from pipeline.config.settings import Settings
from pipeline.control.schedule.active_schedule import ActiveSchedule
from pipeline.control.schedule.backlog import find_backlog
from pipeline.control.schedule.definitions import Definitions, load_definitions
from pipeline.control.schedule.expectations import find_newest_time
from pipeline.control.schedule.journal import Event, Journal, parse_events
from pipeline.control.schedule.schedule_file import Calendars
from pipeline.control.schedule.task import OPERATOR_ACTIONS, Schedule, Task
from pipeline.health.checks import Status
from pipeline.reading.alerting.failing_channels import find_failing_channels
from pipeline.reading.daemon import MAX_DELAY, DaemonState, read_daemon
from pipeline.reading.market_time import calendars_from, read_changes
from pipeline.text_format import counted, percent, rough_duration
from pipeline.trading.planning.trading_stops import read_stops, standing

MAX_FAILING_DELAY = timedelta(days=1)
"""How late a slot may be before that counts as a failure."""
RECENT = timedelta(days=7)
"""Errors of this time are counted."""
HISTORY = timedelta(days=30)
"""A session that is run so long after its decisions is history replayed; whoever catches up is faster."""
MIN_FREE = 1 << 30
"""Bytes of free disk below which it is a failure; below five times as much it is worth a warning."""
MAX_MEMORY, MAX_DESCRIPTORS = 500_000_000, 200
"""Bytes and open files of a daemon above which it is worth a warning: it needs 200 MB and 20."""
AFTER_DAMAGE = "`nextgen scrub` lists damaged files, `nextgen restore` restores a backup"
WITHOUT_LOCK = tuple(f"request:{action}" for action in OPERATOR_ACTIONS)


@dataclass(frozen=True)
class PartHealth:
    """The verdict on one part of the operation."""

    service: str
    status: Status
    reason: str
    """A full sentence without its stop."""
    facts: dict[str, Any] = field(default_factory=dict)
    """The figures behind it."""
    since: datetime | date | None = None
    """Since when it is so; None where that is not known."""
    fix: str = ""
    """What to do about it; empty if nothing."""
    retry: str = ""
    """The stopped task and slot, as `retry` takes them; empty where nothing stopped."""


def judge_parts(
    lake: Lake, schedule: ActiveSchedule, now: datetime, calendars: Calendars, *, measure_lake: bool = True
) -> list[PartHealth]:
    """Judge every part; it needs no daemon, and believes none that does no work.

    Args:
        lake: only read.
        schedule: what the lake's tasks are run by.
        now: the time by which the lake is operated.
        calendars: exchange code -> its sessions.
        measure_lake: whether to add up the size of all files, which takes seconds in a lake of many.
    """
    journal = Journal(_refuse, parse_events(lake.read(TASK_ATTEMPTS, since=now - timedelta(days=60)).drop(RUN_ID)))
    definitions = load_definitions(lake, calendars)
    settings, configuration = _configuration(lake)
    daemon = read_daemon(lake.path, now)
    market_time = _market_time(lake, settings, daemon, now)
    return [
        configuration,
        _daemon(daemon),
        _schedule(schedule),
        _trading(lake),
        *(_task(task, definitions, journal, now) for task in schedule.schedule.tasks if task.enabled),
        _disk(lake, measure_lake),
        *_object_store(lake),
        _files(lake, measure_lake),
        *(_tables(lake, schedule.schedule, market_time) if market_time else ()),
        _writer(lake, journal),
        _resources(lake, now),
        _alerts(lake, now),
    ]


def _daemon(daemon: DaemonState) -> PartHealth:
    beat = daemon.beat
    facts = {**(beat.detail if beat else {}), "present": daemon.present, "last_beat": daemon.since}
    return PartHealth("daemon", daemon.status, daemon.sentence, facts, daemon.since, daemon.fix)


def _resources(lake: Lake, now: datetime) -> PartHealth:
    """What the daemon used by its last row of heartbeats, over all that it has run."""
    rows = lake.read(SERVICE_HEARTBEATS, since=now - timedelta(days=1))
    if rows.is_empty():
        return PartHealth("resources", "ok", "No daemon has run for long enough to measure what it uses")
    last = rows.sort("until").row(-1, named=True)
    mine = rows.filter(pl.col("pid") == last["pid"]).sort("until")
    seconds = (last["until"] - mine["since"][0]).total_seconds()
    share = (last["cpu"] - mine["cpu"][0]) / seconds if mine.height > 1 and seconds > 0 else None
    facts = {"memory": last["memory"], "descriptors": last["descriptors"], "core": share}
    words = f"The daemon uses {last['memory'] / 1e6:.0f} MB, {last['descriptors']} descriptors"
    words += f", {percent(share, 1)} of a core" if share is not None else ""
    if last["memory"] > MAX_MEMORY or last["descriptors"] > MAX_DESCRIPTORS:
        return PartHealth("resources", "warn", words, facts, last["until"], "restart the daemon")
    return PartHealth("resources", "ok", words, facts)


def _schedule(schedule: ActiveSchedule) -> PartHealth:
    tasks = [task.name for task in schedule.schedule.tasks]
    facts = {"file": str(schedule.file), "tasks": tasks, "read_at": schedule.read_at or None}
    by = f"the daemon uses the schedule it read at {schedule.read_at:.16} UTC ({', '.join(tasks)})"
    by = by if schedule.read_at else ""
    if schedule.error:
        words = f"The schedule cannot be used: {schedule.error}; {by or 'no daemon can start'}"
        return PartHealth("schedule", "fail", words, facts, fix="correct it; `nextgen schedule check` reads it again")
    if schedule.reload_pending:
        words = f"{schedule.file} was changed since; {by}"
        return PartHealth("schedule", "warn", words, facts, fix="send the daemon SIGHUP to apply the change")
    return PartHealth("schedule", "ok", f"{', '.join(tasks)} by {schedule.file}", facts)


def _trading(lake: Lake) -> PartHealth:
    """Whether the operator has paused or killed trading."""
    held = standing(read_stops(lake.read(TRADING_SWITCHES)))
    if not held:
        return PartHealth("trading", "ok", "Trading is neither paused nor killed", {"state": "running"})
    words = held[0].describe()
    fix = "`nextgen resume` lets it go on"
    return PartHealth("trading", "warn", f"T{words[1:]}", {"state": held[0].state}, held[0].since, fix)


def _configuration(lake: Lake) -> tuple[Settings | None, PartHealth]:
    try:
        settings = load(lake.path, os.environ).settings
    except ConfigError as error:
        words = f"The configuration cannot be used, so no task can run: {error}"
        fix = "correct it; `nextgen config validate` reads it again"
        return None, PartHealth("configuration", "fail", words, fix=fix)
    return settings, PartHealth("configuration", "ok", "The configuration is valid")


def _writer(lake: Lake, journal: Journal) -> PartHealth:
    """Who writes the lake; a warning where what the daemon started has to wait for somebody else."""
    writer = find_holder(lake.path / WRITER_LOCK)
    if not writer:
        return PartHealth("writer", "ok", "No process is writing the lake")
    at_work = [event for event in journal.running() if event.task not in WITHOUT_LOCK]
    if at_work and not any(f"process {event.pid} " in writer for event in at_work):
        first = at_work[0]
        words = f"{first.task} {first.slot} waits for {writer}, which writes the lake"
        return PartHealth("writer", "warn", words, since=first.at, fix="wait until it ends, or stop it")
    return PartHealth("writer", "ok", f"{writer} writes the lake")


def _task(task: Task, definitions: Definitions, journal: Journal, now: datetime) -> PartHealth:
    mine = [event for event in journal.events() if event.task == task.name]
    good = [event for event in mine if event.state == "done"]
    bad = [event for event in mine if event.state in ("failed", "dead") and event.at > now - RECENT]
    found = find_backlog(task, definitions.periods(task.name), journal, now)
    owed = found.due
    standings = [journal.slot_state(task.name, slot.key) for slot in owed]
    stopped = next((standing.last for standing in standings if standing.stopped), None)
    # What a policy passes over is put on record at once by a daemon that works.
    missed = [slot for slot, _ in found.skipped]
    waiting = missed + [slot for slot, standing in zip(owed, standings, strict=True) if not standing.running]
    late = max(now - waiting[0].due_at, timedelta()) if waiting else timedelta()
    facts = {
        "last_success": max((event.at for event in good), default=None),
        "errors_of_a_week": len(bad),
        "owed": len(owed) + len(missed),
        "late_seconds": late.total_seconds(),
    }
    if stopped is not None:
        words = f"{task.name} {stopped.slot} has stopped: {stopped.reason}"
        fix = f"`nextgen request retry {stopped.task}/{stopped.slot}` tries it again"
        return PartHealth(task.name, "fail", words, facts, stopped.at, fix, f"{task.name} {stopped.slot}")
    if late > MAX_DELAY:
        status: Status = "fail" if late > MAX_FAILING_DELAY else "warn"
        words = f"{task.name} is overdue {facts['owed']} times, the oldest by {rough_duration(late)} late"
        return PartHealth(task.name, status, words, facts, waiting[0].due_at, "`nextgen-daemon` runs what is overdue")
    return _last_attempt(task.name, mine, facts)


def _last_attempt(task: str, events: Sequence[Event], facts: dict[str, Any]) -> PartHealth:
    last = max((e for e in events if e.state not in ("started", "skipped")), key=lambda e: e.at, default=None)
    if last is None:
        return PartHealth(task, "ok", f"{task}: nothing was due yet", facts)
    if last.follows in ("give-up", "last-good"):
        fix = f"`nextgen request retry {task}/{last.slot}` tries it again"
        words = f"{task} {last.slot} failed, without further retries: {last.reason}"
        return PartHealth(task, "warn", words, facts, last.at, fix, f"{task} {last.slot}")
    if last.follows in ("retry", "fallback"):
        return PartHealth(task, "warn", f"{task} {last.slot} will be retried: {last.reason}", facts, last.at)
    return PartHealth(task, "ok", f"{task}: done for {last.slot}", facts)


def _market_time(lake: Lake, settings: Settings | None, daemon: DaemonState, now: datetime) -> datetime | None:
    """The time that data are measured against: the system's, but for a market that is not followed as it happens.

    A simulated market stands still between its sessions, and so does one whose history is replayed, with no daemon to
    follow the market since. None where nobody knows the time, because the configuration cannot be read.
    """
    if settings is None:
        return None
    lag = None if daemon.present else decision_lag(lake)
    own_time = settings.source.name == "simulated" or (lag is not None and lag > HISTORY)
    return last_decision(lake) if own_time else now


def _tables(lake: Lake, manifest: Schedule, now: datetime) -> list[PartHealth]:
    """The freshness of each table that some task's manifest entry gives a target, by the market's own time."""
    found = []
    # A simulated market may lie years before the days that tasks are due on.
    calendars = calendars_from(now.date(), read_changes(lake.path))
    for task in manifest.tasks:
        session = calendars(task.exchange).last_closed(now - timedelta(hours=2))
        for output in task.outputs:
            if output.fresh_within is not None and task.enabled:
                newest = find_newest_time(lake, TABLES[output.table])
                found.append(_freshness(output.table, newest, session, now, output.fresh_within))
    return found


def _freshness(
    table: str, newest: date | datetime | None, session: date, now: datetime, within: timedelta
) -> PartHealth:
    facts = {"newest": newest, "target": within.total_seconds()}
    if newest is None:
        fix = "`nextgen cycle` runs the next session, `nextgen replay --from DATE --to DATE` some of the history"
        return PartHealth(table, "warn", f"{table} is empty", facts, fix=fix)
    behind = now - newest if isinstance(newest, datetime) else session - newest
    if behind <= within:
        return PartHealth(table, "ok", f"{table} is up to date, to {newest}", facts)
    words = f"{table} ends at {newest}, {rough_duration(behind)} behind (the target is {rough_duration(within)})"
    return PartHealth(table, "warn", words, facts, newest, "run the missing sessions with `nextgen replay`")


def _disk(lake: Lake, measure_lake: bool) -> PartHealth:
    free = shutil.disk_usage(lake.path).free
    facts = {"free_bytes": free}
    if measure_lake:
        facts["lake_bytes"] = sum(entry.stat().st_size for entry in lake.path.rglob("*") if entry.is_file())
    status: Status = "fail" if free < MIN_FREE else "warn" if free < 5 * MIN_FREE else "ok"
    room = f"{free / 1e9:.1f} GB" if free >= MIN_FREE else f"{free / 1e6:.0f} MB"
    fix = "" if status == "ok" else "free disk space; `nextgen gc` deletes data files that no run refers to"
    return PartHealth("disk", status, f"The disk has {room} free", facts, fix=fix)


def _object_store(lake: Lake) -> list[PartHealth]:
    """Whether the store that the lake is in answers; nothing of a lake that is its folder."""
    exchange = lake.exchange
    if exchange.address is None:
        return []
    facts = {"address": str(exchange.address)}
    if not exchange.problem:
        return [PartHealth("object store", "ok", f"{exchange.address} answers", facts)]
    words = f"What is shown may be old, for the store does not answer: {exchange.problem}"
    fix = "check the network and the AWS_ variables; no cycle can publish until it answers"
    return [PartHealth("object store", "fail", words, facts, fix=fix)]


def _files(lake: Lake, measure_lake: bool) -> PartHealth:
    """Whether other programs changed tables; a file that is gone is looked for where time is taken to measure."""
    if measure_lake and (missing := find_missing_files(lake)):
        words = f"{counted(len(missing), 'data file')} of what is published are gone, the first is {missing[0]}"
        return PartHealth("tables", "fail", words, {"missing": len(missing)}, fix=AFTER_DAMAGE)
    foreign = sorted(find_foreign_commits(lake), key=lambda one: not one.stops)
    if not foreign:
        return PartHealth("tables", "ok", "No other program has changed a table")
    first, more = foreign[0], f" ({len(foreign) - 1} more)" if len(foreign) > 1 else ""
    facts = {"foreign": len(foreign)}
    if first.stops:
        return PartHealth("tables", "fail", f"{first}{more}; no cycle can run", facts, first.at, WAY_OUT)
    words = f"{first}{more}; of its rows only those count that make sense"
    return PartHealth("tables", "warn", words, facts, first.at, f"`nextgen show {first.table}` shows them")


def _alerts(lake: Lake, now: datetime) -> PartHealth:
    """Whether the operator is told what changes; a channel that is down cannot tell him so itself."""
    failing = find_failing_channels(lake, now)
    if not failing:
        return PartHealth("alerts", "ok", "No channel of alerts has failed for long")
    first, more = failing[0], f" ({counted(len(failing) - 1, 'more channel')})" if len(failing) > 1 else ""
    lost = f", {counted(first.given_up, 'alert')} given up" if first.given_up else ""
    words = f"Nothing has gone out by {first.name} since {first.since:%Y-%m-%d %H:%M} UTC{lost}: {first.error}{more}"
    fix = "`nextgen alerts test` tries each channel, `nextgen alerts` lists what was not told"
    return PartHealth("alerts", "warn", words, {"failing": [one.name for one in failing]}, first.since, fix)


def _refuse(_events: Sequence[Event]) -> None:
    raise AssertionError("health only reads")

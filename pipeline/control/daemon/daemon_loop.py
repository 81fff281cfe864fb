"""The resident loop: wakes when something may be due, and does what is owed, until told to end."""

from __future__ import annotations

import logging
import os
from collections.abc import Mapping, Sequence
from contextlib import suppress
from dataclasses import dataclass, field
from datetime import timedelta
from pathlib import Path
from typing import Any

from lake.storage.lock import writer_died
from lake.store import Lake
from lake.tables.control import TASK_REQUESTS
from pipeline.config.errors import ConfigError
from pipeline.config.loading import load
from pipeline.control.daemon.clock import Clock, SystemClock
from pipeline.control.daemon.daemon_lock import hold_daemon_lock
from pipeline.control.daemon.heartbeat import HeartbeatWriter
from pipeline.control.daemon.orchestrator import Orchestrator, StepResult
from pipeline.control.daemon.simulated_pace import describe_pace
from pipeline.control.daemon.systemd_notify import SystemdNotifier
from pipeline.control.daemon.wakeups import PULSE, AlarmClock, FolderWatch, Signals, Wakeup
from pipeline.control.monitoring.event_log import log_events
from pipeline.control.operator.inbox import Inbox
from pipeline.control.operator.requests import Request, submit
from pipeline.control.schedule.active_schedule import save_active_schedule
from pipeline.control.schedule.definitions import load_definitions
from pipeline.control.schedule.journal import RETENTION, load_journal
from pipeline.control.schedule.schedule_file import find_schedule_file, load_schedule
from pipeline.control.schedule.task import Schedule
from pipeline.control.schedule.toml_lines import ScheduleError
from pipeline.control.workers.worker_pool import PROGRAM, ProcessPool
from pipeline.health.checks import Status
from pipeline.market.calendar_cache import ChildCalendars

log = logging.getLogger(__name__)
DONE, DEGRADED = 0, 1
PAUSE_AFTER_ERROR = 5.0
"""Seconds; what keeps failing (a full disk) is not tried in a tight loop."""
RELOAD_AFTER = timedelta(days=7)
"""After so long the schedule and the exchanges' calendars are read again by themselves."""
MAX_FAILED_TURNS = 3
"""In a row, after which a daemon that is to end ends without having told what became of its work."""
LATE = timedelta(minutes=10)
"""How long an owed slot may wait, for other than an operator, before it is remarked on."""


@dataclass
class Daemon:
    """The resident loop around the orchestrator."""

    lake: Lake
    schedule: Path | None = None
    """The schedule to go by; where None the lake's own, from the moment it has one, or else the program's."""
    clock: Clock = field(default_factory=SystemClock)
    environ: Mapping[str, str] = field(default_factory=lambda: dict(os.environ))
    program: Sequence[str] = PROGRAM

    def run(self, *, once: bool = False, settled: int | None = None) -> int:
        """Serve until told to end; with `once`, until nothing owed can be done.

        Args:
            once: end when what is owed now is done, or has used up the retries it counts.
            settled: end after so many slots of the schedule were settled; for a market run at speed.

        Returns:
            0; with `once`, 1 if something was given up or is still owed.

        Raises:
            ScheduleError: if the schedule cannot be used at the start.
            BusyError: if the lake has a daemon already.
        """
        manifest = self._manifest()
        with hold_daemon_lock(self.lake.path / "control"):
            self._begin(manifest)
            try:
                return self._serve(once, settled)
            finally:
                self._end()

    # ---- inner workings

    def _begin(self, manifest: Schedule) -> None:
        save_active_schedule(self.lake.path, manifest)
        self._bell = Wakeup()
        self._signals = Signals(self._bell)
        self._notify = SystemdNotifier(self.environ)
        self._inbox = Inbox(self.lake, self.clock)
        self._ask_for_recovery()
        self._inbox.look()
        self._workforce = ProcessPool(self.lake.path, self._bell.ring, self.clock.steady, self.program)
        self._heart = HeartbeatWriter(self.lake, self.clock.now())
        self._journal = load_journal(self.lake, self.clock.now())
        self._orchestrator = Orchestrator(
            manifest,
            self._journal,
            load_definitions(self.lake, self._calendars),
            self._workforce,
            self.clock,
            self._inbox,
        )
        self._rings = AlarmClock(self._bell)
        self._watch = FolderWatch(self._bell, [Path(self.lake.uri(TASK_REQUESTS)) / "_delta_log"])
        self._bad_manifest = ""
        self._trouble = ""
        self._stopping = 0
        self._bad_ends = 0
        log.info("the daemon serves %s with %d tasks of %s", self.lake.path, len(manifest.tasks), manifest.origin)
        self._notify.ready(f"{len(manifest.tasks)} tasks")

    def _ask_for_recovery(self) -> None:
        """What a crash interrupted comes first, in a worker like all work: readers see what was published meanwhile."""
        if writer_died(self.lake.path):
            now = self.clock.now()
            name = f"recovery-{now:%Y%m%dT%H%M%S%f}"
            reason = "the last writer ended without giving the lease back"
            submit(
                self.lake,
                Request(request_id=name, requested_at=now, origin="daemon", action="recover", reason=reason),
            )

    def _end(self) -> None:
        self._rings.stop()
        self._watch.stop()
        log.info("the daemon has ended")

    def _serve(self, once: bool, most: int | None) -> int:
        settled = failed = 0
        while True:
            enough = most is not None and settled >= most
            picture = self._turn(start=self._signals.ends == 0 and not enough)
            failed = failed + 1 if picture is None else 0
            if picture is None:
                if failed >= MAX_FAILED_TURNS and (once or self._signals.ends > 0):
                    log.error("the daemon ends: it cannot keep its record: %s", self._trouble)
                    return DEGRADED
                self._bell.wait(PAUSE_AFTER_ERROR)
                continue
            settled += sum(event.settles and not event.task.startswith("request:") for event in picture.events)
            if ((self._signals.ends > 0 or enough) and not picture.running) or (once and picture.idle):
                self._beat(picture, "stopped")
                for owed in picture.waiting:
                    log.warning("%s %s is still owed: %s", owed.task, owed.slot, owed.reason)
                return DEGRADED if once and (picture.waiting or self._bad_ends) else DONE
            self._sleep(picture)

    def _turn(self, *, start: bool) -> StepResult | None:
        """One turn of the loop; None if it failed, which is told and tried again."""
        try:
            if self._signals.take_reload() or self.clock.steady() - self._read_at > RELOAD_AFTER.total_seconds():
                self._reload()
            self._drain()
            self._inbox.look()
            picture = self._orchestrator.step(start=start)
            log_events(picture.events)
            self._bad_ends += sum(event.follows in ("give-up", "stop", "last-good") for event in picture.events)
            self._beat(picture, "draining" if self._signals.ends else "running")
            self._trouble = ""
        except Exception as error:  # the daemon outlives a full disk or a damaged table, and says so
            if str(error) != self._trouble:
                log.exception("a turn of the daemon failed: %s", error)
            self._trouble = str(error)
            self._limp()
            return None
        return picture

    def _limp(self) -> None:
        """Say what is wrong where that can still be said; a service manager's restart would not mend it."""
        reason = f"it cannot do its work: {self._trouble}"[:500]
        self._notify.alive(reason)
        with suppress(OSError):
            self._heart.stumble(self.clock.now(), reason)

    def _beat(self, picture: StepResult, state: str) -> None:
        status, reason = self._verdict(picture)
        self._heart.beat(picture, state, status, reason, schedule=self._schedule_told(), **describe_pace(self.clock))
        if state == "stopped":
            self._notify.stopping("ended")
        else:
            self._notify.alive(reason)

    def _schedule_told(self) -> dict[str, Any]:
        given = str(self.schedule.absolute()) if self.schedule else None
        return {"file": self._orchestrator.manifest.origin, "given": given, "read_at": self._good_at.isoformat()}

    def _verdict(self, picture: StepResult) -> tuple[Status, str]:
        if self._bad_manifest:
            return "fail", f"the schedule of {self._good_at:%Y-%m-%d %H:%M} UTC is kept: {self._bad_manifest}"[:500]
        stopped = [waiting for waiting in picture.waiting if waiting.stopped]
        if stopped:
            return "fail", f"{stopped[0].task} {stopped[0].slot} {stopped[0].reason}"[:500]
        late = [waiting for waiting in picture.waiting if picture.at - waiting.due_at > LATE]
        if late:
            return "warn", f"{late[0].task} {late[0].slot} waits since {late[0].due_at:%H:%M} UTC: {late[0].reason}"[
                :500
            ]
        return "ok", f"{len(picture.running)} running, {len(picture.waiting)} waiting"

    def _sleep(self, picture: StepResult) -> None:
        waits = [PULSE.total_seconds() * 3]
        if picture.wake is not None:
            waits.append(self.clock.wait(picture.wake))
        if (look := self._workforce.next_look()) is not None:
            waits.append(look)
        if self._notify.watchdog is not None:
            waits.append(self._notify.watchdog / 2)
        self._rings.ring_in(min(waits))
        self._bell.wait(max(waits[0], 1.0))

    def _drain(self) -> None:
        if self._signals.ends > self._stopping:
            self._stopping = self._signals.ends
            self._notify.stopping("draining" if self._stopping == 1 else "ending at once")
            log.info("told to end: %s", "finishing what runs" if self._stopping == 1 else "ending what runs")
            if self._stopping > 1:
                self._orchestrator.stop_all()

    def _manifest(self) -> Schedule:
        now = self.clock.now()
        self._calendars = ChildCalendars(now.date())
        self._read_at = self.clock.steady()
        load(self.lake.path, self.environ)  # every worker would stumble over it
        manifest = load_schedule(self.schedule or find_schedule_file(self.lake.path), now, self._calendars)
        self._good_at = now
        return manifest

    def _reload(self) -> None:
        self._notify.reloading()
        try:
            manifest = self._manifest()
            changed = self._orchestrator.replace_manifest(manifest)
            save_active_schedule(self.lake.path, manifest)
            self._bad_manifest = ""
            log.info("the schedule was read again; changed: %s", ", ".join(changed) or "nothing")
        except ConfigError as error:
            what = "schedule" if isinstance(error, ScheduleError) else "configuration"
            self._bad_manifest = f"the {what} cannot be used: {error}"
            log.error("the %s cannot be used, the last good schedule is kept: %s", what, error)
        self._journal.forget(self.clock.now() - RETENTION)
        self._notify.ready("schedule read again")

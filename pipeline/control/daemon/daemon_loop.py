"""The daemon's loop: wakes when something may be due, runs what is due, and ends when told to."""

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
from pipeline.config import ConfigError
from pipeline.config.loading import load
from pipeline.control.daemon.clock import Clock, SystemClock
from pipeline.control.daemon.daemon_lock import hold_daemon_lock
from pipeline.control.daemon.heartbeat import HeartbeatWriter
from pipeline.control.daemon.orchestrator import Orchestrator, StepResult
from pipeline.control.daemon.simulated_pace import describe_pace
from pipeline.control.daemon.systemd_notify import SystemdNotifier
from pipeline.control.daemon.wakeups import PULSE, AlarmClock, FolderWatch, Signals, Wakeup
from pipeline.control.logging.event_log import log_events
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
"""Seconds; what keeps failing (a full disk) is not retried in a tight loop."""
RELOAD_AFTER = timedelta(days=7)
"""The schedule and the exchanges' calendars are read again this often without being asked."""
MAX_FAILED_TURNS = 3
"""Iterations that may fail in a row once a daemon is to end; then it ends without having recorded its work."""
LATE = timedelta(minutes=10)
"""How long a due slot may wait, for anything but an operator, before the heartbeat warns."""
MAX_REASON = 500


@dataclass
class Daemon:
    """The loop around the orchestrator."""

    lake: Lake
    schedule: Path | None = None
    """The schedule file; where None the lake's own, from the moment it has one, or else the program's."""
    clock: Clock = field(default_factory=SystemClock)
    environ: Mapping[str, str] = field(default_factory=lambda: dict(os.environ))
    program: Sequence[str] = PROGRAM

    def run(self, *, once: bool = False, max_runs: int | None = None) -> int:
        """Serve until told to end; with `once`, until nothing more can be done now.

        Args:
            once: end when everything due now is done, or has used up its retries.
            max_runs: end after so many slots of the schedule have finished; for an accelerated market.

        Returns:
            0; with `once`, 1 if something was given up or is still due.

        Raises:
            ScheduleError: if the schedule cannot be used at the start.
            BusyError: if the lake already has a daemon.
        """
        schedule = self._load_schedule()
        with hold_daemon_lock(self.lake.path / "control"):
            self._begin(schedule)
            try:
                return self._serve(once, max_runs)
            finally:
                self._end()

    # ---- begin and end

    def _begin(self, schedule: Schedule) -> None:
        save_active_schedule(self.lake.path, schedule)
        self._wakeup = Wakeup()
        self._signals = Signals(self._wakeup)
        self._notifier = SystemdNotifier(self.environ)
        self._inbox = Inbox(self.lake, self.clock)
        self._request_recovery()
        self._inbox.refresh()
        self._workers = ProcessPool(self.lake.path, self._wakeup.wake, self.clock.steady, self.program)
        self._heartbeat = HeartbeatWriter(self.lake, self.clock.now())
        self._journal = load_journal(self.lake, self.clock.now())
        self._orchestrator = Orchestrator(
            schedule,
            self._journal,
            load_definitions(self.lake, self._calendars),
            self._workers,
            self.clock,
            self._inbox,
        )
        self._alarm = AlarmClock(self._wakeup)
        self._watch = FolderWatch(self._wakeup, [Path(self.lake.uri(TASK_REQUESTS)) / "_delta_log"])
        self._schedule_error = ""
        self._last_error = ""
        self._stop_requests = 0
        self._given_up = 0
        log.info(
            "the daemon serves %s with %d tasks from %s",
            self.lake.exchange.address or self.lake.path,
            len(schedule.tasks),
            schedule.origin,
        )
        self._notifier.report_ready(f"{len(schedule.tasks)} tasks")

    def _request_recovery(self) -> None:
        """Finish first what a crash interrupted; a worker does it, and readers see what was published meanwhile."""
        if writer_died(self.lake.path):
            now = self.clock.now()
            request = Request(
                request_id=f"recovery-{now:%Y%m%dT%H%M%S%f}",
                requested_at=now,
                origin="daemon",
                action="recover",
                reason="the last writer crashed: it did not release the lake",
            )
            submit(self.lake, request)

    def _end(self) -> None:
        self._alarm.stop()
        self._watch.stop()
        log.info("the daemon has ended")

    # ---- the loop

    def _serve(self, once: bool, max_runs: int | None) -> int:
        finished = failed = 0
        while True:
            enough = max_runs is not None and finished >= max_runs
            result = self._iterate(start=self._signals.stop_requests == 0 and not enough)
            failed = failed + 1 if result is None else 0
            if result is None:
                if failed >= MAX_FAILED_TURNS and (once or self._signals.stop_requests > 0):
                    log.error("the daemon ends without having recorded its last work: %s", self._last_error)
                    return DEGRADED
                self._wakeup.wait(PAUSE_AFTER_ERROR)
                continue
            finished += sum(event.finishes and not event.task.startswith("request:") for event in result.events)
            if ((self._signals.stop_requests > 0 or enough) and not result.running) or (once and result.idle):
                self._write_heartbeat(result, "stopped")
                for run in result.waiting:
                    log.warning("%s %s has not run: %s", run.task, run.slot, run.reason)
                return DEGRADED if once and (result.waiting or self._given_up) else DONE
            self._sleep(result)

    def _iterate(self, *, start: bool) -> StepResult | None:
        """One iteration; None if it failed, which is reported and tried again."""
        try:
            if self._signals.take_reload() or self.clock.steady() - self._read_at > RELOAD_AFTER.total_seconds():
                self._reload()
            self._drain()
            self._inbox.refresh()
            result = self._orchestrator.step(start=start)
            log_events(result.events)
            self._given_up += sum(event.follows in ("give-up", "stop", "last-good") for event in result.events)
            self._write_heartbeat(result, "draining" if self._signals.stop_requests else "running")
            self._last_error = ""
        except Exception as error:  # the daemon outlives a full disk or a damaged table, and reports it
            if str(error) != self._last_error:
                log.exception("an iteration of the daemon failed: %s", error)
            self._last_error = str(error)
            self._report_failure()
            return None
        return result

    def _report_failure(self) -> None:
        """Report the error wherever that is still possible; a restart by the service manager would not help."""
        reason = f"it cannot work: {self._last_error}"[:MAX_REASON]
        self._notifier.report_alive(reason)
        with suppress(OSError):
            self._heartbeat.write_failure(self.clock.now(), reason)

    def _write_heartbeat(self, result: StepResult, state: str) -> None:
        status, reason = self._judge(result)
        self._heartbeat.write(
            result, state, status, reason, schedule=self._describe_schedule(), **describe_pace(self.clock)
        )
        if state == "stopped":
            self._notifier.report_stopping("ended")
        else:
            self._notifier.report_alive(reason)

    def _describe_schedule(self) -> dict[str, Any]:
        given = str(self.schedule.absolute()) if self.schedule else None
        return {"file": self._orchestrator.schedule.origin, "given": given, "read_at": self._loaded_at.isoformat()}

    def _judge(self, result: StepResult) -> tuple[Status, str]:
        """What the heartbeat says of the daemon: its schedule, and the slot that most needs attention."""
        if self._schedule_error:
            reason = f"the schedule of {self._loaded_at:%Y-%m-%d %H:%M} UTC stays active: {self._schedule_error}"
            return "fail", reason[:MAX_REASON]
        stopped = [run for run in result.waiting if run.stopped]
        if stopped:
            return "fail", f"{stopped[0].task} {stopped[0].slot} {stopped[0].reason}"[:MAX_REASON]
        late = [run for run in result.waiting if result.at - run.due_at > LATE]
        if late:
            reason = f"{late[0].task} {late[0].slot} has waited since {late[0].due_at:%H:%M} UTC: {late[0].reason}"
            return "warn", reason[:MAX_REASON]
        return "ok", f"{len(result.running)} running, {len(result.waiting)} waiting"

    def _sleep(self, result: StepResult) -> None:
        waits = [PULSE.total_seconds() * 3]
        if result.wake_at is not None:
            waits.append(self.clock.wait(result.wake_at))
        if (check := self._workers.seconds_to_check()) is not None:
            waits.append(check)
        if self._notifier.watchdog is not None:
            waits.append(self._notifier.watchdog / 2)
        self._alarm.wake_in(min(waits))
        self._wakeup.wait(max(waits[0], 1.0))

    def _drain(self) -> None:
        if self._signals.stop_requests > self._stop_requests:
            self._stop_requests = self._signals.stop_requests
            self._notifier.report_stopping("draining" if self._stop_requests == 1 else "ending at once")
            log.info("stop requested: %s running work", "finishing" if self._stop_requests == 1 else "ending")
            if self._stop_requests > 1:
                self._orchestrator.stop_all()

    # ---- the schedule

    def _load_schedule(self) -> Schedule:
        now = self.clock.now()
        # Every worker would fail over a configuration that cannot be used.
        settings = load(self.lake.path, self.environ).settings
        self._calendars = ChildCalendars(changes=settings.market.changes)
        self._read_at = self.clock.steady()
        file = self.schedule or find_schedule_file(self.lake.path)
        schedule = load_schedule(file, now, self._calendars, settings)
        self._loaded_at = now
        return schedule

    def _reload(self) -> None:
        self._notifier.report_reloading()
        try:
            schedule = self._load_schedule()
            changed = self._orchestrator.replace_schedule(schedule)
            save_active_schedule(self.lake.path, schedule)
            self._schedule_error = ""
            log.info("the schedule was read again; changed: %s", ", ".join(changed) or "nothing")
        except ConfigError as error:
            what = "schedule" if isinstance(error, ScheduleError) else "configuration"
            self._schedule_error = f"the {what} cannot be used: {error}"
            log.error("the %s cannot be used, the last good schedule stays active: %s", what, error)
        self._journal.prune(self.clock.now() - RETENTION)
        self._notifier.report_ready("schedule read again")

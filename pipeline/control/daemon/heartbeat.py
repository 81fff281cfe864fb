"""The daemon's heartbeat: a small file at every iteration of its loop, and a row in the lake every few minutes."""

from __future__ import annotations

import json
import os
import resource
import time
from dataclasses import dataclass, replace
from datetime import datetime, timedelta
from pathlib import Path
from typing import Any

import polars as pl

from lake.access import follow_access
from lake.storage.atomic import write_atomic
from lake.store import Lake
from lake.tables.control import SERVICE_HEARTBEATS, TASK_ATTEMPTS, TASK_DEFINITIONS, TASK_REQUESTS
from pipeline.control.daemon.orchestrator import StepResult
from pipeline.control.workers.process_identity import Identity, count_open_descriptors, count_resident_bytes, identify
from pipeline.health.checks import Status

FILE = "heartbeat.json"
BATCH = timedelta(minutes=15)
"""Between two rows: 96 commits a day, about 1.3 MB of data and log."""
CHECKPOINT_EVERY = 20
"""Commits of a control table between two checkpoints of its log."""
OWN = (TASK_REQUESTS, TASK_DEFINITIONS, TASK_ATTEMPTS, SERVICE_HEARTBEATS)
SERVICE = "daemon"


@dataclass(frozen=True)
class Heartbeat:
    """The content of the heartbeat file."""

    who: Identity
    at: datetime
    state: str
    status: Status
    reason: str
    detail: dict[str, Any]
    age: float
    """Real seconds since it was written."""


class HeartbeatWriter:
    """Writes the file at every iteration of the daemon's loop; many beats make one row."""

    def __init__(self, lake: Lake, now: datetime) -> None:
        self._lake = lake
        self._who = identify(os.getpid()) or Identity(os.getpid(), "", "")
        self._since = self._last = now
        self._beats = 0
        self._gap = 0.0
        self._last_written = StepResult(now), "running", dict[str, Any]()
        self._checkpoints = {table.name: lake.newest(table) for table in OWN}

    def write(self, result: StepResult, state: str, status: Status, reason: str, **detail: Any) -> None:
        """Write that an iteration is done, and its result."""
        self._gap = max(self._gap, (result.at - self._last).total_seconds())
        self._last = result.at
        self._beats += 1
        self._last_written = result, state, detail
        self._write(result, state, status, reason, detail)
        # A clock that went back also ends the batch: rows are distinguished by their last beat.
        if abs(result.at - self._since) >= BATCH or state == "stopped":
            self._commit(result, status, reason)
            self._checkpoint_logs()

    def write_failure(self, at: datetime, reason: str) -> None:
        """Write that an iteration failed; what ran and waited before it is repeated.

        Raises:
            OSError: if the file cannot be written.
        """
        result, state, detail = self._last_written
        self._write(replace(result, at=at), state, "fail", reason, detail)

    def _write(self, result: StepResult, state: str, status: Status, reason: str, detail: dict[str, Any]) -> None:
        content = {
            "pid": self._who.pid,
            "process_started": self._who.started,
            "boot_id": self._who.boot_id,
            "at": result.at.isoformat(),
            "state": state,
            "status": status,
            "reason": reason,
            "next": result.wake_at.isoformat() if result.wake_at else None,
            "running": [
                {"task": e.task, "slot": e.slot, "attempt": e.attempt, "since": e.at.isoformat()}
                for e in result.running
            ],
            "waiting": [
                {"task": w.task, "slot": w.slot, "due_at": w.due_at.isoformat(), "reason": w.reason}
                for w in result.waiting[:20]
            ],
            **detail,
        }
        follow_access(self._lake.path)  # it may have been opened to others, or closed, since the daemon began
        write_atomic(self._lake.path / "control" / FILE, json.dumps(content), durable=False)

    def _commit(self, result: StepResult, status: Status, reason: str) -> None:
        usage = resource.getrusage(resource.RUSAGE_SELF)
        row = {
            "service": SERVICE,
            "until": result.at,
            "since": min(self._since, result.at),
            "beats": self._beats,
            "longest_gap": self._gap,
            "pid": self._who.pid,
            "memory": count_resident_bytes(),
            "descriptors": count_open_descriptors(),
            "cpu": usage.ru_utime + usage.ru_stime,
            "owed": len(result.waiting) + len(result.running),
            "running": len(result.running),
            "status": status,
            "reason": reason[:500],
        }
        frame = SERVICE_HEARTBEATS.check(pl.DataFrame([row], schema=SERVICE_HEARTBEATS.schema))
        self._lake.commit(SERVICE_HEARTBEATS, frame, f"{SERVICE}-{self._who.pid}-{result.at.isoformat()}", {})
        self._since, self._beats, self._gap = result.at, 0, 0.0

    def _checkpoint_logs(self) -> None:
        for table in OWN:
            newest = self._lake.newest(table)
            if newest - self._checkpoints[table.name] >= CHECKPOINT_EVERY:
                self._lake.checkpoint(table)
                self._checkpoints[table.name] = newest


def read_heartbeat(lake: Path) -> Heartbeat | None:
    """Read the last heartbeat of a lake's daemon; None if none ever ran, or the file cannot be read."""
    try:
        path = lake / "control" / FILE
        content = json.loads(path.read_text(encoding="utf-8"))
        age = max(time.time() - path.stat().st_mtime, 0.0)
        who = Identity(content.pop("pid"), content.pop("process_started"), content.pop("boot_id"))
        at = datetime.fromisoformat(content.pop("at"))
        return Heartbeat(who, at, content.pop("state"), content.pop("status"), content.pop("reason"), content, age)
    except (OSError, ValueError, KeyError, TypeError):
        return None

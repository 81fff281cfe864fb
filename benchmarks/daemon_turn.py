"""What the daemon's turn and its look for alerts cost in a lake: `python -m benchmarks.daemon_turn LAKE`."""

from __future__ import annotations

import argparse
import json
import logging
import os
import time
from collections.abc import Callable
from datetime import UTC, datetime, timedelta
from pathlib import Path
from statistics import median

import polars as pl

from benchmarks.big_lake import filled
from lake.store import Lake
from lake.tables.alerts import ALERT_DELIVERIES, ALERTS
from lake.tables.control import SERVICE_HEARTBEATS, TASK_ATTEMPTS
from pipeline.control.daemon.daemon_lock import hold_daemon_lock
from pipeline.control.daemon.daemon_loop import Daemon
from pipeline.control.schedule.schedule_file import find_schedule_file, load_schedule
from pipeline.reading.alerting.watch import AlertWatch

TURNS = 15
BEATS = 96
"""Rows of heartbeats a day."""
CONFIGURATION = '[alerts]\ncommand = ["true"]\n'
DAY = pl.col("at").dt.strftime("%Y-%m-%d")


def fill_history(lake: Lake, days: int) -> None:
    """Write what a daemon leaves in so many days: attempts at each task, heartbeats, and two alerts a day that it told.

    It is one commit a table, as after compaction, and ends yesterday.
    """
    (lake.path / "nextgen.toml").write_text(CONFIGURATION, encoding="utf-8")
    now = datetime.now(UTC)
    tasks = [task.name for task in load_schedule(find_schedule_file(lake.path), now).tasks]
    past = pl.DataFrame({"at": [now - timedelta(days=number) for number in range(days, 0, -1)]})
    attempts = past.join(pl.DataFrame({"task": tasks}), how="cross")
    attempts = attempts.join(pl.DataFrame({"state": ["started", "done"]}), how="cross")
    attempts = attempts.with_columns(slot=DAY, follows=pl.lit("nothing"), due_at="at", seconds=1.0)
    beats = past.join(pl.DataFrame({"number": range(BEATS)}), how="cross")
    beats = beats.with_columns(
        service=pl.lit("daemon"),
        until=pl.col("at") + pl.duration(minutes=pl.col("number") * 10),
        status=pl.lit("ok"),
        beats=60,
    )
    states = pl.DataFrame({"state": ["fail", "ok"], "previous": ["ok", "fail"], "hour": [0, 1]})
    alerts = past.join(states, how="cross").with_columns(
        alert_id=pl.format("{}-{}", DAY, "hour"),
        noticed_at=pl.col("at") + pl.duration(hours="hour"),
        kind=pl.lit("verdict"),
        severity=pl.lit("error"),
        words=pl.lit("The verdict changed"),
    )
    sent = alerts.drop("state").join(pl.DataFrame({"state": ["sending", "sent"]}), how="cross")
    sent = sent.select(
        "state",
        delivery_id=pl.format("command-{}", "alert_id"),
        at="noticed_at",
        channel=pl.lit("command"),
        alert_ids=pl.concat_list("alert_id"),
    )
    for table, rows in (
        (TASK_ATTEMPTS, attempts),
        (SERVICE_HEARTBEATS, beats.drop("at", "number")),
        (ALERTS, alerts.drop("at", "hour")),
        (ALERT_DELIVERIES, sent),
    ):
        lake.commit(table, filled(table, rows), f"history-{table.name}", {})


def measure(path: Path) -> dict[str, float]:
    """Processor seconds of a daemon's start, of one turn in which nothing is due, and of one look for alerts."""
    daemon = Daemon(Lake.open(path))
    with hold_daemon_lock(path / "control"):
        began = time.process_time()
        daemon._begin(daemon._load_schedule())
        start = time.process_time() - began
        try:
            turn = _spent(lambda: daemon._iterate(start=True))
            watch = AlertWatch(path, os.environ)
            return {"daemon start": start, "daemon turn": turn, "alerts": _spent(watch.look)}
        finally:
            daemon._end()


def _spent(do: Callable[[], object]) -> float:
    """Processor seconds, the median of many after the first, which opens the tables."""
    do()
    took = []
    for _ in range(TURNS):
        began = time.process_time()
        do()
        took.append(time.process_time() - began)
    return median(took)


def main() -> None:
    """Measure, and print the figures as JSON."""
    parser = argparse.ArgumentParser(description=__doc__)
    parser.add_argument("lake", type=Path)
    logging.disable(logging.WARNING)
    print(json.dumps(measure(parser.parse_args().lake)))


if __name__ == "__main__":
    main()

"""What Prometheus may ask of a daemon: its verdicts and figures, on loopback only; needs the extra `metrics`."""

from __future__ import annotations

import time
from collections.abc import Iterable, Iterator
from contextlib import contextmanager
from datetime import datetime
from pathlib import Path

from prometheus_client import CollectorRegistry, ProcessCollector, start_http_server
from prometheus_client.core import GaugeMetricFamily
from prometheus_client.registry import Collector

from lake.errors import LakeError
from lake.store import Lake
from pipeline.control.daemon.heartbeat import read_heartbeat
from pipeline.control.daemon.simulated_pace import make_operation_clock
from pipeline.control.monitoring.health import Condition, Status, condition
from pipeline.control.schedule.active_schedule import read_active_schedule
from pipeline.market.calendar_cache import ChildCalendars

HOST = "127.0.0.1"
FRESH = 60.0
"""Seconds for which a judgement is told again: judging reads the lake, and scrapes may come every second."""
FIGURES: dict[Status, int] = {"ok": 0, "warn": 1, "fail": 2}


class MetricsError(LakeError):
    """The figures cannot be served; the text says why."""


class Figures(Collector):
    """The last beat, and what `nextgen status` says of each service; gathered when asked for, from what is on disk."""

    def __init__(self, lake: Path) -> None:
        self._lake = Lake.open(lake)
        self._judged = float("-inf")
        self._condition: Condition | None = None

    def describe(self) -> Iterable[GaugeMetricFamily]:
        """Nothing: names are known by themselves, and registering must not read the lake."""
        return ()

    def collect(self) -> Iterator[GaugeMetricFamily]:
        """The figures as they are now."""
        if (beat := read_heartbeat(self._lake.path)) is not None:
            yield _one("nextgen_beat_timestamp_seconds", "When the daemon's loop last turned.", time.time() - beat.age)
            yield _one("nextgen_running", "Attempts that run.", len(beat.detail.get("running", ())))
            yield _one(
                "nextgen_waiting", "Slots that are owed and wait, 20 at most.", len(beat.detail.get("waiting", ()))
            )
        try:
            found = self._judge()
        except Exception:  # a damaged lake must not cost the figures that need none of it
            yield _one("nextgen_readable", "Whether the lake could be judged.", 0)
            return
        yield _one("nextgen_readable", "Whether the lake could be judged.", 1)
        yield _one("nextgen_verdict", "All verdicts in one: 0 ok, 1 warn, 2 fail.", FIGURES[found.status])
        yield from _services(found)

    def _judge(self) -> Condition:
        if self._condition is None or time.monotonic() - self._judged > FRESH:
            now = make_operation_clock(self._lake).now()
            calendars = ChildCalendars(now.date())
            self._condition = condition(
                self._lake, read_active_schedule(self._lake.path, now, calendars), now, calendars
            )
            self._judged = time.monotonic()
        return self._condition


@contextmanager
def served(lake: Path, port: int) -> Iterator[int]:
    """Answer Prometheus for the block.

    Args:
        lake: whose figures.
        port: on loopback; 0 for any that is free.

    Yields:
        The port.

    Raises:
        MetricsError: if the port is taken.
    """
    registry = CollectorRegistry()
    registry.register(Figures(lake))
    ProcessCollector(registry=registry)
    try:
        server, thread = start_http_server(port, addr=HOST, registry=registry)
    except OSError as error:
        raise MetricsError(f"figures cannot be served on port {port}: {error.strerror}; choose another") from error
    try:
        yield server.server_port
    finally:
        server.shutdown()
        server.server_close()
        thread.join(timeout=5)


def _services(found: Condition) -> Iterator[GaugeMetricFamily]:
    verdicts = GaugeMetricFamily("nextgen_service_verdict", "0 ok, 1 warn, 2 fail.", labels=["service"])
    facts = GaugeMetricFamily(
        "nextgen_service_fact", "A figure behind a verdict; moments in seconds since 1970.", labels=["service", "fact"]
    )
    for one in found.services:
        verdicts.add_metric([one.service], FIGURES[one.status])
        for name, value in one.facts.items():
            if (figure := _figure(value)) is not None:
                facts.add_metric([one.service, name], figure)
    yield verdicts
    yield facts


def _figure(value: object) -> float | None:
    if isinstance(value, datetime):
        return value.timestamp()
    return float(value) if isinstance(value, (int, float)) else None


def _one(name: str, what: str, value: float) -> GaugeMetricFamily:
    return GaugeMetricFamily(name, what, value=value)

"""The verdict on health and the figures behind it for Prometheus, on loopback only; needs the extra `metrics`."""

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
from pipeline.health.checks import SEVERITY, worst
from pipeline.reading.health_verdict import Health, judge_health

HOST = "127.0.0.1"
MAX_AGE = 60.0
"""Seconds for which a verdict is repeated: judging reads the lake, and scrapes may come every second."""
REPORTED = ("sources", "news", "predictions", "book")
"""Services that only the last cycle's report speaks of."""


class MetricsError(LakeError):
    """The figures cannot be served; the text says why."""


class HealthCollector(Collector):
    """The last beat, and what `nextgen status` says; gathered when asked for, from what is on disk."""

    def __init__(self, lake: Path) -> None:
        self._lake = Lake.open(lake)
        self._judged = float("-inf")
        self._health: Health | None = None

    def describe(self) -> Iterable[GaugeMetricFamily]:
        """Nothing: names are known by themselves, and registering must not read the lake."""
        return ()

    def collect(self) -> Iterator[GaugeMetricFamily]:
        """The figures as they are now."""
        if (beat := read_heartbeat(self._lake.path)) is not None:
            yield _one("nextgen_beat_timestamp_seconds", "Time of the daemon's last heartbeat.", time.time() - beat.age)
            waiting = len(beat.detail.get("waiting", ()))
            yield _one("nextgen_running", "Running attempts.", len(beat.detail.get("running", ())))
            yield _one("nextgen_waiting", "Overdue slots that wait, 20 at most.", waiting)
        try:
            found = self._judge()
        except Exception:  # a damaged lake must not cost the figures that need none of it
            yield _one("nextgen_readable", "Whether the lake could be judged.", 0)
            return
        yield _one("nextgen_readable", "Whether the lake could be judged.", 1)
        yield _one("nextgen_verdict", "All verdicts in one: 0 ok, 1 warn, 2 fail.", SEVERITY[found.status])
        yield _sentence(found)
        yield from _services(found)

    def _judge(self) -> Health:
        if self._health is None or time.monotonic() - self._judged > MAX_AGE:
            self._health = judge_health(self._lake)
            self._judged = time.monotonic()
        return self._health


@contextmanager
def serve_metrics(lake: Path, port: int) -> Iterator[int]:
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
    registry.register(HealthCollector(lake))
    ProcessCollector(registry=registry)
    try:
        server, thread = start_http_server(port, addr=HOST, registry=registry)
    except OSError as error:
        raise MetricsError(f"metrics cannot be served on port {port}: {error.strerror}; choose another") from error
    try:
        yield server.server_port
    finally:
        server.shutdown()
        server.server_close()
        thread.join(timeout=5)


def _sentence(found: Health) -> GaugeMetricFamily:
    family = GaugeMetricFamily("nextgen_verdict_info", "The verdict in words; always 1.", labels=["status", "sentence"])
    family.add_metric([found.status, found.sentence], 1)
    return family


def _services(found: Health) -> Iterator[GaugeMetricFamily]:
    verdicts = GaugeMetricFamily("nextgen_service_verdict", "0 ok, 1 warn, 2 fail.", labels=["service"])
    facts = GaugeMetricFamily(
        "nextgen_service_fact", "A figure behind a verdict; moments in seconds since 1970.", labels=["service", "fact"]
    )
    described = [(part.service, part.status, part.facts) for part in found.parts]
    for service in REPORTED:
        if mine := [check for check in found.checks if check.service == service]:
            described.append((service, worst(c.status for c in mine), {c.check: c.value for c in mine}))
    for service, status, known in described:
        verdicts.add_metric([service], SEVERITY[status])
        for name, value in known.items():
            if (figure := _figure(value)) is not None:
                facts.add_metric([service, name], figure)
    yield verdicts
    yield facts


def _figure(value: object) -> float | None:
    if isinstance(value, datetime):
        return value.timestamp()
    return float(value) if isinstance(value, (int, float)) else None


def _one(name: str, what: str, value: float) -> GaugeMetricFamily:
    return GaugeMetricFamily(name, what, value=value)

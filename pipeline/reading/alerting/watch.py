"""Looks at the lake from time to time beside the daemon's loop, and tells the operator what changed."""

from __future__ import annotations

import logging
import os
import threading
from collections.abc import Iterator, Mapping
from contextlib import contextmanager
from datetime import UTC, datetime
from pathlib import Path

from lake.store import Lake
from pipeline.alerts.configured import list_channels
from pipeline.config.loading import load
from pipeline.reading.alerting.conditions import gather_conditions
from pipeline.reading.alerting.deliver import deliver
from pipeline.reading.alerting.record import begin_watch, notice
from pipeline.reading.health_verdict import judge_health

log = logging.getLogger(__name__)
FIRST_LOOK = 30.0
"""Seconds after the start: by then the daemon has said what it does, and is not taken for a silent one."""
MAX_WAIT = 5.0
"""Seconds that the end of a daemon waits for a message on its way; one cut off is repeated by the next."""
WITHOUT_CHANNEL = 60.0
"""Seconds until the configuration is read again where no channel is named."""


class AlertWatch:
    """One look after the other, each by the configuration as it is then."""

    def __init__(self, path: Path, environ: Mapping[str, str]) -> None:
        self._lake = Lake.open(path)
        self._environ = environ
        self._last_error = ""

    def look(self, now: datetime | None = None, *, verdict: bool = True) -> float:
        """Notice what changed, tell it, and return the seconds until the next look.

        Args:
            now: the wall clock; the computer's where None.
            verdict: False leaves out what is judged of a daemon at work, for one that is about to end.

        Raises:
            LakeError: if the lake cannot be read or written.
            ConfigError: if the configuration cannot be used.
        """
        settings = load(self._lake.path, self._environ).settings
        channels = list_channels(settings.alerts, self._environ)
        if not channels:
            return WITHOUT_CHANNEL
        now = now or datetime.now(UTC)
        since = begin_watch(self._lake, now)
        health = judge_health(self._lake, measure_lake=False) if verdict else None
        notice(self._lake, gather_conditions(self._lake, health, settings.trading.rules, since), now)
        deliver(self._lake, channels, settings.alerts, now)
        return float(settings.alerts.every_seconds)

    def try_to_look(self, *, verdict: bool = True) -> float:
        """Look; what goes wrong is logged once and tried again."""
        try:
            seconds = self.look(verdict=verdict)
        except Exception as error:  # the operator is told again as soon as the lake can be read
            if str(error) != self._last_error:
                log.exception("alerts cannot be judged or recorded: %s", error)
            self._last_error = str(error)
            return WITHOUT_CHANNEL
        self._last_error = ""
        return seconds


@contextmanager
def watch_alerts(path: Path, environ: Mapping[str, str] | None = None, *, once: bool = False) -> Iterator[None]:
    """Look at a lake for the block, in a thread of its own: a mail server that hangs holds up no task.

    Args:
        path: of the lake.
        environ: holds secrets; the process's where None.
        once: whether the block ends by itself when its work is done; then what it left is told at the end.
    """
    watch = AlertWatch(path, dict(os.environ) if environ is None else environ)
    ending = threading.Event()

    def run() -> None:
        seconds = FIRST_LOOK
        while not ending.wait(seconds):
            seconds = watch.try_to_look()

    thread = threading.Thread(target=run, name="alerts", daemon=True)
    thread.start()
    try:
        yield
    finally:
        ending.set()
        thread.join(MAX_WAIT)
        if once and not thread.is_alive():
            watch.try_to_look(verdict=False)

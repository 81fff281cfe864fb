"""What wakes the daemon: the clock, a request in the lake, a worker's end, a signal. None of them decides anything."""

from __future__ import annotations

import logging
import signal
import threading
from collections.abc import Iterable
from datetime import UTC, datetime, timedelta
from pathlib import Path
from queue import Empty, SimpleQueue

PULSE = timedelta(seconds=10)
"""The longest the daemon sleeps: a laptop that woke, or a clock that was set, is noticed by then."""
MIN_PAUSE = 0.05
"""Seconds; what is due at once still leaves room for the bells of the same moment."""


class Wakeup:
    """Rung by anybody, also from a signal handler; heard by the daemon's loop."""

    def __init__(self) -> None:
        # Unlike an Event, a SimpleQueue may be used in a signal handler that interrupts its own reader.
        self._rung: SimpleQueue[None] = SimpleQueue()

    def ring(self) -> None:
        """Wake the daemon, now or at its next wait."""
        self._rung.put(None)

    def wait(self, seconds: float) -> None:
        """Sleep until it rings, or for so long; rings of the same moment count as one."""
        try:
            self._rung.get(timeout=seconds)
            while True:
                self._rung.get_nowait()
        except Empty:
            return


class AlarmClock:
    """APScheduler as an alarm clock: a steady pulse, and one ring at the moment something is due."""

    def __init__(self, bell: Wakeup) -> None:
        from apscheduler.executors.pool import ThreadPoolExecutor
        from apscheduler.schedulers.background import BackgroundScheduler

        logging.getLogger("apscheduler").setLevel(logging.WARNING)
        self._bell = bell
        self._scheduler = BackgroundScheduler(
            timezone=UTC,
            executors={"default": ThreadPoolExecutor(1)},
            job_defaults={"coalesce": True, "max_instances": 1, "misfire_grace_time": None},
        )
        self._scheduler.add_job(bell.ring, "interval", seconds=PULSE.total_seconds(), id="pulse")
        self._scheduler.start()

    def ring_in(self, seconds: float) -> None:
        """Ring once after so many real seconds, in place of what was asked for before."""
        when = datetime.now(UTC) + timedelta(seconds=max(seconds, MIN_PAUSE))
        self._scheduler.add_job(self._bell.ring, "date", run_date=when, id="due", replace_existing=True)

    def stop(self) -> None:
        """Ring no more."""
        self._scheduler.shutdown(wait=False)


class FolderWatch:
    """Rings when a file changes below some folders."""

    def __init__(self, bell: Wakeup, folders: Iterable[Path]) -> None:
        self._stop = threading.Event()
        self._thread = threading.Thread(target=self._watch, args=(bell, tuple(folders)), daemon=True)
        self._thread.start()

    def stop(self) -> None:
        """Watch no more."""
        self._stop.set()
        self._thread.join(timeout=2)

    def _watch(self, bell: Wakeup, folders: tuple[Path, ...]) -> None:
        from watchfiles import watch

        logging.getLogger("watchfiles").setLevel(logging.WARNING)
        # Where the file system tells nothing, watchfiles polls; the pulse is behind both.
        for _ in watch(
            *folders, stop_event=self._stop, debounce=50, step=20, rust_timeout=1_000, raise_interrupt=False
        ):
            bell.ring()


class Signals:
    """What the operator or the system asked of the process: to end, and how often; to read the schedule again."""

    def __init__(self, bell: Wakeup) -> None:
        self._bell = bell
        self.ends = 0
        self.reload = False
        for name in (signal.SIGTERM, signal.SIGINT):
            signal.signal(name, self._end)
        signal.signal(signal.SIGHUP, self._reload)

    def take_reload(self) -> bool:
        """Whether the schedule is to be read again; asked once per wish."""
        wished, self.reload = self.reload, False
        return wished

    def _end(self, _number: int, _frame: object) -> None:
        self.ends += 1
        self._bell.ring()

    def _reload(self, _number: int, _frame: object) -> None:
        self.reload = True
        self._bell.ring()

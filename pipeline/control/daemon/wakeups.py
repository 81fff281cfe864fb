"""What wakes the daemon: the clock, a request in the lake, the end of a worker, a signal; none of them decides."""

from __future__ import annotations

import logging
import signal
import threading
from collections.abc import Iterable
from datetime import UTC, datetime, timedelta
from pathlib import Path
from queue import Empty, SimpleQueue

PULSE = timedelta(seconds=10)
"""The longest the daemon sleeps: a laptop that resumed, or a clock that was set, is noticed by then."""
MIN_PAUSE = 0.05
"""Seconds; work that is due at once still leaves time for the wakeups of the same moment."""


class Wakeup:
    """Set from any thread or signal handler; the daemon's loop waits for it."""

    def __init__(self) -> None:
        # Unlike an Event, a SimpleQueue may be used in a signal handler that interrupts its own reader.
        self._calls: SimpleQueue[None] = SimpleQueue()

    def wake(self) -> None:
        """Wake the daemon, now or at its next wait."""
        self._calls.put(None)

    def wait(self, seconds: float) -> None:
        """Sleep until woken, but no longer than this; several wakeups at one moment count as one."""
        try:
            self._calls.get(timeout=seconds)
            while True:
                self._calls.get_nowait()
        except Empty:
            return


class AlarmClock:
    """APScheduler as an alarm clock: a steady pulse, and one alarm at the moment something is due."""

    def __init__(self, wakeup: Wakeup) -> None:
        from apscheduler.executors.pool import ThreadPoolExecutor
        from apscheduler.schedulers.background import BackgroundScheduler

        logging.getLogger("apscheduler").setLevel(logging.WARNING)
        self._wakeup = wakeup
        self._scheduler = BackgroundScheduler(
            timezone=UTC,
            executors={"default": ThreadPoolExecutor(1)},
            job_defaults={"coalesce": True, "max_instances": 1, "misfire_grace_time": None},
        )
        self._scheduler.add_job(wakeup.wake, "interval", seconds=PULSE.total_seconds(), id="pulse")
        self._scheduler.start()

    def wake_in(self, seconds: float) -> None:
        """Set the one alarm, in real seconds from now; it replaces the one before."""
        when = datetime.now(UTC) + timedelta(seconds=max(seconds, MIN_PAUSE))
        self._scheduler.add_job(self._wakeup.wake, "date", run_date=when, id="due", replace_existing=True)

    def stop(self) -> None:
        """Stop both."""
        self._scheduler.shutdown(wait=False)


class FolderWatch:
    """Wakes the daemon when a file changes below some folders."""

    def __init__(self, wakeup: Wakeup, folders: Iterable[Path]) -> None:
        self._stop = threading.Event()
        self._thread = threading.Thread(target=self._watch, args=(wakeup, tuple(folders)), daemon=True)
        self._thread.start()

    def stop(self) -> None:
        """Stop watching."""
        self._stop.set()
        self._thread.join(timeout=2)

    def _watch(self, wakeup: Wakeup, folders: tuple[Path, ...]) -> None:
        from watchfiles import watch

        logging.getLogger("watchfiles").setLevel(logging.WARNING)
        # Where the file system reports nothing, watchfiles polls; the pulse backs up both.
        for _ in watch(
            *folders, stop_event=self._stop, debounce=50, step=20, rust_timeout=1_000, raise_interrupt=False
        ):
            wakeup.wake()


class Signals:
    """The signals the process received: how often to stop, and whether to read the schedule again."""

    def __init__(self, wakeup: Wakeup) -> None:
        self._wakeup = wakeup
        self.stop_requests = 0
        self.reload = False
        for name in (signal.SIGTERM, signal.SIGINT):
            signal.signal(name, self._stop)
        signal.signal(signal.SIGHUP, self._reload)

    def take_reload(self) -> bool:
        """Whether the schedule is to be read again; True once per SIGHUP."""
        reload, self.reload = self.reload, False
        return reload

    def _stop(self, _number: int, _frame: object) -> None:
        self.stop_requests += 1
        self._wakeup.wake()

    def _reload(self, _number: int, _frame: object) -> None:
        self.reload = True
        self._wakeup.wake()

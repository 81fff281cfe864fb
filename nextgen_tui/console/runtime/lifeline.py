"""The end of the console in time: when it is told to end, and when its terminal, its socket or its parent is gone."""

from __future__ import annotations

import os
import select
import signal
import threading
from collections.abc import Callable, Iterable
from contextlib import suppress
from typing import Any

from nextgen_tui.cli.exit_codes import INTERRUPTED

SECONDS_TO_LEAVE = 0.8
"""What the console may take to leave in order once it is told to end; then the process ends where it stands."""
SECONDS_BETWEEN_LOOKS = 0.5
"""How often the parent is looked for. A terminal or pipe that goes is told by the system."""
HUNG_UP = 128 + signal.SIGHUP
GONE = select.POLLHUP | select.POLLERR | getattr(select, "POLLRDHUP", 0)


class Lifeline:
    """A thread that ends the process, whatever the others wait for: a full terminal, a disk that is asleep."""

    def __init__(self, streams: Iterable[int] = (0, 2), last_act: Callable[[], None] = lambda: None) -> None:
        """Follow the process's parent, and descriptors that lead to who uses the console.

        Args:
            streams: the descriptors; regular files among them tell nothing.
            last_act: done before the process ends here, such as ending a process of its own; may not wait.
        """
        self._last_act = last_act
        self._parent_pid = os.getppid()
        self._leave: Callable[[], object] = lambda: None
        self._told, self._tell = os.pipe()
        os.set_blocking(self._tell, False)
        self._poll = select.poll()
        self._poll.register(self._told, select.POLLIN)
        for stream in streams:
            self._poll.register(stream, GONE & ~(select.POLLHUP | select.POLLERR))  # those are told unasked

    def start(self) -> Lifeline:
        """Begin to look, and return itself."""
        threading.Thread(target=self._look, name="lifeline", daemon=True).start()
        return self

    def leave_by(self, leave: Callable[[], object]) -> None:
        """Let SIGTERM end the console in order, or after `SECONDS_TO_LEAVE` in any case. For the main thread.

        SIGHUP does so too where the program has something to do before it ends; otherwise it ends the process at once.

        Args:
            leave: called in the thread of the lifeline.
        """
        self._leave = leave
        # Not the event loop's own way, which has to wait for the loop: a terminal that nobody reads can hold it up.
        for sign in (signal.SIGTERM, *([signal.SIGHUP] if callable(signal.getsignal(signal.SIGHUP)) else [])):
            signal.signal(sign, self._on_signal)

    def _on_signal(self, _number: int, _frame: Any) -> None:
        with suppress(BlockingIOError):
            os.write(self._tell, b".")

    def _look(self) -> None:
        while os.getppid() == self._parent_pid:
            for descriptor, found in self._poll.poll(SECONDS_BETWEEN_LOOKS * 1000):
                if descriptor == self._told:
                    self._end_in_time()
                elif found & select.POLLNVAL:  # what some systems say of every terminal
                    self._poll.unregister(descriptor)
                elif found & GONE:
                    self._end(HUNG_UP)
        self._end(HUNG_UP)

    def _end_in_time(self) -> None:
        with suppress(RuntimeError):  # the loop is closed: it is leaving already
            self._leave()
        threading.Event().wait(SECONDS_TO_LEAVE)
        self._end(INTERRUPTED)

    def _end(self, code: int) -> None:
        with suppress(Exception):
            self._last_act()
        os._exit(code)

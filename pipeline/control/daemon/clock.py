"""The clocks a daemon can run by: the system's, a simulated one, or that of an accelerated market."""

from __future__ import annotations

import time
from bisect import bisect_right
from datetime import UTC, date, datetime, timedelta
from typing import Protocol

from pipeline.market.sessions import Sessions


class Clock(Protocol):
    """Two readings: the wall clock, which may jump, and a steady one that measures how long something took."""

    def now(self) -> datetime:
        """The wall clock, in UTC."""

    def steady(self) -> float:
        """Seconds since some moment; never goes back, whatever happens to the wall clock."""

    def wait(self, until: datetime) -> float:
        """Real seconds from now until the wall clock shows `until`; 0 if it already has."""


class SystemClock:
    """The computer's clock."""

    def now(self) -> datetime:
        """The wall clock, in UTC."""
        return datetime.now(UTC)

    def steady(self) -> float:
        """Seconds of the monotonic clock."""
        return time.monotonic()

    def wait(self, until: datetime) -> float:
        """Seconds until then."""
        return max((until - self.now()).total_seconds(), 0.0)


class SimulatedClock:
    """A clock that stands until it is moved: a year passes in a minute, and a wall clock can be set wrong."""

    def __init__(self, start: datetime) -> None:
        self._wall = start
        self._steady = 0.0

    def now(self) -> datetime:
        """The wall clock, in UTC."""
        return self._wall

    def steady(self) -> float:
        """Seconds that have passed since the start."""
        return self._steady

    def wait(self, until: datetime) -> float:
        """Simulated seconds until then."""
        return max((until - self._wall).total_seconds(), 0.0)

    def advance(self, time: timedelta) -> None:
        """Let time pass on both clocks."""
        if time < timedelta():
            raise ValueError(f"time cannot pass backwards, got {time}; use `shift_wall` for a wall clock that was set")
        self._wall += time
        self._steady += time.total_seconds()

    def shift_wall(self, shift: timedelta) -> None:
        """Move the wall clock alone, forwards or backwards: it was set, or the machine slept."""
        self._wall += shift


class PacedClock:
    """An accelerated market: every session takes the same few real seconds, nights and holidays included.

    The wall clock moves evenly from one close to the next, so that everything due between them is due in its order.
    """

    def __init__(self, calendar: Sessions, after: date, seconds: float, began: float | None = None) -> None:
        """Begin at the close of `after`; each session then takes `seconds`.

        Args:
            calendar: the market's sessions.
            after: the session at whose close it begins.
            seconds: real seconds for each session, above 0.
            began: the steady clock's reading at the beginning, which all processes of a boot share; now where None.
        """
        if seconds <= 0:
            raise ValueError(f"a session has to take more than 0 seconds, got {seconds}")
        self.exchange = calendar.exchange
        self.after = after
        self.seconds = seconds
        self.began = time.monotonic() if began is None else began
        self._calendar = calendar
        self._first = calendar.position(after)

    def now(self) -> datetime:
        """The market's time."""
        passed = (time.monotonic() - self.began) / self.seconds
        whole = int(passed)
        here, there = self._closes(self._first + whole)
        return here + (there - here) * (passed - whole)

    def steady(self) -> float:
        """Real seconds: what a worker takes is not sped up."""
        return time.monotonic()

    def wait(self, until: datetime) -> float:
        """Real seconds until the market's time is `until`."""
        position = bisect_right(self._calendar.closes, until) - 1
        here, there = self._closes(position)
        sessions = position - self._first + (until - here) / (there - here)
        return max(self.began + sessions * self.seconds - time.monotonic(), 0.0)

    def _closes(self, position: int) -> tuple[datetime, datetime]:
        closes = self._calendar.closes
        position = min(max(position, 0), len(closes) - 2)
        return closes[position], closes[position + 1]

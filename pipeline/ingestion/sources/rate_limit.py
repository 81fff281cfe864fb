"""One budget of requests for all processes of a user: whoever asks next takes the next free moment."""

from __future__ import annotations

import fcntl
import json
import time
from collections.abc import Callable
from pathlib import Path
from typing import IO

from lake.access import make_private_folder

MAX_HOLD = 3_600.0
"""Seconds; a moment further away than this was written under another clock and does not count."""


class RateLimit:
    """Gives out moments, evenly spaced, by a small file under a lock; no process can take another's moment.

    The file holds two epoch seconds: from when on the next request may go out, and until when nobody may ask because
    the vendor has complained.
    """

    def __init__(
        self,
        path: Path,
        per_minute: float,
        *,
        now: Callable[[], float] = time.time,
        sleep: Callable[[float], None] = time.sleep,
    ) -> None:
        if per_minute <= 0:
            raise ValueError(f"a budget needs more than 0 requests per minute, not {per_minute}")
        self._path = path
        self._spacing = 60.0 / per_minute
        self._now, self._sleep = now, sleep

    def take(self) -> None:
        """Wait until this request may go out."""
        with self._file() as file:
            now = self._now()
            next_free, held_until = _read(file, now)
            moment = max(now, next_free, held_until)
            _write(file, moment + self._spacing, held_until)
        if moment > now:
            self._sleep(moment - now)

    def hold(self, seconds: float) -> None:
        """Let nobody ask for so long, in any process."""
        with self._file() as file:
            now = self._now()
            next_free, held_until = _read(file, now)
            _write(file, next_free, max(held_until, now + min(seconds, MAX_HOLD)))

    def _file(self) -> IO[str]:
        make_private_folder(self._path.parent)
        file = self._path.open("a+", encoding="utf-8")
        fcntl.flock(file, fcntl.LOCK_EX)  # released when the file is closed, also by a crash
        return file


def _read(file: IO[str], now: float) -> tuple[float, float]:
    """The two moments; 0 for what is missing, unreadable or impossibly far away."""
    file.seek(0)
    try:
        found = json.loads(file.read() or "[]")
        next_free, held_until = (float(moment) for moment in found)
    except (ValueError, TypeError):
        return 0.0, 0.0
    far = now + MAX_HOLD
    return (next_free if next_free <= far else 0.0), (held_until if held_until <= far else 0.0)


def _write(file: IO[str], next_free: float, held_until: float) -> None:
    file.seek(0)
    file.truncate()
    file.write(json.dumps([next_free, held_until]))
    file.flush()

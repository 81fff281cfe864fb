"""Exchange calendars without loading the heavy libraries: computed by a child process, and cached for a week."""

from __future__ import annotations

import json
import os
import subprocess
import sys
from bisect import bisect_left
from contextlib import suppress
from datetime import UTC, date, datetime, timedelta
from importlib.metadata import version
from pathlib import Path
from typing import Any

from lake.access import make_private_folder
from lake.storage.atomic import write_atomic
from pipeline.config.home import state_home
from pipeline.engine.child_command import python_command
from pipeline.market.calendar_changes import CalendarChanges
from pipeline.market.sessions import Sessions, exchange_sessions

BACK = timedelta(days=3 * 365)
"""How much of the past a schedule can look at: more than the longest window."""
MAX_AGE = timedelta(days=7)
"""Calendars end a year after they were made, and exchanges change their holidays: older ones are computed again."""


NO_CHANGES = CalendarChanges()


class ChildCalendars:
    """Exchange code -> sessions, from three years before a day to about a year from now.

    The cache lies in the user's state folder, for every program and lake; a file there that cannot be used, begins too
    late, is a week old, or was made by another version of the calendar library is ignored.
    """

    def __init__(self, today: date, cache: Path | None = None, changes: CalendarChanges = NO_CHANGES) -> None:
        """Sessions as seen from a day; `cache` is the cache folder, the user's own where None; changes come on top."""
        self._changes = changes
        self._since = today - BACK
        self._cache = cache or state_home(os.environ) / "calendars"
        self._known: dict[str, Sessions] = {}

    def __call__(self, exchange: str) -> Sessions:
        """The exchange's sessions.

        Raises:
            ValueError: for an exchange code that is not known.
        """
        if exchange not in self._known:
            self._known[exchange] = self.read_cached(exchange) or self._compute(exchange)
        return self._changes.apply(self._known[exchange])

    def is_cached(self, exchange: str) -> bool:
        """Whether the exchange's sessions need not be computed."""
        return exchange in self._known or self.read_cached(exchange) is not None

    def read_cached(self, exchange: str) -> Sessions | None:
        """The cached sessions; None if there are none, or none that can be used."""
        try:
            values = json.loads(self._file(exchange).read_bytes())
            made, since = (date.fromisoformat(values[name]) for name in ("made", "since"))
            fresh = made <= datetime.now(UTC).date() < made + MAX_AGE and since <= self._since
            ours = values["library"] == version("exchange_calendars")
            return _make_sessions(exchange, values) if fresh and ours else None
        except (OSError, ValueError, KeyError, TypeError):
            return None

    def _compute(self, exchange: str) -> Sessions:
        since = self._since.isoformat()
        command = python_command("pipeline.market.calendar_cache", exchange, since)
        child = subprocess.run(command, capture_output=True, text=True, check=False)
        if child.returncode:
            last = child.stderr.strip().splitlines()[-1:] or ["no reason given"]
            raise ValueError(last[0].removeprefix("ValueError: "))
        values = json.loads(child.stdout)
        made = datetime.now(UTC).date().isoformat()
        self._write_cache(exchange, values | {"made": made, "since": since, "library": version("exchange_calendars")})
        return _make_sessions(exchange, values)

    def _write_cache(self, exchange: str, values: dict[str, Any]) -> None:
        with suppress(OSError):  # a full or read-only disk costs the next program its time, and no more
            path = self._file(exchange)
            make_private_folder(path.parent)
            write_atomic(path, json.dumps(values), durable=False)

    def _file(self, exchange: str) -> Path:
        """A code with odd characters is not an exchange's, but must not lead out of the folder either."""
        return self._cache / f"{''.join(sign if sign.isalnum() else '-' for sign in exchange)}.json"


def _make_sessions(exchange: str, values: dict[str, Any]) -> Sessions:
    days, opens, closes = values["days"], values["opens"], values["closes"]
    if not days or not len(days) == len(opens) == len(closes):
        raise ValueError(f"the cached calendar of {exchange} is incomplete")
    return Sessions(
        exchange=exchange,
        days=tuple(date.fromisoformat(day) for day in days),
        opens=tuple(datetime.fromtimestamp(stamp, UTC) for stamp in opens),
        closes=tuple(datetime.fromtimestamp(stamp, UTC) for stamp in closes),
        zone=values["zone"],
    )


def main(exchange: str, since: str) -> None:
    """Write an exchange's sessions from a date on as JSON: days, opens and closes in seconds, zone."""
    calendar = exchange_sessions(exchange)
    low = bisect_left(calendar.days, date.fromisoformat(since))
    values = {
        "zone": calendar.zone,
        "days": [day.isoformat() for day in calendar.days[low:]],
        "opens": [moment.timestamp() for moment in calendar.opens[low:]],
        "closes": [moment.timestamp() for moment in calendar.closes[low:]],
    }
    json.dump(values, sys.stdout)


if __name__ == "__main__":
    main(*sys.argv[1:3])

"""Exchange calendars for a process that stays: computed by a child, which takes the heavy libraries away with it."""

from __future__ import annotations

import json
import subprocess
import sys
from bisect import bisect_left
from datetime import UTC, date, datetime, timedelta

from pipeline.sessions import Sessions, exchange_sessions

BACK = timedelta(days=3 * 365)
"""How much of the past a schedule can look at: more than the longest window."""


class ChildCalendars:
    """Exchange code -> sessions, from three years ago to about a year from now.

    A daemon that stays up asks for them anew now and then: they end a year after they were made, and exchanges change
    their holidays.
    """

    def __init__(self, today: date) -> None:
        self._since = today - BACK
        self._known: dict[str, Sessions] = {}

    def __call__(self, exchange: str) -> Sessions:
        """The exchange's sessions.

        Raises:
            ValueError: for an exchange code that is not known.
        """
        if exchange not in self._known:
            self._known[exchange] = self._computed(exchange)
        return self._known[exchange]

    def _computed(self, exchange: str) -> Sessions:
        command = [sys.executable, "-m", "pipeline.control.calendars", exchange, self._since.isoformat()]
        child = subprocess.run(command, capture_output=True, text=True, check=False)
        if child.returncode:
            last = child.stderr.strip().splitlines()[-1:] or ["no reason given"]
            raise ValueError(last[0].removeprefix("ValueError: "))
        values = json.loads(child.stdout)
        return Sessions(
            exchange=exchange,
            days=tuple(date.fromisoformat(day) for day in values["days"]),
            opens=tuple(datetime.fromtimestamp(stamp, UTC) for stamp in values["opens"]),
            closes=tuple(datetime.fromtimestamp(stamp, UTC) for stamp in values["closes"]),
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

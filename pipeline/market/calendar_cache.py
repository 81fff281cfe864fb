"""Exchange calendars without loading the heavy libraries: computed by a child process, and cached for a week."""

from __future__ import annotations

import json
import os
import subprocess
import sys
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

MAX_AGE = timedelta(days=7)
"""Calendars end a year after they were made, and exchanges change their holidays: older ones are computed again."""
FORM = "whole"
"""What a file holds: earlier programs kept three years only."""


NO_CHANGES = CalendarChanges()


class ChildCalendars:
    """Exchange code -> all its sessions to about a year from now: a screen may stand at any of them.

    The cache lies in the user's state folder, for every program and lake; a file there that cannot be used, is a week
    old, or was made by another version of the calendar library or of this module is ignored.
    """

    def __init__(self, cache: Path | None = None, changes: CalendarChanges = NO_CHANGES) -> None:
        """`cache` is the cache folder, the user's own where None; the operator's changes come on top."""
        self._changes = changes
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
            made = date.fromisoformat(values["made"])
            fresh = made <= datetime.now(UTC).date() < made + MAX_AGE
            ours = (values["library"], values["form"]) == (version("exchange_calendars"), FORM)
            return _make_sessions(exchange, values) if fresh and ours else None
        except (OSError, ValueError, KeyError, TypeError):
            return None

    def _compute(self, exchange: str) -> Sessions:
        command = python_command("pipeline.market.calendar_cache", exchange)
        child = subprocess.run(command, capture_output=True, text=True, check=False)
        if child.returncode:
            last = child.stderr.strip().splitlines()[-1:] or ["no reason given"]
            raise ValueError(last[0].removeprefix("ValueError: "))
        values = json.loads(child.stdout)
        made = datetime.now(UTC).date().isoformat()
        self._write_cache(exchange, values | {"made": made, "library": version("exchange_calendars"), "form": FORM})
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


def main(exchange: str) -> None:
    """Write an exchange's sessions as JSON: days, opens and closes in seconds, zone."""
    calendar = exchange_sessions(exchange)
    values = {
        "zone": calendar.zone,
        "days": [day.isoformat() for day in calendar.days],
        "opens": [moment.timestamp() for moment in calendar.opens],
        "closes": [moment.timestamp() for moment in calendar.closes],
    }
    json.dump(values, sys.stdout)


if __name__ == "__main__":
    main(sys.argv[1])

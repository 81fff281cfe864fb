"""Logs what a step of the daemon put on record: one line for each event, and one for slots skipped together."""

from __future__ import annotations

import logging
from collections.abc import Iterable
from itertools import groupby

from pipeline.control.schedule.journal import Event

log = logging.getLogger(__name__)


def log_events(events: Iterable[Event]) -> None:
    """Log events. After a long absence, a task that runs every minute has hundreds of skipped slots."""
    for (_, state), group in groupby(events, key=lambda event: (event.task, event.state)):
        alike = list(group)
        if state == "skipped" and len(alike) > 1:
            _log_skips(alike)
            continue
        for event in alike:
            _log_event(event)


def _log_event(event: Event) -> None:
    level = logging.INFO if event.state in ("started", "done", "released") else logging.WARNING
    about = {"task": event.task, "slot": event.slot, "attempt": event.attempt, "state": event.state}
    then = f"; {event.follows} follows" if event.follows != "nothing" else ""
    words = f"{event.task} {event.slot} {event.state}{': ' if event.reason else ''}{event.reason}{then}"
    log.log(level, "%s", words, extra=about | {"cycle_id": event.cycle_id})


def _log_skips(events: list[Event]) -> None:
    first, last = events[0], events[-1]
    about = {"task": first.task, "slot": last.slot, "state": first.state}
    words = f"{first.task} {first.slot} to {last.slot}: {len(events)} slots skipped; the first: {first.reason}"
    log.warning("%s", words, extra=about)

"""What the operator knows of the calendar beyond the library: days on which an exchange closes, or opens after all."""

from __future__ import annotations

from bisect import bisect_left
from dataclasses import dataclass, replace
from datetime import date, datetime, timedelta
from functools import lru_cache
from zoneinfo import ZoneInfo

from pipeline.market.sessions import Sessions

KNOWN = " known "
"""Between the day that is changed and the day on which that was known."""


@dataclass(frozen=True)
class CalendarChanges:
    """Closures and further sessions, each a day, or a day and since when it is known: `2012-10-29 known 2012-10-28`."""

    closures: tuple[str, ...] = ()
    extra_sessions: tuple[str, ...] = ()

    def apply(self, calendar: Sessions, by: date | None = None) -> Sessions:
        """The calendar with the changes known by a day; with all of them where None."""
        if not self.closures and not self.extra_sessions:
            return calendar
        return _change(calendar, _days(self.closures, by), _days(self.extra_sessions, by))


def parse_change(text: str) -> tuple[date, date]:
    """The day of a change, and since when it is known: its own day where nothing is said.

    Raises:
        ValueError: if one of the two is no date, or it was known only after the day.
    """
    day, _, known = text.partition(KNOWN)
    when, since = date.fromisoformat(day), date.fromisoformat(known or day)
    if since > when:
        raise ValueError(f"it is known since {since}, after {when} itself; state a day that is not later")
    return when, since


def _days(changes: tuple[str, ...], by: date | None) -> tuple[date, ...]:
    parsed = (parse_change(text) for text in changes)
    return tuple(sorted({when for when, since in parsed if by is None or since <= by}))


@lru_cache(maxsize=32)
def _change(calendar: Sessions, closures: tuple[date, ...], extra: tuple[date, ...]) -> Sessions:
    """Leave closures out and insert sessions, at the hours of the session before; nothing beyond its ends."""
    if not closures and not extra:
        return calendar
    known = {day: hours for day, *hours in zip(calendar.days, calendar.opens, calendar.closes, strict=True)}
    for day in extra:
        place = bisect_left(calendar.days, day)
        if 0 < place < len(calendar.days) and day not in known:
            before = calendar.days[place - 1]
            known[day] = [_move(moment, day - before, calendar.zone) for moment in known[before]]
    kept = sorted((day, *hours) for day, hours in known.items() if day not in closures)
    days, opens, closes = (tuple(column) for column in zip(*kept, strict=True))
    return replace(calendar, days=days, opens=opens, closes=closes)


def _move(moment: datetime, by: timedelta, zone: str) -> datetime:
    """The same time of day at the exchange, some days later, in the zone it is given in."""
    local = moment.astimezone(ZoneInfo(zone))
    return datetime.combine(local.date() + by, local.time(), ZoneInfo(zone)).astimezone(moment.tzinfo)

"""The days on which an exchange was to trade and did not: until one comes, a calendar of then has it as a session."""

from __future__ import annotations

from bisect import bisect_right
from dataclasses import replace
from datetime import date, datetime, timedelta
from functools import lru_cache
from zoneinfo import ZoneInfo

from pipeline.market.sessions import Sessions

_MOURNING = ("1994-04-27", "2004-06-11", "2007-01-02", "2018-12-05", "2025-01-09")
"""Days of mourning for presidents of the United States."""
_UNITED_STATES = (*_MOURNING, "2001-09-11", "2001-09-12", "2001-09-13", "2001-09-14", "2012-10-29", "2012-10-30")
"""Beside them: the attacks of September 2001, and hurricane Sandy."""
_CLOSURES: dict[str, tuple[str, ...]] = {
    **dict.fromkeys(("XNYS", "NYSE", "XNAS", "XASE", "ARCX", "BATS"), _UNITED_STATES),
    "CMES": _MOURNING,
    "XTSE": ("2001-09-11", "2001-09-12"),
    "XLON": ("2022-09-19",),
    "XASX": ("2022-09-22",),
}
"""By exchange. Only what nobody had scheduled: holidays that are fixed from year to year are known in advance."""


def calendar_known_at(calendar: Sessions, session: date) -> Sessions:
    """Return the calendar as it stood at a session: closures nobody had scheduled are there from their own day on.

    Days up to the session are the same, at the same positions; a later day that was still to trade is a session, at
    the hours of the one before it.
    """
    later = [date.fromisoformat(text) for text in sorted(_CLOSURES.get(calendar.exchange, ()))]
    unknown = tuple(day for day in later if session < day <= calendar.days[-1] and not calendar.is_session(day))
    return _insert(calendar, unknown) if unknown else calendar


@lru_cache(maxsize=16)
def _insert(calendar: Sessions, days: tuple[date, ...]) -> Sessions:
    known = list(zip(calendar.days, calendar.opens, calendar.closes, strict=True))
    for day in days:
        place = bisect_right(known, day, key=lambda one: one[0])
        _, opened, closed = known[place - 1]
        by = day - known[place - 1][0]
        known.insert(place, (day, _move(opened, by, calendar.zone), _move(closed, by, calendar.zone)))
    days, opens, closes = (tuple(column) for column in zip(*known, strict=True))
    return replace(calendar, days=days, opens=opens, closes=closes)


def _move(moment: datetime, by: timedelta, zone: str) -> datetime:
    """The same time of day at the exchange, some days later, in the zone it is given in."""
    local = moment.astimezone(ZoneInfo(zone))
    return datetime.combine(local.date() + by, local.time(), ZoneInfo(zone)).astimezone(moment.tzinfo)

"""Which days an exchange traded within a span: what many exchanges are asked, where whole calendars would take long."""

from __future__ import annotations

from datetime import date
from functools import lru_cache

from pipeline.market.sessions import KEPT_BY_ANOTHER


@lru_cache(maxsize=64)
def session_days(exchange: str, first: date, last: date) -> tuple[date, ...]:
    """Return the sessions of an exchange from `first` to `last`, both included; none where its calendar does not reach.

    Raises:
        exchange_calendars.errors.InvalidCalendarName: for an exchange code that is not known.
    """
    import exchange_calendars

    kept = KEPT_BY_ANOTHER.get(exchange, exchange)
    try:
        calendar = exchange_calendars.get_calendar(kept, start=first.isoformat(), end=last.isoformat())
    except (ValueError, exchange_calendars.errors.CalendarError):
        return ()
    return tuple(stamp.date() for stamp in calendar.sessions)

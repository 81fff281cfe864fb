"""A made-up exchange, for tests that need no real calendar."""

from __future__ import annotations

from datetime import UTC, date, datetime, timedelta
from zoneinfo import ZoneInfo

from pipeline.market.sessions import Sessions


def weekday_sessions(first: date, last: date, *, zone: str = "America/New_York") -> Sessions:
    """The sessions of an exchange that trades from 9:30 to 16:00 on weekdays."""
    days = [first + timedelta(days=n) for n in range((last - first).days + 1)]
    days = [day for day in days if day.weekday() < 5]
    local = ZoneInfo(zone)
    return Sessions(
        exchange="XNYS",
        days=tuple(days),
        opens=tuple(datetime(d.year, d.month, d.day, 9, 30, tzinfo=local).astimezone(UTC) for d in days),
        closes=tuple(datetime(d.year, d.month, d.day, 16, 0, tzinfo=local).astimezone(UTC) for d in days),
        zone=zone,
    )

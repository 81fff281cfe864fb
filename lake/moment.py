"""Moments as people write them: an ISO time with its zone, or a day, which means all of it in UTC."""

from __future__ import annotations

from datetime import UTC, date, datetime, time, timedelta


def parse_moment(text: str) -> datetime:
    """Read a moment as UTC: `2026-01-05T21:20Z`, or `2026-01-05` for the end of that day.

    Raises:
        ValueError: saying how to write it, if it is no time, or has no zone.
    """
    try:
        if len(text) == 10:
            midnight = datetime.combine(date.fromisoformat(text), time(), UTC)
            return midnight + timedelta(days=1, microseconds=-1)
        moment = datetime.fromisoformat(text)
    except ValueError:
        raise ValueError(f"{text!r} is not a time; write it as 2026-01-05 or 2026-01-05T21:20Z") from None
    if moment.tzinfo is None:
        raise ValueError(f"{text!r} has no time zone; add Z for UTC, or an offset such as -05:00")
    return moment.astimezone(UTC)

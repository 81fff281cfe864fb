"""How many sessions an exchange holds in a year: what figures of a session are annualised by."""

from __future__ import annotations

from datetime import date

from pipeline.market.sessions import Sessions


def sessions_per_year(calendar: Sessions, session: date) -> int:
    """Return how many sessions the exchange held in the year up to a session; 252 where its calendar starts later."""
    day = 28 if (session.month, session.day) == (2, 29) else session.day
    start = session.replace(year=session.year - 1, day=day)
    if start < calendar.days[0]:
        return 252
    return len(calendar.between(start, session)) - calendar.is_session(start)

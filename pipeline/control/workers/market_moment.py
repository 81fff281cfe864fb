"""The moment up to which a task between cycles asks: when it is due, or as far into a simulated market's own day."""

from __future__ import annotations

from datetime import datetime

from lake.runs import last_session
from pipeline.engine.runner import Runner


def find_market_moment(runner: Runner, due_at: datetime) -> datetime:
    """Find the moment, to the second.

    A simulated market stands still between cycles, whatever the clock says: there the moment lies in the session after
    the last one, as far into it as `due_at` is into the exchange's session, and at most of its close. A market that has
    caught up with the clock is taken as it is.
    """
    at = due_at.replace(microsecond=0)
    last = last_session(runner.lake)
    if runner.settings.source.name != "simulated" or last is None:
        return at
    calendar = runner.calendar
    session = calendar.next(last)
    if at <= calendar.close_at(session):
        return at
    into = at - calendar.open_at(calendar.last_opened(at))
    moment: datetime = min(calendar.open_at(session) + into, calendar.close_at(session))
    return moment

"""The time by which a lake is operated, and the exchange's calendar that takes, worked out once per process and day."""

from __future__ import annotations

import os
from collections.abc import Callable
from contextlib import suppress
from datetime import date, datetime
from functools import lru_cache
from pathlib import Path

from lake.store import Lake
from pipeline.config import ConfigError
from pipeline.config.loading import load
from pipeline.config.settings import MarketParams
from pipeline.control.daemon.simulated_pace import make_market_clock, read_pace
from pipeline.market.calendar_cache import NO_CHANGES, ChildCalendars
from pipeline.market.calendar_changes import CalendarChanges

Now = Callable[[], datetime]
"""Returns the current time, in UTC."""


@lru_cache(maxsize=4)
def calendars_from(_today: date, changes: CalendarChanges) -> ChildCalendars:
    """The exchanges' sessions to about a year from now: read anew every day of the tasks' time and of the market's."""
    return ChildCalendars(changes=changes)


def read_changes(lake: Path) -> CalendarChanges:
    """What the operator of a lake knows of the calendar; nothing where the configuration cannot be used."""
    return _read_market(lake).changes


def lake_calendars(lake: Path, now: Now) -> ChildCalendars:
    """The exchanges' sessions that a lake needs: an accelerated market has its own day."""
    pace = read_pace(lake)
    return calendars_from(pace.after if pace else now().date(), read_changes(lake))


def calendar_at_hand(lake: Path, now: Now) -> bool:
    """Whether what is due can be told at once, without working a calendar out first."""
    day, exchange = _find_needed(lake, now)
    return calendars_from(day, NO_CHANGES).is_cached(exchange)


def work_out_calendar(lake: Path, now: Now) -> None:
    """Let a child process compute the calendar, which takes seconds and heavy libraries, unless it is at hand."""
    with suppress(ValueError, OSError):  # who asks for sessions afterwards gets the same error, where it can be shown
        day, exchange = _find_needed(lake, now)
        calendars_from(day, NO_CHANGES)(exchange)


def operation_time(lake: Lake, now: Now) -> datetime:
    """The time by which tasks are due: that of an accelerated market if a daemon last ran one, else the system's."""
    pace = read_pace(lake.path)
    if pace is None:
        return now()
    return make_market_clock(lake, pace, calendars_from(pace.after, NO_CHANGES)(pace.exchange)).now()


def _find_needed(lake: Path, now: Now) -> tuple[date, str]:
    pace = read_pace(lake)
    return (pace.after, pace.exchange) if pace else (now().date(), market_exchange(lake))


def market_exchange(lake: Path) -> str:
    """The exchange of a lake's market, whose calendar is worked out ahead: the schedule's own tasks go by it."""
    return _read_market(lake).exchange


def _read_market(lake: Path) -> MarketParams:
    try:
        return load(lake, os.environ).settings.market
    except ConfigError:  # who needs the configuration itself says what is wrong with it
        return MarketParams()

"""When an exchange trades: the one source of sessions, opens and closes; never weekday arithmetic."""

from __future__ import annotations

from bisect import bisect_left, bisect_right
from collections.abc import Sequence
from dataclasses import dataclass
from datetime import UTC, date, datetime, timedelta
from functools import cached_property, lru_cache
from operator import sub

import polars as pl

FIRST_YEAR = 1990
KEPT_BY_ANOTHER = {"XNSE": "XBOM"}
"""Exchange that the library of calendars lacks -> one with the same days and hours (India's two agree on them)."""


class OutOfCalendarError(ValueError):
    """A day that lies before or after all sessions that are known."""


@dataclass(frozen=True)
class Sessions:
    """The sessions of one exchange, with the instants each opened and closed (half-days included).

    Build one with `exchange_sessions`; tests may build short ones by hand.
    """

    exchange: str
    days: tuple[date, ...]
    opens: tuple[datetime, ...]
    closes: tuple[datetime, ...]
    zone: str = "America/New_York"

    def is_session(self, day: date) -> bool:
        """Whether the exchange traded on that day."""
        return day in self._position

    def at_or_before(self, day: date) -> date:
        """The last session not after the day."""
        return self.days[self._check(bisect_right(self.days, day) - 1, day)]

    def at_or_after(self, day: date) -> date:
        """The first session not before the day."""
        return self.days[self._check(bisect_left(self.days, day), day)]

    def offset(self, session: date, count: int) -> date:
        """The session `count` sessions later (earlier if negative), held within the calendar's first session."""
        return self.days[self._check(max(self.position(session) + count, 0), session)]

    def next(self, session: date) -> date:
        """The session after this one."""
        return self.offset(session, 1)

    def previous(self, session: date) -> date:
        """The session before this one."""
        return self.offset(session, -1)

    def between(self, first: date, last: date) -> list[date]:
        """All sessions from `first` to `last`, both included."""
        return list(self.days[bisect_left(self.days, first) : bisect_right(self.days, last)])

    def distance(self, earlier: date, later: date) -> int:
        """How many sessions lie from the one to the other."""
        return self.position(later) - self.position(earlier)

    def open_at(self, session: date) -> datetime:
        """The instant the session opened, in UTC."""
        return self.opens[self.position(session)]

    def close_at(self, session: date) -> datetime:
        """The instant the session closed, in UTC."""
        return self.closes[self.position(session)]

    def last_closed(self, moment: datetime) -> date:
        """The last session that had closed by the moment."""
        return self.days[self._check(bisect_right(self.closes, moment) - 1, moment.date())]

    def last_opened(self, moment: datetime) -> date:
        """The last session that had opened by the moment."""
        return self.days[self._check(bisect_right(self.opens, moment) - 1, moment.date())]

    def within_pause(self, lag: timedelta) -> timedelta:
        """A wait after the close, cut to the shortest pause before a next open: nothing where a market never pauses.

        What is to be known before the next open has to be known by then, however long it takes elsewhere.
        """
        return min(lag, self._shortest_pause)

    def frame(self, first: date, last: date) -> pl.DataFrame:
        """Columns session (Date), position (Int64), open_at and close_at (UTC microseconds), in order."""
        low, high = bisect_left(self.days, first), bisect_right(self.days, last)
        return self._whole.slice(low, max(high - low, 0))

    def position(self, session: date) -> int:
        """The session's number in the calendar.

        Raises:
            ValueError: if the exchange did not trade that day, naming its neighbours, or how far the calendar goes.
        """
        if session not in self._position:
            low = self._check(bisect_left(self.days, session) or -1, session)
            near = [day.isoformat() for day in self.days[max(low - 1, 0) : low + 1]]
            raise ValueError(f"{session} is not a session of {self.exchange}; the nearest are {' and '.join(near)}")
        return self._position[session]

    @cached_property
    def _shortest_pause(self) -> timedelta:
        return min(map(sub, self.opens[1:], self.closes), default=timedelta.max)

    @cached_property
    def _position(self) -> dict[date, int]:
        return {day: number for number, day in enumerate(self.days)}

    @cached_property
    def _whole(self) -> pl.DataFrame:
        """All of it as a frame; a slice of it costs nothing, making another costs milliseconds."""
        instant = pl.Datetime("us", "UTC")
        return pl.DataFrame(
            {"session": self.days, "position": range(len(self.days)), "open_at": self.opens, "close_at": self.closes},
            schema={"session": pl.Date, "position": pl.Int64, "open_at": instant, "close_at": instant},
        )

    def _check(self, position: int, day: date) -> int:
        if 0 <= position < len(self.days):
            return position
        raise OutOfCalendarError(
            f"{day} is outside the calendar of {self.exchange}, which runs from {self.days[0]} to {self.days[-1]}"
        )


@lru_cache(maxsize=8)
def exchange_sessions(exchange: str = "XNYS") -> Sessions:
    """The exchange's sessions from 1990, or as early as they are known, to about a year from now (exchange_calendars).

    Raises:
        ValueError: for an exchange code that is not known.
    """
    import exchange_calendars

    kept = KEPT_BY_ANOTHER.get(exchange, exchange)
    try:
        calendar = exchange_calendars.get_calendar(kept, start=f"{FIRST_YEAR}-01-01")
    except exchange_calendars.errors.InvalidCalendarName as error:
        raise ValueError(f"there is no exchange {exchange!r}; use an ISO 10383 code such as XNYS or XLON") from error
    except ValueError:  # its holidays are not known so far back
        earliest = exchange_calendars.get_calendar(kept).bound_min()
        calendar = exchange_calendars.get_calendar(kept, start=earliest)
    schedule = calendar.schedule
    return Sessions(
        exchange=exchange,
        days=tuple(stamp.date() for stamp in schedule.index),
        opens=_instants(schedule["open"]),
        closes=_instants(schedule["close"]),
        zone=str(calendar.tz),
    )


def _instants(column: Sequence[object]) -> tuple[datetime, ...]:
    return tuple(stamp.to_pydatetime().astimezone(UTC) for stamp in column)  # type: ignore[attr-defined]

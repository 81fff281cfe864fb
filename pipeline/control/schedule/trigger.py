"""When a task is due, in the market's terms: triggers such as `close+20m`, and the slots they stand for."""

from __future__ import annotations

import re
from bisect import bisect_left, bisect_right
from collections.abc import Iterator
from dataclasses import dataclass
from datetime import UTC, date, datetime, time, timedelta
from functools import cached_property
from itertools import groupby
from typing import Protocol
from zoneinfo import ZoneInfo

from pipeline.market.sessions import Sessions

DAYS = ("mon", "tue", "wed", "thu", "fri", "sat", "sun")
UNITS = {"s": 1, "m": 60, "h": 3_600, "d": 86_400, "w": 604_800}
MIN_INTERVAL = timedelta(seconds=10)
MAX_MONTH_DAY = 28
DURATION = r"(?:\d+[smhdw])+"
LONGEST = timedelta(days=3650)
"""The longest duration: dates beyond those of the calendar would be asked for."""
GRAMMAR = (
    "close+20m, open-30m, close+20m on fri, weekly close+1h, every 30m while open, every 10m, "
    "daily 07:00, daily 07:00 on mon-fri, weekly sat 08:00, monthly 1 06:00"
)


class TriggerError(ValueError):
    """A trigger is not valid; the text says why and how to write it."""


@dataclass(frozen=True, order=True)
class Slot:
    """One time at which a task is due."""

    due_at: datetime
    key: str
    """Which run it is: a date, an ISO week, a month, an instant. Two triggers with the same key share the run."""
    session: date | None = None
    """Its session: its own, or the last one that had closed."""


class Trigger(Protocol):
    """A rule for when a task is due."""

    @property
    def slack(self) -> timedelta:
        """How far a slot's due moment can move when a trigger of the same kind replaces this one."""

    def slots(self, first: datetime, last: datetime) -> Iterator[Slot]:
        """The slots due from `first` to `last`, both included, in order."""

    def slot(self, key: str) -> Slot | None:
        """The slot of that key; None if this trigger has none."""


def parse_duration(text: str) -> timedelta:
    """Parse a duration such as 90s, 20m, 1h30m, 2d or 1w.

    Raises:
        TriggerError: if it is not a duration, or longer than any schedule looks ahead or back.
    """
    if not re.fullmatch(DURATION, text):
        raise TriggerError(f"{text!r} is not a duration; write 90s, 20m, 1h30m, 2d or 1w")
    seconds = sum(int(n) * UNITS[unit] for n, unit in re.findall(r"(\d+)([smhdw])", text))
    if seconds > LONGEST.total_seconds():
        raise TriggerError(f"{text!r} is longer than {LONGEST.days}d, which is the most")
    return timedelta(seconds=seconds)


def parse_trigger(text: str, calendar: Sessions, zone: str) -> Trigger:
    """Parse a trigger.

    Args:
        text: see `GRAMMAR`.
        calendar: the exchange that `open`, `close` and sessions refer to.
        zone: IANA name of the zone that times of day refer to.

    Raises:
        TriggerError: if it is not valid.
    """
    words = " ".join(text.lower().split())
    rule, _, days = words.partition(" on ")
    named = _parse_days(days) if days else None
    if match := re.fullmatch(rf"(weekly )?(open|close)(?: ?([+-]) ?({DURATION}))?", rule):
        weekly, side, sign, length = match.groups()
        offset = parse_duration(length) * (-1 if sign == "-" else 1) if length else timedelta()
        if weekly and named:
            raise TriggerError(f"{text!r} names both a week and days; drop one of them")
        return MarketTime(calendar, side == "close", offset, weekly=bool(weekly), days=named)
    if match := re.fullmatch(rf"every ({DURATION})( while open)?", rule):
        if named:
            raise TriggerError(f"{text!r}: an interval cannot have weekdays; use `while open`, or a time of day")
        return _make_interval(text, parse_duration(match[1]), calendar, bool(match[2]))
    if match := re.fullmatch(r"daily (\S+)", rule):
        return DayTime(calendar, ZoneInfo(zone), _parse_time(match[1]), named or frozenset(range(7)))
    if match := re.fullmatch(r"weekly (\S+) (\S+)", rule):
        return WeekTime(calendar, ZoneInfo(zone), _parse_time(match[2]), _parse_day(match[1]))
    if match := re.fullmatch(r"monthly (\d+) (\S+)", rule):
        return MonthTime(calendar, ZoneInfo(zone), _parse_time(match[2]), _parse_month_day(match[1]))
    raise TriggerError(f"{text!r} is not a trigger; write one of: {GRAMMAR}")


@dataclass(frozen=True)
class MarketTime:
    """Before or after an exchange opens or closes: each session, on some weekdays, or once a week."""

    calendar: Sessions
    at_close: bool
    offset: timedelta
    weekly: bool = False
    """True for the week's last close, or its first open."""
    days: frozenset[int] | None = None

    @property
    def slack(self) -> timedelta:
        """See `Trigger`."""
        return timedelta(days=8 if self.weekly else 2) + abs(self.offset)

    def slots(self, first: datetime, last: datetime) -> Iterator[Slot]:
        """See `Trigger`."""
        low = bisect_left(self._instants, first - self.offset)
        high = bisect_right(self._instants, last - self.offset)
        for position in range(low, high):
            if (slot := self._at(position)) is not None:
                yield slot

    def slot(self, key: str) -> Slot | None:
        """See `Trigger`."""
        if self.weekly:
            return self._weeks.get(key)
        day = _parse_date(key)
        if day is None or not self.calendar.is_session(day):
            return None
        return self._at(self.calendar.position(day))

    def _at(self, position: int) -> Slot | None:
        day = self.calendar.days[position]
        if self.weekly:
            slot = self._weeks[_format_week(day)]
            return slot if slot.session == day else None
        if self.days is not None and day.weekday() not in self.days:
            return None
        return Slot(self._instants[position] + self.offset, day.isoformat(), day)

    @property
    def _instants(self) -> tuple[datetime, ...]:
        return self.calendar.closes if self.at_close else self.calendar.opens

    @cached_property
    def _weeks(self) -> dict[str, Slot]:
        chosen: dict[str, Slot] = {}
        for week, members in groupby(
            zip(self.calendar.days, self._instants, strict=True), lambda pair: _format_week(pair[0])
        ):
            pairs = list(members)
            day, instant = pairs[-1 if self.at_close else 0]
            chosen[week] = Slot(instant + self.offset, week, day)
        return chosen


@dataclass(frozen=True)
class Interval:
    """At an interval counted from midnight UTC of 1970, so that a restart changes nothing."""

    calendar: Sessions
    length: timedelta
    slack = timedelta()

    def slots(self, first: datetime, last: datetime) -> Iterator[Slot]:
        """See `Trigger`."""
        step = self.length.total_seconds()
        number = -int(-first.timestamp() // step)
        while (due := datetime.fromtimestamp(number * step, UTC)) <= last:
            yield _make_instant_slot(due, self.calendar)
            number += 1

    def slot(self, key: str) -> Slot | None:
        """See `Trigger`."""
        due = _parse_instant(key)
        on_grid = due is not None and due.timestamp() % self.length.total_seconds() == 0
        return _make_instant_slot(due, self.calendar) if due is not None and on_grid else None


@dataclass(frozen=True)
class WhileOpen:
    """At an interval from the open of a session until before its close."""

    calendar: Sessions
    length: timedelta
    slack = timedelta()

    def slots(self, first: datetime, last: datetime) -> Iterator[Slot]:
        """See `Trigger`."""
        low = bisect_left(self.calendar.closes, first)
        high = bisect_right(self.calendar.opens, last)
        for position in range(low, high):
            begins, ends = self.calendar.opens[position], self.calendar.closes[position]
            due = begins + max(-((begins - first) // self.length), 0) * self.length
            while due < ends and due <= last:
                yield Slot(due, _format_instant(due), self.calendar.days[position])
                due += self.length

    def slot(self, key: str) -> Slot | None:
        """See `Trigger`."""
        due = _parse_instant(key)
        return next(iter(self.slots(due, due)), None) if due is not None else None


@dataclass(frozen=True)
class DayTime:
    """A time of day on some weekdays: once on each of those dates, even when daylight saving time begins or ends."""

    calendar: Sessions
    zone: ZoneInfo
    at: time
    days: frozenset[int]
    slack = timedelta(days=2)

    def slots(self, first: datetime, last: datetime) -> Iterator[Slot]:
        """See `Trigger`."""
        day = first.astimezone(self.zone).date() - timedelta(days=1)
        while day <= last.astimezone(self.zone).date():
            slot = self.slot(day.isoformat())
            if slot is not None and first <= slot.due_at <= last:
                yield slot
            day += timedelta(days=1)

    def slot(self, key: str) -> Slot | None:
        """See `Trigger`."""
        day = _parse_date(key)
        if day is None or day.weekday() not in self.days:
            return None
        return _make_local_slot(key, day, self.at, self.zone, self.calendar)


@dataclass(frozen=True)
class WeekTime:
    """A weekday and a time of day: once in every ISO week."""

    calendar: Sessions
    zone: ZoneInfo
    at: time
    day: int
    slack = timedelta(days=8)

    def slots(self, first: datetime, last: datetime) -> Iterator[Slot]:
        """See `Trigger`."""
        monday = _monday_of(first.astimezone(self.zone).date()) - timedelta(days=7)
        while monday <= last.astimezone(self.zone).date():
            slot = self.slot(_format_week(monday))
            if slot is not None and first <= slot.due_at <= last:
                yield slot
            monday += timedelta(days=7)

    def slot(self, key: str) -> Slot | None:
        """See `Trigger`."""
        match = re.fullmatch(r"(\d{4})-W(\d\d)", key)
        if match is None:
            return None
        day = date.fromisocalendar(int(match[1]), int(match[2]), self.day + 1)
        return _make_local_slot(key, day, self.at, self.zone, self.calendar)


@dataclass(frozen=True)
class MonthTime:
    """A day of the month and a time of day: once in every month."""

    calendar: Sessions
    zone: ZoneInfo
    at: time
    day: int
    slack = timedelta(days=32)

    def slots(self, first: datetime, last: datetime) -> Iterator[Slot]:
        """See `Trigger`."""
        month = (first.astimezone(self.zone).date() - timedelta(days=31)).replace(day=1)
        while month <= last.astimezone(self.zone).date():
            slot = self.slot(f"{month:%Y-%m}")
            if slot is not None and first <= slot.due_at <= last:
                yield slot
            month = (month + timedelta(days=31)).replace(day=1)

    def slot(self, key: str) -> Slot | None:
        """See `Trigger`."""
        match = re.fullmatch(r"(\d{4})-(\d\d)", key)
        if match is None:
            return None
        day = date(int(match[1]), int(match[2]), self.day)
        return _make_local_slot(key, day, self.at, self.zone, self.calendar)


def _make_interval(text: str, length: timedelta, calendar: Sessions, while_open: bool) -> Trigger:
    if length < MIN_INTERVAL:
        raise TriggerError(f"{text!r} is too short; the shortest interval is 10s")
    return WhileOpen(calendar, length) if while_open else Interval(calendar, length)


def _parse_days(text: str) -> frozenset[int]:
    chosen: set[int] = set()
    for part in text.replace(" ", "").split(","):
        first, dash, last = part.partition("-")
        low, high = _parse_day(first), _parse_day(last) if dash else _parse_day(first)
        chosen.update(range(low, high + 1) if low <= high else {*range(low, 7), *range(high + 1)})
    return frozenset(chosen)


def _parse_day(text: str) -> int:
    if text.isdigit():
        raise TriggerError(f"weekday {text!r} is a number, which schedulers count differently; write mon ... sun")
    if text not in DAYS:
        raise TriggerError(f"{text!r} is not a weekday; write one of {', '.join(DAYS)}")
    return DAYS.index(text)


def _parse_month_day(text: str) -> int:
    if not 1 <= int(text) <= MAX_MONTH_DAY:
        raise TriggerError(f"day {text} is not in every month; choose 1 to {MAX_MONTH_DAY}")
    return int(text)


def _parse_time(text: str) -> time:
    match = re.fullmatch(r"([01]?\d|2[0-3]):([0-5]\d)", text)
    if match is None:
        raise TriggerError(f"{text!r} is not a time of day; write it as 07:00, in 24 hours")
    return time(int(match[1]), int(match[2]))


def _make_local_slot(key: str, day: date, at: time, zone: ZoneInfo, calendar: Sessions) -> Slot:
    """The one moment of that date: an hour that comes twice counts the first time, a skipped one as if it had come."""
    due = datetime.combine(day, at, zone).astimezone(UTC)
    return Slot(due, key, _last_session_closed(due, calendar))


def _make_instant_slot(due: datetime, calendar: Sessions) -> Slot:
    return Slot(due, _format_instant(due), _last_session_closed(due, calendar))


def _last_session_closed(moment: datetime, calendar: Sessions) -> date | None:
    position = bisect_right(calendar.closes, moment) - 1
    return calendar.days[position] if position >= 0 else None


def _format_instant(due: datetime) -> str:
    return due.strftime("%Y-%m-%dT%H:%M:%SZ")


def _parse_instant(key: str) -> datetime | None:
    return datetime.fromisoformat(key) if "T" in key else None


def _parse_date(key: str) -> date | None:
    return date.fromisoformat(key) if re.fullmatch(r"\d{4}-\d\d-\d\d", key) else None


def _format_week(day: date) -> str:
    year, week, _ = day.isocalendar()
    return f"{year}-W{week:02}"


def _monday_of(day: date) -> date:
    return day - timedelta(days=day.weekday())

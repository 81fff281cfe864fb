"""Finds why bars fall on days without a session: another exchange, another zone, or dates that are off by a day."""

from __future__ import annotations

from collections.abc import Iterator, Sequence
from dataclasses import dataclass
from datetime import date
from typing import get_args

import polars as pl

from pipeline.ingestion.sources.files.bars import Bars
from pipeline.ingestion.sources.files.dates import AMBIGUOUS, correct_days, read_dates
from pipeline.ingestion.sources.files.params import DateError
from pipeline.market.session_days import session_days
from pipeline.market.sessions import Sessions

EXCHANGES = ("XNYS", "XETR", "XLON", "XTKS", "XHKG", "XASX", "XNSE", "24/7", "24/5")
"""Exchanges that are tried where bars do not fit the one that is set."""
ZONES = (
    *("America/New_York", "Europe/Berlin", "Europe/London", "Asia/Tokyo", "Asia/Hong_Kong", "Asia/Kolkata"),
    *("Australia/Sydney", "UTC"),
)
GOOD = 0.004
"""Share of days off the sessions that a right calendar may leave: some vendors have a bar on a holiday."""
FEW = 2
"""Days off the sessions that are no accident any more, where moving the dates leaves none."""


def off_share(days: pl.Series, calendar: Sessions) -> float:
    """The share of days, those within the calendar's span, that are no session of it."""
    inside = days.filter(days.is_between(calendar.days[0], calendar.days[-1]))
    sessions = pl.Series(calendar.days, dtype=pl.Date)
    return float((~inside.is_in(sessions.implode())).mean() or 0.0) if len(inside) else 0.0  # type: ignore[arg-type]


def explain_off_days(bars: Bars, calendar: Sessions, date_format: str) -> str:
    """Return what is wrong with days of which many are no sessions, and the setting that mends it."""
    days = bars.day.drop_nulls()
    share = off_share(days, calendar)
    for said, fixed in _remedies(bars, date_format):
        if off_share(fixed.drop_nulls(), calendar) <= min(GOOD, share / 4):
            return said
    best, misfit = _find_best(days, calendar, EXCHANGES)
    if misfit <= max(2 * GOOD, share / 4):
        return f"they fit the sessions of {best}: --set market.exchange={best}"
    return "check market.exchange, source.files.zone and source.files.date_format"


def find_better_exchange(bars: Bars, calendar: Sessions) -> tuple[str, int, date] | None:
    """Return another exchange whose sessions the days fit far better, how many are no sessions of this, and the first.

    A few holidays more or less are all that tells one exchange from another; rows on every weekday tell none.
    """
    days = bars.day.drop_nulls().unique().sort()
    days = days.filter(days.is_between(calendar.days[0], calendar.days[-1]))
    off = days.filter(~days.is_in(pl.Series(calendar.days, dtype=pl.Date).implode()))
    if len(off) <= FEW or len(off) <= GOOD * len(days):
        return None
    best, misfit = _find_best(days, calendar, [name for name in EXCHANGES if "/" not in name])
    own = _misfit(days, calendar.between(days[0], days[-1]))
    return (best, len(off), off[0]) if misfit < own / 4 else None


@dataclass(frozen=True)
class MovedDates:
    """Dates that are off."""

    ticker: str
    """The first one whose dates are."""
    error: DateError
    off: int
    """How many of its days are no sessions."""
    first: date
    tickers: int
    """How many tickers have days that are no sessions; those with fewer than two show nothing."""


def find_moved_dates(bars: Bars, calendar: Sessions) -> MovedDates | None:
    """Return what is known of dates that are all off by a day or a weekday; None if none are.

    Dates are off where they fall on holidays and, moved, fall on sessions alone and leave fewer sessions out.
    """
    rows = pl.DataFrame({"ticker": bars.symbol, "day": bars.day}).drop_nulls()
    rows = rows.filter(pl.col("day").is_between(calendar.days[0], calendar.days[-1]))
    sessions = pl.Series(calendar.days, dtype=pl.Date)
    off = rows.filter(~pl.col("day").is_in(sessions.implode())).unique(maintain_order=True).sort("ticker", "day")
    suspects = off.group_by("ticker", maintain_order=True).agg(pl.len(), pl.col("day").first())
    suspects = suspects.filter(pl.col("len") >= FEW)
    for ticker, count, first in suspects.iter_rows():
        days = rows.filter(pl.col("ticker") == ticker)["day"].unique().sort()
        for error in get_args(DateError)[1:]:
            moved = correct_days(days, error)
            left = int((~moved.is_in(sessions.implode())).sum())
            if left * 4 <= count and left <= GOOD * len(days) and _gaps(moved, calendar) < _gaps(days, calendar):
                return MovedDates(ticker, error, count, first, suspects.height)
    return None


def _gaps(days: pl.Series, calendar: Sessions) -> int:
    """Sessions within the days' span that have none of them."""
    first, last = days.min(), days.max()
    return len(set(calendar.between(first, last)) - set(days)) if len(days) else 0  # type: ignore[arg-type]


def _find_best(days: pl.Series, calendar: Sessions, exchanges: Sequence[str]) -> tuple[str, float]:
    """The other one of the exchanges that the days fit best, and how badly."""
    unique = days.unique().sort()
    unique = unique.filter(unique.is_between(calendar.days[0], calendar.days[-1]))
    others = (name for name in exchanges if name != calendar.exchange)
    misfits = {name: _misfit(unique, session_days(name, unique[0], unique[-1])) for name in others}
    best = min(misfits, key=lambda name: misfits[name])
    return best, misfits[best]


def _misfit(unique: pl.Series, sessions: list[date]) -> float:
    """The share of days that are no sessions, and of sessions that are no days."""
    days = set(unique)
    return (len(days - set(sessions)) + len(set(sessions) - days)) / max(len(days), 1) if sessions else 1.0


def _remedies(bars: Bars, date_format: str) -> Iterator[tuple[str, pl.Series]]:
    """Ways to read the days otherwise, each with the words that tell it."""
    clock = {**bars.fields, **bars.written}
    written = bars.lines[clock.get("session") or clock["ts"]]
    for pair in AMBIGUOUS:
        if date_format in pair:
            other = pair[1 - pair.index(date_format)]
            days = written.str.to_date(other, strict=False)
            if days.null_count() <= written.null_count():
                yield f"day and month are exchanged: --set source.files.date_format={other}", days
    for zone in ZONES:
        days = read_dates(written, date_format=date_format, zone=zone, where="")
        if not days.equals(bars.day, null_equal=True):
            yield f"read in another zone they are all sessions: --set source.files.zone={zone}", days
    for error in get_args(DateError)[1:]:
        words = error.replace("_", " ")
        yield f"the dates are one {words}: --set source.files.dates={error}", correct_days(bars.day, error)

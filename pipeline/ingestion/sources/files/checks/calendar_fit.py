"""Finds why bars fall on days without a session: another exchange, another zone, or dates that are off by a day."""

from __future__ import annotations

from collections.abc import Iterator, Sequence
from dataclasses import dataclass, replace
from datetime import date
from typing import get_args

import polars as pl

from pipeline.ingestion.sources.files.bars import Bars, PriceFiles
from pipeline.ingestion.sources.files.dates import AMBIGUOUS, correct_days, parse_days
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


def off_share(days: pl.DataFrame, calendar: Sessions) -> float:
    """The share of days, those within the calendar's span, that are no session of it.

    Args:
        days: day (Date) and rows, how often each counts.
        calendar: the sessions.
    """
    inside = days.filter(pl.col("day").is_between(calendar.days[0], calendar.days[-1]))
    sessions = pl.Series(calendar.days, dtype=pl.Date)
    rows = int(inside["rows"].sum())
    return int(inside.filter(~pl.col("day").is_in(sessions.implode()))["rows"].sum()) / rows if rows else 0.0


def explain_off_days(files: PriceFiles, calendar: Sessions, date_format: str) -> str:
    """Return what is wrong with days of which many are no sessions, and the setting that mends it."""
    share = off_share(files.days, calendar)
    for said, fixed in _remedies(files, date_format):
        if off_share(files.days.select("rows", day=fixed), calendar) <= min(GOOD, share / 4):
            return said
    best, misfit = _find_best(files.days["day"].drop_nulls(), calendar, EXCHANGES)
    if misfit <= max(2 * GOOD, share / 4):
        return f"they fit the sessions of {best}: --set market.exchange={best}"
    return "check market.exchange, source.files.zone and source.files.date_format"


def tell_outside(files: PriceFiles, calendar: Sessions) -> Iterator[str]:
    """Yield which rows are of days that the calendar does not know: no rule is asked about them."""
    first, last = calendar.days[0], calendar.days[-1]
    outside = files.days.filter(~pl.col("day").is_between(first, last)).sort("day")
    if outside.height:
        yield (
            f"rows of {files.files[0]} left out, as their days are not in the calendar of {calendar.exchange}, "
            f"from {first} to {last}: {outside['rows'].sum()}, the first of {outside['day'][0]}"
        )


def find_better_exchange(files: PriceFiles, calendar: Sessions) -> tuple[str, int, date] | None:
    """Return another exchange whose sessions the days fit far better, how many are no sessions of this, and the first.

    A few holidays more or less are all that tells one exchange from another, days too many and sessions that lack;
    rows on every weekday tell none.
    """
    days = files.days["day"].drop_nulls().unique().sort()
    days = days.filter(days.is_between(calendar.days[0], calendar.days[-1]))
    off = days.filter(~days.is_in(pl.Series(calendar.days, dtype=pl.Date).implode()))
    if len(off) <= GOOD * len(days) or (len(off) <= FEW and len(off) + _gaps(days, calendar) <= 2 * FEW):
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


def join_moved(parts: Sequence[tuple[int, MovedDates | None]]) -> MovedDates | None:
    """Return what is known of several blocks' dates together: of the first ticker, and of how many there are."""
    found = sorted((moved for _, moved in parts if moved is not None), key=lambda moved: moved.ticker)
    return replace(found[0], tickers=sum(count for count, _ in parts)) if found else None


def find_moved_dates(bars: Bars, calendar: Sessions) -> tuple[int, MovedDates | None]:
    """Return how many tickers of a block have days that are no sessions, and the first whose dates are all off.

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
                return suspects.height, MovedDates(ticker, error, count, first, suspects.height)
    return suspects.height, None


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


def _misfit(unique: pl.Series, sessions: Sequence[date]) -> float:
    """The share of days that are no sessions, and of sessions that are no days."""
    days = set(unique)
    return (len(days - set(sessions)) + len(set(sessions) - days)) / max(len(days), 1) if sessions else 1.0


def _remedies(files: PriceFiles, date_format: str) -> Iterator[tuple[str, pl.Series]]:
    """Ways to read the days otherwise, each with the words that tell it."""
    written, day = files.days["written"], files.days["day"]
    for pair in AMBIGUOUS:
        if date_format in pair:
            other = pair[1 - pair.index(date_format)]
            days = written.str.to_date(other, strict=False)
            if days.null_count() <= written.null_count():
                yield f"day and month are exchanged: --set source.files.date_format={other}", days
    for zone in ZONES:
        days = parse_days(written, form=files.day_form, zone=zone, date_format=date_format)
        if not days.equals(day, null_equal=True):
            yield f"read in another zone they are all sessions: --set source.files.zone={zone}", days
    for error in get_args(DateError)[1:]:
        words = error.replace("_", " ")
        yield f"the dates are one {words}: --set source.files.dates={error}", correct_days(day, error)

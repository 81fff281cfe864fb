"""Where the console stands in time: now, or right after what had been published by a past moment."""

from __future__ import annotations

import re
from dataclasses import dataclass
from datetime import UTC, date, datetime

import polars as pl

from lake.runs import DONE, cycle_sessions, of_work
from lake.tables.control import WorkKind

DAY, TIME = (
    re.compile(r"\d{4}-\d{2}-\d{2}"),
    re.compile(r"\d{4}-\d{2}-\d{2}[T ]\d{2}:\d{2}(:\d{2})?(Z|[+-]\d{2}:\d{2})?"),
)
BETWEEN = of_work(WorkKind.SNAPSHOT, WorkKind.NEWS)
"""Work that learns something between two cycles."""


@dataclass(frozen=True)
class AsOf:
    """Where the console stands in time."""

    session: date
    """The last one that had been run."""
    moment: datetime
    """Wall time at which the last run that counts was started."""
    known: datetime | None = None
    """The moment asked for, by the market's time; None where a whole session was."""

    @property
    def words(self) -> str:
        """How it is written: the session, or the moment to the minute."""
        return f"{self.known.astimezone(UTC):%Y-%m-%d %H:%M}Z" if self.known else str(self.session)


def as_of_session(runs: pl.DataFrame, session: date) -> AsOf | None:
    """Right after the last cycle that is not later than the session was published; None if there is none.

    The report on a cycle follows it as a run of its own, and belongs to it.
    """
    return _after_last(runs, runs.filter(of_work(WorkKind.CYCLE), DONE, pl.col("session") <= session))


def as_of_moment(runs: pl.DataFrame, known: datetime) -> AsOf | None:
    """After the last cycle that decided by a moment, and the snapshots and news since then; None if there was none."""
    by_then = runs.filter(DONE, pl.col("as_of") <= known)
    last = _after_last(runs, by_then.filter(of_work(WorkKind.CYCLE)))
    if last is None:
        return None
    since = by_then.filter(BETWEEN, pl.col("started_at") > last.moment, pl.col("session") > last.session)
    learned = since["started_at"].max()
    return AsOf(last.session, learned if isinstance(learned, datetime) else last.moment, known)


def _after_last(runs: pl.DataFrame, cycles: pl.DataFrame) -> AsOf | None:
    """After the last session of some cycles, with the report on it."""
    last = cycles["session"].max()
    if not isinstance(last, date):
        return None
    moment = cycles.filter(pl.col("session") == last)["started_at"].max()
    assert isinstance(moment, datetime)
    later = runs.filter((pl.col("started_at") > moment) & (pl.col("session") == last) & (pl.col("stage") == "report"))
    reported = later["started_at"].min()
    return AsOf(last, reported if isinstance(reported, datetime) else moment)


def parse_as_of(runs: pl.DataFrame, words: str) -> AsOf | None:
    """Read what a person typed: a session, a time (UTC where it names no zone), or the beginning of a run's id.

    Raises:
        ValueError: saying what can be typed, if it is none of these, or lies before the first cycle or after the last.
    """
    words = words.strip()
    if words in ("", "now", "live"):
        return None
    found, sessions = _find(runs, words), cycle_sessions(runs)
    span = f"{sessions[0]} to {sessions[-1]}" if sessions else "none has been run"
    if found is None:
        raise ValueError(
            f"there is no past moment {words!r}: give a session ({span}), a time as 2026-01-05T21:00 (UTC), or a "
            "run's id"
        )
    return found


def _find(runs: pl.DataFrame, words: str) -> AsOf | None:
    sessions = cycle_sessions(runs)
    try:
        if DAY.fullmatch(words):
            day = date.fromisoformat(words)
            return as_of_session(runs, day) if sessions and day <= sessions[-1] else None
        if TIME.fullmatch(words):
            known = datetime.fromisoformat(words)
            known = known if known.tzinfo else known.replace(tzinfo=UTC)
            return as_of_moment(runs, known) if sessions and known.astimezone(UTC).date() <= sessions[-1] else None
    except ValueError:
        return None
    named = runs.filter(pl.col("run_id").str.starts_with(words) | (pl.col("cycle_id") == words))
    return as_of_session(runs, named["session"][0]) if named.height else None


def step_as_of(runs: pl.DataFrame, at: AsOf | None, step: int) -> AsOf | None:
    """The standpoint so many sessions later; None is now, which comes after the last session.

    From a moment within a session, the step back leads to the session that had been run by then.
    """
    sessions = cycle_sessions(runs)
    if not sessions:
        return None
    newest = len(sessions) - 1
    here = newest if at is None else sum(session < at.session for session in sessions)
    there = max(here + step + (at is not None and at.known is not None and step < 0), 0)
    return as_of_session(runs, sessions[there]) if there < newest else None

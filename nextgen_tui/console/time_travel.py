"""Where the console stands in time: now, or right after a past session was published."""

from __future__ import annotations

from dataclasses import dataclass
from datetime import date, datetime

import polars as pl

from lake.runs import DONE, cycle_sessions, of_work
from lake.tables.control import WorkKind


@dataclass(frozen=True)
class AsOf:
    """Where the console stands in time."""

    session: date
    moment: datetime
    """Wall time at which the last run that counts was started."""


def as_of_session(runs: pl.DataFrame, session: date) -> AsOf | None:
    """Right after the last cycle that is not later than the session was published; None if there is none.

    The report on a cycle follows it as a run of its own, and belongs to it.
    """
    cycles = runs.filter(of_work(WorkKind.CYCLE), DONE, pl.col("session") <= session)
    if cycles.is_empty():
        return None
    last = cycles["session"].max()
    assert isinstance(last, date)
    moment = cycles.filter(pl.col("session") == last)["started_at"].max()
    assert isinstance(moment, datetime)
    later = runs.filter((pl.col("started_at") > moment) & (pl.col("session") == last) & (pl.col("stage") == "report"))
    reported = later["started_at"].min()
    return AsOf(last, reported if isinstance(reported, datetime) else moment)


def parse_as_of(runs: pl.DataFrame, words: str) -> AsOf | None:
    """Read what a person typed: a session, a time in UTC, or the beginning of a run's or cycle's id.

    Raises:
        ValueError: saying what can be typed, if it is none of these or lies before the first cycle.
    """
    words = words.strip()
    if words in ("", "now", "live"):
        return None
    session = _session(runs, words)
    found = as_of_session(runs, session) if session else None
    if found is None:
        sessions = cycle_sessions(runs)
        span = f"{sessions[0]} to {sessions[-1]}" if sessions else "none has been run"
        raise ValueError(f"there is no past moment {words!r}: give a session ({span}), a UTC time, or a run's id")
    return found


def _session(runs: pl.DataFrame, words: str) -> date | None:
    try:
        return date.fromisoformat(words[:10])
    except ValueError:
        named = runs.filter(pl.col("run_id").str.starts_with(words) | (pl.col("cycle_id") == words))
        return named["session"][0] if named.height else None


def step_as_of(runs: pl.DataFrame, at: AsOf | None, step: int) -> AsOf | None:
    """The standpoint so many sessions later; None is now, which comes after the last session."""
    sessions = cycle_sessions(runs)
    if not sessions:
        return None
    newest = len(sessions) - 1
    here = newest if at is None else sum(session < at.session for session in sessions)
    there = max(here + step, 0)
    return as_of_session(runs, sessions[there]) if there < newest else None

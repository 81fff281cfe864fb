"""Where a lake stands in time: the last session it has run, and the one that is next."""

from __future__ import annotations

from datetime import UTC, date, datetime
from typing import TYPE_CHECKING

import click

if TYPE_CHECKING:
    from lake.store import Lake
    from pipeline.market.sessions import Sessions


class NotYetError(Exception):
    """What was asked for cannot be done before a later moment; the text says when."""


def last_session(lake: Lake) -> date | None:
    """The last session that a published history load or cycle covers; None on a new lake."""
    return _last(lake, "cycle-", "history-")


def history_end(lake: Lake) -> date:
    """The last session of the history the lake began with.

    Raises:
        click.UsageError: on a lake without history.
    """
    last = _last(lake, "history-")
    if last is None:
        raise click.UsageError("the lake holds no history yet; load it with `nextgen init`")
    return last


def _last(lake: Lake, *kinds: str) -> date | None:
    import polars as pl

    from lake.tables.control import RUNS

    of_kind = pl.any_horizontal(pl.col("cycle_id").str.starts_with(kind) for kind in kinds)
    runs = lake.read(RUNS, where=of_kind & (pl.col("status") == "done"), columns=("session",))
    last = runs["session"].max()
    return last if isinstance(last, date) else None


def standing(lake: Lake) -> date:
    """The last session, for commands that act on it.

    Raises:
        click.UsageError: on a lake without history.
    """
    last = last_session(lake)
    if last is None:
        raise click.UsageError("the lake holds no session yet; load history with `nextgen init`")
    return last


def next_session(lake: Lake, calendar: Sessions) -> date:
    """The session after the last.

    Raises:
        NotYetError: if it has not closed yet.
    """
    session = calendar.next(standing(lake))
    refuse_open(session, calendar)
    return session


def refuse_open(session: date, calendar: Sessions) -> None:
    """Refuse a session whose close lies ahead.

    Raises:
        click.UsageError: if the exchange does not trade that day.
        NotYetError: if it has not closed yet.
    """
    try:
        close = calendar.close_at(session)
    except ValueError as error:
        raise click.UsageError(str(error)) from None
    if close > datetime.now(UTC):
        raise NotYetError(f"session {session} closes at {close:%Y-%m-%d %H:%M} UTC; try again after that")

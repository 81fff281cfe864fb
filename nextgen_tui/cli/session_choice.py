"""Which session a command acts on: the last, the next, or one that the operator names."""

from __future__ import annotations

from collections.abc import Iterator
from contextlib import contextmanager
from datetime import UTC, date, datetime
from typing import TYPE_CHECKING

import click

if TYPE_CHECKING:
    from lake.store import Lake
    from pipeline.market.sessions import Sessions


class NotYetError(Exception):
    """What was asked for cannot be done before a later moment; the text says when."""


def history_end(lake: Lake) -> date:
    """The last session of the history the lake began with.

    Raises:
        click.UsageError: on a lake without history.
    """
    from lake.runs import backfill_span

    span = backfill_span(lake)
    if span is None:
        raise click.UsageError("the lake has no history yet; load it with `nextgen init`")
    return span[1]


def require_last_session(lake: Lake) -> date:
    """The last session, for commands that act on it.

    Raises:
        click.UsageError: on a lake without history.
    """
    from lake.runs import last_session

    last = last_session(lake)
    if last is None:
        raise click.UsageError("the lake has no session yet; load history with `nextgen init`")
    return last


def refuse_unknown(lake: Lake, session: date, calendar: Sessions) -> None:
    """Refuse a session that the lake knows nothing of: what is said of it would look like a finding.

    Raises:
        click.UsageError: if the exchange does not trade that day, or the lake's sessions end before it or begin after
            it.
        NotYetError: if it has not closed yet.
    """
    from lake.runs import backfill_span

    refuse_open(session, calendar)
    last, loaded = require_last_session(lake), backfill_span(lake)
    first = loaded[0] if loaded else min(session, last)
    if not first <= session <= last:
        raise click.UsageError(f"the lake knows nothing of {session}; its sessions run from {first} to {last}")


def next_session(lake: Lake, calendar: Sessions) -> date:
    """The session after the last.

    Raises:
        click.UsageError: on a lake without history.
        NotYetError: if it has not closed yet.
    """
    session = calendar.next(require_last_session(lake))
    refuse_open(session, calendar)
    return session


@contextmanager
def within_calendar() -> Iterator[None]:
    """For a block that looks for sessions.

    Raises:
        click.UsageError: if the exchange's calendar does not reach so far, saying how far it does.
    """
    try:
        yield
    except ValueError as error:
        raise click.UsageError(str(error)) from None


def refuse_open(session: date, calendar: Sessions) -> None:
    """Refuse a session whose close lies ahead.

    Raises:
        click.UsageError: if the exchange does not trade that day.
        NotYetError: if it has not closed yet.
    """
    with within_calendar():
        close = calendar.close_at(session)
    if close > datetime.now(UTC):
        raise NotYetError(f"session {session} closes at {close:%Y-%m-%d %H:%M} UTC; try again after that")

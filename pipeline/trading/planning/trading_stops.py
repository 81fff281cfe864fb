"""The operator's pauses and kills: which orders each of them stops, and which positions it closes."""

from __future__ import annotations

from collections.abc import Iterable
from dataclasses import dataclass
from datetime import UTC, date, datetime

import polars as pl

from lake.tables.control import TRADING_SWITCHES
from pipeline.engine.stage import Read

MAX_REASON = 280
"""Characters of why an order is stopped."""
SWITCHES = Read(TRADING_SWITCHES, lookback=None, known_later=True)
"""A session that is caught up on obeys what was said after it, too: its orders would be new ones."""


@dataclass(frozen=True, kw_only=True)
class TradingStop:
    """A pause or a kill, and the resume that lifted it."""

    switch_id: str
    kind: str
    """pause or kill."""
    since: datetime
    session: date
    """The first session whose plan was not published then."""
    closes_positions: bool
    reason: str
    decided_by: str
    lifted_at: datetime | None = None
    """None while it holds."""
    lifted_from: date | None = None
    """The first session whose plan was not published when it was lifted."""

    def stops(self, planned: date, decided_at: datetime, opening: datetime) -> bool:
        """Whether it stops an order planned at the close of a session, decided at a moment, for an open.

        Two clocks tell what was decided before: the market's, and the publication of plans, for a cycle may be at work
        at that moment or catch up later. Either way a pause stops every order whose plan was not published, and a kill
        every order that had not come to its open.
        """
        unpublished = planned >= self.session
        while_it_held = unpublished and (self.lifted_from is None or planned < self.lifted_from)
        before_lifted = self.lifted_at is None or decided_at < self.lifted_at
        known_at_lift = self.lifted_from is None or planned < self.lifted_from
        due = opening > self.since and (before_lifted or known_at_lift)
        return while_it_held or (due and (unpublished or self.kind == "kill"))

    def closes_at(self, opening: datetime) -> bool:
        """Whether what is held is to be sold at an open."""
        lifted = self.lifted_at is not None and self.lifted_at <= opening
        return self.closes_positions and self.since < opening and not lifted

    @property
    def state(self) -> str:
        """What trading is while it holds: paused or killed."""
        return "paused" if self.kind == "pause" else "killed"

    def describe(self) -> str:
        """The stop in words, without a full stop."""
        by = f" by {self.decided_by}" if self.decided_by else ""
        also = ", with all positions closed at the next open" if self.closes_positions else ""
        return f"trading was {self.state} at {self.since:%Y-%m-%d %H:%M:%S} UTC{by}{also}: {self.reason}"[:MAX_REASON]


def read_stops(trading_switches: pl.DataFrame) -> tuple[TradingStop, ...]:
    """Return every pause and kill, the oldest first, with the first resume that named it.

    A resume lifts what its maker knew of and nothing else: a kill from another console at the same moment stands.
    """
    ordered = trading_switches.sort("decided_at", "switch_id").iter_rows(named=True)
    stops: dict[str, dict[str, object]] = {}
    lifts: dict[str, tuple[datetime, date]] = {}
    for row in ordered:
        moment = row["decided_at"].astimezone(UTC)
        if row["switch"] == "resume":
            for stop in row["lifts"]:
                lifts.setdefault(stop, (moment, row["session"]))
        else:
            stops[row["switch_id"]] = row | {"since": moment}
    return tuple(_make_stop(row, lifts.get(switch_id)) for switch_id, row in stops.items())


def _make_stop(row: dict[str, object], lift: tuple[datetime, date] | None) -> TradingStop:
    names = ("switch_id", "since", "session", "closes_positions", "reason", "decided_by")
    lifted_at, lifted_from = lift or (None, None)
    given = {name: row[name] for name in names}
    return TradingStop(kind=row["switch"], lifted_at=lifted_at, lifted_from=lifted_from, **given)  # type: ignore[arg-type]


def standing(stops: Iterable[TradingStop]) -> tuple[TradingStop, ...]:
    """Return those that nobody has lifted, kills first, each kind with its oldest first."""
    return tuple(sorted((one for one in stops if one.lifted_at is None), key=lambda one: one.kind != "kill"))


def explain_stop(stops: Iterable[TradingStop], planned: date, decided_at: datetime, opening: datetime) -> str:
    """Return why an order is stopped, in words; empty if it may go."""
    return next((one.describe() for one in stops if one.stops(planned, decided_at, opening)), "")


def find_closing(stops: Iterable[TradingStop], opening: datetime) -> TradingStop | None:
    """Return the kill by which what is held is sold at an open; None if there is none."""
    return next((one for one in stops if one.closes_at(opening)), None)

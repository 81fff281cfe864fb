"""The fills and ledger rows of a simulation as columns of whole numbers."""

from __future__ import annotations

from typing import Any, NamedTuple

import numpy as np
import numpy.typing as npt

from pipeline.trading.books.book import LedgerEvent
from pipeline.trading.execution.arithmetic import Block

LEGS = (
    ("buy", "positions"), ("buy", "cash"), ("buy", "realised"), ("commission", "commission"), ("commission", "cash"),
    ("sell", "cash"), ("sell", "positions"), ("sell", "realised"), ("commission", "commission"), ("commission", "cash"),
)  # fmt: skip
"""Number of a leg -> kind and account; those of a sale come after those of a buy, which has nothing on its third."""
OF_FILL = 5
"""Legs of one fill with its commission, at most."""
Column = npt.NDArray[Any]
"""Whole numbers, one a row."""


class Trades(NamedTuple):
    """What is traded in some sessions, [sessions, names] each; whole numbers."""

    signed: Block
    """Shares bought, or sold with a minus."""
    price: Block
    """Millionths."""
    gross: Block
    """Cents, without a sign."""
    commission: Block
    before: Block
    """Shares held before the session's fills."""
    after: Block


class FillRows(NamedTuple):
    """Fills in the order of their booking: by session, sales first, then by name."""

    session: Column
    """Row of the market."""
    name: Column
    """Column of the market."""
    shares: Column
    """Sold with a minus."""
    price: Column
    gross: Column
    commission: Column


class EntryRows(NamedTuple):
    """Rows of the ledger in their order."""

    leg: Column
    """Of a fill: its place in `LEGS`; of another event: which of its legs."""
    source: Column
    """Which fill it is of; of another event -1 less which one."""
    amount: Column
    """Cents, debits positive."""
    shares: Column
    """What comes to a position, or goes with a minus."""


class Recorder:
    """Collects fills and rows of a simulation, in order."""

    def __init__(self, fills: int) -> None:
        """Make room.

        Args:
            fills: how many there may be at most.
        """
        self._fills = FillRows(*(np.empty(fills, kind) for kind in (np.int32, np.int32, *[np.int64] * 4)))
        self._entries = EntryRows(*_room(OF_FILL * fills))
        self._filled = self._written = 0
        self.events: list[tuple[int, LedgerEvent]] = []
        """Row of the session, and what happened beside fills."""

    @property
    def fills(self) -> FillRows:
        """What was filled so far."""
        return FillRows(*(column[: self._filled] for column in self._fills))

    @property
    def entries(self) -> EntryRows:
        """What was written so far."""
        return EntryRows(*(column[: self._written] for column in self._entries))

    def add_event(self, session: int, event: LedgerEvent) -> None:
        """Write the legs of what happened beside fills; those that move nothing are left out."""
        legs = tuple(leg for leg in event.legs if not leg.is_empty)
        self.events.append((session, event._replace(legs=legs)))
        count = len(legs)
        amounts, shares = [leg.amount for leg in legs], [leg.shares for leg in legs]
        self._append(np.arange(count), np.full(count, -len(self.events)), np.array(amounts), np.array(shares))

    def add_fills(self, trades: Trades, taken: Block, first: int) -> None:
        """Write the fills of some sessions and their legs.

        Args:
            trades: of these sessions.
            taken: the cost in cents that leaves with what is sold.
            first: row of the first of them.
        """
        session, name, place = _put_in_order(trades.signed)
        if not len(place):
            return
        columns = [block.ravel().take(place) for block in (*trades[:4], taken)]
        here = slice(self._filled, self._filled + len(place))
        for column, values in zip(self._fills, (session + first, name, *columns[:4]), strict=True):
            column[here] = values
        self._filled = here.stop
        self._append_legs(here.start, columns[0], *columns[2:])

    def _append_legs(self, first: int, shares: Block, gross: Block, commission: Block, cost: Block) -> None:
        amounts, moved = _post(shares, gross, commission, cost)
        kept = np.flatnonzero((amounts != 0) | (moved != 0))
        source = kept // OF_FILL
        legs = (shares < 0).take(source) * np.int8(OF_FILL)
        legs += (kept - OF_FILL * source).astype(np.int8)
        self._append(legs, source + first, amounts.ravel().take(kept), moved.ravel().take(kept))

    def _append(self, *columns: Column) -> None:
        end = self._written + len(columns[0])
        if end > len(self._entries.leg):
            room = _room(2 * end)
            for new, old in zip(room, self._entries, strict=True):
                new[: self._written] = old[: self._written]
            self._entries = EntryRows(*room)
        for room_of, values in zip(self._entries, columns, strict=True):
            room_of[self._written : end] = values
        self._written = end


def _room(
    rows: int,
) -> tuple[Column, ...]:
    return np.empty(rows, np.int8), np.empty(rows, np.int32), np.empty(rows, np.int64), np.empty(rows, np.int64)


def _put_in_order(signed: Block) -> tuple[npt.NDArray[np.intp], npt.NDArray[np.intp], npt.NDArray[np.intp]]:
    """Session, name and place of each fill: by session, sales first, then by name."""
    sessions, names = signed.shape
    sides = np.empty((sessions, 2, names), dtype=bool)
    np.less(signed, 0, out=sides[:, 0])
    np.greater(signed, 0, out=sides[:, 1])
    found = np.flatnonzero(sides)
    session, rest = np.divmod(found, 2 * names)
    name = rest - names * (rest >= names)
    return session, name, session * names + name


def _post(shares: Block, gross: Block, commission: Block, cost: Block) -> tuple[Block, Block]:
    """Cents and shares of each leg of each fill, [fills, legs]; as `build_fill_events` posts them."""
    sold = shares < 0
    amounts, moved = np.empty((len(shares), OF_FILL)), np.zeros((len(shares), OF_FILL))
    amounts[:, 0] = gross
    amounts[:, 1] = -np.where(sold, cost, gross)
    amounts[:, 2] = (cost - gross) * sold
    amounts[:, 3], amounts[:, 4] = commission, -commission
    np.maximum(shares, 0, out=moved[:, 0])
    np.minimum(shares, 0, out=moved[:, 1])
    return amounts, moved

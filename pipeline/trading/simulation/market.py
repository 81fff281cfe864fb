"""What a simulation trades in: sessions and names as arrays, and the corporate actions between them."""

from __future__ import annotations

from collections import defaultdict
from collections.abc import Mapping
from dataclasses import dataclass, field
from datetime import date
from functools import cached_property

import numpy as np
import polars as pl

from pipeline.market.sessions import Sessions
from pipeline.trading.books.actions import ORDER, Action
from pipeline.trading.books.marks import Closes
from pipeline.trading.books.quotes import Quotes
from pipeline.trading.currencies.session_rates import NO_FOREIGN
from pipeline.trading.execution.arithmetic import EXACT, Block

BARS = {"ticker": pl.String, "session": pl.Date, "interval": pl.String, "open": pl.Float64, "close": pl.Float64}


@dataclass(frozen=True, eq=False)
class Market:
    """Sessions x names; all names are in the book's currency. Arrays are [sessions, names] of whole numbers in doubles.

    Raises:
        ValueError: if sessions are left out, or an array has another shape, or a value that is no number from 0 on.
    """

    calendar: Sessions
    sessions: tuple[date, ...]
    """In a row."""
    tickers: tuple[str, ...]
    """In the order in which `name_order` puts them."""
    opens: Block
    """Millionths; 0 where there is no bar."""
    closes: Block
    """The same."""
    volumes: Block
    """Shares; 0 where there is no bar."""
    usual_volumes: Block
    """Median volume before the session, shares and halves; 0 where not known."""
    volatilities: Block
    """Fraction per session, as known before it."""
    actions: tuple[Action, ...] = ()
    """As known from the start."""
    bars: pl.DataFrame = field(default_factory=lambda: pl.DataFrame(schema=BARS))
    """Daily bars of the names that have actions or gaps, from some sessions before the first on."""

    def __post_init__(self) -> None:
        if not self.sessions or list(self.sessions) != self.calendar.between(self.sessions[0], self.sessions[-1]):
            told = f"{self.sessions[0]} to {self.sessions[-1]}" if self.sessions else "none"
            raise ValueError(f"the sessions are not those of {self.calendar.exchange} in a row: {told}; leave none out")
        if list(self.tickers) != sorted(self.tickers, key=name_order):
            raise ValueError(
                "the names are out of order; sort them by `name_order`, and the columns of arrays with them"
            )
        for name in ("opens", "closes", "volumes", "usual_volumes", "volatilities"):
            self._check(name, getattr(self, name), whole=name in ("opens", "closes", "volumes"))

    def _check(self, name: str, block: Block, *, whole: bool) -> None:
        shape = (len(self.sessions), len(self.tickers))
        if block.shape != shape:
            raise ValueError(f"{name} has the shape {block.shape}, but sessions and names are {shape}")
        good = (block >= 0) & (block < EXACT)
        if whole:
            good &= np.rint(block) == block
        if not good.all():
            session, column = np.argwhere(~good)[0]
            raise ValueError(
                f"{np.count_nonzero(~good)} of {name} are no {'whole ' * whole}numbers from 0 to 2^52, the first of "
                f"{self.tickers[column]} on {self.sessions[session]}: {block[session, column]}; state prices in "
                "millionths, and 0 where there is no bar or nothing is known"
            )

    @cached_property
    def place(self) -> Mapping[str, int]:
        """Ticker -> its column."""
        return {ticker: column for column, ticker in enumerate(self.tickers)}

    @cached_property
    def row(self) -> Mapping[date, int]:
        """Session -> its row."""
        return {session: row for row, session in enumerate(self.sessions)}

    @cached_property
    def gaps(self) -> bool:
        """Whether any bar is missing."""
        return bool((self.closes == 0).any())

    def find_strangers(self, max_gap: int) -> Mapping[int, list[int]]:
        """Return by row the names that trade again after more than `max_gap` sessions without a bar."""
        found: dict[int, list[int]] = defaultdict(list)
        for name in np.flatnonzero((self.closes == 0).any(axis=0)).tolist():
            rows = np.flatnonzero(self.closes[:, name])
            for row in rows[1:][np.diff(rows) > max_gap + 1].tolist():
                found[row].append(name)
        return found

    @cached_property
    def due(self) -> Mapping[int, list[Action]]:
        """Row of a session -> the actions that take effect in its morning, in their order."""
        found: dict[int, list[Action]] = defaultdict(list)
        first, last = self.sessions[0], self.sessions[-1]
        for action in sorted(self.actions, key=lambda a: (a.ex_date, ORDER[a.kind], a.ticker, a.sequence)):
            if first < action.ex_date <= last:
                found[self.row[self.calendar.at_or_after(action.ex_date)]].append(action)
        return found

    @cached_property
    def moving(self) -> list[int]:
        """Rows of the sessions in whose morning more may happen than that dividends are earned."""
        return sorted(row for row, actions in self.due.items() if any(map(moves_positions, actions)))

    @cached_property
    def quotes(self) -> Quotes:
        """What fractions are paid out at."""
        return Quotes(self.bars, {name for a in self.actions for name in (a.ticker, a.successor) if name})

    @cached_property
    def last_closes(self) -> Closes:
        """What names without a bar are worth."""
        return Closes(self.bars, self.actions, self.tickers, NO_FOREIGN)


def name_order(ticker: str) -> str:
    """Return what names are sorted by: the order in which a session's fills of one side are booked."""
    return f"{ticker}:"


def moves_positions(action: Action) -> bool:
    """Whether an action may change shares or their cost: all but dividends in cash, and rights that are sold."""
    return action.kind != "dividend" or action.conversion is not None or action.nature == "return_of_capital"

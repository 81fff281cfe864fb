"""Positions of a simulation as arrays by name, and as the books' own objects where the books' functions take them."""

from __future__ import annotations

from collections.abc import Iterable, Iterator

import numpy as np
import numpy.typing as npt

from pipeline.trading.books.action_postings import Morning
from pipeline.trading.books.actions import Action
from pipeline.trading.books.book import LedgerEvent, Position
from pipeline.trading.books.money import half_even
from pipeline.trading.execution.arithmetic import MANY, BeyondExactError, Block
from pipeline.trading.simulation.entries import Trades
from pipeline.trading.simulation.market import Market


class Holdings:
    """Shares, what they cost in cents, and the row of the session of the first buy."""

    def __init__(self, market: Market) -> None:
        """Nothing is held at first."""
        self.market = market
        count = len(market.tickers)
        self.shares, self.cost = np.zeros(count), np.zeros(count)
        self.opened: npt.NDArray[np.int64] = np.zeros(count, dtype=np.int64)

    def take(self, columns: Iterable[int], shares: Block) -> dict[str, Position]:
        """Return positions as the books have them, of the names of which there are shares."""
        market = self.market
        return {
            market.tickers[one]: Position(int(shares[one]), int(self.cost[one]), market.sessions[self.opened[one]])
            for one in columns
            if shares[one]
        }

    def act(self, morning: Morning, actions: list[Action], shares: Block) -> list[LedgerEvent]:
        """Let actions and payments of a morning happen, and return the events.

        Args:
            morning: with the book that has the accounts; its positions are there for as long as this takes.
            actions: of the session.
            shares: held after the session before; what the actions change is written into it.
        """
        place = self.market.place
        names = sorted({name for a in actions for name in (a.ticker, a.successor) if name})
        columns = [place[name] for name in names if name in place]
        positions = morning.book.positions
        positions |= self.take(columns, shares)
        events = morning.apply_all(actions)
        shares[columns], self.cost[columns] = 0, 0
        for ticker, position in positions.items():
            if ticker not in place:
                raise ValueError(
                    f"shares of {ticker} come into the book on {morning.session}, but the market lacks it; add it"
                )
            column = place[ticker]
            shares[column], self.cost[column] = position.shares, position.cost
            self.opened[column] = self.market.row[position.opened]
        positions.clear()
        return events

    def trade(self, first: int, trades: Trades) -> Iterator[Block]:
        """Let cost come with what is bought and leave with what is sold, and give what leaves, session by session.

        Args:
            first: row of the first session.
            trades: of sessions in a row.
        """
        sold, held = np.maximum(-trades.signed, 0), np.maximum(trades.before, 1)
        bought = trades.signed > 0
        paid, begun = trades.gross * bought, bought & (trades.before == 0)
        for row, fresh in enumerate(begun.any(axis=1).tolist()):
            taken = _divide(self.cost, sold[row], held[row])
            self.cost += paid[row]
            self.cost -= taken
            if fresh:
                self.opened[begun[row]] = first + row
            yield taken


def _divide(cost: Block, sold: Block, held: Block) -> Block:
    """The part of a position's cost that leaves with shares, as `_sale` of the ledger takes it."""
    try:
        return np.asarray(MANY.half_even(cost * sold, held))
    except BeyondExactError:
        rows = zip(cost.tolist(), sold.tolist(), held.tolist(), strict=True)
        return np.array([half_even(int(each) * int(part), int(whole)) for each, part, whole in rows], dtype=np.float64)

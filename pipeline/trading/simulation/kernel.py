"""Follow a book through many sessions at once: orders in, and fills, cash, positions and values out, to the cent.

Where no cash or holding limits an order, whole blocks of sessions are filled by sums over arrays. A session in which
one does is filled one order after the other, as the stages fill it, and blocks go on after it.
"""

from __future__ import annotations

from dataclasses import dataclass

import numpy as np
import numpy.typing as npt

from pipeline.trading.books.action_postings import Morning
from pipeline.trading.books.book import Book, LedgerEvent, Leg
from pipeline.trading.books.marks import MarkDown, mark_positions
from pipeline.trading.books.money import MICROS_PER_CENT, to_cents, value_of
from pipeline.trading.execution.arithmetic import MANY, BeyondExactError, Block, hold_exact
from pipeline.trading.execution.costs import limit_to_volumes, price_fills
from pipeline.trading.params import TradingParams
from pipeline.trading.simulation.entries import Recorder, Trades
from pipeline.trading.simulation.holdings import Holdings
from pipeline.trading.simulation.market import Market
from pipeline.trading.simulation.one_by_one import fill_one_by_one

CELLS = 32_768
"""Sessions x names of a block: its arrays stay in the processor's cache."""


@dataclass(frozen=True)
class Simulated:
    """What came of the orders; cents, by session."""

    cash: npt.NDArray[np.int64]
    receivable: npt.NDArray[np.int64]
    positions_value: npt.NDArray[np.int64]
    book: Book
    """The accounts after the last session; gains and cost of positions only where rows were recorded."""
    shares: npt.NDArray[np.int64]
    """Held after the last session, by name."""
    one_by_one: int
    """Sessions whose orders had to be filled one after the other."""
    recorded: Recorder | None
    """Fills and rows of the ledger, where asked for."""

    @property
    def value(self) -> npt.NDArray[np.int64]:
        """Cash, what is owed and positions."""
        return self.cash + self.receivable + self.positions_value


def simulate(
    market: Market, orders: Block, params: TradingParams, *, edges: Block | None = None, rows: bool = False
) -> Simulated:
    """Fill orders at the opens, post actions and fills, and value the book at the closes.

    Args:
        market: sessions and names.
        orders: [sessions, names], whole shares on the session's basis; sales with a minus. Those of a session are for
            its open, and live for it alone.
        params: capital, costs, and how old closes are marked down.
        edges: [sessions, names]; where cash is short, buys with more of it are served first, else they go by name.
        rows: whether fills and ledger rows are recorded.

    Raises:
        ValueError: if orders are no whole numbers of that shape, shares come of a name that the market lacks, or what
            is sold is to pay for buys only once it is settled, or there are short sales or interest.
        BeyondExactError: if the cents of one fill are not below 2^52, 45 million million in currency.
    """
    _check_orders(orders, market)
    if params.orders.settlement_sessions:
        raise ValueError("a simulation pays buys from sales at once; set trading.orders.settlement_sessions to 0")
    if params.shorts.allowed or params.book_interest or params.margin_interest:
        raise ValueError(
            "a simulation knows neither short positions nor interest; unset trading.shorts.allowed,"
            " trading.book_interest and trading.margin_interest"
        )
    with np.errstate(divide="ignore", invalid="ignore"):
        return _Course(market, orders, params, edges, rows=rows).follow()


def _check_orders(orders: Block, market: Market) -> None:
    if orders.shape != market.opens.shape:
        raise ValueError(f"orders have the shape {orders.shape}, but the market has {market.opens.shape}")
    if orders.dtype != np.float64:
        raise ValueError(f"orders are {orders.dtype}; give whole numbers as float64")


class _Course:
    """A book on its way through the sessions."""

    def __init__(
        self, market: Market, orders: Block, params: TradingParams, edges: Block | None, *, rows: bool
    ) -> None:
        self.market, self.orders, self.params, self.edges = market, orders, params, edges
        self.holdings = Holdings(market)
        self.cash, self.receivable, self.worth = np.zeros((3, len(market.sessions)), dtype=np.int64)
        self.recorder = Recorder(int(np.count_nonzero(orders))) if rows else None
        self.counts_cost = rows or bool(market.moving) or market.gaps
        """Whether anything may ask what positions cost."""
        self.book = Book()
        self.morning = Morning(self.book, market.actions, market.quotes, market.sessions[0], market.calendar)
        self.begun = -1
        """Row of the last session whose morning is over."""
        self.mark_down = MarkDown(params.mark_down_after, params.mark_down, market.calendar)
        self.strangers = market.find_strangers(params.max_gap) if market.gaps else {}
        self.one_by_one = 0

    def follow(self) -> Simulated:
        """Go from the first session to the last."""
        self._fund()
        row, last = 0, len(self.cash)
        most = size = max(CELLS // max(len(self.market.tickers), 1), 1)
        cuts = np.array([*self.market.moving, last])
        while row < last:
            end = min(row + size, int(cuts[np.searchsorted(cuts, row, side="right")]))
            done = self._fill_block(row, end)
            if row + done < end:
                self._fill_session(row + done)
                done, size = done + 1, max(done // 2, 1)
            else:
                size = min(2 * size, most)
            row += done
        return self._tell()

    def _fund(self) -> None:
        session, cents = self.market.sessions[0], to_cents(self.params.capital)
        name, legs = f"{session}:fund", (Leg("cash", cents), Leg("capital", -cents))
        event = LedgerEvent(name, "fund", self.market.calendar.open_at(session), name, legs, session)
        self.book.post(event, session)
        if self.recorder is not None:
            self.recorder.add_event(0, event)

    def _tell(self) -> Simulated:
        shares = self.holdings.shares
        self.book.positions |= self.holdings.take(range(len(shares)), shares)
        told = (self.cash, self.receivable, self.worth, self.book, shares.astype(np.int64))
        return Simulated(*told, self.one_by_one, self.recorder)

    def _begin(self, row: int, shares: Block) -> list[LedgerEvent]:
        """What happens in a session's morning, once; changes of shares are written into those that are given."""
        if row == self.begun:
            return []
        self.begun = row
        session, actions = self.market.sessions[row], self.market.due.get(row, [])
        if not (actions or any(claim.due <= session for claim in self.book.receivables.values())):
            return []
        self.morning.session = session
        return self.holdings.act(self.morning, actions, shares)

    # ---- many sessions at once

    def _fill_block(self, row: int, end: int) -> int:
        """Fill sessions at once, and return how many from the first on were filled: up to one that something limits."""
        self._record(row, self._begin(row, self.holdings.shares))
        try:
            trades, worth = self._trade(slice(row, end))
            fees, flows = trades.commission.sum(axis=1), np.copysign(trades.gross, trades.signed).sum(axis=1)
            hold_exact(np.array([trades.gross.sum(), fees.sum()]))
        except BeyondExactError:
            return 0
        oversold = np.flatnonzero(trades.after.min(axis=1, initial=0) < 0)
        within = int(oversold[0]) if len(oversold) else end - row
        return self._book(row, trades, within, (flows + fees).tolist(), fees.tolist(), worth.tolist())

    def _trade(self, rows: slice) -> tuple[Trades, Block]:
        """Fill whatever the volume allows, and value what is held then, by session."""
        market, costs, orders = self.market, self.params.costs, self.orders[rows]
        shares = np.abs(orders)
        if (np.rint(shares) != shares).any():
            raise ValueError(_tell_parts(market, orders, rows.start))
        shares = limit_to_volumes(shares, market.volumes[rows], costs)
        direction = np.copysign(1.0, orders)
        signed = shares * direction
        conditions = market.usual_volumes[rows], market.volatilities[rows]
        price, gross, commission = price_fills(direction, shares, market.opens[rows], *conditions, costs)
        held = np.empty((len(signed) + 1, signed.shape[1]))
        held[0] = self.holdings.shares
        for row, moved in enumerate(signed):
            np.add(held[row], moved, out=held[row + 1])
        worth = MANY.half_even(held[1:] * market.closes[rows], MICROS_PER_CENT).sum(axis=1)
        hold_exact(worth)
        return Trades(signed, price, gross, commission, held[:-1], held[1:]), worth

    def _book(
        self, row: int, trades: Trades, within: int, spent: list[float], fees: list[float], worth: list[float]
    ) -> int:
        """Go through the mornings, and book the fills of each session as long as there is cash for all of them."""
        taken, written, done = np.zeros_like(trades.signed) if self.counts_cost else None, 0, 0
        leaving = self.holdings.trade(row, trades)
        for each in range(within):
            if events := self._begin(row + each, trades.before[each]):
                self._record_fills(row, trades, taken, written, each)
                self._record(row + each, events)
                written = each
            if not self._pay(spent[each], fees[each]):
                break
            if taken is not None:
                taken[each] = next(leaving)
            self._value(row + each, int(worth[each]), trades.after[each])
            done += 1
        self._record_fills(row, trades, taken, written, done)
        self.holdings.shares = (trades.after[done - 1] if done else trades.before[0]).copy()
        return done

    def _pay(self, spent: float, fees: float) -> bool:
        """Take what a session's fills cost from the cash, unless there may not be enough for each of them.

        Sales come first: where there is cash for all commissions, and some is left after all fills, there was enough.
        """
        if self.book.cash < max(spent, fees):
            return False
        self.book.cash -= int(spent)
        self.book.commission += int(fees)
        return True

    # ---- one session

    def _fill_session(self, row: int) -> None:
        """Fill a session's orders one after the other."""
        self.one_by_one += 1
        held, costs = self.holdings.shares, self.params.costs
        self._record(row, self._begin(row, held))
        edges = None if self.edges is None else self.edges[row]
        trades = fill_one_by_one(self.market, row, self.orders[row], edges, held, self.book.cash, costs)
        flows, fees = int(np.copysign(trades.gross, trades.signed).sum()), int(trades.commission.sum())
        self.book.cash -= flows + fees
        self.book.commission += fees
        taken = None
        if self.counts_cost:
            taken = next(self.holdings.trade(row, trades))[None, :]
        self._record_fills(row, trades, taken, 0, 1)
        self.holdings.shares = trades.after[0].copy()
        worth = zip(trades.after[0].tolist(), self.market.closes[row].tolist(), strict=True)
        self._value(row, sum(value_of(int(shares), int(close)) for shares, close in worth), trades.after[0])

    # ---- what is kept

    def _record(self, row: int, events: list[LedgerEvent]) -> None:
        if self.recorder is not None:
            for event in events:
                self.recorder.add_event(row, event)

    def _record_fills(self, row: int, trades: Trades, taken: Block | None, first: int, end: int) -> None:
        """Write the fills of some of a block's sessions, and count what was gained."""
        if taken is None or first == end:
            return
        part = Trades(*(block[first:end] for block in trades))
        self.book.realised += int((part.gross * (part.signed < 0)).sum()) - int(taken[first:end].sum())
        if self.recorder is not None:
            self.recorder.add_fills(part, taken[first:end], row + first)

    def _value(self, row: int, worth: int, held: Block) -> None:
        """State what the book is worth after a session; a name without a bar at its last close."""
        self.cash[row], self.receivable[row] = self.book.cash, self.book.receivable if self.book.receivables else 0
        if self.market.gaps:
            worth += self._value_silent(row, held)
        self.worth[row] = worth

    def _value_silent(self, row: int, held: Block) -> int:
        market = self.market
        strangers = [name for name in self.strangers.get(row, ()) if held[name]]
        if strangers:
            raise ValueError(
                f"{market.tickers[strangers[0]]} is held on {market.sessions[row]}, when it trades again after more "
                f"than {self.params.max_gap} sessions; that is taken for another company: state what became of this one"
            )
        silent = np.flatnonzero((market.closes[row] == 0) & (held > 0))
        if not len(silent):
            return 0
        positions = self.holdings.take(silent.tolist(), held)
        marks = mark_positions(Book(positions=positions), market.last_closes, {}, market.sessions[row], self.mark_down)
        return sum(value_of(one.shares, marks[ticker][1]) for ticker, one in positions.items())


def _tell_parts(market: Market, orders: Block, first: int) -> str:
    parts = np.rint(orders) != orders
    session, name = np.argwhere(parts)[0]
    return (
        f"{np.count_nonzero(parts)} orders are no whole shares, the first of {market.tickers[name]} on "
        f"{market.sessions[first + session]}: {orders[session, name]}; round them"
    )

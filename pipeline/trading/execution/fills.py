"""Fill orders one by one, each limited to the session's volume, to what is held and to the cash that is left."""

from __future__ import annotations

from collections import Counter
from collections.abc import Iterator
from dataclasses import dataclass, replace
from datetime import datetime
from typing import NamedTuple

from pipeline.text_format import percent
from pipeline.trading.books.book import Book
from pipeline.trading.books.money import format_cents
from pipeline.trading.execution.costs import Fill, price_fill, take_of_volume
from pipeline.trading.execution.orders import Bar, Order, Phase
from pipeline.trading.params import Costs


@dataclass(frozen=True)
class OrderResult:
    """What became of an order."""

    order: Order
    bar: Bar | None
    fill: Fill
    reason: str
    price: int | None = None
    """Millionths before costs: what it was offered; None where it found no market."""

    @property
    def status(self) -> str:
        """filled, partial or unfilled."""
        if self.fill.shares == 0:
            return "unfilled"
        return "filled" if self.fill.shares == self.order.shares else "partial"


NO_FILL = Fill(0, 0, 0, 0, 0, 0)


@dataclass(frozen=True)
class Offer:
    """A bar with the price at which an order is filled in it, and what is left of the volume that it may take."""

    bar: Bar
    price: int
    """Millionths before costs."""
    limit: int | None
    """Millionths: costs take the price no further."""
    used: int
    """Shares that earlier orders of the session took."""

    def fill(self, side: str, shares: int, costs: Costs) -> Fill:
        """Fill shares at that price."""
        bar = self.bar
        conditions = bar.median_volume, bar.volatility
        return price_fill(side, shares, self.price, *conditions, costs, bar.exchange, self.limit)


@dataclass(frozen=True)
class Auction:
    """The open at which orders are filled, and the close before it."""

    opening: datetime
    closed: datetime

    def comes_too_late(self, order: Order) -> bool:
        """Whether an order was decided at the open or later; at the close is in time where the open follows at once."""
        return order.decided_at >= self.opening and order.decided_at > self.closed


def fill_orders(
    orders: list[Order], bars: dict[str, Bar], book: Book, auction: Auction, costs: Costs, unsettled: int | None = None
) -> Iterator[OrderResult]:
    """Fill orders one after the other; each finds the cash, the shares and the volume that those before left.

    Those for the open come first, then stops, then limits, then those for the close; in each phase the order given
    counts. A stop sells what is left of the position, and is left out where nothing is. Two sales may be of one ticker:
    one was decided under the name that the company had until then.

    Args:
        orders: in the order in which they are served.
        bars: by ticker.
        book: as it stands before the open.
        auction: the open, and the close before it.
        costs: the schedule.
        unsettled: cents of earlier sales that pay for no buy yet, as this session's do not either; None where proceeds
            pay at once.
    """
    waiting = unsettled or 0
    cash, held = book.cash, {ticker: position.shares for ticker, position in book.positions.items()}
    used: Counter[str] = Counter()
    for asked in sorted(orders, key=lambda one: one.kind.phase):
        order = asked
        if asked.kind.phase is Phase.STOP:  # it lies in the market for whatever the open left
            order = replace(asked, shares=held.get(asked.ticker, 0))
            if not order.shares:
                continue
        # At the open each order has the volume to itself, as two sales of one ticker are two companies' orders.
        spendable = cash - waiting if order.side == "buy" else cash
        room = _Room(held.get(order.ticker, 0), spendable, used[order.ticker] if order.kind.phase else 0)
        result = _fill_order(order, bars.get(order.ticker), room, auction, costs)
        signed = -result.fill.gross if order.side == "buy" else result.fill.gross
        cash += signed - result.fill.commission
        if order.side == "sell":  # what the session bought is sold in a later one: the books have its sales first
            held[order.ticker] = held.get(order.ticker, 0) - result.fill.shares
            waiting += result.fill.gross if unsettled is not None else 0
        used[order.ticker] += result.fill.shares
        yield result


class _Room(NamedTuple):
    """What an order finds."""

    held: int
    cash: int
    used: int


def _fill_order(order: Order, bar: Bar | None, room: _Room, auction: Auction, costs: Costs) -> OrderResult:
    if reason := _explain_no_market(order, bar, auction):
        return OrderResult(order, bar, NO_FILL, reason)
    assert bar is not None
    quote = order.kind.quote(order, bar)
    if quote.price is None:
        return OrderResult(order, bar, NO_FILL, quote.reason)
    offer = Offer(bar, quote.price, quote.limit, room.used)
    shares, reason = _limit_size(order, offer, room.held, room.cash, costs)
    return OrderResult(order, bar, offer.fill(order.side, shares, costs) if shares else NO_FILL, reason, quote.price)


def _explain_no_market(order: Order, bar: Bar | None, auction: Auction) -> str:
    if order.withheld:
        return order.withheld
    if auction.comes_too_late(order):
        opening = f"{auction.opening:%Y-%m-%d %H:%M} UTC"
        return f"decided at {order.decided_at:%Y-%m-%d %H:%M} UTC, after the open of {opening}"
    if bar is None:
        return "no bar: the ticker did not trade, and the order expired"
    return bar.refusal


def _limit_size(order: Order, offer: Offer, held: int, cash: int, costs: Costs) -> tuple[int, str]:
    """The shares that can be filled, and what limits them."""
    shares, reason = order.shares, ""
    volume = offer.bar.volume
    if (available := max(take_of_volume(volume, costs) - offer.used, 0)) < shares:
        share = percent(costs.participation, 1)
        shares, reason = available, f"only {share} of the volume of {volume:,} shares may be taken"
    if order.side == "sell" and held < shares:
        shares, reason = held, f"only {held:,} shares are held"
    affordable = _find_affordable(order.side, shares, offer, cash, costs)
    if affordable < shares:
        shares, reason = affordable, f"cash of {format_cents(cash)} pays for {affordable:,} shares, commission included"
    return shares, reason


def _find_affordable(side: str, wanted: int, offer: Offer, cash: int, costs: Costs) -> int:
    """The most shares whose cash flow, commission included, leaves no debt; cost rises with size, so bisect."""

    def fits(shares: int) -> bool:
        fill = offer.fill(side, shares, costs)
        flow = -fill.gross if side == "buy" else fill.gross
        return cash + flow - fill.commission >= min(cash, 0)  # corrections can leave a debt, which a sale may reduce

    if wanted == 0 or fits(wanted):
        return wanted
    low, high = 0, wanted
    while high - low > 1:
        middle = (low + high) // 2
        low, high = (middle, high) if fits(middle) else (low, middle)
    return low

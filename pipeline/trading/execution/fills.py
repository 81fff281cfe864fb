"""Fill orders one by one, each limited to the session's volume, to what is held and to the cash that is left."""

from __future__ import annotations

from collections import Counter
from collections.abc import Iterator
from dataclasses import dataclass, replace
from datetime import UTC, datetime
from typing import NamedTuple

from pipeline.text_format import percent
from pipeline.trading.books.book import Book
from pipeline.trading.books.money import format_cents, to_micros
from pipeline.trading.execution.costs import Fill, price_fill, take_of_volume
from pipeline.trading.execution.orders import Bar, Order, Phase
from pipeline.trading.execution.short_sales import SHORT, ShortSales, count_short
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
    at: datetime | None = None
    """When the session came to it; None where nothing tells."""

    @property
    def status(self) -> str:
        """filled, partial or unfilled."""
        if self.fill.shares == 0:
            return "unfilled"
        return "filled" if self.fill.shares == self.order.shares else "partial"


NO_FILL = Fill(0, 0, 0, 0, 0, 0)
FIRST, LAST = datetime.min.replace(tzinfo=UTC), datetime.max.replace(tzinfo=UTC)
"""In the place of times that nothing tells: a stop is assumed to have come first."""


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
    left: float = 1.0
    """Share of the bar's volume that traded from then on."""

    @property
    def volume(self) -> int:
        """Shares that traded from then on."""
        return int(self.bar.volume * self.left)

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
    orders: list[Order],
    bars: dict[str, Bar],
    book: Book,
    auction: Auction,
    costs: Costs,
    unsettled: int | None = None,
    short_sales: ShortSales | None = None,
) -> Iterator[OrderResult]:
    """Fill orders one after the other; each finds the cash, the shares and the volume that those before left.

    Those for the open come first, those for the close last. Between them they are filled as bars within the session
    tell that it came to them; where none tell, stops first and limits last. Else the order given counts. A stop sells
    what is left of the position, and is left out where nothing is. Two sales may be of one ticker: one was decided
    under the name that the company had until then.

    Args:
        orders: in the order in which they are served.
        bars: by ticker.
        book: as it stands before the open.
        auction: the open, and the close before it.
        costs: the schedule.
        unsettled: cents of earlier sales that pay for no buy yet, as this session's do not either; None where proceeds
            pay at once.
        short_sales: what can be borrowed, and the cash that stays for what is short; None where nothing is lent.
    """
    purse = _Purse(book, unsettled or 0, unsettled is None, short_sales)
    for asked in sorted(orders, key=lambda one: _find_turn(one, bars.get(one.ticker))):
        order = asked
        if asked.kind.phase is Phase.STOP:  # it lies in the market for whatever the open left
            order = replace(asked, shares=purse.count_there(asked))
            if not order.shares:
                continue
        result = _fill_order(order, bars.get(order.ticker), purse.find_room(order), auction, costs)
        purse.take(order, result.fill)
        yield result


def _find_turn(order: Order, bar: Bar | None) -> tuple[Phase, datetime, Phase]:
    """When within a session an order is filled, as far as that is known."""
    phase = order.kind.phase
    if phase in (Phase.OPEN, Phase.CLOSE):
        return phase, FIRST, phase
    at = order.kind.quote(order, bar).at if bar is not None else None
    return Phase.STOP, at or (FIRST if phase is Phase.STOP else LAST), phase


class _Room(NamedTuple):
    """What an order finds."""

    there: int | None
    """Shares that are held, short or to be borrowed; None where nothing limits them."""
    limit: str
    """What is said where they are too few."""
    cash: int
    """Cents that it may spend."""
    used: int
    """Shares of the volume that orders before took."""
    secured: int = 0
    """Millionths of what it sells that stay in cash."""


class _Purse:
    """Cash and shares of the book while the orders of a session are filled."""

    def __init__(self, book: Book, waiting: int, pays_at_once: bool, short_sales: ShortSales | None) -> None:
        self.cash, self.waiting, self.pays_at_once = book.cash, waiting, pays_at_once
        self.held = {ticker: position.shares for ticker, position in book.positions.items()}
        self.short_sales = short_sales
        self.used: Counter[str] = Counter()

    def count_there(self, order: Order) -> int:
        """Shares that a sale or a cover finds."""
        held = self.held.get(order.ticker, 0)
        return max(-held if order.position == SHORT else held, 0)

    def find_room(self, order: Order) -> _Room:
        """What an order may use of all that is left."""
        # At the open each order has the volume to itself, as two sales of one ticker are two companies' orders.
        used = self.used[order.ticker] if order.kind.phase or order.follows else 0
        locked = self.short_sales.collateral if self.short_sales else 0
        held, free = self.held.get(order.ticker, 0), self.cash - locked
        if order.side == "sell" and order.position == SHORT:
            return self._find_room_to_borrow(order.ticker, held, free, used)
        if order.side == "sell" or order.position == SHORT:  # what is bought back frees its collateral
            there = self.count_there(order)
            what = "short" if order.position == SHORT else "held"
            return _Room(there, f"only {there:,} shares are {what}", self.cash, used)
        left = f"{-held:,} shares are still short: they are bought back before any is bought to be held"
        return _Room(0 if held < 0 else None, left, free - self.waiting, used)

    def _find_room_to_borrow(self, ticker: str, held: int, free: int, used: int) -> _Room:
        if held > 0:
            left = f"{held:,} shares are still held: they are sold before any is sold short"
            return _Room(0, left, free, used)
        if self.short_sales is None:
            return _Room(0, "short sales are not allowed: trading.shorts.allowed is off", free, used)
        there, limit = self.short_sales.explain(ticker, -held)
        return _Room(there, limit, free, used, to_micros(self.short_sales.lending.shorts.collateral))

    def take(self, order: Order, fill: Fill) -> None:
        """Count a fill; what the session opened is closed in a later one: the books have its sales first."""
        ticker, short = order.ticker, order.position == SHORT
        self.cash += (-fill.gross if order.side == "buy" else fill.gross) - fill.commission
        self.used[ticker] += fill.shares
        if short and self.short_sales is not None and fill.shares:
            if order.side == "sell":
                self.short_sales.open(ticker, fill.shares, fill.gross)
            else:
                self.short_sales.cover(ticker, fill.shares, count_short(self.held, ticker))
        if (order.side == "sell") != short:
            self.held[ticker] = self.held.get(ticker, 0) + (fill.shares if short else -fill.shares)
        if order.side == "sell" and not short and not self.pays_at_once:
            self.waiting += fill.gross


def _fill_order(order: Order, bar: Bar | None, room: _Room, auction: Auction, costs: Costs) -> OrderResult:
    if reason := _explain_no_market(order, bar, auction):
        return OrderResult(order, bar, NO_FILL, reason)
    assert bar is not None
    quote = order.kind.quote(order, bar)
    if quote.price is None:
        return OrderResult(order, bar, NO_FILL, quote.reason)
    offer = Offer(bar, quote.price, quote.limit, room.used, quote.left)
    shares, reason = _limit_size(order, offer, room, costs)
    fill = offer.fill(order.side, shares, costs) if shares else NO_FILL
    return OrderResult(order, bar, fill, reason, quote.price, quote.at)


def _explain_no_market(order: Order, bar: Bar | None, auction: Auction) -> str:
    if order.withheld:
        return order.withheld
    if auction.comes_too_late(order):
        opening = f"{auction.opening:%Y-%m-%d %H:%M} UTC"
        return f"decided at {order.decided_at:%Y-%m-%d %H:%M} UTC, after the open of {opening}"
    if bar is None:
        return "no bar: the ticker did not trade, and the order expired"
    return bar.refusal


def _limit_size(order: Order, offer: Offer, room: _Room, costs: Costs) -> tuple[int, str]:
    """The shares that can be filled, and what limits them."""
    shares, reason = order.shares, ""
    volume = offer.volume
    if (available := max(take_of_volume(volume, costs) - offer.used, 0)) < shares:
        share = percent(costs.participation, 1)
        since = "" if offer.left == 1 else " since then"
        shares, reason = available, f"only {share} of the volume of {volume:,} shares{since} may be taken"
    if room.there is not None and room.there < shares:
        shares, reason = room.there, room.limit
    affordable = _find_affordable(order.side, shares, offer, room, costs)
    if affordable < shares:
        cash = format_cents(room.cash)
        shares, reason = affordable, f"cash of {cash} pays for {affordable:,} shares, commission included"
    return shares, reason


def _find_affordable(side: str, wanted: int, offer: Offer, room: _Room, costs: Costs) -> int:
    """The most shares whose cash flow, commission included, leaves no debt; cost rises with size, so bisect."""

    def fits(shares: int) -> bool:
        fill = offer.fill(side, shares, costs)
        flow = -fill.gross if side == "buy" else fill.gross
        stays = -(-fill.gross * room.secured // 1_000_000)
        # Corrections can leave a debt, which a sale may reduce.
        return room.cash + flow - stays - fill.commission >= min(room.cash, 0)

    if wanted == 0 or fits(wanted):
        return wanted
    low, high = 0, wanted
    while high - low > 1:
        middle = (low + high) // 2
        low, high = (middle, high) if fits(middle) else (low, middle)
    return low

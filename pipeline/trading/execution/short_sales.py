"""Short sales at the open: which leg of an order borrows, what can be borrowed, and the cash that stays for it."""

from __future__ import annotations

from collections import Counter
from collections.abc import Iterable, Iterator, Mapping
from dataclasses import dataclass, field, replace

import polars as pl

from pipeline.engine.stage import Moment
from pipeline.trading.books.actions import select_actions
from pipeline.trading.books.book import Book
from pipeline.trading.books.money import MICROS_PER_CENT, half_even, to_micros
from pipeline.trading.books.quotes import WINDOW, Quotes
from pipeline.trading.currencies.session_rates import OWN, SessionRates
from pipeline.trading.execution.orders import Order, Stop
from pipeline.trading.shorts.lending import Lending

SHORT = "short"
MILLION = 1_000_000


def prepare_shorts(
    orders: list[Order],
    book: Book,
    lending: Lending,
    market_prices: pl.DataFrame,
    corporate_actions: pl.DataFrame,
    rates: SessionRates,
    moment: Moment,
) -> tuple[list[Order], ShortSales | None]:
    """Return the orders as they meet what is held, and what may be sold short; as they are where nothing is short.

    The arguments are those of `face_positions` and `find_short_sales`.
    """
    owed = any(position.shares < 0 for position in book.positions.values())
    if not (owed or lending.shorts.allowed or any(order.intent in ("short", "cover") for order in orders)):
        return orders, None
    found = find_short_sales(book, lending, market_prices, corporate_actions, rates, moment)
    return face_positions(orders, book), found


def face_positions(orders: Iterable[Order], book: Book) -> list[Order]:
    """Return the orders as they meet what is held: one from one side to the other is two, and a stop may be a buy.

    Args:
        orders: as planned.
        book: as it stands at the open.
    """
    held = {ticker: position.shares for ticker, position in book.positions.items()}
    faced = [leg for order in orders for leg in _face(order, held.get(order.ticker, 0))]
    return sorted(faced, key=lambda one: (one.turn, -one.edge if one.side == "buy" else 0.0, one.ticker))


def _face(order: Order, held: int) -> Iterator[Order]:
    if isinstance(order.kind, Stop):
        guards_short = replace(order, side="buy", position=SHORT, kind=replace(order.kind, buys=True))
        yield guards_short if held < 0 else order
    elif order.side == "sell" and order.intent == "short":
        yield from _split_legs(order, replace(order, position=SHORT), max(held, 0))
    elif order.side == "buy" and order.intent in ("cover", "stop"):
        yield replace(order, position=SHORT)
    elif order.side == "buy":
        yield from _split_legs(replace(order, position=SHORT), order, max(-held, 0))
    else:
        yield order


def _split_legs(closing: Order, opening: Order, there: int) -> Iterator[Order]:
    """What is there is closed first; only the rest opens."""
    first = min(there, opening.shares)
    if not first:
        yield opening
        return
    yield replace(closing, shares=first)
    if rest := opening.shares - first:
        yield replace(opening, shares=rest, follows=True)


@dataclass
class ShortSales:
    """What may be sold short in a session, and the collateral of what is short so far."""

    lending: Lending
    locked: dict[str, int] = field(default_factory=dict)
    """Ticker -> cents of cash out of which nothing is bought."""
    sold: Counter[str] = field(default_factory=Counter)
    """Shares that were sold short in the session."""

    @property
    def collateral(self) -> int:
        """Cents."""
        return sum(self.locked.values())

    def secure(self, worth: int) -> int:
        """The cents that stay in cash for short positions of that worth."""
        return -(-worth * to_micros(self.lending.shorts.collateral) // MILLION)

    def explain(self, ticker: str, short: int) -> tuple[int | None, str]:
        """How many more shares can be borrowed where some were short before the open, and what limits them."""
        free = self.lending.count_free(ticker, short + self.sold[ticker])
        limit = f"only {free:,} more shares of {ticker} can be borrowed" if free is not None else ""
        return free, self.lending.explain(ticker) or limit

    def open(self, ticker: str, shares: int, gross: int) -> None:
        """Shares were sold short."""
        self.sold[ticker] += shares
        self.locked[ticker] = self.locked.get(ticker, 0) + self.secure(gross)

    def cover(self, ticker: str, shares: int, short: int) -> None:
        """Shares were bought back, of those that were short before the open and still are."""
        there = self.locked.get(ticker, 0)
        self.locked[ticker] = there - half_even(there * shares, short + self.sold[ticker])


def find_short_sales(
    book: Book,
    lending: Lending,
    market_prices: pl.DataFrame,
    corporate_actions: pl.DataFrame,
    rates: SessionRates,
    moment: Moment,
) -> ShortSales:
    """Return what short positions lock at the open: at its price, else at the last close before, else what they cost.

    Args:
        book: as it stands at the open.
        lending: what can be borrowed.
        market_prices: daily bars of the session and some before.
        corporate_actions: as known now.
        rates: of foreign names.
        moment: the session.
    """
    found, session = ShortSales(lending), moment.session
    short = {ticker: one for ticker, one in sorted(book.positions.items()) if one.shares < 0}
    quotes, first = Quotes(market_prices, short), moment.calendar.offset(session, -WINDOW)
    for ticker, position in short.items():
        own = corporate_actions.filter(pl.col("ticker") == ticker)
        price = quotes.open_or_last(ticker, session, first, select_actions(own, None, session), rates)
        exchange = rates.at(ticker, session) or OWN
        worth = -position.cost if price is None else exchange.to_book(round(-position.shares * price / MICROS_PER_CENT))
        found.locked[ticker] = found.secure(worth)
    return found


def count_short(held: Mapping[str, int], ticker: str) -> int:
    """Shares of a name that are short."""
    return max(-held.get(ticker, 0), 0)

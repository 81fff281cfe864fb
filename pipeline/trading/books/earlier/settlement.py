"""How books were settled before they followed facts that change (settlement 1): kept for runs of then alone.

An action is posted once and never looked at again; one that was learned late counts for twenty sessions.
"""

from __future__ import annotations

from collections.abc import Iterable, Iterator
from dataclasses import dataclass
from datetime import date, datetime
from typing import NamedTuple

import polars as pl

from pipeline.market.sessions import Sessions
from pipeline.trading.books.actions import Action, select_actions, split_ratio
from pipeline.trading.books.book import Book, LedgerEvent, Leg
from pipeline.trading.books.corrections import Settled
from pipeline.trading.books.money import MICROS_PER_CENT, half_even, to_micros

LATE_SESSIONS = 20
"""How long after its ex-date an action that was learned late is still applied; older ones need an operator."""


@dataclass(frozen=True)
class MorningQuotes:
    """Opening prices in millionths on the session's share basis; the last close stands in for a missing open."""

    session: date
    opens: dict[str, int]
    closes: dict[str, tuple[date, int]]
    """Last close before the session, with its own session."""

    def open_or_last(self, ticker: str, actions: Iterable[Action]) -> int | None:
        """The open, else the last close carried over the splits since; None if the ticker never traded."""
        if ticker in self.opens:
            return self.opens[ticker]
        if ticker not in self.closes:
            return None
        when, close = self.closes[ticker]
        new, old = split_ratio(actions, ticker, when)
        return half_even(close * old, new)


def read_quotes(market_prices: pl.DataFrame, session: date, tickers: Iterable[str]) -> MorningQuotes:
    """Return the session's opens and the closes before it for some tickers."""
    bars = market_prices.filter(pl.col("ticker").is_in(sorted(tickers)), pl.col("interval") == "1d")
    today = bars.filter(pl.col("session") == session).select("ticker", "open").iter_rows()
    earlier = bars.filter(pl.col("session") < session).sort("ticker", "session").unique("ticker", keep="last")
    return MorningQuotes(
        session,
        {ticker: to_micros(price) for ticker, price in today},
        {
            ticker: (when, to_micros(price))
            for ticker, when, price in earlier.select("ticker", "session", "close").iter_rows()
        },
    )


def settle_once(
    book: Book,
    ledger_entries: pl.DataFrame,
    corporate_actions: pl.DataFrame,
    market_prices: pl.DataFrame,
    session: date,
    calendar: Sessions,
) -> Settled:
    """Bring the book from the close before to just before the session's open, and return it with what happened.

    An action learned after its ex-date is applied to the shares that were held at the close before the ex-date.
    Each action is posted once: its reference in the ledger bars a second time.

    Args:
        book: folded from `ledger_entries`; it is changed.
        ledger_entries: all entries before the session (for actions learned late).
        corporate_actions: what is known, as far back as late ones count.
        market_prices: daily bars of the session and some before (for fractions paid out in cash).
    """
    previous = calendar.previous(session)
    known = select_actions(corporate_actions, None, session)
    waiting = [a for a in known if a.reference not in book.settled]
    missed = [a for a in waiting if a.ex_date <= previous]
    holders = _holders(ledger_entries, missed)
    late = [a for a in missed if a.reference in holders]
    today = [a for a in waiting if a.ex_date > previous]
    prices = read_quotes(market_prices, session, {a.ticker for a in (*late, *today)} & set(book.positions))
    events = OpeningActions(book, holders, known, prices, session, calendar).apply_all([*late, *today])
    return Settled(book, events)


def forget_when(event: LedgerEvent) -> LedgerEvent:
    """Return the event as it was written then: without the session it counts for and the revision it follows."""
    return event._replace(effective=None, revision=None)


class Entitlement(NamedTuple):
    """Shares an action learned late applies to."""

    before: int
    """Held at the close before the ex-date."""
    unsold: int
    """Of those held before, not sold since; the oldest are taken to go first."""


def _holders(ledger_entries: pl.DataFrame, missed: list[Action]) -> dict[str, Entitlement]:
    """Return, by reference, what was held when each action took effect; those that met no holder are left out."""
    if not missed or ledger_entries.is_empty():
        return {}
    actions = pl.DataFrame(
        [(a.reference, a.ticker, a.ex_date) for a in missed],
        schema={"action": pl.String, "ticker": pl.String, "ex_date": pl.Date},
        orient="row",
    )
    moves = ledger_entries.filter(pl.col("account") == "positions").join(actions, on="ticker")
    before = pl.col("session") < pl.col("ex_date")
    sold = ~before & (pl.col("kind") == "sell")
    shares = moves.group_by("action").agg(
        held=pl.col("shares").filter(before).sum(),
        sold=pl.col("shares").filter(sold).sum(),
    )
    return {action: Entitlement(held, max(held + gone, 0)) for action, held, gone in shares.iter_rows() if held > 0}


@dataclass
class OpeningActions:
    """Posts the corporate actions of a morning one by one, so that each sees the book the one before left."""

    book: Book
    late: dict[str, Entitlement]
    """By reference: who is entitled to an action learned late; an action not named here is of today."""
    known: list[Action]
    prices: MorningQuotes
    session: date
    calendar: Sessions

    @property
    def ts(self) -> datetime:
        return self.calendar.open_at(self.session)

    def apply_all(self, actions: Iterable[Action]) -> list[LedgerEvent]:
        """Apply the actions in order, then pay what is due, and return what happened."""
        return [event for action in actions for event in self.apply(action)] + self.pay_due_claims()

    def apply(self, action: Action) -> Iterator[LedgerEvent]:
        """Post an action's events one after the other, so that each sees what the one before left."""
        effects = {
            "split": self._split,
            "dividend": self._dividend,
            "delisting": self._delisting,
            "rename": self._rename,
        }
        for event in effects[action.kind](action):
            self.book.post(event, self.session)
            yield event

    def pay_due_claims(self) -> list[LedgerEvent]:
        """Turn receivables whose day has come into cash, earliest first."""
        claims = sorted(self.book.receivables.items(), key=lambda item: (item[1].due, item[0]))
        events = [
            LedgerEvent(
                f"{self.session}:dividend_paid:{reference}",
                "dividend_paid",
                self.ts,
                reference,
                (
                    Leg("cash", claim.amount, claim.ticker),
                    Leg("receivable", -claim.amount, claim.ticker, due=claim.due),
                ),
            )
            for reference, claim in claims
            if claim.due <= self.session
        ]
        for event in events:
            self.book.post(event, self.session)
        return events

    def _event(self, kind: str, action: Action, *legs: Leg) -> LedgerEvent:
        return LedgerEvent(f"{self.session}:{kind}:{action.reference}", kind, self.ts, action.reference, legs)

    def _split(self, action: Action) -> Iterator[LedgerEvent]:
        """Whole shares stay; the fraction is paid out at the open, its share of the cost with it."""
        position = self.book.positions.get(action.ticker)
        if position is None:
            return
        new, old = action.ratio
        held, cost = position.shares, position.cost
        late = self.late.get(action.reference)
        touched = min(held, late.unsold) if late else held
        if touched == 0:
            return
        whole, remainder = divmod(touched * new, old)
        yield self._event("split", action, Leg("positions", 0, action.ticker, whole - touched))
        if remainder:
            price = self._price_in_lieu(action, held, cost)
            paid = half_even(remainder * price, old * MICROS_PER_CENT)
            # Exact share of the cost: the fraction over all shares there would be if fractions could be kept.
            total = touched * new + (held - touched) * old
            given_up = cost if whole + held - touched == 0 else half_even(cost * remainder, total)
            yield self._event("cash_in_lieu", action, *_disposal(action.ticker, paid, given_up, 0))

    def _price_in_lieu(self, action: Action, held: int, cost: int) -> int:
        """Per share just after this split: the open undoes those that follow on the same day."""
        new, old = action.ratio
        price = self.prices.open_or_last(action.ticker, self.known)
        if price is None:  # never traded: its cost per share is all that is known
            return half_even(cost * MICROS_PER_CENT * old, held * new)
        later_new, later_old = 1, 1
        for other in self.known:
            if other.ticker == action.ticker and (other.ex_date, other.sequence) > (
                action.ex_date, action.sequence
            ):  # fmt: skip
                later_new, later_old = later_new * other.ratio[0], later_old * other.ratio[1]
        return half_even(price * later_new, later_old)

    def _dividend(self, action: Action) -> Iterator[LedgerEvent]:
        """Whoever held at the close before the ex-date has a claim, also if sold since."""
        position = self.book.positions.get(action.ticker)
        late = self.late.get(action.reference)
        entitled = position.shares if position else 0
        if late:
            entitled = late.before
            for other in self.known:  # the amount is per share after the splits of its own ex-date
                if (other.ticker, other.ex_date) == (action.ticker, action.ex_date):
                    entitled = entitled * other.ratio[0] // other.ratio[1]
        amount = half_even(entitled * to_micros(action.amount or 0.0), MICROS_PER_CENT)
        if amount:
            claim = Leg("receivable", amount, action.ticker, due=action.pay_date or self.session)
            yield self._event("dividend", action, claim, Leg("dividends", -amount, action.ticker))

    def _delisting(self, action: Action) -> Iterator[LedgerEvent]:
        position = self.book.positions.get(action.ticker)
        if position is not None:
            paid = half_even(position.shares * to_micros(action.amount or 0.0), MICROS_PER_CENT)
            legs = _disposal(action.ticker, paid, position.cost, position.shares)
            yield self._event("delisting", action, *legs)

    def _rename(self, action: Action) -> Iterator[LedgerEvent]:
        position = self.book.positions.get(action.ticker)
        if position is not None and action.successor:
            yield self._event(
                "rename",
                action,
                Leg("positions", -position.cost, action.ticker, -position.shares),
                Leg("positions", position.cost, action.successor, position.shares),
            )


def _disposal(ticker: str, proceeds: int, cost: int, shares: int) -> tuple[Leg, ...]:
    """Cash in, cost and shares out, the difference is the gain."""
    return (
        Leg("cash", proceeds, ticker),
        Leg("positions", -cost, ticker, -shares),
        Leg("realised", cost - proceeds, ticker),
    )

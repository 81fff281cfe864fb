"""What corporate actions do to the book before the open: splits, dividends, ends, renames, in that order."""

from __future__ import annotations

from collections import defaultdict
from collections.abc import Iterable, Iterator
from datetime import date, datetime
from fractions import Fraction

from pipeline.market.securities.order_of_day import order_by_company
from pipeline.market.sessions import Sessions
from pipeline.trading.books.actions import Action
from pipeline.trading.books.book import Book, LedgerEvent, Leg, Position
from pipeline.trading.books.money import MICROS_PER_CENT, half_even, to_micros
from pipeline.trading.books.quotes import WINDOW, Quotes


class Morning:
    """Posts the corporate actions of one morning one by one, so that each sees the book the one before left."""

    def __init__(self, book: Book, known: Iterable[Action], quotes: Quotes, session: date, calendar: Sessions) -> None:
        self.book, self.quotes, self.calendar = book, quotes, calendar
        self.session = session
        """To be moved on by whoever posts the mornings of a history."""
        self._of_ticker: dict[str, list[Action]] = defaultdict(list)
        for action in known:
            self._of_ticker[action.ticker].append(action)

    @property
    def ts(self) -> datetime:
        """The open."""
        return self.calendar.open_at(self.session)

    def apply_all(self, actions: Iterable[Action]) -> list[LedgerEvent]:
        """Apply the actions in order, then pay what is due, and return what happened."""
        posted = [event for action in order_by_company(actions, self.book.positions) for event in self.apply(action)]
        return posted + self.pay_due_claims()

    def apply(self, action: Action) -> Iterator[LedgerEvent]:
        """Post an action's events one after the other, so that each sees what the one before left."""
        position = self.book.positions.get(action.ticker)
        if position is None:
            return
        for event in self._effect(action, position):
            self.book.post(event, self.session)
            yield event

    def pay_due_claims(self) -> list[LedgerEvent]:
        """Turn receivables whose day has come into cash, earliest first."""
        claims = sorted(self.book.receivables.items(), key=lambda item: (item[1].due, item[0]))
        due = [(reference, claim) for reference, claim in claims if claim.due <= self.session]
        events = []
        for reference, claim in due:
            paid = Leg("cash", claim.amount, claim.ticker)
            owed = Leg("receivable", -claim.amount, claim.ticker, due=claim.due)
            name = f"{self.session}:dividend_paid:{reference}"
            events.append(LedgerEvent(name, "dividend_paid", self.ts, reference, (paid, owed), self.session))
            self.book.post(events[-1], self.session)
        return events

    def _effect(self, action: Action, position: Position) -> Iterator[LedgerEvent]:
        if action.kind == "split":
            return self._split(action, position)
        if action.kind == "dividend":
            return self._spin_off(action, position) if action.conversion else self._dividend(action, position)
        if action.kind == "rename":
            return self._rename(action, position)
        return self._merger(action, position) if action.conversion else self._end(action, position)

    def _event(self, kind: str, action: Action, *legs: Leg) -> LedgerEvent:
        name = f"{self.session}:{kind}:{action.reference}"
        return LedgerEvent(name, kind, self.ts, action.reference, legs, self.session, action.revision)

    def _split(self, action: Action, position: Position) -> Iterator[LedgerEvent]:
        """Whole shares stay; the fraction is paid out at the open, its share of the cost with it."""
        new, old = action.ratio
        held, cost = position.shares, position.cost
        whole, remainder = divmod(held * new, old)
        yield self._event("split", action, Leg("positions", 0, action.ticker, whole - held))
        if remainder:
            price = self._price_in_lieu(action, held, cost)
            paid = half_even(remainder * price, old * MICROS_PER_CENT)
            # The fraction's share of the cost, over all shares there would be if fractions could be kept.
            given_up = cost if whole == 0 else half_even(cost * remainder, held * new)
            yield self._event("cash_in_lieu", action, *_disposal(action.ticker, paid, given_up, 0))

    def _price_in_lieu(self, action: Action, held: int, cost: int) -> int:
        """Per share just after this split: the open undoes those that follow on the same day."""
        new, old = action.ratio
        price = self._price(action.ticker)
        if price is None:  # never traded: its cost per share is all that is known
            return half_even(cost * MICROS_PER_CENT * old, held * new)
        for other in self._of_ticker[action.ticker]:
            same_day = self.calendar.at_or_after(other.ex_date) == self.session
            if same_day and (other.ex_date, other.sequence) > (action.ex_date, action.sequence):
                price = price * other.ratio[0] / other.ratio[1]
        return half_even(price.numerator, price.denominator)

    def _price(self, ticker: str) -> Fraction | None:
        first = self.calendar.offset(self.session, -WINDOW)
        return self.quotes.open_or_last(ticker, self.session, first, self._of_ticker[ticker])

    def _dividend(self, action: Action, position: Position) -> Iterator[LedgerEvent]:
        """Whoever held at the close before the ex-date has a claim, also if sold since."""
        amount = half_even(position.shares * to_micros(action.amount or 0.0), MICROS_PER_CENT)
        if not amount:
            return
        ticker = action.ticker
        claim = Leg("receivable", amount, ticker, due=action.pay_date or self.session)
        if action.nature == "return_of_capital":
            returned = min(amount, position.cost)
            legs = [claim, Leg("positions", -returned, ticker)]
            if amount > returned:
                legs.append(Leg("realised", returned - amount, ticker))
            yield self._event("return_of_capital", action, *legs)
        elif action.nature in ("rights", "spin_off"):  # sold at their value, and they cost nothing
            yield self._event("rights", action, claim, Leg("realised", -amount, ticker))
        else:
            yield self._event("dividend", action, claim, Leg("dividends", -amount, ticker))

    def _spin_off(self, action: Action, position: Position) -> Iterator[LedgerEvent]:
        """Shares of the other company come with their part of the cost; a fraction of one is paid out."""
        share = to_micros(action.cost_share or 0.0)
        moved = half_even(position.cost * share, 1_000_000)
        yield from self._hand_on("spin_off", action, position.shares, moved, Leg("positions", -moved, action.ticker))

    def _merger(self, action: Action, position: Position) -> Iterator[LedgerEvent]:
        """The part paid in cash takes its part of the cost along; the new shares take the rest."""
        total, cash = to_micros(action.amount or 0.0), to_micros(action.cash or 0.0)
        held, cost = position.shares, position.cost
        sold = half_even(cost * min(cash, total), total) if total else 0
        legs = [Leg("positions", -cost, action.ticker, -held)]
        if cash:
            paid = half_even(held * cash, MICROS_PER_CENT)
            legs += [Leg("cash", paid, action.ticker), Leg("realised", sold - paid, action.ticker)]
        yield from self._hand_on("merger", action, held, cost - sold, *legs)

    def _hand_on(self, kind: str, action: Action, held: int, cost: int, *legs: Leg) -> Iterator[LedgerEvent]:
        """Post the shares of the other company beside what leaves, then pay out the fraction."""
        assert action.conversion is not None
        other, new, old = action.conversion
        whole, remainder = divmod(held * new, old)
        given_up = (cost if whole == 0 else half_even(cost * remainder, held * new)) if remainder else 0
        yield self._event(kind, action, *legs, Leg("positions", cost, other, whole))
        if remainder:
            price = self._price(other)
            if price is None:  # not traded yet: the stated value of what came, else its cost
                value = to_micros(action.amount or 0.0) - to_micros(action.cash or 0.0)
                each = (value * old, new) if value > 0 else (cost * MICROS_PER_CENT * old, held * new)
                paid = half_even(remainder * each[0], each[1] * old * MICROS_PER_CENT)
            else:
                paid = half_even(remainder * price.numerator, price.denominator * old * MICROS_PER_CENT)
            yield self._event("cash_in_lieu", action, *_disposal(other, paid, given_up, 0))

    def _end(self, action: Action, position: Position) -> Iterator[LedgerEvent]:
        """A delisting or a write-off, at its value per share."""
        paid = half_even(position.shares * to_micros(action.amount or 0.0), MICROS_PER_CENT)
        yield self._event(action.kind, action, *_disposal(action.ticker, paid, position.cost, position.shares))

    def _rename(self, action: Action, position: Position) -> Iterator[LedgerEvent]:
        if action.successor:
            gone = Leg("positions", -position.cost, action.ticker, -position.shares)
            yield self._event(
                "rename", action, gone, Leg("positions", position.cost, action.successor, position.shares)
            )


def _disposal(ticker: str, proceeds: int, cost: int, shares: int) -> tuple[Leg, ...]:
    """Cash in, cost and shares out, the difference is the gain."""
    return (
        Leg("cash", proceeds, ticker),
        Leg("positions", -cost, ticker, -shares),
        Leg("realised", cost - proceeds, ticker),
    )

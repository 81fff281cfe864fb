"""What corporate actions do to the book before the open: splits, dividends, ends, renames, in that order."""

from __future__ import annotations

from collections import defaultdict
from collections.abc import Iterable, Iterator
from dataclasses import replace
from datetime import date, datetime
from fractions import Fraction

from pipeline.market.securities.order_of_day import find_swapped, order_by_company
from pipeline.market.sessions import Sessions
from pipeline.trading.books.actions import Action
from pipeline.trading.books.book import Book, LedgerEvent, Leg, Position
from pipeline.trading.books.money import MICROS_PER_CENT, divide_whole, half_even, smaller, to_micros
from pipeline.trading.books.quotes import WINDOW, Quotes
from pipeline.trading.books.trades import dispose, join_position
from pipeline.trading.currencies.session_rates import NO_FOREIGN, OWN, Exchange, SessionRates

MILLION = 1_000_000


class Morning:
    """Posts the corporate actions of one morning one by one, so that each sees the book the one before left.

    Whoever is short owes what a holder gets: every amount has the sign of the shares.
    """

    def __init__(
        self,
        book: Book,
        known: Iterable[Action],
        quotes: Quotes,
        session: date,
        calendar: Sessions,
        rates: SessionRates = NO_FOREIGN,
    ) -> None:
        self.book, self.quotes, self.calendar, self.rates = book, quotes, calendar, rates
        self.session = session
        """To be moved on by whoever posts the mornings of a history."""
        self._at_once = False
        """Whether companies take each other's tickers: what comes meets nothing that stays."""
        self._of_ticker: dict[str, list[Action]] = defaultdict(list)
        for action in known:
            self._of_ticker[action.ticker].append(action)

    @property
    def ts(self) -> datetime:
        """The open."""
        return self.calendar.open_at(self.session)

    def apply_all(self, actions: Iterable[Action]) -> list[LedgerEvent]:
        """Apply the actions in order, then pay what is due, and return what happened."""
        posted: list[LedgerEvent] = []
        actions = list(actions)
        for action in actions:  # what comes in the morning comes in the currency of that day
            if action.kind == "redenomination":
                posted += self.apply(action, self.book.positions.get(action.ticker))
        others = [action for action in actions if action.kind != "redenomination"]
        ordered = order_by_company(others, self.book.positions)
        swapped, begun = find_swapped(ordered), set[date]()
        leaving: dict[tuple[date, str], Position | None] = {}
        for action in ordered:
            place = action.ex_date, action.ticker
            if action.kind == "rename" and place in swapped:
                if action.ex_date not in begun:  # all leave with what they have now
                    leaving |= {one: self._copy(one[1]) for one in swapped if one[0] == action.ex_date}
                    begun.add(action.ex_date)
                self._at_once = True
                posted += self.apply(action, leaving.pop(place, None))
                self._at_once = False
            else:
                posted += self.apply(action, self.book.positions.get(action.ticker))
        return posted + self.pay_due_claims()

    def _copy(self, ticker: str) -> Position | None:
        held = self.book.positions.get(ticker)
        return replace(held) if held else None

    def apply(self, action: Action, position: Position | None) -> Iterator[LedgerEvent]:
        """Post an action's events one after the other, so that each sees what the one before left.

        One of a foreign name whose currency has no rate yet waits until there is one.

        Args:
            action: what happens.
            position: what is held of its ticker; None for nothing.
        """
        concerned = (action.ticker, action.successor or action.ticker)
        if position is None or any(self.rates.at(name, self.session) is None for name in concerned):
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

    def _exchange(self, ticker: str) -> Exchange:
        """How amounts of a name are converted this morning."""
        return self.rates.at(ticker, self.session) or OWN

    def _effect(self, action: Action, position: Position) -> Iterator[LedgerEvent]:
        if action.kind == "redenomination":
            return self._redenominate(action, position)
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

    def _redenominate(self, action: Action, position: Position) -> Iterator[LedgerEvent]:
        """What it cost in the old currency becomes a cost in the new one; what it cost the book stays."""
        change, ticker = self.rates.changes[action.ticker][action.sequence], action.ticker
        old, new = (self.rates.of_currency(one, self.session) or OWN for one in (change.before, change.after))
        quoted = position.cost if old.currency is None else position.local_cost
        legs = (old.local(-position.local_cost), new.local(round(quoted * old.rate / new.rate)))
        yield self._event("redenomination", action, *(Leg("positions", 0, ticker, local=one) for one in legs if one))

    def _split(self, action: Action, position: Position) -> Iterator[LedgerEvent]:
        """Whole shares stay; the fraction is paid out at the open, its share of the cost with it."""
        new, old = action.ratio
        held = position.shares
        whole, remainder = divide_whole(held * new, old)
        yield self._event("split", action, Leg("positions", 0, action.ticker, whole - held))
        if remainder:
            price = self._price_in_lieu(action, held, self._quoted_cost(action.ticker, position))
            paid = half_even(remainder * price, old * MICROS_PER_CENT)
            # The fraction's share of the cost, over all shares there would be if fractions could be kept.
            part = Fraction(remainder, held * new) if whole else Fraction(1)
            yield self._event("cash_in_lieu", action, *self._dispose(action.ticker, paid, position, 0, part))

    def _quoted_cost(self, ticker: str, position: Position) -> int:
        """What a position cost in what its name is quoted in."""
        return position.cost if self._exchange(ticker).currency is None else position.local_cost

    def _dispose(self, ticker: str, paid: int, position: Position, shares: int, part: Fraction) -> tuple[Leg, ...]:
        """Shares leave for what is paid, hundredths of what the name is quoted in, and a part of the cost with them."""
        exchange = self._exchange(ticker)
        cost, local_cost = round(position.cost * part), round(position.local_cost * part)
        return dispose(ticker, exchange, (exchange.to_book(paid), paid), (cost, local_cost), shares)

    def _price_in_lieu(self, action: Action, held: int, cost: int) -> int:
        """Per share just after this split: the open undoes those that follow on the same day."""
        new, old = action.ratio
        price = self._price(action.ticker)
        if price is None:  # never traded: its cost per share is all that is known
            return half_even(abs(cost) * MICROS_PER_CENT * old, abs(held) * new)
        for other in self._of_ticker[action.ticker]:
            same_day = self.calendar.at_or_after(other.ex_date) == self.session
            if same_day and (other.ex_date, other.sequence) > (action.ex_date, action.sequence):
                price = price * other.ratio[0] / other.ratio[1]
        return half_even(price.numerator, price.denominator)

    def _price(self, ticker: str) -> Fraction | None:
        first = self.calendar.offset(self.session, -WINDOW)
        return self.quotes.open_or_last(ticker, self.session, first, self._of_ticker[ticker], self.rates)

    def _dividend(self, action: Action, position: Position) -> Iterator[LedgerEvent]:
        """Whoever held at the close before the ex-date has a claim, also if sold since."""
        quoted = half_even(position.shares * to_micros(action.amount or 0.0), MICROS_PER_CENT)
        ticker, exchange = action.ticker, self._exchange(action.ticker)
        amount, local = exchange.to_book(quoted), exchange.local
        if not amount:
            return
        claim = Leg("receivable", amount, ticker, due=action.pay_date or self.session, local=local(quoted))
        if action.nature == "return_of_capital":
            returned, quoted_returned = smaller(amount, position.cost), smaller(quoted, position.local_cost)
            legs = [claim, Leg("positions", -returned, ticker, local=local(-quoted_returned))]
            legs.append(Leg("realised", returned - amount, ticker, local=local(quoted_returned - quoted)))
            yield self._event("return_of_capital", action, *(leg for leg in legs if not leg.is_empty))
        elif action.nature in ("rights", "spin_off"):  # sold at their value, and they cost nothing
            yield self._event("rights", action, claim, Leg("realised", -amount, ticker, local=local(-quoted)))
        else:
            yield self._event("dividend", action, claim, Leg("dividends", -amount, ticker, local=local(-quoted)))

    def _spin_off(self, action: Action, position: Position) -> Iterator[LedgerEvent]:
        """Shares of the other company come with their part of the cost; a fraction of one is paid out."""
        share = to_micros(action.cost_share or 0.0)
        moved, local = (half_even(each * share, MILLION) for each in (position.cost, position.local_cost))
        leaves = Leg("positions", -moved, action.ticker, local=self._exchange(action.ticker).local(-local))
        yield from self._hand_on("spin_off", action, position.shares, (moved, local), leaves)

    def _merger(self, action: Action, position: Position) -> Iterator[LedgerEvent]:
        """The part paid in cash takes its part of the cost along; the new shares take the rest."""
        total, cash = to_micros(action.amount or 0.0), to_micros(action.cash or 0.0)
        held, cost = position.shares, (position.cost, position.local_cost)
        sold = [half_even(each * min(cash, total), total) if total else 0 for each in cost]
        exchange = self._exchange(action.ticker)
        quoted = half_even(held * cash, MICROS_PER_CENT)
        proceeds = exchange.to_book(quoted), quoted
        legs = [Leg("positions", -cost[0], action.ticker, -held, local=exchange.local(-cost[1]))]
        if cash:
            paid = dispose(action.ticker, exchange, proceeds, (sold[0], sold[1]), 0)
            legs += [leg for leg in paid if leg.account != "positions"]
        yield from self._hand_on("merger", action, held, (cost[0] - sold[0], cost[1] - sold[1]), *legs)

    def _hand_on(
        self, kind: str, action: Action, held: int, cost: tuple[int, int], *legs: Leg
    ) -> Iterator[LedgerEvent]:
        """Post the shares of the other company beside what leaves, then pay out the fraction.

        Args:
            kind: spin_off or merger.
            action: what gives shares of another company.
            held: shares of the company that gives them.
            cost: what goes along, in the book's cents and in hundredths of what the name is quoted in.
            legs: what leaves.
        """
        assert action.conversion is not None
        other, new, old = action.conversion
        whole, remainder = divide_whole(held * new, old)
        came = Position(whole, cost[0], self.session, self._in_currency_of(other, action.ticker, cost))
        part = Fraction(remainder, held * new) if whole else Fraction(1)
        yield self._event(kind, action, *legs, *self._arrivals(other, came, part if remainder else Fraction(0)))
        if remainder:
            price = self._price(other)
            each = self._value_of_arrival(action, came, Fraction(held * new, old)) if price is None else price
            paid = round(Fraction(remainder, old) * each / MICROS_PER_CENT)
            yield self._event("cash_in_lieu", action, *self._dispose(other, paid, came, 0, part))

    def _value_of_arrival(self, action: Action, came: Position, shares: Fraction) -> Fraction:
        """What a share not traded yet is worth, in millionths: its part of the stated value, else of the cost."""
        value = to_micros(action.amount or 0.0) - to_micros(action.cash or 0.0)
        if value > 0 and action.conversion is not None:
            other, new, old = action.conversion
            return Fraction(value * old, new) * self.rates.cross(action.ticker, other, self.session)
        return self._quoted_cost(action.successor or action.ticker, came) * MICROS_PER_CENT / shares

    def _in_currency_of(self, other: str, ticker: str, cost: tuple[int, int]) -> int:
        """What a cost that goes along is in the currency of the other name, 0 for the book's own."""
        given, taking = self._exchange(ticker), self._exchange(other)
        if taking.currency == given.currency or taking.currency is None:
            return cost[1] if taking.currency else 0
        quoted = cost[0] if given.currency is None else cost[1]
        return round(quoted * given.rate / taking.rate)

    def _arrivals(self, other: str, came: Position, fraction: Fraction) -> tuple[Leg, ...]:
        """What comes, and what it closes where the other name lies on the other side.

        Args:
            other: the name that comes.
            came: its whole shares, with the cost of the fraction.
            fraction: share of that cost which leaves again with the fraction of a share.
        """
        exchange, there = self._exchange(other), self.book.positions.get(other)
        if self._at_once or there is None or there.shares * came.shares >= 0:
            fraction, there = Fraction(0), None  # nothing is closed: all of it comes in one leg
        apart = round(came.cost * fraction), round(came.local_cost * fraction)
        cost = came.cost - apart[0], came.local_cost - apart[1]
        first, *rest = join_position(other, exchange, there, came.shares, cost)
        if apart != (0, 0):
            quoted = (first.local.amount if first.local else 0) + apart[1]
            first = first._replace(amount=first.amount + apart[0], local=exchange.local(quoted))
        return first, *rest

    def _end(self, action: Action, position: Position) -> Iterator[LedgerEvent]:
        """A delisting or a write-off, at its value per share."""
        paid = half_even(position.shares * to_micros(action.amount or 0.0), MICROS_PER_CENT)
        legs = self._dispose(action.ticker, paid, position, position.shares, Fraction(1))
        yield self._event(action.kind, action, *legs)

    def _rename(self, action: Action, position: Position) -> Iterator[LedgerEvent]:
        if action.successor:
            local = self._exchange(action.ticker).local(-position.local_cost)
            gone = Leg("positions", -position.cost, action.ticker, -position.shares, local=local)
            cost = position.cost, position.local_cost
            quoted = self._in_currency_of(action.successor, action.ticker, cost)
            came = Position(position.shares, position.cost, self.session, quoted)
            yield self._event("rename", action, gone, *self._arrivals(action.successor, came, Fraction(0)))

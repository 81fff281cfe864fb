"""What the book has to hold by fills and facts as known today, worked out without the ledger.

Nothing here is shared with what posts the ledger or adds it up: the rules are stated again, in exact fractions.
"""

from __future__ import annotations

from collections import defaultdict
from collections.abc import Iterable, Mapping
from dataclasses import dataclass, field
from datetime import date
from fractions import Fraction
from typing import Any, NamedTuple

import polars as pl

from pipeline.market.sessions import Sessions
from pipeline.trading.reconciling.days import (
    ACTION_COLUMNS,
    DayOfBooks,
    FillOfDay,
    add_changes,
    gather_days,
    put_in_turn,
)
from pipeline.trading.reconciling.exact_numbers import divide_evenly, read_exactly, to_a_millionth, up_to
from pipeline.trading.reconciling.known_bars import find_concerned, read_bars
from pipeline.trading.reconciling.known_charges import Charge
from pipeline.trading.reconciling.known_rates import KnownRates, Redenomination
from pipeline.trading.reconciling.postings import NOTHING, Claim, Posting, Sum

CENTS_PER_UNIT = 100
LAST_CLOSE_WITHIN = 10
"""Sessions before an ex-date in which a close may stand in for a missing open."""


class _Event(NamedTuple):
    reference: str
    session: date


@dataclass
class Reconciliation:
    """The accounts by fills and facts: what is held at cost, cash, what is owed, and every event's part of them."""

    calendar: Sessions
    opens: Mapping[tuple[str, date], Fraction]
    closes: Mapping[str, list[tuple[date, Fraction]]]
    splits_of: Mapping[str, list[dict[str, Any]]]
    rates: KnownRates = field(default_factory=KnownRates)
    shares: dict[str, int] = field(default_factory=lambda: defaultdict(int))
    cost: dict[str, Sum] = field(default_factory=lambda: defaultdict(lambda: NOTHING))
    claims: list[Claim] = field(default_factory=list)
    postings: list[Posting] = field(default_factory=list)
    begun: dict[str, int] = field(default_factory=lambda: defaultdict(int))
    """Cents on cash and receivable before the first posting."""
    remarks: list[tuple[str, str]] = field(default_factory=list)
    """Fills that do not agree with the rates: the trade, and what is wrong with it."""

    @property
    def cash(self) -> int:
        """Cents."""
        return self._total("cash")

    @property
    def receivable(self) -> int:
        """Cents."""
        return self._total("receivable")

    def _total(self, account: str) -> int:
        return self.begun[account] + sum(one.cents for one in self.postings if one.account == account)

    def _add(
        self, event: _Event, account: str, ticker: str | None, what: Sum, shares: int = 0, due: date | None = None
    ) -> None:
        currency = self.rates.currency_at(ticker, event.session)
        quoted = what.quoted if currency else 0
        if what.cents or shares or quoted:
            moved = (account, ticker, what.cents, shares, due, currency, quoted)
            self.postings.append(Posting(event.reference, event.session, *moved))

    def _add_own(
        self, event: _Event, account: str, ticker: str, cents: int, shares: int = 0, due: date | None = None
    ) -> None:
        """What is of no other currency: commission, a claim once it is paid, the shares of a split."""
        if cents or shares:
            self.postings.append(Posting(event.reference, event.session, account, ticker, cents, shares, due))

    def _exchange(self, ticker: str, session: date, quoted: int, rate: Fraction | None = None) -> Sum:
        """An amount as quoted with what it is in the book's cents: converted once, at the rate of the session."""
        rate = rate or self.rates.find(ticker, session)
        return Sum(round(quoted * (rate or 1)), quoted)

    def go_through(self, days: Mapping[date, DayOfBooks]) -> None:
        """Follow what happened, session by session: what came in the morning, what was paid, then the fills."""
        for day in sorted(days):
            on_day = days[day]
            for ticker, number, change in on_day.changes:
                if self.shares.get(ticker):
                    self.redenominate(day, ticker, number, change)
            for turn in put_in_turn(on_day.actions, self.shares):
                held = [dict(zip(ACTION_COLUMNS, one, strict=True)) for one in turn if self.shares.get(one[0])]
                if len(turn) > 1:
                    self.swap(day, held)
                elif held:
                    self.act(day, held[0])
            self.pay(day)
            for trade in on_day.fills:
                self.fill(trade)

    def fund(self, session: date, cents: int) -> None:
        """The capital paid in."""
        event = _Event(f"{session}:fund", session)
        self._add(event, "cash", None, Sum(cents, 0))
        self._add(event, "capital", None, Sum(-cents, 0))

    def fill(self, trade: FillOfDay) -> None:
        """A buy, or a sale of what was there or of what was borrowed; the commission was paid either way."""
        event, ticker = _Event(trade.trade_id, trade.session), trade.ticker
        rate, gross = None, Sum(trade.gross, trade.gross)
        if trade.currency and trade.rate is not None and trade.local_gross is not None:
            rate = Fraction(trade.rate)
            gross = self._exchange(ticker, trade.session, trade.local_gross, rate)
            self._recheck(trade, gross.cents)
        self._trade(event, trade, gross, rate)
        self._add_own(event, "commission", ticker, trade.commission)
        self._add_own(event, "cash", ticker, -trade.commission)

    def _trade(self, event: _Event, trade: FillOfDay, gross: Sum, rate: Fraction | None) -> None:
        """First what is there on the other side is closed; a buy or a short sale opens with the rest."""
        ticker, direction = trade.ticker, 1 if trade.side == "buy" else -1
        there = max(-direction * self.shares[ticker], 0)
        closes = min(there, trade.shares)
        opens = trade.shares - closes if (trade.side == "sell") == (trade.position == "short") else 0
        if closes:
            part = Sum(*(divide_evenly(one * closes, trade.shares) for one in gross))
            self._sell(event, ticker, -direction * closes, part if direction < 0 else NOTHING.less(part), rate)
            gross = gross.less(part)
        if opens:
            come = gross if direction > 0 else NOTHING.less(gross)
            self._move(event, ticker, direction * opens, come)
            self._add(event, "cash", ticker, NOTHING.less(come))

    def _recheck(self, trade: FillOfDay, gross: int) -> None:
        """A fill stands at its rate, also where that was corrected since; but a source must have stated it."""
        assert trade.rate is not None and trade.currency is not None
        if gross != trade.gross:
            self.remarks.append(
                (trade.trade_id, f"its gross is not local_gross at its rate of {trade.rate.normalize()}")
            )
        if not self.rates.was_stated(trade.currency, trade.rate, trade.session, trade.rate_session):
            what = f"no source stated its rate of {trade.rate.normalize()} for {trade.rate_session}"
            self.remarks.append((trade.trade_id, what))

    def charge(self, charges: Iterable[Charge]) -> None:
        """What the nights cost or brought, as it was charged."""
        for one in charges:
            event, ticker = _Event(one.reference, one.session), one.item if one.kind == "borrow" else None
            for account, cents in (("cash", one.amount), (one.kind, -one.amount)):
                self.postings.append(Posting(*event, account, ticker, cents, 0, None))

    def act(self, session: date, action: Mapping[str, Any]) -> None:
        """A corporate action or a write-off, for whoever holds the name at the close before.

        It waits for the rates that it needs.
        """
        ticker = action["ticker"]
        event = _Event(reference_of(action), session)
        if not self._has_rates(action, session):
            return
        if action["kind"] == "split":
            self._split(event, action)
        elif action["kind"] == "rename":
            if action["successor"]:
                self._hand_on(event, action, (1, 1), self.cost[ticker], leaves=True)
        elif action["nature"] in ("merger", "spin_off") and action["successor"] and action["numerator"]:
            self._convert(event, action)
        elif action["kind"] == "dividend":
            self._distribute(event, action)
        else:
            self._end(event, ticker, read_exactly(action["amount"]))

    def redenominate(self, session: date, ticker: str, number: int, change: Redenomination) -> None:
        """The cost is told in another currency from now on, at what the old one is worth in it; the book's stays."""
        reference = f"{ticker}:{change.booked}:redenomination:{number}"
        was = self.cost[ticker].quoted if change.old else self.cost[ticker].cents
        worth = [self.rates.worth(currency, session) or Fraction(1) for currency in (change.old, change.new)]
        now = round(was * worth[0] / worth[1]) if change.new else 0
        for currency, quoted in ((change.old, -was), (change.new, now)):
            if currency and quoted:
                self.postings.append(Posting(reference, session, "positions", ticker, 0, 0, None, currency, quoted))
        self.cost[ticker] = Sum(self.cost[ticker].cents, now)

    def swap(self, session: date, renames: Iterable[Mapping[str, Any]]) -> None:
        """Companies that take each other's tickers: all leave with what they have, then all arrive."""
        known = {one["ticker"]: one for one in renames if self._has_rates(one, session)}
        left = [(one, self.shares[ticker], self.cost[ticker]) for ticker, one in known.items()]
        for one, shares, cost in left:
            self._move(_Event(reference_of(one), session), one["ticker"], -shares, NOTHING.less(cost))
        for one, shares, cost in left:
            came = self._in_currency_of(one["successor"], one["ticker"], cost, session)
            self._move(_Event(reference_of(one), session), one["successor"], shares, came)

    def _has_rates(self, action: Mapping[str, Any], session: date) -> bool:
        return all(self.rates.find(one, session) is not None for one in (action["ticker"], action["successor"]))

    def _end(self, event: _Event, ticker: str, amount: Fraction) -> None:
        held = self.shares[ticker]
        paid = round(held * amount * CENTS_PER_UNIT)
        self._sell(event, ticker, held, self._exchange(ticker, event.session, paid))

    def pay(self, session: date) -> None:
        """What is due by the session."""
        for claim in [claim for claim in self.claims if claim.due <= session]:
            self.claims.remove(claim)
            event = _Event(claim.reference, session)
            self._add_own(event, "receivable", claim.ticker, -claim.cents, due=claim.due)
            self._add_own(event, "cash", claim.ticker, claim.cents)

    def _split(self, event: _Event, action: Mapping[str, Any]) -> None:
        ticker = action["ticker"]
        before, cost = self.shares[ticker], self.cost[ticker]
        exact = Fraction(before * action["numerator"], action["denominator"])
        self.shares[ticker] = int(exact)
        self._add_own(event, "positions", ticker, 0, int(exact) - before)
        if fraction := exact - int(exact):
            price = self._open(ticker, event.session)
            if price is None:
                price = Fraction(self._as_quoted(ticker, cost, event.session), CENTS_PER_UNIT) / exact
            else:
                price *= self._later_that_day(action, event.session)
            self._pay_fraction(event, ticker, fraction * to_a_millionth(price), cost, fraction / exact, int(exact))

    def _pay_fraction(
        self, event: _Event, ticker: str, value: Fraction, cost: Sum, share: Fraction, whole: int
    ) -> None:
        """What is left of a share is paid out, with its share of the cost; all of that where no whole one stays."""
        paid = self._exchange(ticker, event.session, round(value * CENTS_PER_UNIT))
        self._take_out(event, ticker, cost.part(share) if whole else cost, paid)

    def _as_quoted(self, ticker: str, what: Sum, session: date) -> int:
        return what.quoted if self._is_foreign(ticker, session) else what.cents

    def _later_that_day(self, action: Mapping[str, Any], session: date) -> Fraction:
        """New shares for old ones by the splits that follow on the same session: its open is on their basis."""
        ratio = Fraction(1)
        for other in self.splits_of.get(action["ticker"], []):
            later = (other["ex_date"], other["sequence"]) > (action["ex_date"], action["sequence"])
            if later and self.calendar.at_or_after(other["ex_date"]) == session:
                ratio *= Fraction(other["numerator"], other["denominator"])
        return ratio

    def _convert(self, event: _Event, action: Mapping[str, Any]) -> None:
        """A merger into, or a spin-off of, shares of another company."""
        ticker, cost = action["ticker"], self.cost[action["ticker"]]
        ratio = action["numerator"], action["denominator"]
        if action["nature"] == "spin_off":
            part = cost.part(read_exactly(action["cost_share"]))
            self._move(event, ticker, 0, NOTHING.less(part))
            self._hand_on(event, action, ratio, part, leaves=False)
            return
        total, cash = read_exactly(action["amount"]), read_exactly(action["cash"])
        sold = cost.part(min(cash, total) / total) if total and cash else NOTHING
        if cash:
            paid = round(self.shares[ticker] * cash * CENTS_PER_UNIT)
            self._take_out(event, ticker, sold, self._exchange(ticker, event.session, paid))
        self._hand_on(event, action, ratio, cost.less(sold), leaves=True)

    def _hand_on(
        self, event: _Event, action: Mapping[str, Any], ratio: tuple[int, int], cost: Sum, *, leaves: bool
    ) -> None:
        ticker, other = action["ticker"], action["successor"]
        exact = Fraction(self.shares[ticker] * ratio[0], ratio[1])
        if leaves:
            self._move(event, ticker, -self.shares[ticker], NOTHING.less(self.cost[ticker]))
        cross = self._cross(ticker, other, event.session)
        came = self._in_currency_of(other, ticker, cost, event.session)
        fraction, whole = exact - int(exact), int(exact)
        self._meet(event, other, whole, came, (fraction / exact if whole else Fraction(1)) if fraction else Fraction(0))
        if fraction:
            price = self._open(other, event.session)
            if price is None:
                value = read_exactly(action["amount"]) - read_exactly(action["cash"])
                stated = value * cross * ratio[1] / ratio[0]
                price = (
                    stated
                    if value > 0
                    else Fraction(self._as_quoted(other, came, event.session), CENTS_PER_UNIT) / exact
                )
            self._pay_fraction(event, other, fraction * price, came, fraction / exact, whole)

    def _meet(self, event: _Event, other: str, whole: int, came: Sum, of_fraction: Fraction) -> None:
        """Shares of another company come; where that one lies on the other side, they close it at what they cost."""
        there = self.shares[other]
        if there * whole >= 0:
            self._move(event, other, whole, came)
            return
        apart = came.part(of_fraction)
        keep = came.less(apart)
        closed = min(abs(there), abs(whole))
        own = Sum(*(divide_evenly(one * closed, abs(there)) for one in self.cost[other]))
        theirs = Sum(*(divide_evenly(one * closed, abs(whole)) for one in keep))
        self._move(event, other, whole, came.less(theirs))
        self._take_out(event, other, own, NOTHING.less(theirs), pays=False)

    def _in_currency_of(self, other: str, ticker: str, cost: Sum, session: date) -> Sum:
        """A cost that goes along from one name to another, in what that one is quoted in."""
        if self.rates.currency_at(ticker, session) == self.rates.currency_at(other, session):
            return cost
        return Sum(cost.cents, round(self._as_quoted(ticker, cost, session) * self._cross(ticker, other, session)))

    def _cross(self, ticker: str, other: str, session: date) -> Fraction:
        """What one unit of a name's currency is in the other's."""
        if self.rates.currency_at(ticker, session) == self.rates.currency_at(other, session):
            return Fraction(1)
        return (self.rates.find(ticker, session) or Fraction(1)) / (self.rates.find(other, session) or Fraction(1))

    def _distribute(self, event: _Event, action: Mapping[str, Any]) -> None:
        ticker = action["ticker"]
        quoted = round(self.shares[ticker] * read_exactly(action["amount"]) * CENTS_PER_UNIT)
        due = action["pay_date"] or event.session
        given, cost = self._exchange(ticker, event.session, quoted), self.cost[ticker]
        if not given.cents:
            return
        returned = NOTHING
        if action["nature"] == "return_of_capital":
            returned = Sum(up_to(given.cents, cost.cents), up_to(given.quoted, cost.quoted))
        income = "realised" if action["nature"] in ("return_of_capital", "rights", "spin_off") else "dividends"
        self._move(event, ticker, 0, NOTHING.less(returned))
        self._add(event, income, ticker, returned.less(given))
        self._add(event, "receivable", ticker, given, due=due)
        self.claims.append(Claim(due, event.reference, ticker, given.cents))

    def _sell(self, event: _Event, ticker: str, shares: int, got: Sum, rate: Fraction | None = None) -> None:
        """Shares leave at their part of the cost; of a short position all of it is below 0."""
        cost = Sum(*(divide_evenly(one * abs(shares), abs(self.shares[ticker])) for one in self.cost[ticker]))
        self._move(event, ticker, -shares, NOTHING)
        self._take_out(event, ticker, cost, got, rate)

    def _take_out(
        self, event: _Event, ticker: str, cost: Sum, got: Sum, rate: Fraction | None = None, *, pays: bool = True
    ) -> None:
        """Cost leaves for what is got; of a foreign name what the rate added to the cost is no gain of the share."""
        worth = (
            self._exchange(ticker, event.session, cost.quoted, rate).cents
            if self._is_foreign(ticker, event.session)
            else cost.cents
        )
        self._move(event, ticker, 0, NOTHING.less(cost))
        if pays:
            self._add(event, "cash", ticker, got)
        self._add(event, "realised", ticker, Sum(worth - got.cents, cost.quoted - got.quoted))
        self._add(event, "exchange", ticker, Sum(cost.cents - worth, 0))

    def _is_foreign(self, ticker: str, session: date) -> bool:
        return self.rates.currency_at(ticker, session) is not None

    def _move(self, event: _Event, ticker: str, shares: int, cost: Sum) -> None:
        self.shares[ticker] += shares
        self.cost[ticker] = self.cost[ticker].less(NOTHING.less(cost))
        self._add(event, "positions", ticker, cost, shares)

    def _open(self, ticker: str, session: date) -> Fraction | None:
        """The session's open, else the last close a few sessions before, over the splits since."""
        if (ticker, session) in self.opens:
            return self.opens[ticker, session]
        first = self.calendar.offset(session, -LAST_CLOSE_WITHIN)
        before = [bar for bar in self.closes.get(ticker, []) if first <= bar[0] < session]
        return self.restate(ticker, *before[-1], session) if before else None

    def restate(self, ticker: str, when: date, price: Fraction, upto: date) -> Fraction:
        """A price over the splits after its day, to a millionth."""
        for split in self.splits_of.get(ticker, []):
            if when < split["ex_date"] <= upto:
                price *= Fraction(split["denominator"], split["numerator"])
        return to_a_millionth(price * self.rates.requote(ticker, when, upto))

    def value_positions(self, session: date, stated: Mapping[str, Fraction]) -> int:
        """Cents that positions are worth at the last closes, else as stated; at cost without a price or a rate."""
        total = 0
        for ticker, shares in self.shares.items():
            before = [bar for bar in self.closes.get(ticker, []) if bar[0] <= session]
            if ticker in stated and not (before and before[-1][0] == session):
                price = stated[ticker]
            elif before:
                price = self.restate(ticker, *before[-1], session)
            else:
                cost = self._as_quoted(ticker, self.cost[ticker], session)
                price = Fraction(cost, CENTS_PER_UNIT * shares) if shares else Fraction(0)
            worth = self._exchange(ticker, session, round(shares * to_a_millionth(price) * CENTS_PER_UNIT))
            total += (self.cost[ticker] if self.rates.find(ticker, session) is None else worth).cents
        return total


def reference_of(action: Mapping[str, Any]) -> str:
    """How the ledger names a corporate action."""
    return f"{action['ticker']}:{action['ex_date']}:{action['kind']}:{action['sequence']}"


def reconcile(
    executed_trades: pl.DataFrame,
    corporate_actions: pl.DataFrame,
    market_prices: pl.DataFrame,
    funded: tuple[date, int],
    session: date,
    calendar: Sessions,
    position_ends: pl.DataFrame | None = None,
    rates: KnownRates | None = None,
) -> Reconciliation:
    """Work out the accounts after a session from the fills and what is known of the actions.

    Args:
        executed_trades: all fills up to the session.
        corporate_actions: all that is known, last revisions.
        market_prices: daily bars around the sessions whose actions left fractions.
        funded: the session at which capital was paid in, and cents.
        session: the last session that counts.
        calendar: the sessions.
        position_ends: every statement about names that were written off, and what was heard of them since.
        rates: how foreign names are converted; None if there are none.
    """
    fills = executed_trades.filter(pl.col("shares") > 0, pl.col("session") <= session)
    names = find_concerned(set(fills["ticker"].to_list()), corporate_actions)
    begun = min(fills["session"].to_list(), default=session)
    actions = corporate_actions.filter(
        pl.col("ticker").is_in(sorted(names)), pl.col("ex_date") <= session, pl.col("ex_date") > begun
    )
    splits_of: dict[str, list[dict[str, Any]]] = defaultdict(list)
    for split in actions.filter(pl.col("kind") == "split").iter_rows(named=True):
        splits_of[split["ticker"]].append(split)
    found = Reconciliation(calendar, *read_bars(market_prices, names), splits_of, rates or KnownRates())
    found.fund(*funded)
    days = gather_days(actions, position_ends, fills, session, calendar)
    add_changes(days, found.rates, session, calendar)
    found.go_through(days)
    return found


def read_closes(portfolio_holdings: pl.DataFrame, session: date) -> dict[str, Fraction]:
    """The close that the holdings state for each name, as quoted: taken for those that did not trade that day."""
    rows = portfolio_holdings.filter(pl.col("session") == session).select("ticker", "close").iter_rows()
    return {ticker: Fraction(close) for ticker, close in rows}

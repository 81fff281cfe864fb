"""An accountant who knows everything from the start: fractions and a shoe box, nothing of the program but sessions."""

from __future__ import annotations

from collections import defaultdict
from collections.abc import Callable, Iterable, Mapping
from dataclasses import dataclass, field
from datetime import date, datetime, timedelta
from decimal import Decimal
from fractions import Fraction
from typing import Any

from pipeline.market.sessions import Sessions

TURN = {"split": 0, "dividend": 1, "delisting": 2, "rename": 3, "write_off": 4}
LEAVING = ("rename", "delisting", "write_off")
SIDES = [("sell", False), ("sell", True), ("buy", True), ("buy", False)]
"""In which order a day's fills are booked; the second says whether the shares are borrowed."""
Rows = Iterable[Mapping[str, Any]]


def fraction(number: float | Decimal | None) -> Fraction:
    """The decimal number that is written, to a millionth."""
    return Fraction(round(Fraction(str(number or 0)) * 1_000_000), 1_000_000)


def borrowed(trade: Mapping[str, Any]) -> bool:
    """Whether a fill sells borrowed shares, or buys them back."""
    return bool(trade["position"] == "short")


@dataclass
class Accountant:
    """Goes through a history day by day; amounts are cents."""

    days: tuple[date, ...]
    bars: dict[tuple[str, date], Mapping[str, Any]]
    facts: list[Mapping[str, Any]]
    cash: int
    shares: dict[str, int] = field(default_factory=lambda: defaultdict(int))
    cost: dict[str, int] = field(default_factory=lambda: defaultdict(int))
    realised: int = 0
    dividends: int = 0
    commission: int = 0
    owed: list[tuple[date, int]] = field(default_factory=list)
    mark_down: tuple[int, float] = (0, 0.0)
    """Sessions without a bar after which a close counts for less, 0 for never, and the fraction that it loses."""
    quoted: dict[str, str] = field(default_factory=dict)
    """The names that are quoted in another currency than the book's, and in which."""
    rates: dict[str, dict[date, Fraction]] = field(default_factory=dict)
    """Of each such currency what a unit of it was worth on each day, as known in the end."""
    local: dict[str, int] = field(default_factory=lambda: defaultdict(int))
    """What is held of them cost in hundredths of their own currency."""
    by_rates: int = 0
    """What exchange rates brought on what was given away."""
    moved: dict[str, tuple[date, str | None]] = field(default_factory=dict)
    """The names whose listing changed its currency: since when, and what it was before, None for our own."""

    def currency(self, name: str, day: date) -> str | None:
        """What a name is quoted in on a day; None for our own."""
        since, before = self.moved.get(name, (date.min, None))
        return before if day < since else self.quoted.get(name)

    def in_currency(self, currency: str | None, day: date) -> Fraction | None:
        """What a currency is worth on the morning of a day: the last noted before; 1 for our own."""
        days = self.rates.get(currency, {}) if currency else {date.min: Fraction(1)}
        return days[max(when for when in days if when < day)] if any(when < day for when in days) else None

    def changed_on(self, name: str) -> date | None:
        """When what is held of a name goes over to its new currency: as soon as both have been worth something."""
        if name not in self.moved:
            return None
        since, before = self.moved[name]
        both = [self.rates.get(one, {}) for one in (before, self.quoted.get(name)) if one]
        return max([since, *(min(days) + timedelta(days=1) for days in both)]) if all(both) else None

    def go_over(self, name: str, day: date) -> Fraction:
        """What an amount in the old currency of a name is multiplied by."""
        there, here = (self.in_currency(one, day) for one in (self.moved[name][1], self.quoted.get(name)))
        return (there or Fraction(1)) / (here or Fraction(1))

    def requoted(self, name: str, when: date, day: date) -> Fraction:
        """The same of a price of one day that is wanted for another."""
        over = self.changed_on(name)
        return self.go_over(name, over) if over and when < self.moved[name][0] <= day else Fraction(1)

    def rate(self, name: str, day: date) -> Fraction | None:
        """What the currency of a name is worth on the morning of a day: the last noted before; 1 for our own."""
        return self.in_currency(self.currency(name, day), day)

    def worth_here(self, name: str, day: date, cents: int, rate: Fraction | None = None) -> int:
        """Hundredths of a name's currency in our cents."""
        return round(cents * (rate or self.rate(name, day) or 0))

    def live(self, trades: Rows, last: date) -> Accountant:
        """Go through every day up to the last."""
        by_day: dict[date, list[Mapping[str, Any]]] = defaultdict(list)
        for trade in trades:
            by_day[trade["session"]].append(trade)
        for number, day in enumerate(self.days):
            if day > last:
                break
            before = self.days[number - 1] if number else day - timedelta(days=1)
            for name in sorted(self.moved):
                over = self.changed_on(name)
                if self.shares[name] and over and before < over <= day:
                    was = self.local[name] if self.moved[name][1] else self.cost[name]
                    self.local[name] = round(was * self.go_over(name, day)) if name in self.quoted else 0
            self.morning(day, [f for f in self.facts if before < f["ex_date"] <= day])
            for trade in sorted(by_day[day], key=lambda t: (SIDES.index((t["side"], borrowed(t))), t["trade_id"])):
                self.trade(trade)
        return self

    def morning(self, day: date, facts: list[Mapping[str, Any]]) -> None:
        """What happened to the names, then what is paid."""
        facts = sorted(facts, key=lambda f: (f["ex_date"], TURN[f["kind"]], f["ticker"], f["sequence"]))
        held = {name for name, shares in self.shares.items() if shares}
        for when in sorted({fact["ex_date"] for fact in facts}):
            for fact in in_turn([fact for fact in facts if fact["ex_date"] == when], held):
                names = (fact["ticker"], fact["successor"] or fact["ticker"])
                if self.shares.get(fact["ticker"]) and None not in [self.rate(name, day) for name in names]:
                    self.happen(day, fact, facts)
        self.cash += sum(cents for due, cents in self.owed if due <= day)
        self.owed = [(due, cents) for due, cents in self.owed if due > day]

    def happen(self, day: date, fact: Mapping[str, Any], today: list[Mapping[str, Any]]) -> None:
        """One corporate action for a holder."""
        name, kind, nature, other = fact["ticker"], fact["kind"], fact["nature"], fact["successor"]
        held, cost, local = self.shares[name], self.cost[name], self.local[name]
        if kind == "split":
            later = Fraction(1)
            for one in today:
                follows = (one["ex_date"], one["sequence"]) > (fact["ex_date"], fact["sequence"])
                if follows and one["kind"] == "split" and one["ticker"] == name:
                    later *= Fraction(one["numerator"], one["denominator"])
            exact = Fraction(held * fact["numerator"], fact["denominator"])
            price = self.price(name, day)
            paid = local if self.currency(name, day) else cost
            price = fraction_of(price * later) if price is not None else fraction_of(Fraction(paid, 100) / exact)
            self.leave(name)
            self.receive(day, name, exact, (cost, local), price)
        elif kind == "rename":
            self.leave(name)
            self.receive(
                day, other, Fraction(held), (cost, self.local_there(day, name, other, cost, local)), Fraction(0)
            )
        elif kind == "dividend" and nature == "spin_off":
            share = fraction(fact["cost_share"])
            part = round(cost * share), round(local * share)
            self.cost[name] -= part[0]
            self.local[name] -= part[1]
            self.exchange(day, fact, held, part)
        elif kind == "dividend":
            there = round(held * fraction(fact["amount"]) * 100)
            cents = self.worth_here(name, day, there)
            if not cents:
                return
            self.owed.append((fact["pay_date"] or day, cents))
            back = sorted((0, cents, cost))[1] if nature == "return_of_capital" else 0  # who is short gives it back
            self.cost[name] -= back
            self.local[name] -= sorted((0, there, local))[1] if nature == "return_of_capital" else 0
            if nature in ("return_of_capital", "rights"):
                self.realised += cents - back
            else:
                self.dividends += cents
        elif nature == "merger":
            total, cash = fraction(fact["amount"]), fraction(fact["cash"])
            share = min(cash, total) / total if total and cash else Fraction(0)
            sold = round(cost * share), round(local * share)
            self.leave(name)
            self.get_paid(day, name, round(held * cash * 100), sold)
            self.exchange(day, fact, held, (cost - sold[0], local - sold[1]))
        else:
            self.leave(name)
            self.get_paid(day, name, round(held * fraction(fact["amount"]) * 100), (cost, local))

    def leave(self, name: str) -> None:
        """Nothing of it is there any more."""
        self.shares[name] = self.cost[name] = self.local[name] = 0

    def get_paid(
        self,
        day: date,
        name: str,
        there: int,
        cost: tuple[int, int],
        rate: Fraction | None = None,
        here: int | None = None,
    ) -> None:
        """Something is given away: the gain of a foreign one is its own at the rate of now, the rest the rate's."""
        cents = self.worth_here(name, day, there, rate) if here is None else here
        basis = self.worth_here(name, day, cost[1], rate) if self.currency(name, day) else cost[0]
        self.cash += cents
        self.realised += cents - basis
        self.by_rates += basis - cost[0]

    def local_there(self, day: date, name: str, other: str, cost: int, local: int) -> int:
        """What a cost is in the currency of another name; nothing is noted where that is our own."""
        given, taking = self.currency(name, day), self.currency(other, day)
        if taking is None or given == taking:
            return local if taking else 0
        return round((local if given else cost) * self.cross(day, name, other))

    def cross(self, day: date, name: str, other: str) -> Fraction:
        """A unit of one name's currency in another's."""
        if self.currency(name, day) == self.currency(other, day):
            return Fraction(1)
        return (self.rate(name, day) or Fraction(1)) / (self.rate(other, day) or Fraction(1))

    def exchange(self, day: date, fact: Mapping[str, Any], held: int, cost: tuple[int, int]) -> None:
        """Shares of another company come in."""
        name, other = fact["ticker"], fact["successor"]
        exact = Fraction(held * fact["numerator"], fact["denominator"])
        local = self.local_there(day, name, other, *cost)
        price = self.price(other, day)
        if price is None:
            value = (fraction(fact["amount"]) - fraction(fact["cash"])) * self.cross(day, name, other)
            paid = local if self.currency(other, day) else cost[0]
            price = value * held / exact if value > 0 else Fraction(paid, 100) / exact
        self.receive(day, other, exact, (cost[0], local), price)

    def receive(self, day: date, name: str, exact: Fraction, cost: tuple[int, int], price: Fraction) -> None:
        """Whole shares are kept; the rest is sold with its part of what they cost."""
        whole = int(exact)
        rest = exact - whole
        share = (rest / exact if whole else Fraction(1)) if rest else Fraction(0)
        gone = round(cost[0] * share), round(cost[1] * share)
        self.join(day, name, whole, (cost[0] - gone[0], cost[1] - gone[1]))
        if rest:
            self.get_paid(day, name, round(rest * price * 100), gone)

    def join(self, day: date, name: str, shares: int, cost: tuple[int, int], rate: Fraction | None = None) -> None:
        """Shares come, or are owed; with what is there on the other side they are squared, and the gain is made."""
        there, come = self.shares[name], list(cost)
        if there * shares < 0:
            both = min(abs(there), abs(shares))
            out = [round(Fraction(one * both, abs(there))) for one in (self.cost[name], self.local[name])]
            come = [round(Fraction(one * both, abs(shares))) for one in cost]
            basis = self.worth_here(name, day, out[1], rate) if self.currency(name, day) else out[0]
            self.realised -= come[0] + basis
            self.by_rates += basis - out[0]
            self.cost[name] -= out[0]
            self.local[name] -= out[1]
            come = [one - gone for one, gone in zip(cost, come, strict=True)]
        self.shares[name] += shares
        self.cost[name] += come[0]
        self.local[name] += come[1]

    def trade(self, trade: Mapping[str, Any]) -> None:
        """A fill; of a sale only what there was to sell. It stands at the rate at which it was made."""
        name, gross, fee = trade["ticker"], int(trade["gross"] * 100), int(trade["commission"] * 100)
        rate, there = Fraction(1), gross
        foreign = self.currency(name, trade["session"]) is not None
        if foreign:
            rate, there = Fraction(trade["rate"]), int(trade["local_gross"] * 100)
            gross = round(there * rate)
        self.commission += fee
        self.cash -= fee
        if borrowed(trade) == (trade["side"] == "sell"):  # a short sale, or a buy
            sign = 1 if trade["side"] == "buy" else -1
            cost = sign * gross, sign * there if foreign else 0
            self.join(trade["session"], name, sign * trade["shares"], cost, rate if foreign else None)
            self.cash -= sign * gross
            return
        if borrowed(trade):
            short = min(trade["shares"], max(-self.shares[name], 0))
            paid = [round(Fraction(amount * short, trade["shares"])) for amount in (gross, there if foreign else 0)]
            if short:
                self.join(trade["session"], name, short, (paid[0], paid[1]), rate if foreign else None)
            self.cash -= paid[0]
            return
        held = min(trade["shares"], max(self.shares[name], 0))
        if held:
            share = Fraction(held, self.shares[name])
            part = round(self.cost[name] * share), round(self.local[name] * share)
            gross, there = (round(Fraction(amount * held, trade["shares"])) for amount in (gross, there))
            self.shares[name] -= held
            self.cost[name] -= part[0]
            self.local[name] -= part[1]
            self.get_paid(trade["session"], name, there, part, rate, gross)

    def price(self, name: str, day: date) -> Fraction | None:
        """The open, else a close of the ten sessions before, over the splits since."""
        if (name, day) in self.bars:
            return fraction(self.bars[name, day]["open"])
        number = self.days.index(day)
        for when in reversed(self.days[max(number - 10, 0) : number]):
            if (name, when) in self.bars:
                return self.restated(name, when, day)
        return None

    def restated(self, name: str, when: date, day: date) -> Fraction:
        """A close on the shares of a later day, in what the name is quoted in then."""
        return fraction_of(self.split_up(name, when, day) * self.requoted(name, when, day))

    def split_up(self, name: str, when: date, day: date) -> Fraction:
        """A close on the shares of a later day, as it was quoted."""
        price = fraction(self.bars[name, when]["close"])
        for fact in self.facts:
            if fact["kind"] == "split" and fact["ticker"] == name and when < fact["ex_date"] <= day:
                price *= Fraction(fact["denominator"], fact["numerator"])
        return price

    def worth(self, day: date) -> int:
        """What is held is worth at the last closes up to a day, cents."""
        held = [(name, round(shares * self.mark(name, day) * 100)) for name, shares in self.shares.items() if shares]
        known = (name for name, _ in held if self.rate(name, day) is None)
        at_cost = sum(self.cost[name] for name in known)  # nobody can say what it is worth here
        return at_cost + sum(self.worth_here(name, day, there) for name, there in held)

    def mark(self, name: str, day: date) -> Fraction:
        """The last close of a name, of its old name until it trades, else what was stated of it, else what it cost."""
        came = [f for f in self.facts if f["kind"] == "rename" and f["successor"] == name and f["ex_date"] <= day]
        came = [fact for fact in came if not self.says_again(fact, came)]
        since = max((f["ex_date"] for f in came), default=date.min)
        traded = [when for who, when in self.bars if who == name and since <= when <= day]
        if traded:
            return self.aged(self.restated(name, max(traded), day), max(traded), day, self.shares[name])
        if came:
            old = next(f["ticker"] for f in came if f["ex_date"] == since)
            traded = [when for who, when in self.bars if who == old and when < since]
            if traded:
                close = fraction_of(self.restated(old, max(traded), since) * self.cross(since, old, name))
                for fact in self.facts:
                    if fact["kind"] == "split" and fact["ticker"] == name and max(traded) < fact["ex_date"] <= day:
                        close *= Fraction(fact["denominator"], fact["numerator"])
                close *= self.requoted(name, since, day)
                return self.aged(fraction_of(close), max(traded), day, self.shares[name])
        else:
            spun = [f for f in self.facts if f["nature"] == "spin_off" and f["successor"] == name and f["amount"]]
            spun = sorted((f["ex_date"], f["ticker"], f["sequence"]) for f in spun if f["ex_date"] <= day)
            for fact in [f for f in self.facts if spun and (f["ex_date"], f["ticker"], f["sequence"]) == spun[-1]]:
                if fact["nature"] == "spin_off":
                    close = fraction_of(fraction(fact["amount"]) * fact["denominator"] / fact["numerator"])
                    close = fraction_of(close * self.cross(fact["ex_date"], fact["ticker"], name))
                    for one in self.facts:
                        if one["kind"] == "split" and one["ticker"] == name and fact["ex_date"] < one["ex_date"] <= day:
                            close *= Fraction(one["denominator"], one["numerator"])
                    return fraction_of(close * self.requoted(name, fact["ex_date"], day))
        cost = self.local[name] if self.currency(name, day) else self.cost[name]
        return fraction_of(Fraction(cost, 100 * self.shares[name]))

    def says_again(self, fact: Mapping[str, Any], came: Rows) -> bool:
        """Whether a rename was told before and nobody has had the ticker since."""
        name, day = fact["ticker"], fact["ex_date"]
        days = [one["ex_date"] for one in came if one["ticker"] == name and one["ex_date"] < day]
        return bool(days) and not any(who == name and max(days) <= when < day for who, when in self.bars)

    def aged(self, close: Fraction, when: date, day: date, shares: int) -> Fraction:
        """A close that is too old to be believed counts for less, of what is held; debts do not shrink by silence."""
        sessions, lost = self.mark_down
        if shares < 0 or not sessions or self.days.index(day) - self.days.index(when) < sessions:
            return close
        return fraction_of(close * (1 - fraction(lost)))

    @property
    def receivable(self) -> int:
        """What is still to come, cents."""
        return sum(cents for _, cents in self.owed)

    @property
    def held(self) -> dict[str, tuple[int, int]]:
        """Name -> shares and cost in cents."""
        return {name: (shares, self.cost[name]) for name, shares in self.shares.items() if shares}


def in_turn(facts: list[Mapping[str, Any]], held: set[str]) -> list[Mapping[str, Any]]:
    """Who has a ticker that another gets that day leaves first; what else happens to it is for who comes."""
    handed_on = {f["successor"] for f in facts if f["kind"] == "rename"}
    gone = {f["ticker"] for f in facts if f["kind"] in LEAVING}

    def place(fact: Mapping[str, Any]) -> int:
        name = fact["ticker"]
        if fact["kind"] in LEAVING:
            return 1 if name in handed_on else 2
        return 3 if name in handed_on and (name in gone or name not in held) else 0

    return sorted(facts, key=place) if handed_on else facts


def fraction_of(price: Fraction) -> Fraction:
    """A price to a millionth."""
    return Fraction(round(price * 1_000_000), 1_000_000)


def last_said(found: Rows, *entity: str) -> list[Mapping[str, Any]]:
    """Of each thing the last revision, unless that takes it back."""
    newest: dict[tuple[Any, ...], Mapping[str, Any]] = {}
    for row in found:
        key = tuple(row[name] for name in entity)
        if key not in newest or row["revision"] > newest[key]["revision"]:
            newest[key] = row
    return [row for row in newest.values() if not row.get("withdrawn")]


def note_rates(stated: Rows, book: str | None) -> dict[str, dict[date, Fraction]]:
    """What a unit of each currency was worth on each day; said in our own it counts before the inverse."""
    noted: dict[str, dict[date, Fraction]] = defaultdict(dict)
    for row in sorted(stated, key=lambda one: bool(one["quote"] == book)):
        ours = row["quote"] == book
        worth = Fraction(row["rate"]) if ours else 1 / Fraction(row["rate"])
        noted[row["base"] if ours else row["quote"]][row["session"]] = Fraction(round(worth * 10**12), 10**12)
    return noted


def write_off(end: Mapping[str, Any]) -> Mapping[str, Any]:
    """A write-off as one more fact about a name."""
    nothing = dict.fromkeys(("numerator", "denominator", "pay_date", "successor", "nature", "cash", "cost_share"))
    said = {"ticker": end["ticker"], "ex_date": end["ended_on"], "amount": end["amount"]}
    return nothing | said | {"kind": "write_off", "sequence": 0}


def assert_every_cent(
    market: Callable[[str], Rows],
    books: Callable[[str], Rows],
    calendar: Sessions,
    lag: timedelta = timedelta(minutes=20),
    mark_down: tuple[int, float] = (20, 0.5),
    currency: str | None = None,
) -> None:
    """Cash, claims, shares, cost and worth after each session are what the accountant finds.

    Args:
        market: the rows of market_prices and of corporate_actions, every revision of them.
        books: the rows of a table of the books.
        calendar: for the sessions and their closes.
        lag: from a close to when its session is settled.
        mark_down: as the accountant takes it.
        currency: the book's, where there are foreign names: `market` has instruments and fx_rates then.
    """
    actions, ends, trades = list(market("corporate_actions")), list(books("position_ends")), books("executed_trades")
    trades, held = list(trades), list(books("portfolio_holdings"))
    values = sorted(books("portfolio_value"), key=lambda row: row["session"])
    touched = {row["ticker"] for row in trades}
    listed = market("instruments") if currency else []
    quoted = {row["ticker"]: row["currency"] for row in listed if row["currency"] != currency}
    told_of_rates = list(market("fx_rates")) if currency else []
    touched |= {row["successor"] for row in actions if row["ticker"] in touched and row["successor"]}
    prices = [row for row in market("market_prices") if row["ticker"] in touched]
    days = tuple(calendar.between(min(row["session"] for row in prices), values[-1]["session"]))
    for told in values:
        session = told["session"]
        by: datetime = calendar.close_at(session) + lag
        known = (row for row in prices if row["available_at"] <= by and row["session"] <= session)
        bars = {(row["ticker"], row["session"]): row for row in last_said(known, "ticker", "session")}
        known = (row for row in actions if row["available_at"] <= by)
        facts = last_said(known, "ticker", "ex_date", "kind", "sequence")
        known = (row for row in ends if row["session"] <= session)
        facts += [write_off(row) for row in last_said(known, "ticker", "last_session")]
        known = (row for row in told_of_rates if row["available_at"] <= by and row["session"] <= session)
        rates = note_rates(last_said(known, "base", "quote", "session"), currency)
        accountant = Accountant(days, bars, facts, int(told["capital"] * 100), mark_down=mark_down, quoted=quoted)
        accountant.rates = rates
        accountant.live([row for row in trades if row["shares"] and row["session"] <= session], session)
        rows = [row for row in held if row["session"] == session]
        mine = {row["ticker"]: (row["shares"], int(row["cost"] * 100)) for row in rows}
        assert (session, accountant.held) == (session, mine)
        local = {row["ticker"]: int(row["local_cost"] * 100) for row in rows if row["local_cost"] is not None}
        assert (session, local) == (session, {name: accountant.local[name] for name in mine if name in quoted})
        found = (accountant.cash, accountant.receivable, accountant.worth(session))
        stated = tuple(int(told[name] * 100) for name in ("cash", "receivable", "positions_value"))
        assert (session, found) == (session, stated)
        gains = (accountant.realised, accountant.by_rates)
        assert (session, gains) == (session, (int(told["realised"] * 100), int((told["exchange"] or 0) * 100)))
        apart = (told["nav"] * 100 - sum(found), told["unexplained"], told["difference"])
        assert (session, *apart) == (session, 0, 0, None)

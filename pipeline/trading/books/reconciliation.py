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

CENTS_PER_UNIT = 100
LAST_CLOSE_WITHIN = 10
"""Sessions before an ex-date in which a close may stand in for a missing open."""
ACTION_COLUMNS = (
    "ticker", "ex_date", "kind", "sequence", "numerator", "denominator", "amount", "pay_date", "successor", "nature",
    "cash", "cost_share",
)  # fmt: skip
TURN = {"split": 0, "dividend": 1, "delisting": 2, "rename": 3}


class Posting(NamedTuple):
    """What an event does to one account, at the session at which it would be posted."""

    reference: str
    session: date
    account: str
    ticker: str | None
    cents: int
    """Debits are positive."""
    shares: int
    due: date | None


class _Event(NamedTuple):
    reference: str
    session: date


class _Fill(NamedTuple):
    session: date
    trade_id: str
    ticker: str
    side: str
    shares: int
    gross: int
    commission: int


class _Claim(NamedTuple):
    due: date
    reference: str
    ticker: str
    cents: int


@dataclass
class Reconciliation:
    """The accounts by fills and facts: what is held at cost, cash, what is owed, and every event's part of them."""

    calendar: Sessions
    opens: Mapping[tuple[str, date], Fraction]
    closes: Mapping[str, list[tuple[date, Fraction]]]
    splits_of: Mapping[str, list[dict[str, Any]]]
    shares: dict[str, int] = field(default_factory=lambda: defaultdict(int))
    cost: dict[str, int] = field(default_factory=lambda: defaultdict(int))
    claims: list[_Claim] = field(default_factory=list)
    postings: list[Posting] = field(default_factory=list)

    @property
    def cash(self) -> int:
        """Cents."""
        return self._total("cash")

    @property
    def receivable(self) -> int:
        """Cents."""
        return self._total("receivable")

    def _total(self, account: str) -> int:
        return sum(posting.cents for posting in self.postings if posting.account == account)

    def _add(
        self, event: _Event, account: str, ticker: str | None, cents: int, shares: int = 0, due: date | None = None
    ) -> None:
        if cents or shares:
            self.postings.append(Posting(event.reference, event.session, account, ticker, cents, shares, due))

    def fund(self, session: date, cents: int) -> None:
        """The capital paid in."""
        event = _Event(f"{session}:fund", session)
        self._add(event, "cash", None, cents)
        self._add(event, "capital", None, -cents)

    def fill(self, trade: _Fill) -> None:
        """A buy, or a sale of what was there; the commission was paid either way."""
        event, ticker = _Event(trade.trade_id, trade.session), trade.ticker
        if trade.side == "buy":
            self._move(event, ticker, trade.shares, trade.gross)
            self._add(event, "cash", ticker, -trade.gross)
        elif held := min(self.shares[ticker], trade.shares):
            self._sell(event, ticker, held, _round(trade.gross * held, trade.shares))
        self._add(event, "commission", ticker, trade.commission)
        self._add(event, "cash", ticker, -trade.commission)

    def act(self, session: date, action: Mapping[str, Any]) -> None:
        """A corporate action, for whoever holds the name at the close before."""
        ticker = action["ticker"]
        event = _Event(reference_of(action), session)
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
            held = self.shares[ticker]
            self._sell(event, ticker, held, round(held * _exact(action["amount"]) * CENTS_PER_UNIT))

    def write_off(self, session: date, ticker: str, amount: Fraction) -> None:
        """A name of which nothing is heard any more, for whoever still holds it."""
        if held := self.shares[ticker]:
            event = _Event(f"{ticker}:{session}:write_off:0", session)
            self._sell(event, ticker, held, round(held * amount * CENTS_PER_UNIT))

    def pay(self, session: date) -> None:
        """What is due by the session."""
        for claim in [claim for claim in self.claims if claim.due <= session]:
            self.claims.remove(claim)
            event = _Event(claim.reference, session)
            self._add(event, "receivable", claim.ticker, -claim.cents, due=claim.due)
            self._add(event, "cash", claim.ticker, claim.cents)

    def _split(self, event: _Event, action: Mapping[str, Any]) -> None:
        ticker = action["ticker"]
        before, cost = self.shares[ticker], self.cost[ticker]
        exact = Fraction(before * action["numerator"], action["denominator"])
        self._move(event, ticker, int(exact) - before, 0)
        if fraction := exact - int(exact):
            price = self._open(ticker, event.session)
            if price is None:
                price = Fraction(cost, CENTS_PER_UNIT) / exact
            else:
                price *= self._later_that_day(action, event.session)
            given_up = cost if int(exact) == 0 else round(cost * fraction / exact)
            self._take_out(event, ticker, given_up, round(fraction * _micros(price) * CENTS_PER_UNIT))

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
            part = round(cost * _exact(action["cost_share"]))
            self._move(event, ticker, 0, -part)
            self._hand_on(event, action, ratio, part, leaves=False)
            return
        total, cash = _exact(action["amount"]), _exact(action["cash"])
        sold = round(cost * min(cash, total) / total) if total and cash else 0
        if cash:
            paid = round(self.shares[ticker] * cash * CENTS_PER_UNIT)
            self._take_out(event, ticker, sold, paid)
        self._hand_on(event, action, ratio, cost - sold, leaves=True)

    def _hand_on(
        self, event: _Event, action: Mapping[str, Any], ratio: tuple[int, int], cost: int, *, leaves: bool
    ) -> None:
        ticker, other = action["ticker"], action["successor"]
        exact = Fraction(self.shares[ticker] * ratio[0], ratio[1])
        if leaves:
            self._move(event, ticker, -self.shares[ticker], -self.cost[ticker])
        self._move(event, other, int(exact), cost)
        if fraction := exact - int(exact):
            price = self._open(other, event.session)
            if price is None:
                value = _exact(action["amount"]) - _exact(action["cash"])
                price = value * ratio[1] / ratio[0] if value > 0 else Fraction(cost, CENTS_PER_UNIT) / exact
            given_up = cost if int(exact) == 0 else round(cost * fraction / exact)
            self._take_out(event, other, given_up, round(fraction * price * CENTS_PER_UNIT))

    def _distribute(self, event: _Event, action: Mapping[str, Any]) -> None:
        ticker = action["ticker"]
        cents = round(self.shares[ticker] * _exact(action["amount"]) * CENTS_PER_UNIT)
        if not cents:
            return
        returned = min(cents, self.cost[ticker]) if action["nature"] == "return_of_capital" else 0
        income = "realised" if action["nature"] in ("return_of_capital", "rights", "spin_off") else "dividends"
        due = action["pay_date"] or event.session
        self._move(event, ticker, 0, -returned)
        self._add(event, income, ticker, returned - cents)
        self._add(event, "receivable", ticker, cents, due=due)
        self.claims.append(_Claim(due, event.reference, ticker, cents))

    def _sell(self, event: _Event, ticker: str, shares: int, proceeds: int) -> None:
        cost = _round(self.cost[ticker] * shares, self.shares[ticker])
        self._move(event, ticker, -shares, 0)
        self._take_out(event, ticker, cost, proceeds)

    def _take_out(self, event: _Event, ticker: str, cost: int, proceeds: int) -> None:
        self._move(event, ticker, 0, -cost)
        self._add(event, "cash", ticker, proceeds)
        self._add(event, "realised", ticker, cost - proceeds)

    def _move(self, event: _Event, ticker: str, shares: int, cost: int) -> None:
        self.shares[ticker] += shares
        self.cost[ticker] += cost
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
        return _micros(price)

    def value_positions(self, session: date, stated: Mapping[str, Fraction]) -> int:
        """What the positions are worth at the last closes there are, else as stated, else at cost; cents."""
        total = 0
        for ticker, shares in self.shares.items():
            before = [bar for bar in self.closes.get(ticker, []) if bar[0] <= session]
            if ticker in stated and not (before and before[-1][0] == session):
                price = stated[ticker]
            elif before:
                price = self.restate(ticker, *before[-1], session)
            else:
                price = Fraction(self.cost[ticker], CENTS_PER_UNIT * shares) if shares else Fraction(0)
            total += round(shares * _micros(price) * CENTS_PER_UNIT)
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
    """
    fills = executed_trades.filter(pl.col("shares") > 0, pl.col("session") <= session)
    names = _reachable(set(fills["ticker"].to_list()), corporate_actions)
    begun = min(fills["session"].to_list(), default=session)
    actions = corporate_actions.filter(
        pl.col("ticker").is_in(sorted(names)), pl.col("ex_date") <= session, pl.col("ex_date") > begun
    )
    splits_of: dict[str, list[dict[str, Any]]] = defaultdict(list)
    for split in actions.filter(pl.col("kind") == "split").iter_rows(named=True):
        splits_of[split["ticker"]].append(split)
    found = Reconciliation(calendar, *_prices(market_prices, names), splits_of)
    found.fund(*funded)
    days = _days(actions, fills, session, calendar)
    for day, ends in _written_off(position_ends, session).items():
        days.setdefault(day, _Day([], [], [])).ends.extend(ends)
    for day in sorted(days):
        on_day = days[day]
        for action in _in_turn(on_day.actions, found.shares):
            if found.shares.get(action[0]):
                found.act(day, dict(zip(ACTION_COLUMNS, action, strict=True)))
        for ticker, amount in on_day.ends:
            found.write_off(day, ticker, amount)
        found.pay(day)
        for trade in on_day.fills:
            found.fill(trade)
    return found


def _written_off(position_ends: pl.DataFrame | None, session: date) -> dict[date, list[tuple[str, Fraction]]]:
    """Session -> the names written off before its open by what was last said of each, and at what each share."""
    newest: dict[tuple[str, date], tuple[int, date, float, bool]] = {}
    columns = ("ticker", "last_session", "revision", "ended_on", "amount", "withdrawn")
    for ticker, since, *said in () if position_ends is None else position_ends.select(columns).iter_rows():
        newest[ticker, since] = max(newest.get((ticker, since), (-1, since, 0.0, True)), tuple(said))
    found: dict[date, list[tuple[str, Fraction]]] = defaultdict(list)
    for (ticker, _), (_, day, amount, withdrawn) in sorted(newest.items()):
        if day <= session and not withdrawn:
            found[day].append((ticker, _exact(amount)))
    return found


def _reachable(names: set[str], corporate_actions: pl.DataFrame) -> set[str]:
    pairs = corporate_actions.filter(pl.col("successor").is_not_null()).select("ticker", "successor").rows()
    while new := {successor for ticker, successor in pairs if ticker in names} - names:
        names |= new
    return names


class _Day(NamedTuple):
    actions: list[tuple[Any, ...]]
    """Values of `ACTION_COLUMNS`, in turn."""
    ends: list[tuple[str, Fraction]]
    """Names written off, and at what each share."""
    fills: list[_Fill]
    """Sales first."""


def _in_turn(actions: list[tuple[Any, ...]], shares: Mapping[str, int]) -> list[tuple[Any, ...]]:
    """Day by day; on each, whoever has a ticker makes room before another company comes under it.

    What else happens to that ticker is the newcomer's, unless its shares were there and stay.
    """
    name, when, kind, successor = (ACTION_COLUMNS.index(one) for one in ("ticker", "ex_date", "kind", "successor"))
    rows = []
    while actions:
        today = [one for one in actions if one[when] == actions[0][when]]
        actions = actions[len(today) :]
        going = [one for one in today if one[kind] in ("rename", "delisting")]
        targets = {one[successor] for one in going if one[kind] == "rename"}
        gone = {one[name] for one in going}
        late = [
            one for one in today
            if one not in going and one[name] in targets and (one[name] in gone or not shares.get(one[name]))
        ]  # fmt: skip
        rows += [one for one in today if one not in going and one not in late]
        while going:
            stay = {one[name] for one in going}
            free = [one for one in going if one[kind] != "rename" or one[successor] not in stay] or going
            rows += free
            going = [one for one in going if one not in free]
        rows += late
    return rows


def _days(actions: pl.DataFrame, fills: pl.DataFrame, session: date, calendar: Sessions) -> dict[date, _Day]:
    """Each session at which anything happens."""
    days: dict[date, _Day] = defaultdict(lambda: _Day([], [], []))
    turn = pl.col("kind").replace_strict(TURN, return_dtype=pl.Int8)
    for action in actions.sort("ex_date", turn, "ticker", "sequence").select(ACTION_COLUMNS).iter_rows():
        if (day := calendar.at_or_after(action[1])) <= session:
            days[day].actions.append(action)
    first = min(days, default=session)
    for paid in actions["pay_date"].drop_nulls().unique():
        if first < paid <= session and (day := calendar.at_or_after(paid)) <= session:
            days[day]
    cents = pl.col("gross", "commission").to_physical().cast(pl.Int64)
    for fill in fills.with_columns(cents).sort(pl.col("side") == "buy", "trade_id").select(_Fill._fields).iter_rows():
        days[fill[0]].fills.append(_Fill(*fill))
    return days


def _prices(
    market_prices: pl.DataFrame, names: Iterable[str]
) -> tuple[dict[tuple[str, date], Fraction], dict[str, list[tuple[date, Fraction]]]]:
    bars = market_prices.filter(pl.col("ticker").is_in(sorted(names))).sort("ticker", "session")
    opens: dict[tuple[str, date], Fraction] = {}
    closes: dict[str, list[tuple[date, Fraction]]] = defaultdict(list)
    for ticker, day, opening, close in bars.select("ticker", "session", "open", "close").iter_rows():
        opens[ticker, day] = _micros(_exact(opening))
        closes[ticker].append((day, _micros(_exact(close))))
    return opens, closes


def _exact(number: float | None) -> Fraction:
    """The decimal number that a float prints as, to a millionth; nothing stated is 0."""
    return _micros(Fraction(repr(float(number)))) if number else Fraction(0)


def _micros(price: Fraction) -> Fraction:
    return Fraction(round(price * 1_000_000), 1_000_000)


def _round(numerator: int, denominator: int) -> int:
    """To the nearest whole number, ties to the even one."""
    whole, rest = divmod(numerator, denominator)
    return whole + (2 * rest > denominator or (2 * rest == denominator and whole % 2))


def read_closes(portfolio_holdings: pl.DataFrame, session: date) -> dict[str, Fraction]:
    """The close that the holdings state for each name: taken for those that did not trade that day."""
    rows = portfolio_holdings.filter(pl.col("session") == session).select("ticker", "close").iter_rows()
    return {ticker: Fraction(close) for ticker, close in rows}

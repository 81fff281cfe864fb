"""Follows every lot through the ledger: bought, split, handed on to another company, paid out on, sold."""

from __future__ import annotations

from collections import Counter
from collections.abc import Mapping, Sequence
from dataclasses import replace
from itertools import groupby
from typing import Any, NamedTuple

import polars as pl

from pipeline.trading.books.book import CARRYING, name_giver, put_in_place
from pipeline.trading.lots.lot import Lot, LotBook, Method, SoldLot, choose_lots, share_out

Designated = Mapping[str, Mapping[str, int]]
"""Sale -> buy -> shares: what was named when it was sold."""
Legs = list[dict[str, Any]]
Event = Mapping[str, Any]
"""Its first leg, whose kind, id and session are the event's."""


def follow_lots(ledger_entries: pl.DataFrame, method: Method, designated: Designated | None = None) -> LotBook:
    """Return open and sold lots as known now; each event counts where it would stand had all been known.

    Shares of each ticker, and cost and gains together, are those of the ledger, which keeps average costs: lots say
    which shares were sold, not how much was earned.

    Args:
        ledger_entries: all of them.
        method: which lots a sale takes.
        designated: lots that were named for a sale.
    """
    cents = ledger_entries.sort("session", "sequence").with_columns(
        pl.col("amount").to_physical().cast(pl.Int64),
        local=pl.col("local_amount").to_physical().cast(pl.Int64).fill_null(0),
    )
    walk = _LotWalk(method, designated or {})
    events = [legs.to_dicts() for _, legs in put_in_place(cents).group_by("event_id", maintain_order=True)]
    for renames, together in groupby(events, key=_day_of_rename):
        if renames:
            walk.rename(list(together))
        else:
            for legs in together:
                walk.take(legs)
    kept = {ticker: [lot for lot in lots if lot.shares or lot.cost] for ticker, lots in sorted(walk.book.open.items())}
    return LotBook({ticker: lots for ticker, lots in kept.items() if lots}, walk.book.sold)


def _day_of_rename(legs: Legs) -> tuple[Any, str] | None:
    """Renames of one day are one step: companies may take each other's tickers."""
    first = legs[0]
    return (first["session"], first["reference"].split(":")[1]) if first["kind"] == "rename" else None


class _Moved(NamedTuple):
    """What an event does to one ticker's position by the ledger; cents."""

    shares: int
    cost: int


class _LotWalk:
    """The lots as they stand after the events so far."""

    def __init__(self, method: Method, designated: Designated) -> None:
        self.book, self.method, self.designated = LotBook(), method, designated
        self.costs: Counter[str] = Counter()
        """Ticker -> what its position cost by the ledger."""

    def take(self, legs: Legs) -> None:
        """Take one event in."""
        first = legs[0]
        moved = _positions(legs)
        gain = -sum(leg["amount"] for leg in legs if leg["account"] in ("realised", "exchange"))
        if first["kind"] in ("buy", "short"):
            paid = -sum(leg["amount"] for leg in legs if leg["account"] == "cash")
            for ticker, one in moved.items():
                self._open(first, ticker, one.shares, paid)
        elif first["kind"] in CARRYING:
            self._hand_on(first, moved, gain)
        elif first["kind"] in ("sell", "cover", "delisting", "write_off"):
            for ticker, one in moved.items():
                self._sell(first, ticker, -one.shares, gain - one.cost)
        else:
            self._adjust(first, moved, gain)
        for ticker, one in moved.items():
            self.costs[ticker] += one.cost

    def rename(self, events: Sequence[Legs]) -> None:
        """Take the renames of a day in: all leave their tickers, then they come to the new ones."""
        arriving: list[tuple[str, list[Lot], int]] = []
        for number, moved in enumerate(map(_positions, events)):
            giving = name_giver(events[number][0]["reference"])
            if not moved[giving].shares:  # taken back since
                continue
            lots, cost = self.book.open.pop(giving, []), self.costs.pop(giving, 0)
            arriving += [(ticker, lots, cost) for ticker in moved if ticker != giving]
        for ticker, lots, cost in arriving:
            self._meet(events[0][0], ticker, [replace(lot, ticker=ticker) for lot in lots])
            self.costs[ticker] += cost

    def _lots(self, ticker: str) -> list[Lot]:
        return self.book.open.setdefault(ticker, [])

    def _held(self, ticker: str) -> list[Lot]:
        """Lots of which anything is left; a split may leave cost alone, until the fraction is paid out."""
        return [lot for lot in self._lots(ticker) if lot.shares or lot.cost]

    def _open(self, event: Event, ticker: str, shares: int, cost: int) -> None:
        """A buy or a short sale is a lot; what lies on the other side by now is closed first."""
        there = sum(lot.shares for lot in self._lots(ticker))
        closed = min(abs(there), abs(shares)) if there * shares < 0 else 0
        part = cost * closed // abs(shares) if closed else 0
        if closed:
            self._sell(event, ticker, closed if there > 0 else -closed, -part)
        rest = shares - (closed if shares > 0 else -closed)
        if rest or not shares:
            self._lots(ticker).append(Lot(event["reference"], ticker, event["session"], rest, cost - part))

    def _meet(self, event: Event, ticker: str, lots: list[Lot]) -> None:
        """Lots come to a ticker; those on the other side are closed at what the ones that come cost."""
        for lot in lots:
            there = sum(one.shares for one in self._lots(ticker))
            closed = min(abs(there), abs(lot.shares)) if there * lot.shares < 0 else 0
            if closed:
                part = lot.cost * closed // abs(lot.shares)
                self._sell(event, ticker, closed if there > 0 else -closed, -part)
                lot.shares += closed if lot.shares < 0 else -closed
                lot.cost -= part
            self._lots(ticker).append(lot)

    def _sell(self, event: Event, ticker: str, shares: int, proceeds: int) -> None:
        """Some lots leave for what the sale brought, each for its part of it."""
        named = self.designated.get(event["event_id"])
        chosen, sign = choose_lots(self._lots(ticker), abs(shares), self.method, named), 1 if shares > 0 else -1
        for (lot, part), paid in zip(chosen, share_out(proceeds, [part for _, part in chosen]), strict=True):
            cost = lot.cost if part == abs(lot.shares) else lot.cost * part // abs(lot.shares)
            self._record(event, ticker, lot, sign * part, paid, cost)
            lot.shares, lot.cost = lot.shares - sign * part, lot.cost - cost

    def _record(self, event: Event, ticker: str, lot: Lot, shares: int, proceeds: int, cost: int) -> None:
        sold = SoldLot(event["event_id"], ticker, lot.trade_id, lot.opened, event["session"], shares, proceeds, cost)
        self.book.sold.append(sold)

    def _adjust(self, event: Event, moved: Mapping[str, _Moved], gain: int) -> None:
        """Shares of a split come to every lot; what an action pays is taken from the cost of all, in proportion."""
        for ticker, one in moved.items():
            lots = self._held(ticker)
            for lot, more in zip(lots, share_out(one.shares, [lot.shares for lot in lots]), strict=True):
                lot.shares += more
            self._pay_out(event, ticker, lots, -one.cost, gain)
        if not moved and gain:
            self._pay_out(event, event["ticker"], self._held(event["ticker"]), 0, gain)

    def _pay_out(self, event: Event, ticker: str, lots: list[Lot], cost: int, gain: int) -> None:
        """Take cost from the lots, as far as they have any; what was paid beyond it is a gain of no shares."""
        costs = share_out(_up_to(cost, sum(lot.cost for lot in lots)), [lot.cost for lot in lots])
        paid = share_out(cost + gain, [lot.shares for lot in lots]) if gain or sum(costs) != cost else costs
        for lot, less, more in zip(lots, costs, paid, strict=True):
            lot.cost -= less
            if paid is not costs:
                self._record(event, ticker, lot, 0, more, less)

    def _hand_on(self, event: Event, moved: Mapping[str, _Moved], gain: int) -> None:
        """Every lot goes on under another name, or gives a part of its cost to the shares that come with it."""
        giving = name_giver(event["reference"])
        given, lots = moved.get(giving, _Moved(0, 0)), self._held(giving)
        others = {ticker: came for ticker, came in moved.items() if ticker != giving}
        for ticker, came in others.items():
            if sum(lot.shares for lot in self._lots(ticker)) * came.shares < 0:  # what it closed is not what came
                came = came._replace(cost=-given.cost)
            shares = share_out(came.shares, [lot.shares for lot in lots])
            costs = [lot.cost * came.cost // self.costs[giving] if self.costs[giving] else 0 for lot in lots]
            arrived = zip(lots, shares, costs, strict=True)
            self._meet(event, ticker, [replace(lot, ticker=ticker, shares=n, cost=cost) for lot, n, cost in arrived])
            for lot, cost in zip(lots, costs, strict=True):
                lot.cost -= cost
        if given.shares:
            self._cash_out(event, giving, lots, gain - given.cost - sum(came.cost for came in others.values()))

    def _cash_out(self, event: Event, giving: str, lots: list[Lot], paid: int) -> None:
        """What a merger did not carry on was sold for cash."""
        for lot, proceeds in zip(lots, share_out(paid, [lot.shares for lot in lots]), strict=True):
            if proceeds or lot.cost:
                self._record(event, giving, lot, lot.shares, proceeds, lot.cost)
        self.book.open[giving] = []


def _up_to(amount: int, most: int) -> int:
    """The amount, no further from zero than the cost of all lots, which is negative of short ones."""
    return min(amount, most) if most >= 0 else max(amount, most)


def _positions(legs: Legs) -> dict[str, _Moved]:
    found: dict[str, _Moved] = {}
    for leg in legs:
        if leg["account"] == "positions":
            before = found.get(leg["ticker"], _Moved(0, 0))
            found[leg["ticker"]] = _Moved(before.shares + leg["shares"], before.cost + leg["amount"])
    return found

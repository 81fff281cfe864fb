"""Sales and delistings with all that belongs to them: what gathered on the position, under any name it had."""

from __future__ import annotations

from collections import defaultdict
from dataclasses import dataclass, field
from datetime import date
from typing import Any

import polars as pl

from pipeline.trading.books.book import CARRYING, name_giver, put_in_place
from pipeline.trading.books.money import half_even

POOLED = ("dividends", "gains", "commission", "slippage", "borrow")
"""What a pool gathers in cents."""
OPENING, CLOSING = ("buy", "short"), ("sell", "cover", "delisting", "write_off")
"""Kinds of events that begin positions, and that end them."""


@dataclass
class Pool:
    """What has gathered on a position since it was opened and has not left with a sale; cents.

    Shares of a short position are negative.
    """

    shares: int = 0
    opened: date | None = None
    bought_as: str = ""
    """The ticker that was bought first, which may have been renamed since."""
    trade_id: str = ""
    """The trade that opened it."""
    dividends: int = 0
    gains: int = 0
    """From fractions, rights, capital returned beyond cost, and what a merger paid; what rates brought with them."""
    commission: int = 0
    slippage: int = 0
    """Half-spread and impact paid on the trades that opened it."""
    borrow: int = 0
    """What borrowing the shares cost."""

    def take(self, sold: int) -> Pool:
        """Remove and return the part that goes with some of the shares."""
        held = self.shares
        part = Pool(sold, self.opened, self.bought_as, self.trade_id)
        for name in POOLED:
            amount = getattr(self, name) if sold == held else half_even(getattr(self, name) * abs(sold), abs(held))
            setattr(part, name, amount)
            setattr(self, name, getattr(self, name) - amount)
        self.shares -= sold
        return part

    def receive(self, other: Pool) -> None:
        """Take in what gathered on a position that was handed on."""
        if not self.shares:
            self.opened, self.bought_as, self.trade_id = other.opened, other.bought_as, other.trade_id
        for name in POOLED:
            setattr(self, name, getattr(self, name) + getattr(other, name))


@dataclass
class Closing:
    """A sale, a cover or a delisting with all that belongs to it; cents.

    Of a short position shares, proceeds and cost are negative: what buying back took, and what selling had brought.
    """

    trade_id: str
    ticker: str
    shares: int
    proceeds: int
    cost: int
    commission: int
    slippage: int
    entry: Pool = field(default_factory=Pool)

    @property
    def costs(self) -> int:
        """Spread, impact and commission of both sides, and what borrowing cost."""
        return self.commission + self.slippage + self.entry.commission + self.entry.slippage + self.entry.borrow

    @property
    def profit(self) -> int:
        """Gain after all costs, dividends included."""
        earned = self.entry.dividends + self.entry.gains
        paid = self.commission + self.entry.commission + self.entry.borrow
        return self.proceeds - self.cost + earned - paid

    @property
    def gross_return(self) -> float:
        """Gain before costs over what the shares were worth at the opens they were bought or sold short at."""
        invested = abs(self.cost - self.entry.slippage)
        return (self.profit + self.costs) / invested if invested > 0 else 0.0

    @property
    def realised_return(self) -> float:
        """Gain after costs over what was paid; of a short position over what it brought."""
        paid = abs(self.cost + self.entry.commission)
        return self.profit / paid if paid > 0 else 0.0


def collect_closings(
    tickers: list[str], ledger_entries: pl.DataFrame, executed_trades: pl.DataFrame, session: date
) -> list[Closing]:
    """Walk the books of some tickers and of what they came from, and return their closings at a session.

    Each event counts where it would stand had all been known, as it is known now.
    """
    own = ledger_entries.filter(pl.col("ticker").is_in(sorted(_with_predecessors(set(tickers), ledger_entries))))
    walk = walk_entries(own, executed_trades)
    today = set(ledger_entries.filter(pl.col("session") == session)["event_id"].to_list())
    return [closing for event, closing in walk.closings.items() if event in today and closing.shares]


def walk_entries(ledger_entries: pl.DataFrame, executed_trades: pl.DataFrame) -> PositionWalk:
    """Return the positions of some tickers followed through all their entries, each where it would stand if known."""
    cents = ledger_entries.with_columns(
        pl.col("amount").to_physical().cast(pl.Int64),
        local=pl.col("local_amount").to_physical().cast(pl.Int64).fill_null(0),
    ).sort("session", "sequence")
    walk = PositionWalk(read_slippage(executed_trades))
    for event, legs in put_in_place(cents).group_by("event_id", maintain_order=True):
        walk.take(str(event[0]), legs.to_dicts())
    return walk


def read_slippage(executed_trades: pl.DataFrame) -> dict[str, int]:
    """Half-spread and impact of each trade, in cents."""
    slipped = executed_trades.select(
        "trade_id", (pl.col("spread_cost") + pl.col("impact_cost")).cast(pl.Decimal(18, 2)).alias("slipped")
    ).with_columns(pl.col("slipped").to_physical().cast(pl.Int64))
    return dict(slipped.iter_rows())


def _with_predecessors(tickers: set[str], ledger_entries: pl.DataFrame) -> set[str]:
    handed = ledger_entries.filter(pl.col("kind").is_in(CARRYING), pl.col("account") == "positions")
    together = handed.group_by("reference").agg(pl.col("ticker").unique())["ticker"].to_list()
    while new := {name for names in together if tickers & set(names) for name in names} - tickers:
        tickers |= new
    return tickers


class PositionWalk:
    """Follows each position through its events, given in the order in which they count."""

    def __init__(self, slippage: dict[str, int]) -> None:
        self.slippage = slippage
        self.pools: dict[str, Pool] = defaultdict(Pool)
        self.closings: dict[str, Closing] = {}

    def take(self, event: str, legs: list[dict[str, Any]]) -> None:
        """Take one event in."""
        kind, reference, ticker = legs[0]["kind"], legs[0]["reference"], legs[0]["ticker"]
        if kind in CLOSING:
            self._close(event, reference, ticker, legs)
        elif kind == "commission":
            self._pay_commission(reference, ticker, _sum(legs, "commission"))
        elif kind == "borrow":
            self.pools[ticker].borrow += _sum(legs, "borrow")
        elif kind in CARRYING:
            self._hand_on(kind, legs)
        else:
            self._gather(kind, reference, legs)

    def _close(self, event: str, reference: str, ticker: str, legs: list[dict[str, Any]]) -> None:
        shares = -sum(leg["shares"] for leg in legs)
        closing = Closing(event, ticker, shares, _sum(legs, "cash"), -_sum(legs, "positions"), 0, 0)
        closing.slippage = self.slippage.get(reference, 0)
        closing.entry = self.pools[ticker].take(shares) if shares else Pool()
        self.closings[event] = closing

    def _pay_commission(self, reference: str, ticker: str, cents: int) -> None:
        if reference in self.closings:
            self.closings[reference].commission += cents
        else:
            self.pools[ticker].commission += cents

    def _hand_on(self, kind: str, legs: list[dict[str, Any]]) -> None:
        """A position goes on under another name, or shares of another company come with it."""
        moved = [leg for leg in legs if leg["account"] == "positions"]
        giving = name_giver(legs[0]["reference"])
        for leg in moved:
            if leg["ticker"] == giving:
                continue
            pool, given = self.pools[leg["ticker"]], self.pools[giving]
            if kind == "spin_off":
                pool.receive(Pool(0, given.opened, given.bought_as, given.trade_id))
            else:
                given.gains -= _sum(legs, "realised") + _sum(legs, "exchange")
                pool.receive(given)
                self.pools[giving] = Pool()
            pool.shares += leg["shares"]

    def _gather(self, kind: str, reference: str, legs: list[dict[str, Any]]) -> None:
        for leg in legs:
            pool = self.pools[leg["ticker"]]
            if leg["account"] == "dividends":
                pool.dividends -= leg["amount"]
            elif leg["account"] in ("realised", "exchange"):
                pool.gains -= leg["amount"]
            elif leg["account"] == "positions":
                if pool.shares == 0 and leg["shares"] and kind in OPENING:
                    # What still comes in for a position that is gone belongs to nothing that can be looked back at.
                    self.pools[leg["ticker"]] = pool = Pool(
                        opened=leg["session"], bought_as=leg["ticker"], trade_id=reference
                    )
                pool.shares += leg["shares"]
                if kind in OPENING:
                    pool.slippage += self.slippage.get(reference, 0)


def _sum(legs: list[dict[str, Any]], account: str) -> int:
    return sum(int(leg["amount"]) for leg in legs if leg["account"] == account)

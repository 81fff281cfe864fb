"""The book as its ledger tells it: cash, what is owed to it, and positions at cost, in whole cents."""

from __future__ import annotations

from collections.abc import Iterable
from dataclasses import dataclass, field
from datetime import date, datetime
from typing import NamedTuple

import polars as pl

from lake.engine import collect
from lake.tables.books import LEDGER_ENTRIES
from pipeline.trading.books.money import cents_series, rate_series
from pipeline.trading.currencies.session_rates import Local

ACTION_KINDS = (
    "split", "cash_in_lieu", "dividend", "return_of_capital", "rights", "spin_off", "merger", "delisting", "rename",
    "write_off", "redenomination",
)  # fmt: skip
"""Kinds of events that stem from a corporate action; their reference names it."""
CARRYING = ("rename", "merger", "spin_off")
"""Kinds of events that hand a position on to another ticker, with the session at which it was opened."""
FINANCING_KINDS = ("interest", "borrow")
"""Kinds of events that carrying the book over a night cost or brought; they stand as they were charged."""
CORRECTING = ("reversal", "correction")
"""Kinds of events that change what was posted before: one takes it back, the other posts it as it should have been."""


class Leg(NamedTuple):
    """One side of an event: cents, debit positive, credit negative."""

    account: str
    amount: int
    ticker: str | None = None
    shares: int = 0
    due: date | None = None
    local: Local | None = None
    """The same in the currency that a foreign name is quoted in."""

    @property
    def is_empty(self) -> bool:
        """Whether it moves nothing."""
        return not (self.amount or self.shares or (self.local and self.local.amount))


class LedgerEvent(NamedTuple):
    """Something that happened to the book; its legs sum to zero."""

    event_id: str
    kind: str
    ts: datetime
    reference: str
    legs: tuple[Leg, ...]
    effective: date | None = None
    """The session that it would have been posted at, had all been known; None under settlement 1."""
    revision: int | None = None
    """Of the corporate action that it follows."""
    corrects: str | None = None
    """The event that was posted first, of a reversal or correction."""


@dataclass
class Position:
    """Whole shares of one ticker, what they cost in cents, and the session of the first buy.

    Of a short position both are negative: shares that are owed, and what selling them brought.
    """

    shares: int
    cost: int
    opened: date
    local_cost: int = 0
    """Of a foreign name: what they cost in hundredths of the currency that it is quoted in."""


class Receivable(NamedTuple):
    """A dividend earned and not yet paid; negative where a short position owes it."""

    ticker: str
    amount: int
    due: date


@dataclass
class Book:
    """Balances in cents. Gains, income and paid-in capital count positive, and so do commission and borrow paid."""

    cash: int = 0
    capital: int = 0
    realised: int = 0
    exchange: int = 0
    """What exchange rates added to the gains."""
    dividends: int = 0
    commission: int = 0
    rounding: int = 0
    interest: int = 0
    borrow: int = 0
    """What borrowing shares that were sold short cost."""
    positions: dict[str, Position] = field(default_factory=dict)
    receivables: dict[str, Receivable] = field(default_factory=dict)
    """By the reference of the dividend."""
    settled: set[str] = field(default_factory=set)
    """References of the corporate actions already posted."""

    @property
    def receivable(self) -> int:
        """What is owed to the book, in cents."""
        return sum(claim.amount for claim in self.receivables.values())

    @property
    def cost(self) -> int:
        """What all positions cost, in cents."""
        return sum(position.cost for position in self.positions.values())

    def post(self, event: LedgerEvent, session: date) -> None:
        """Apply an event.

        Raises:
            ValueError: if its legs do not balance, or it would take shares that are not there without selling short.
        """
        if total := sum(leg.amount for leg in event.legs):
            raise ValueError(f"event {event.event_id!r} is out of balance by {total} cents; debits equal credits")
        opened = self._opened_before(event, session)
        for leg in event.legs:
            self._post_leg(leg, event, opened)
        if event.kind in ACTION_KINDS:
            self.settled.add(event.reference)

    def _opened_before(self, event: LedgerEvent, session: date) -> date:
        """A position handed on keeps the session it was opened at."""
        if event.kind not in CARRYING:
            return session
        return min(self.positions[leg.ticker].opened for leg in event.legs if leg.ticker in self.positions)

    def _post_leg(self, leg: Leg, event: LedgerEvent, opened: date) -> None:
        if leg.account == "positions":
            self._move(leg, event, opened)
        elif leg.account == "receivable":
            self._claim(leg, event.reference)
        elif leg.account in ("cash", "commission", "borrow"):
            setattr(self, leg.account, getattr(self, leg.account) + leg.amount)
        else:
            setattr(self, leg.account, getattr(self, leg.account) - leg.amount)

    def _move(self, leg: Leg, event: LedgerEvent, opened: date) -> None:
        ticker = str(leg.ticker)
        position = self.positions.setdefault(ticker, Position(0, 0, opened))
        before = position.shares
        position.shares += leg.shares
        if before * position.shares < 0 and event.kind != "rename":  # what is left lies on the other side
            position.opened = self._opened_by_giver(event, opened)
        position.cost += leg.amount
        position.local_cost += leg.local.amount if leg.local else 0
        sold_short = event.kind == "short" or event.kind in CARRYING or before < 0
        too_many = position.shares > 0 if event.kind == "cover" else position.shares < 0 and not sold_short
        if too_many or (event.kind == "buy" and leg.shares <= 0):
            raise ValueError(f"event {event.event_id!r} would leave {position.shares} shares of {ticker}")
        if (position.shares, position.cost, position.local_cost) == (0, 0, 0):
            del self.positions[ticker]

    def _opened_by_giver(self, event: LedgerEvent, opened: date) -> date:
        giver = self.positions.get(name_giver(event.reference)) if event.kind in CARRYING else None
        return giver.opened if giver else opened

    def _claim(self, leg: Leg, reference: str) -> None:
        held = self.receivables.get(reference)
        amount = leg.amount + (held.amount if held else 0)
        if amount == 0:
            del self.receivables[reference]
        else:
            due = leg.due if leg.due is not None else (held.due if held else None)
            if due is None:
                raise ValueError(f"receivable {reference!r} has no day on which it is paid; give its leg one")
            self.receivables[reference] = Receivable(str(leg.ticker), amount, due)


def fold(ledger_entries: pl.DataFrame) -> Book:
    """Return the book that the entries add up to; their order in the frame does not matter.

    Sums are exact (whole cents), so any partition of the work gives the same book.

    Args:
        ledger_entries: rows of the contract, in any order.
    """
    chosen = ledger_entries.lazy().select(
        "session", "sequence", "event_id", "kind", "account", "ticker", "shares", "reference", "due", "effective",
        "corrects", amount=pl.col("amount").to_physical().cast(pl.Int64),
        local=pl.col("local_amount").to_physical().cast(pl.Int64).fill_null(0),
    ).sort("session", "sequence")  # fmt: skip
    entries = collect(chosen, ledger_entries.height)
    totals = dict(entries.group_by("account").agg(pl.col("amount").sum()).iter_rows())
    actions = entries.filter(pl.col("kind").is_in(ACTION_KINDS))
    return Book(
        cash=totals.get("cash", 0),
        capital=-totals.get("capital", 0),
        realised=-totals.get("realised", 0),
        exchange=-totals.get("exchange", 0),
        dividends=-totals.get("dividends", 0),
        commission=totals.get("commission", 0),
        rounding=-totals.get("rounding", 0),
        interest=-totals.get("interest", 0),
        borrow=totals.get("borrow", 0),
        positions=_positions(put_in_place(entries).filter(pl.col("account") == "positions")),
        receivables=_receivables(entries.filter(pl.col("account") == "receivable")),
        settled=set(actions["reference"].to_list()),
    )


def name_giver(reference: str) -> str:
    """Return the ticker that an action's reference begins with: of what hands shares on, the one that gives them."""
    return reference.split(":")[0]


def put_in_place(entries: pl.DataFrame) -> pl.DataFrame:
    """Return entries as they would stand had all been known: each at its session, a correction with what it corrects.

    Args:
        entries: in the order they were posted; amounts are whole cents.
    """
    if entries.filter(pl.col("effective") < pl.col("session")).is_empty():
        return entries
    first = entries.filter(pl.col("corrects").is_null()).unique("event_id", keep="first").select("event_id", "kind")
    placed = entries.with_columns(pl.coalesce("corrects", "event_id").alias("event_id")).drop("kind")
    placed = placed.join(first, on="event_id", how="left", maintain_order="left").with_columns(
        session=pl.coalesce("effective", "session"),
        # In the order of a session: actions, sales, buys.
        turn=pl.col("kind").replace_strict(
            {"sell": 1, "short": 2, "cover": 3, "buy": 4}, default=0, return_dtype=pl.Int8
        ),
    )
    of_event = ["session", "turn", "event_id", "kind", "reference", "account", "ticker"]
    summed = placed.group_by(of_event, maintain_order=True).agg(pl.col("shares", "amount", "local").sum())
    return summed.sort("session", "turn", maintain_order=True)


def _positions(moves: pl.DataFrame) -> dict[str, Position]:
    if moves.is_empty():
        return {}
    moves = _let_leave_first(moves)
    running = moves.lazy().with_columns(
        after=pl.col("shares").cum_sum().over("ticker"),
        value=pl.col("amount").cum_sum().over("ticker"),
        local_value=pl.col("local").cum_sum().over("ticker"),
    )
    held = collect(running.with_columns(before=pl.col("after").shift(1, fill_value=0).over("ticker")), moves.height)
    starts = held.filter(_BEGINS)
    started = {row[0]: row[1:] for row in starts.select("ticker", "session", "kind", "reference").iter_rows()}
    held_at_last = ("ticker", "after", "value", "local_value")
    ends = held.group_by("ticker", maintain_order=True).last().filter(pl.col("after") != 0)
    return {
        ticker: Position(shares, cost, _first_buy(moves, ticker, *started[ticker]), local)
        for ticker, shares, cost, local in ends.sort("ticker").select(*held_at_last).iter_rows()
    }


_BEGINS = (pl.col("after") != 0) & (pl.col("after").sign() != pl.col("before").sign())
"""Of a move: whether a position begins with it, from nothing or from the other side."""


def _let_leave_first(moves: pl.DataFrame) -> pl.DataFrame:
    """The moves with those of one day's renames in the order in which shares move: all leave, then they come.

    Where companies take each other's tickers the position that comes is another one than the one that leaves.
    """
    renamed = pl.col("kind") == "rename"
    if not moves.select(renamed.any()).item():
        return moves.with_row_index("place")
    of_day = pl.struct("session", renamed, pl.when(renamed).then(pl.col("reference").str.split(":").list.get(1)))
    comes = renamed & (pl.col("ticker") != pl.col("reference").str.split(":").list.first())
    blocks = moves.with_columns(block=of_day.rle_id(), comes=comes)
    ordered = blocks.sort("block", "comes", maintain_order=True)
    return ordered.drop("block", "comes").with_row_index("place")


def _first_buy(moves: pl.DataFrame, ticker: str, session: date, kind: str, reference: str) -> date:
    """Follow a position that was handed on back to the session its first name was bought."""
    if kind not in CARRYING:
        return session
    giving = moves.filter(pl.col("reference") == reference, pl.col("kind") == kind, pl.col("ticker") != ticker)
    old, given_at = giving.select("ticker", "place").row(0)
    earlier = moves.filter(pl.col("ticker") == old, pl.col("place") < given_at).with_columns(
        after=pl.col("shares").cum_sum()
    )
    earlier = earlier.with_columns(before=pl.col("after").shift(1, fill_value=0))
    opening = earlier.filter(_BEGINS)
    return _first_buy(moves, old, *opening.select("session", "kind", "reference").row(-1))


def _receivables(claims: pl.DataFrame) -> dict[str, Receivable]:
    if claims.is_empty():
        return {}
    told = claims.group_by("reference", "due", maintain_order=True)
    open_claims = told.agg(pl.col("ticker").first(), pl.col("amount").sum())
    rows = open_claims.filter(pl.col("amount") != 0).sort("due", "reference").iter_rows()
    return {reference: Receivable(ticker, amount, due) for reference, due, ticker, amount in rows}


def build_entries(events: Iterable[LedgerEvent], session: date) -> pl.DataFrame:
    """Return the ledger rows of a session's events, numbered in their order."""
    legs = [(event, number, leg) for event in events for number, leg in enumerate(event.legs)]
    return pl.DataFrame(
        {
            "entry_id": [f"{event.event_id}#{number}" for event, number, _ in legs],
            "event_id": [event.event_id for event, _, _ in legs],
            "session": [session] * len(legs),
            "ts": [event.ts for event, _, _ in legs],
            "sequence": list(range(len(legs))),
            "kind": [event.kind for event, _, _ in legs],
            "account": [leg.account for _, _, leg in legs],
            "ticker": [leg.ticker for _, _, leg in legs],
            "amount": cents_series(leg.amount for _, _, leg in legs),
            "shares": [leg.shares for _, _, leg in legs],
            "reference": [event.reference for event, _, _ in legs],
            "due": [leg.due for _, _, leg in legs],
            "effective": [event.effective for event, _, _ in legs],
            "revision": [event.revision for event, _, _ in legs],
            "corrects": [event.corrects for event, _, _ in legs],
            "currency": [leg.local.currency if leg.local else None for _, _, leg in legs],
            "rate": rate_series(leg.local.rate if leg.local else None for _, _, leg in legs),
            "local_amount": cents_series(leg.local.amount if leg.local else None for _, _, leg in legs),
        },
        schema=LEDGER_ENTRIES.schema,
    )

"""A corporate action as the books read it: its ledger name and its place in the order; `action_postings` posts it."""

from __future__ import annotations

from collections.abc import Iterable
from datetime import date
from typing import NamedTuple

import polars as pl

from lake.tables.market import CORPORATE_ACTIONS
from pipeline.trading.currencies.session_rates import SessionRates

ORDER = {"redenomination": -1, "split": 0, "dividend": 1, "delisting": 2, "rename": 3, "write_off": 4}
"""On one day: a dividend's and a delisting's amounts are per share after the split; a rename moves what is left."""


ACTION_COLUMNS = (
    *CORPORATE_ACTIONS.key, "numerator", "denominator", "amount", "pay_date", "successor", "nature", "cash",
    "cost_share",
)  # fmt: skip
"""What the books read of corporate actions, of all history: only what says what happened."""


class Action(NamedTuple):
    """One corporate action as the book needs it."""

    ticker: str
    ex_date: date
    kind: str
    sequence: int
    numerator: int | None
    denominator: int | None
    amount: float | None
    pay_date: date | None
    successor: str | None
    revision: int = 0
    nature: str | None = None
    cash: float | None = None
    cost_share: float | None = None

    @property
    def reference(self) -> str:
        """Its name in the ledger, whatever it says in which revision."""
        return f"{self.ticker}:{self.ex_date}:{self.kind}:{self.sequence}"

    @property
    def ratio(self) -> tuple[int, int]:
        """New shares for old ones of the same security; (1, 1) but for a split."""
        if self.kind != "split" or self.numerator is None or self.denominator is None:
            return 1, 1
        return self.numerator, self.denominator

    @property
    def conversion(self) -> tuple[str, int, int] | None:
        """The other security that a holder gets, and how many shares of it (new) for how many held (old)."""
        if self.nature not in ("spin_off", "merger") or not self.successor:
            return None
        if not self.numerator or not self.denominator:
            return None
        return self.successor, self.numerator, self.denominator


def select_actions(corporate_actions: pl.DataFrame, after: date | None, upto: date) -> list[Action]:
    """Return the actions with `after` < ex-date <= `upto` in the order they take effect."""
    due = corporate_actions.filter(pl.col("ex_date") <= upto)
    due = due if after is None else due.filter(pl.col("ex_date") > after)
    actions = [Action(*row) for row in due.select(*Action._fields).iter_rows()]
    return sorted(actions, key=lambda a: (a.ex_date, ORDER[a.kind], a.ticker, a.sequence))


def add_write_offs(corporate_actions: pl.DataFrame, position_ends: pl.DataFrame) -> pl.DataFrame:
    """Return the actions with a row of kind write_off for each end that stands: to a holder it is one of them.

    Args:
        corporate_actions: at least `ACTION_COLUMNS`.
        position_ends: every revision.
    """
    last = position_ends.sort("revision").unique(["ticker", "last_session"], keep="last", maintain_order=True)
    rows = last.filter(~pl.col("withdrawn")).select(
        "ticker",
        "revision",
        "amount",
        ex_date="ended_on",
        kind=pl.lit("write_off"),
        sequence=pl.lit(0, dtype=pl.Int32),
    )
    if rows.is_empty():
        return corporate_actions
    return pl.concat([corporate_actions, rows], how="diagonal")


def add_redenominations(corporate_actions: pl.DataFrame, rates: SessionRates) -> pl.DataFrame:
    """Return the actions with a row of kind redenomination for each listing that changed its currency.

    It is dated the day on which both currencies have a rate, and numbered as the changes of its ticker are.
    """
    rows = [
        {"ticker": ticker, "ex_date": day, "kind": "redenomination", "sequence": number, "revision": 0}
        for ticker, changes in sorted(rates.changes.items())
        for number, change in enumerate(changes)
        if (day := rates.find_day_of_change(change))
    ]
    if not rows:
        return corporate_actions
    schema = {name: CORPORATE_ACTIONS.schema[name] for name in rows[0]}
    return pl.concat([corporate_actions, pl.DataFrame(rows, schema=schema)], how="diagonal")


def leave_out_payments(corporate_actions: pl.DataFrame) -> pl.DataFrame:
    """Return the actions that change what a ticker stands for: payments, which are most of them, move no last close."""
    return corporate_actions.filter((pl.col("kind") != "dividend") | pl.col("successor").is_not_null())


def select_concerning(corporate_actions: pl.DataFrame, tickers: Iterable[str]) -> pl.DataFrame:
    """Return the actions of some tickers, of what they became or gave shares of, and of what they came from."""
    names, passing_on = set(tickers), corporate_actions.filter(pl.col("successor").is_not_null())
    pairs = passing_on.select("ticker", "successor").rows()
    pairs += [(successor, ticker) for ticker, successor in pairs]
    while new := {other for ticker, other in pairs if ticker in names} - names:
        names |= new
    return corporate_actions.filter(pl.col("ticker").is_in(sorted(names)))


def split_ratio(actions: Iterable[Action], ticker: str, after: date) -> tuple[int, int]:
    """Return the combined ratio (new, old) of a ticker's splits with an ex-date after the given day."""
    numerator, denominator = 1, 1
    for action in actions:
        if action.ticker == ticker and action.ex_date > after:
            new, old = action.ratio
            numerator, denominator = numerator * new, denominator * old
    return numerator, denominator

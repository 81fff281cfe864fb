"""The balances that a session begins with: those of the one before, where nothing was learned of the past since."""

from __future__ import annotations

from collections.abc import Mapping
from datetime import date
from hashlib import sha256
from typing import Any, NamedTuple

import polars as pl

from lake.fingerprint import fingerprint
from lake.tables.books import BALANCES, BOOK_OPENINGS, LEDGER_ENTRIES
from pipeline.engine.stage import Moment
from pipeline.market.sessions import Sessions
from pipeline.trading.books.actions import ACTION_COLUMNS
from pipeline.trading.books.book import Book, Position, Receivable
from pipeline.trading.books.money import cents_series
from pipeline.trading.books.quotes import WINDOW, Span, sessions_of_fractions
from pipeline.trading.currencies.session_rates import SessionRates

ACCOUNTS = ("cash", "capital", "realised", "exchange", "dividends", "commission", "rounding", "interest", "borrow")
"""Accounts with one balance each; of them those of `DEBIT` count debits, the others credits."""
DEBIT = ("cash", "commission", "borrow")
QUOTED = ("ticker", "session", "open", "close")
PAID_OUT = pl.col("kind") == "cash_in_lieu"
"""Of an entry: whether it pays a fraction of a share out."""


class KnownFacts:
    """What is known of that on which books rest beside fills: actions, and the bars that fractions were paid out at.

    Foreign names rest on rates as well, so that there is no hash with them.
    """

    def __init__(
        self,
        corporate_actions: pl.DataFrame,
        market_prices: pl.DataFrame,
        ledger_entries: pl.DataFrame,
        rates: SessionRates,
        calendar: Sessions,
    ) -> None:
        """Take what is known.

        Args:
            corporate_actions: last revisions, write-offs among them; at least `ACTION_COLUMNS`.
            market_prices: daily bars, those around sessions that left fractions among them.
            ledger_entries: of all sessions, at least those that paid fractions out.
            rates: which names are foreign.
            calendar: the sessions.
        """
        self.actions, self.prices, self.rates, self.calendar = corporate_actions, market_prices, rates, calendar
        paid = ledger_entries.select("kind", "ticker", "session", "effective").filter(PAID_OUT)
        self.paid = paid.select("ticker", session=pl.coalesce("effective", "session")).unique()
        self._hashes: dict[tuple[str, int], str] = {}

    def fingerprint(self, upto: date, actions: str = "") -> str:
        """Hash what is known of the time up to a session: whoever finds the same again need not look anew.

        Args:
            upto: the session.
            actions: their hash up to it, where somebody has taken it already.

        Returns:
            64 hex digits; empty where there are foreign names.
        """
        if self.rates.currencies or self.rates.changes:
            return ""
        place = self.calendar.position(upto)  # another one where a closure was learned of since
        parts = actions or self.hash_actions(upto), self._hash_bars(upto), f"{place}"
        return sha256("|".join(parts).encode()).hexdigest()

    def hash_actions(self, upto: date) -> str:
        """Hash what is known of actions up to a session: the same on a day without any as on the one before."""
        past = self.actions.filter(pl.col("ex_date") <= upto)
        key = "actions", past.height
        if key not in self._hashes:
            self._hashes[key] = fingerprint(past, ("ticker", "ex_date", "kind", "sequence"), ACTION_COLUMNS)
        return self._hashes[key]

    def _hash_bars(self, upto: date) -> str:
        """The same on a day without fractions as on the one before."""
        paid = self.paid.filter(pl.col("session") <= upto)
        key = "bars", paid.height
        if key not in self._hashes:
            self._hashes[key] = fingerprint(self._find_bars(paid), ("ticker", "session"), QUOTED)
        return self._hashes[key]

    def _find_bars(self, paid: pl.DataFrame) -> pl.DataFrame:
        """The bars of the days on which fractions were paid out, and where there is none, of the sessions before it."""
        calendar = self.calendar
        bars = self.prices.join(paid, on=["ticker", "session"], how="semi")
        if bars.height == paid.height:
            return bars
        silent = paid.join(bars, on=["ticker", "session"], how="anti").rows()
        around = {
            (ticker, day) for ticker, last in silent for day in calendar.between(calendar.offset(last, -WINDOW), last)
        }
        wanted = pl.DataFrame(sorted(around), schema={"ticker": pl.String, "session": pl.Date}, orient="row")
        both = pl.concat([wanted, bars.select(wanted.columns)]).unique()
        return self.prices.join(both, on=["ticker", "session"], how="semi")


def goes_on(book_openings: pl.DataFrame, moment: Moment) -> bool:
    """Whether the session goes on from the balances of the one before."""
    told = book_openings.filter(pl.col("session") == moment.session)
    return bool(told["unchanged"].any())


class Opening(NamedTuple):
    """The balances of the session before, to go on from."""

    book: Book
    entries: pl.DataFrame
    """The same as entries of a ledger that begins with them."""


def begin(balances: pl.DataFrame, book_openings: pl.DataFrame, moment: Moment) -> Opening | None:
    """Return what the session goes on from; None where all is to be added up."""
    if not goes_on(book_openings, moment):
        return None
    before = balances.filter(pl.col("session") == moment.calendar.previous(moment.session))
    return Opening(to_book(before), to_entries(before))


def entries_where_changed(frames: Mapping[str, pl.DataFrame], moment: Moment) -> list[Span]:
    """Return the sessions whose rows have to be read: all before, unless the books go on from balances."""
    if goes_on(frames[BOOK_OPENINGS.name], moment):
        return []
    return [(date.min, moment.calendar.previous(moment.session))]


def bars_where_changed(frames: Mapping[str, pl.DataFrame], moment: Moment) -> list[Span]:
    """Return the sessions whose bars say what fractions were paid out at, unless the books go on from balances."""
    return [] if goes_on(frames[BOOK_OPENINGS.name], moment) else sessions_of_fractions(frames, moment)


def sessions_paid_out(frames: Mapping[str, pl.DataFrame], moment: Moment) -> list[Span]:
    """Return the spans of sessions whose bars say what the fractions were paid out at that the ledger paid."""
    paid = frames[LEDGER_ENTRIES.name].filter(PAID_OUT).select(pl.coalesce("effective", "session").unique().sort())
    return [(moment.calendar.offset(day, -WINDOW), day) for (day,) in paid.iter_rows()]


def read_book(balances: pl.DataFrame, session: date) -> Book | None:
    """Return the book after a session; None where there are no balances of it."""
    told = balances.filter(pl.col("session") == session)
    return None if told.is_empty() else to_book(told)


def to_book(balances: pl.DataFrame) -> Book:
    """Return the book that one session's balances are of: what `fold` makes of them as entries."""
    book = Book()
    rows = balances.sort("due", "item", nulls_last=False).select(
        "account", "item", "ticker", "shares", "opened", "due",
        *(pl.col(name).to_physical().cast(pl.Int64) for name in ("amount", "local_amount")),
    )  # fmt: skip
    for account, item, ticker, shares, opened, due, cents, local in rows.iter_rows():
        if account == "positions":
            book.positions[ticker] = Position(shares, cents, opened, local or 0)
        elif account == "receivable":
            book.receivables[item] = Receivable(ticker, cents, due)
        else:
            setattr(book, account, cents if account in DEBIT else -cents)
    return book


def entries_to_add_up(frames: Mapping[str, pl.DataFrame], moment: Moment) -> list[Span]:
    """Return the sessions whose entries have to be read where there are no balances of the session: all before it."""
    if frames["balances"].filter(pl.col("session") == moment.session).is_empty():
        return [(date.min, moment.calendar.previous(moment.session))]
    return []


def history_to_go_through(frames: Mapping[str, pl.DataFrame], moment: Moment) -> list[Span]:
    """Return the sessions that have to be gone through again where the balances were not carried: all before."""
    return (
        [] if is_carried(frames["balances"], moment.session) else [(date.min, moment.calendar.previous(moment.session))]
    )


def is_carried(balances: pl.DataFrame, session: date) -> bool:
    """Whether the balances of a session were carried from those of the session before."""
    told = balances.filter(pl.col("session") == session)
    return bool(told["carried"].any())


def to_entries(balances: pl.DataFrame) -> pl.DataFrame:
    """Return one session's balances as entries of a ledger that begins with them."""
    held = pl.col("account") == "positions"
    rows = balances.with_columns(
        entry_id=pl.format("balance:{}:{}", "account", "item"),
        event_id=pl.format("balance:{}:{}", "account", "item"),
        kind=pl.when(held).then(pl.lit("buy")).otherwise(pl.lit("fund")),
        session=pl.coalesce("opened", "session"),
        effective=pl.coalesce("opened", "session"),
        reference="item",
        sequence=pl.lit(0, LEDGER_ENTRIES.schema["sequence"]),
    )
    missing = [
        pl.lit(None, kind).alias(name) for name, kind in LEDGER_ENTRIES.schema.items() if name not in rows.columns
    ]
    return rows.with_columns(missing).select(list(LEDGER_ENTRIES.schema))


def build_balances(book: Book, session: date, facts: str, *, carried: bool) -> pl.DataFrame:
    """Return the rows of a book after a session: cash, and whatever else there is something of."""
    signs = {name: 1 if name in DEBIT else -1 for name in ACCOUNTS}
    sums = {name: signs[name] * getattr(book, name) for name in ACCOUNTS}
    rows: list[tuple[Any, ...]] = [
        (name, "", None, cents, 0, None, None, None) for name, cents in sums.items() if cents or name == "cash"
    ]
    rows += [
        ("receivable", reference, claim.ticker, claim.amount, 0, None, None, claim.due)
        for reference, claim in sorted(book.receivables.items())
    ]
    rows += [
        ("positions", ticker, ticker, one.cost, one.shares, one.local_cost or None, one.opened, None)
        for ticker, one in sorted(book.positions.items())
    ]
    account, item, ticker, amount, shares, local, opened, due = zip(*rows, strict=True)
    return pl.DataFrame(
        {
            "session": [session] * len(rows),
            "account": account,
            "item": item,
            "amount": cents_series(amount),
            "ticker": ticker,
            "shares": shares,
            "local_amount": cents_series(local),
            "opened": opened,
            "due": due,
            "carried": [carried] * len(rows),
            "facts": [facts] * len(rows),
        },
        schema=BALANCES.schema,
    )

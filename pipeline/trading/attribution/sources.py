"""What each name brought in a session, by account: exact cents that add up to the change of NAV."""

from __future__ import annotations

from collections import Counter, defaultdict
from collections.abc import Mapping
from dataclasses import dataclass
from datetime import date

import polars as pl

from pipeline.trading.books.book import CARRYING, CORRECTING, FINANCING_KINDS
from pipeline.trading.books.money import to_cents

BOOK = ""
"""The item that stands for the whole book."""
DIVIDENDS = ("dividend", "dividend_paid", "return_of_capital")
Cents = dict[str, int]
"""Ticker -> cents."""


@dataclass(frozen=True, kw_only=True)
class BookSession:
    """The rows of one session that its profit is told from."""

    previous: date
    entries: pl.DataFrame
    """Ledger entries of the session."""
    now: pl.DataFrame
    """Holdings after it."""
    before: pl.DataFrame
    """Holdings after the session before."""
    trades: pl.DataFrame
    """Fills of the session, at least a share each."""
    closes: Mapping[str, float]
    """Ticker -> close of the session before, as it is known now, as traded."""
    base: Mapping[str, float]
    """The same on today's shares and less the dividend of today: what whoever traded then would have paid."""


def tell_sources(book: BookSession) -> dict[str, Cents]:
    """Return part -> ticker -> cents; all of it together is the change of NAV less capital paid in.

    What was traded is taken at the close of the session before, at which it was decided: `timing` is what the open
    was worse, spread, impact and commission come on top, and `gain` is what price moves and actions made of what was
    held after the trades. Names that an action joins, such as a rename, count as one.
    """
    names = _join_names(book)
    parts = {
        "dividend": _add_posted(book, DIVIDENDS),
        "commission": _add_posted(book, ("commission",)),
        **{kind: cents for kind in FINANCING_KINDS if (cents := _add_posted(book, (kind,)))},
        "restated": _restate(book),
        "exchange": _exchange(book),
        "timing": _time_trades(book),
        **{name: _add_costs(book.trades, f"{name}_cost") for name in ("spread", "impact")},
    }
    parts = {name: _rename(cents, names) for name, cents in parts.items()}
    gain = Counter(_rename(_total(book), names))
    for cents in parts.values():
        gain.subtract(cents)
    return {"gain": dict(gain), **parts}


def _total(book: BookSession) -> Cents:
    """What each ticker added to NAV."""
    return _add(_add_legs(book.entries), _add_values(book.now, 1), _add_values(book.before, -1))


def weigh_positions(book: BookSession) -> dict[str, float]:
    """Return what the shares held after the trades were worth at the close before: ticker -> book's currency."""
    names, worth = _join_names(book), defaultdict[str, float](float)
    for ticker, value in book.before.select("ticker", "market_value").iter_rows():
        worth[names.get(ticker, ticker)] += float(value)
    for ticker, signed, rate in _signed(book.trades).select("ticker", "signed", "rate").iter_rows():
        worth[names.get(ticker, ticker)] += signed * book.base.get(ticker, 0.0) * float(rate or 1)
    return dict(worth)


def _join_names(book: BookSession) -> dict[str, str]:
    """Ticker -> the name under which it counts, for names that share an action of the session."""
    handed = book.entries.filter(pl.col("account") == "positions", pl.col("kind").is_in(CARRYING))
    together = handed.group_by("reference").agg(pl.col("ticker").unique()).sort("reference")["ticker"].to_list()
    groups: dict[str, frozenset[str]] = {}
    for names in together:
        joined = frozenset(one for name in names for one in groups.get(name, {name}))
        groups |= dict.fromkeys(joined, joined)
    held = set(book.now["ticker"])
    return {name: min(group, key=lambda one: (one not in held, one)) for name, group in groups.items()}


def _rename(cents: Mapping[str, int], names: Mapping[str, str]) -> Cents:
    renamed: Counter[str] = Counter()
    for ticker, amount in cents.items():
        renamed[names.get(ticker, ticker)] += amount
    return dict(renamed)


def _add(*parts: Mapping[str, int]) -> Cents:
    added: Counter[str] = Counter()
    for cents in parts:
        added.update(cents)
    return dict(added)


def _is_late(book: BookSession) -> pl.Expr:
    """Of an entry: whether it corrects one of a session before, or would have been posted in one."""
    return pl.col("kind").is_in(CORRECTING) | (pl.col("effective") <= book.previous).fill_null(False)


def _add_posted(book: BookSession, kinds: tuple[str, ...]) -> Cents:
    """What events of the session itself moved."""
    return _add_legs(book.entries.filter(~_is_late(book), pl.col("kind").is_in(kinds)))


def _restate(book: BookSession) -> Cents:
    """What was learned of the sessions before, of events and of closes."""
    late = book.entries.filter(_is_late(book))
    return _add(_add_legs(late), _value_shares(late, book), _restate_closes(book))


def _add_legs(entries: pl.DataFrame) -> Cents:
    """What events moved of cash and of what is due, but for capital paid in."""
    legs = entries.filter(pl.col("account").is_in(["cash", "receivable"]), pl.col("kind") != "fund")
    return _sum_cents(legs.select(pl.col("ticker").fill_null(BOOK), "amount"), "amount")


def _value_shares(late: pl.DataFrame, book: BookSession) -> Cents:
    """What shares that were learned of late were worth at the close before."""
    moved = late.filter(pl.col("shares") != 0).group_by("ticker").agg(pl.col("shares").sum()).sort("ticker")
    return {ticker: to_cents(shares * book.closes.get(ticker, 0.0)) for ticker, shares in moved.iter_rows()}


def _add_values(holdings: pl.DataFrame, sign: int) -> Cents:
    return {name: sign * cents for name, cents in _sum_cents(holdings, "market_value").items()}


def _add_costs(trades: pl.DataFrame, column: str) -> Cents:
    return {name: -cents for name, cents in _sum_cents(trades, column).items()}


def _sum_cents(rows: pl.DataFrame, column: str) -> Cents:
    cents = rows.select("ticker", pl.col(column).to_physical().cast(pl.Int64))
    return dict(cents.group_by("ticker").agg(pl.col(column).sum()).sort("ticker").iter_rows())


def _restate_closes(book: BookSession) -> Cents:
    """What closes of the session before, as they are known now, are worth beyond what they were taken for."""
    recent = book.before.filter(pl.col("close_session") == book.previous)
    changed = {
        ticker: to_cents(shares * (book.closes[ticker] - float(close)) * float(rate or 1))
        for ticker, shares, close, rate in recent.select("ticker", "shares", "close", "rate").iter_rows()
        if ticker in book.closes
    }
    return {ticker: cents for ticker, cents in changed.items() if cents}


def _exchange(book: BookSession) -> Cents:
    """What the rates of the session made of what foreign positions were worth before it."""
    rates = dict(book.trades.filter(pl.col("rate").is_not_null()).select("ticker", "rate").iter_rows())
    rates |= dict(book.now.filter(pl.col("rate").is_not_null()).select("ticker", "rate").iter_rows())
    foreign = book.before.filter(pl.col("rate").is_not_null()).select("ticker", "local_value", "rate")
    return {ticker: to_cents(value * (rates.get(ticker, rate) - rate)) for ticker, value, rate in foreign.iter_rows()}


def _signed(trades: pl.DataFrame) -> pl.DataFrame:
    sign = pl.when(pl.col("side") == "buy").then(1).otherwise(-1)
    return trades.with_columns(signed=sign * pl.col("shares"))


def _time_trades(book: BookSession) -> Cents:
    """What the way from the close at which trades were decided to their open cost."""
    timed: Counter[str] = Counter()
    for ticker, signed, price, rate in (
        _signed(book.trades).select("ticker", "signed", "open_price", "rate").iter_rows()
    ):
        if ticker in book.base:
            timed[ticker] -= to_cents(signed * (float(price) - book.base[ticker]) * float(rate or 1))
    return dict(timed)

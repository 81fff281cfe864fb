"""The accounts after one session by its fills and facts, from the balances of the session before."""

from __future__ import annotations

from collections import defaultdict
from datetime import date
from typing import Any

import polars as pl

from pipeline.market.sessions import Sessions
from pipeline.trading.books.reconciliation import Reconciliation
from pipeline.trading.reconciling.days import ACTION_COLUMNS, DayOfBooks, gather_days
from pipeline.trading.reconciling.known_bars import find_concerned, read_bars
from pipeline.trading.reconciling.postings import Claim, Sum


def reconcile_session(
    balances: pl.DataFrame,
    executed_trades: pl.DataFrame,
    corporate_actions: pl.DataFrame,
    market_prices: pl.DataFrame,
    session: date,
    calendar: Sessions,
    position_ends: pl.DataFrame,
) -> Reconciliation:
    """Work out the accounts after a session from those before it, where nothing was learned of the past.

    Foreign names have no such balances.

    Args:
        balances: of the session before.
        executed_trades: those of the session among them.
        corporate_actions: all that is known, last revisions.
        market_prices: daily bars of the session and some before.
        session: the one to go through.
        calendar: the sessions.
        position_ends: every statement about names that were written off, and what was heard of them since.
    """
    previous = calendar.previous(session)
    fills = executed_trades.filter(pl.col("shares") > 0, pl.col("session") == session)
    held = balances.filter(pl.col("account") == "positions")
    names = find_concerned({*held["ticker"], *fills["ticker"]}, corporate_actions)
    known = corporate_actions.filter(pl.col("ticker").is_in(sorted(names)), pl.col("ex_date") <= session)
    splits_of: dict[str, list[dict[str, Any]]] = defaultdict(list)
    for split in known.filter(pl.col("kind") == "split").select(ACTION_COLUMNS).iter_rows(named=True):
        splits_of[split["ticker"]].append(split)
    found = Reconciliation(calendar, *read_bars(market_prices, names), splits_of)
    _begin(found, balances)
    ends = position_ends.filter(pl.col("ended_on") > previous)
    days = gather_days(known.filter(pl.col("ex_date") > previous), ends, fills, session, calendar)
    found.go_through({session: days.get(session, DayOfBooks([], [], []))})
    return found


def _begin(found: Reconciliation, balances: pl.DataFrame) -> None:
    cents = balances.with_columns(pl.col("amount").to_physical().cast(pl.Int64))
    for account, item, ticker, amount, shares, due in cents.select(
        "account", "item", "ticker", "amount", "shares", "due"
    ).iter_rows():
        if account == "positions":
            found.shares[ticker], found.cost[ticker] = shares, Sum(amount, amount)
        elif account == "receivable":
            found.claims.append(Claim(due, item, ticker, amount))
        if account in ("cash", "receivable"):
            found.begun[account] += amount

"""Fills, positions and profit of both systems."""

from __future__ import annotations

from datetime import date
from decimal import Decimal
from typing import Any

import polars as pl

from lake.contract import PRICE
from lake.store import Lake
from lake.tables.books import PORTFOLIO_HOLDINGS, PORTFOLIO_VALUE
from lake.tables.imports import IMPORTED_TRADES
from lake.tables.trading import EXECUTED_TRADES
from pipeline.comparison.companies import list_names, read_actions, read_bars
from pipeline.comparison.figure import Figure, counted, states, to_words
from pipeline.market.securities.following import Securities

AT = ("session", "ticker", "side")


def trades(lake: Lake, source: str, first: date, last: date, tolerance: float) -> list[Figure]:
    """Compare fills, end positions and realised profit; none where one of the systems did not trade.

    Fills are compared by session, ticker and side: the shares have to be equal, the mean price within the tolerance.
    Positions are those after `last`, splits since each fill counted. Realised profit is what the older system states,
    else computed at average cost as our own ledger does, fees and dividends apart. Both go by company: what was bought
    under a ticker is held and sold under what that became, ends with its delisting at the final value, and is not who
    gets the ticker afterwards. What the older system traded before our own book began counts for its positions alone.

    Args:
        lake: to look in.
        source: the older system.
        first: first session.
        last: last session.
        tolerance: fraction of a price or an amount.
    """
    begun = lake.read(PORTFOLIO_VALUE, until=last, columns=("session",))["session"].min()
    first = max(first, begun) if isinstance(begun, date) else first
    old = lake.read(IMPORTED_TRADES, until=last, where=pl.col("source") == source)
    filled = lake.read(EXECUTED_TRADES, since=first, until=last, where=pl.col("shares") > 0)
    if old.filter(pl.col("session") >= first).is_empty() or filled.is_empty():
        return []
    facts = read_actions(lake, old["ticker"], last)
    bars = read_bars(lake, list_names(old["ticker"], facts), last=last)
    companies = Securities.trace(facts, bars)
    ends = (pl.col("kind") == "delisting") & pl.col("successor").is_null()
    events = companies.name_actions(facts.filter((pl.col("kind") == "split") | ends))
    named = companies.name_companies(old, "session")
    return [
        _fills(old.filter(pl.col("session") >= first), filled, tolerance),
        _positions(lake, named, events, companies, last),
        _profit(lake, named, events, first, last, tolerance),
    ]


def _fills(old: pl.DataFrame, filled: pl.DataFrame, tolerance: float) -> Figure:
    there = _by_session(old.select(*AT, "shares", "price")).rename({"shares": "old", "price": "old_price"})
    here = filled.select(*AT, pl.col("shares").cast(PRICE), price="fill_price")
    here = _by_session(here).rename({"shares": "ours", "price": "our_price"})
    both = there.join(here, on=AT, how="full", coalesce=True)
    apart = (pl.col("old") != pl.col("ours")) | ((pl.col("old_price") / pl.col("our_price") - 1).abs() > tolerance)
    both = both.with_columns(states(apart))
    words = pl.format(
        "{} {} {}: {} shares at {} there, {} at {} here",
        *("session", "side", "ticker"),
        *map(to_words, ("old", "old_price", "ours", "our_price")),
    )
    return counted("fills", both, words, AT)


def _by_session(fills: pl.DataFrame) -> pl.DataFrame:
    """session, ticker, side, shares and their mean price as Float64."""
    value = (pl.col("shares").cast(pl.Float64) * pl.col("price").cast(pl.Float64)).sum()
    shares = pl.col("shares").cast(pl.Float64).sum()
    return fills.sort(fills.columns).group_by(AT, maintain_order=True).agg(shares=shares, price=value / shares)


def _positions(lake: Lake, old: pl.DataFrame, events: pl.DataFrame, companies: Securities, last: date) -> Figure:
    books = _Books(events)
    for row in old.sort("session", "ts", "trade_id").iter_rows(named=True):
        books.fill(row)
    held = {company: float(shares) for company, shares in books.ended(last).items() if shares}
    tickers = companies.list_tickers(list(held), last)
    there = pl.DataFrame({"ticker": tickers, "old": list(held.values())}, schema={"ticker": str, "old": float})
    kept = lake.read(PORTFOLIO_HOLDINGS, until=last)
    latest = lake.read(PORTFOLIO_VALUE, until=last, columns=("session",))["session"].max()
    here = kept.filter(pl.col("session") == latest).select("ticker", ours=pl.col("shares").cast(pl.Float64))
    both = there.join(here, on="ticker", how="full", coalesce=True)
    both = both.with_columns(states((pl.col("old") - pl.col("ours")).abs() > 1e-6))
    words = pl.format("{}: {} shares there, {} here", "ticker", to_words("old"), to_words("ours"))
    return counted(f"positions after {last}", both, words, ("ticker",))


def _profit(lake: Lake, old: pl.DataFrame, events: pl.DataFrame, first: date, last: date, tolerance: float) -> Figure:
    books, there = _Books(events), Decimal(0)
    for row in old.sort("session", "ts", "trade_id").iter_rows(named=True):
        gained = books.fill(row)
        if row["session"] >= first:
            there += row["profit"] if row["profit"] is not None else gained
    there += books.sum_ends(first, last)
    value = lake.read(PORTFOLIO_VALUE, until=last, columns=("session", "realised")).sort("session")
    after = value["realised"].to_list()[-1:]
    before = value.filter(pl.col("session") < first)["realised"].to_list()[-1:]
    here = (after[0] if after else Decimal(0)) - (before[0] if before else Decimal(0))
    differs = abs(there - here) > Decimal(str(tolerance)) * max(abs(there), abs(here))
    words = f"{there:,.2f} there, {here:,.2f} here" if differs else ""
    numbers: dict[str, float | None] = {"there": float(there), "here": float(here)}
    return Figure(name="realised profit", matched=int(not differs), differs=int(differs), first=words, numbers=numbers)


class _Books:
    """Positions at average cost, for a system that states neither positions nor profit."""

    def __init__(self, events: pl.DataFrame) -> None:
        columns = ("kind", "ticker", "ex_date", "numerator", "denominator", "amount")
        self._splits: dict[str, list[tuple[date, Decimal]]] = {}
        self._ends: dict[str, tuple[date, Decimal]] = {}
        """Company -> when it ended, and what a share was worth then."""
        for kind, ticker, ex_date, new, was, amount in events.sort("ex_date", "sequence").select(columns).iter_rows():
            if kind == "split":
                self._splits.setdefault(ticker, []).append((ex_date, Decimal(new) / Decimal(was)))
            else:
                self._ends[ticker] = ex_date, Decimal(str(amount or 0))
        self._held: dict[str, tuple[Decimal, Decimal, date]] = {}

    def fill(self, row: dict[str, Any]) -> Decimal:
        """Book one fill and return the profit it realises; a sale beyond what is held opens a short position."""
        shares, cost, _ = self._at(row["ticker"], row["session"])
        change = row["shares"] if row["side"] == "buy" else -row["shares"]
        closing = min(abs(change), abs(shares)) if shares * change < 0 else Decimal(0)
        mean = cost / shares if shares else Decimal(0)
        sign = 1 if shares > 0 else -1
        gained = closing * (row["price"] - mean) * sign
        cost -= sign * closing * mean
        cost += (change + sign * closing if closing else change) * row["price"]
        self._held[row["ticker"]] = (shares + change, cost, row["session"])
        return Decimal(gained)

    def ended(self, last: date) -> dict[str, Decimal]:
        """Company -> shares after a session; none of what has come to its end."""
        return {one: self._at(one, last)[0] for one in self._held if not self._has_ended(one, last)}

    def sum_ends(self, first: date, last: date) -> Decimal:
        """What was gained by the ends of companies that were held, in some sessions."""
        ended = [one for one in self._held if self._has_ended(one, last) and self._ends[one][0] >= first]
        worths = ((self._at(one, self._ends[one][0]), self._ends[one][1]) for one in ended)
        return sum((shares * value - cost for (shares, cost, _), value in worths), Decimal(0))

    def _has_ended(self, company: str, last: date) -> bool:
        return company in self._ends and self._held[company][2] < self._ends[company][0] <= last

    def _at(self, ticker: str, session: date) -> tuple[Decimal, Decimal, date]:
        """Shares and cost as they stand at a session, splits since the last fill counted."""
        shares, cost, since = self._held.get(ticker, (Decimal(0), Decimal(0), session))
        for ex_date, ratio in self._splits.get(ticker, []):
            if since < ex_date <= session:
                shares *= ratio
        return shares, cost, session

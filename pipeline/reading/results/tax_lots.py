"""The book's tax lots for a return: what is open and what it is worth, and what was sold within and after a year."""

from __future__ import annotations

import csv
from collections import defaultdict
from dataclasses import dataclass
from datetime import date
from decimal import Decimal
from pathlib import Path
from typing import Any, TypeGuard

import polars as pl

from lake.contract import CENTS
from lake.store import Lake
from lake.tables.books import LEDGER_ENTRIES, PORTFOLIO_HOLDINGS
from pipeline.trading.books.money import cents_series, half_even, to_cents
from pipeline.trading.lots.lot import Lot, LotBook, Method, is_long_term
from pipeline.trading.lots.walk import Designated, follow_lots

NAMED_COLUMNS = ("sale", "buy", "shares")
Columns = dict[str, pl.DataType | type[pl.DataType]]
OPEN: Columns = {
    "ticker": pl.String,
    "bought": pl.Date,
    "shares": pl.Int64,
    "cost": CENTS,
    "value": CENTS,
    "gain": CENTS,
    "term": pl.String,
    "lot": pl.String,
}
SOLD: Columns = {
    "ticker": pl.String,
    "bought": pl.Date,
    "sold": pl.Date,
    "shares": pl.Int64,
    "proceeds": CENTS,
    "cost": CENTS,
    "gain": CENTS,
    "term": pl.String,
    "sale": pl.String,
    "lot": pl.String,
}


class DesignationError(ValueError):
    """Lots that are named for a sale, and are not there."""


@dataclass(frozen=True)
class TaxLots:
    """Open and sold lots as frames, and what was realised within a year of the buy and after it."""

    open: pl.DataFrame
    sold: pl.DataFrame
    short_term: Decimal
    long_term: Decimal


def read_tax_lots(lake: Lake, method: Method, year: int | None = None, designated: Designated | None = None) -> TaxLots:
    """Return the lots of the book as known now; sold ones of a calendar year alone, if one is given.

    Costs and proceeds are without commission, in the book's currency; a sale's half-spread and impact are in its price.

    Raises:
        DesignationError: if a sale or a buy is named that the ledger does not have.
    """
    entries = lake.read(LEDGER_ENTRIES)
    _check_names(entries, designated or {})
    lots = follow_lots(entries, method, designated)
    last = entries["session"].max()
    held = _frame_open(lots, lake.read(PORTFOLIO_HOLDINGS, since=last, until=last), last) if _is_day(last) else None
    sold = _frame_sold(lots).filter(pl.lit(year is None) | (pl.col("sold").dt.year() == (year or 0)))
    gains = dict(sold.group_by("term").agg(pl.col("gain").sum()).iter_rows())
    return TaxLots(
        open=pl.DataFrame(schema=OPEN) if held is None else held,
        sold=sold,
        short_term=gains.get("short", Decimal(0)),
        long_term=gains.get("long", Decimal(0)),
    )


def _is_day(value: object) -> TypeGuard[date]:
    return isinstance(value, date)


def _check_names(entries: pl.DataFrame, designated: Designated) -> None:
    kinds = {"sell": ["sell", "cover"], "buy": ["buy", "short"]}
    known = {name: set(entries.filter(pl.col("kind").is_in(both))["reference"]) for name, both in kinds.items()}
    sales, buys = set(designated), {buy for named in designated.values() for buy in named}
    unknown = sorted(sales - known["sell"]) + sorted(buys - known["buy"])
    if unknown:
        raise DesignationError(
            f"{len(unknown)} of the trades named are not in the ledger, the first is {unknown[0]!r}; "
            "`nextgen lots` shows them as sale and lot"
        )


def read_designations(path: Path) -> dict[str, dict[str, int]]:
    """Return sale -> buy -> shares of a CSV file with the columns sale, buy and shares.

    Raises:
        DesignationError: if a column is missing, or a row's shares are no whole number above 0.
    """
    named: dict[str, dict[str, int]] = defaultdict(dict)
    with path.open(encoding="utf-8", newline="") as lines:
        rows = csv.DictReader(lines)
        if missing := [name for name in NAMED_COLUMNS if name not in (rows.fieldnames or ())]:
            raise DesignationError(f"{path} has no column {missing[0]}; write sale, buy and shares in its first line")
        for number, row in enumerate(rows, 2):
            shares = row["shares"] or ""
            if not shares.isdecimal() or not int(shares):
                raise DesignationError(f"{path}, line {number}: {shares!r} is no number of shares; write a whole one")
            named[row["sale"]][row["buy"]] = int(shares)
    return dict(named)


def _frame_open(lots: LotBook, held: pl.DataFrame, last: date) -> pl.DataFrame:
    """Each lot's part of what its ticker is worth; what was handed on may be worth nothing yet."""
    worth = dict(held.select("ticker", pl.struct("market_value", "shares")).iter_rows())
    rows = [(lot, _value(lot, worth.get(ticker))) for ticker, own in lots.open.items() for lot in own]
    frame = {
        "ticker": [lot.ticker for lot, _ in rows],
        "bought": [lot.opened for lot, _ in rows],
        "shares": [lot.shares for lot, _ in rows],
        "cost": cents_series(lot.cost for lot, _ in rows),
        "value": cents_series(value for _, value in rows),
        "gain": cents_series(value - lot.cost for lot, value in rows),
        "term": ["long" if is_long_term(lot.opened, last, lot.shares) else "short" for lot, _ in rows],
        "lot": [lot.trade_id for lot, _ in rows],
    }
    return pl.DataFrame(frame, schema=OPEN)


def _value(lot: Lot, whole: dict[str, Any] | None) -> int:
    return half_even(to_cents(whole["market_value"]) * abs(lot.shares), abs(whole["shares"])) if whole else 0


def _frame_sold(lots: LotBook) -> pl.DataFrame:
    sold = sorted(lots.sold, key=lambda one: (one.sold, one.event, one.opened))
    frame = {
        "ticker": [one.ticker for one in sold],
        "bought": [one.opened for one in sold],
        "sold": [one.sold for one in sold],
        "shares": [one.shares for one in sold],
        "proceeds": cents_series(one.proceeds for one in sold),
        "cost": cents_series(one.cost for one in sold),
        "gain": cents_series(one.gain for one in sold),
        "term": ["long" if is_long_term(one.opened, one.sold, one.shares) else "short" for one in sold],
        "sale": [one.event for one in sold],
        "lot": [one.lot for one in sold],
    }
    return pl.DataFrame(frame, schema=SOLD)

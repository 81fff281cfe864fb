"""Charge what carrying the book over the night cost: interest on cash and on debt, and a fee for borrowed shares."""

from __future__ import annotations

from collections.abc import Iterator
from datetime import date
from typing import Any

import polars as pl

from lake.tables.books import FINANCING, PORTFOLIO_HOLDINGS, PORTFOLIO_VALUE
from pipeline.engine.stage import Moment, Read, Stage
from pipeline.trading.books.money import cents_series, half_even, to_micros
from pipeline.trading.params import TradingParams
from pipeline.trading.shorts.lending import Lending

DAYS_A_YEAR = 365
MILLION = 1_000_000
CASH, COLLATERAL, DEBT = "cash", "collateral", "debt"
"""What interest is reckoned on, beside tickers that are short."""


def financing(
    portfolio_value: pl.DataFrame, portfolio_holdings: pl.DataFrame, moment: Moment, params: TradingParams
) -> pl.DataFrame:
    """Return what the nights before `moment.session` cost or brought (that session alone).

    It is reckoned once, on what the book stated at the close before, at simple interest for each calendar day, and
    stands however that statement is corrected later: so do a bank's and a lender's bills.
    """
    before = moment.calendar.previous(moment.session)
    stated = portfolio_value.filter(pl.col("session") == before)
    if params.settlement != 2 or stated.is_empty():
        return FINANCING.empty()
    held = portfolio_holdings.filter(pl.col("session") == before, pl.col("shares") < 0).sort("ticker")
    worth = dict(held.select("ticker", -pl.col("market_value").to_physical().cast(pl.Int64)).iter_rows())
    cash, days = int(stated["cash"].to_physical().cast(pl.Int64)[0]), (moment.session - before).days
    rows = [
        {"item": item, "kind": kind, "base": base, "rate": rate, "amount": reckon(base, rate, days)}
        for kind, item, base, rate in (*_on_cash(cash, sum(worth.values()), params), *_on_shorts(worth, moment, params))
    ]
    return _frame([row for row in rows if row["amount"]], before, moment)


def reckon(base: int, rate: float, days: int) -> int:
    """Return simple interest in cents, half to even; the rate is taken to a millionth, a year has 365 days."""
    return half_even(base * to_micros(rate) * days, DAYS_A_YEAR * MILLION)


def _on_cash(cash: int, short: int, params: TradingParams) -> Iterator[tuple[str, str, int, float]]:
    """Cash beyond the collateral earns interest, the collateral its rebate, and a debt pays."""
    secured = -(-short * to_micros(params.shorts.collateral) // MILLION)
    if cash < 0:
        yield "interest", DEBT, cash, params.margin_interest
    elif params.book_interest:
        yield "interest", CASH, max(cash - secured, 0), params.cash_interest
    if secured and cash > 0:
        yield "interest", COLLATERAL, min(secured, cash), params.shorts.rebate


def _on_shorts(worth: dict[str, int], moment: Moment, params: TradingParams) -> Iterator[tuple[str, str, int, float]]:
    """The lender's fee, also past his recall: until shares are bought back they are borrowed."""
    lending = Lending(params.shorts, moment.session)
    for ticker, cents in worth.items():
        yield "borrow", ticker, -cents, lending.find_rate(ticker)


def _frame(rows: list[dict[str, Any]], before: date, moment: Moment) -> pl.DataFrame:
    return pl.DataFrame(
        {
            "session": [moment.session] * len(rows),
            "stated_on": [before] * len(rows),
            "item": [row["item"] for row in rows],
            "charge_id": [f"{moment.session}:{row['kind']}:{row['item']}" for row in rows],
            "kind": [row["kind"] for row in rows],
            "base": cents_series(row["base"] for row in rows),
            "rate": [row["rate"] for row in rows],
            "days": [(moment.session - before).days] * len(rows),
            "amount": cents_series(row["amount"] for row in rows),
        },
        schema=FINANCING.schema,
    ).sort("item")


STAGE = Stage(
    name="financing",
    function=financing,
    reads=(
        Read(PORTFOLIO_VALUE, lookback=1, upto="previous", columns=("session", "cash")),
        Read(
            PORTFOLIO_HOLDINGS,
            lookback=1,
            upto="previous",
            where=pl.col("shares") < 0,
            columns=(*PORTFOLIO_HOLDINGS.key, "shares", "market_value"),
        ),
    ),
    writes=FINANCING,
    params=TradingParams(),
    section="trading",
)

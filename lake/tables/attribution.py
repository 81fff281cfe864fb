"""Where the book's profit came from, session by session, in several views that each add up to all of it."""

import polars as pl

from lake.contract import Column, Rule, Table
from lake.tables.vocabulary import SESSION, money, text

VIEWS = ("source", "exposure", "decision", "member")
TRADING_PARTS = ("timing", "spread", "impact", "commission", "interest", "borrow", "restated")
"""What every view tells apart from what positions made."""

ATTRIBUTIONS = Table(
    name="attributions",
    domain="trading",
    doc="Each session's change of NAV, capital paid in left out, by what it came from; every view adds up to the cent.",
    key=("session", "view", "part", "item"),
    mode="append",
    owner="attribution",
    clock="session",
    columns={
        "session": SESSION.refer_to(
            "portfolio_value.session", "ledger_entries.session", "trade_plans.for_session", "market_prices.session"
        ),
        "view": Column(
            pl.String(),
            "name",
            "source: accounts and names; exposure: market, sectors, selection; decision: benchmark, horizons, rules;"
            " member: the models whose forecasts asked for the bets",
            pattern="|".join(VIEWS),
        ),
        "part": Column(
            pl.String(),
            "name",
            "gain, dividend, exchange: what positions made; market, sector, selection, and benchmark, cash, horizon,"
            " member, balancing, rule, rest: the same by what led to it; timing, spread, impact, commission: what"
            " trading cost; interest, borrow: what the nights brought or cost; restated: what was learned of sessions"
            " before; unexplained: 0 unless in error",
            pattern="gain|dividend|exchange|market|sector|selection|benchmark|cash|horizon|member|balancing|rule|rest|"
            + "|".join(TRADING_PARTS)
            + "|unexplained",
        ),
        "item": text(
            "the ticker, sector, horizon, rule or member; empty for the whole book", unit="name", max_length=90
        ),
        "amount": money("profit, negative for a loss"),
    },
    rules={
        "every view adds up to the same": Rule(
            pl.col("amount").sum().over("session", "view")
            == pl.col("amount").filter(pl.col("view") == "source").sum().over("session"),
            "split what positions made, and leave no cent out",
        ),
    },
)

"""How closings were collected before books followed facts that change (settlement 1): kept for runs of then alone."""

from __future__ import annotations

from datetime import date
from typing import Any

import polars as pl

from pipeline.trading.review.closings import Closing, Pool, read_slippage


def collect_closings_once(
    tickers: list[str], ledger_entries: pl.DataFrame, executed_trades: pl.DataFrame, session: date
) -> list[Closing]:
    """Walk the books of some tickers and return their closings at a session, with their part of the entry's costs."""
    entries = ledger_entries.filter(pl.col("ticker").is_in(sorted(set(tickers)))).sort("session", "sequence")
    entries = entries.with_columns(cents=pl.col("amount").to_physical().cast(pl.Int64))
    slippage = read_slippage(executed_trades)
    pools: dict[str, Pool] = {}
    closings: dict[str, Closing] = {}
    for entry in entries.iter_rows(named=True):
        _walk(entry, pools.setdefault(entry["ticker"], Pool()), pools, closings, slippage)
    today = {row["event_id"] for row in entries.filter(pl.col("session") == session).iter_rows(named=True)}
    return [closing for event, closing in closings.items() if event in today]


def _walk(
    entry: dict[str, Any],
    pool: Pool,
    pools: dict[str, Pool],
    closings: dict[str, Closing],
    slippage: dict[str, int],
) -> None:
    kind, account, cents = entry["kind"], entry["account"], entry["cents"]
    event, reference = entry["event_id"], entry["reference"]
    if kind == "dividend" and account == "dividends":
        pool.dividends -= cents
    elif kind == "commission" and account == "commission":
        if reference in closings:
            closings[reference].commission += cents
        else:
            pool.commission += cents
    elif kind in ("sell", "delisting"):
        closing = closings.setdefault(event, Closing(event, entry["ticker"], 0, 0, 0, 0, slippage.get(reference, 0)))
        if account == "cash":
            closing.proceeds = cents
        elif account == "positions":
            closing.shares, closing.cost = -entry["shares"], -cents
            closing.entry = pool.take(closing.shares)
    elif account == "positions":
        if pool.shares == 0 and entry["shares"] > 0:
            pools[entry["ticker"]] = pool = Pool(opened=entry["session"])
        pool.shares += entry["shares"]
        if kind == "buy":
            pool.slippage += slippage.get(reference, 0)

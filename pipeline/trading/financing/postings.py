"""What was charged for the night as events of the ledger."""

from __future__ import annotations

from collections.abc import Iterator
from datetime import date, datetime

import polars as pl

from pipeline.trading.books.book import LedgerEvent, Leg


def post_financing(financing: pl.DataFrame, session: date, ts: datetime) -> Iterator[LedgerEvent]:
    """Return the events of a session's charges: what came in counts positive.

    They are booked after the fills, so that no fill depends on them.

    Args:
        financing: rows of the session among them.
        session: whose ones.
        ts: its open.
    """
    charged = financing.filter(pl.col("session") == session).sort("kind", "item")
    cents = charged.with_columns(pl.col("amount").to_physical().cast(pl.Int64))
    for name, item, kind, amount in cents.select("charge_id", "item", "kind", "amount").iter_rows():
        ticker = item if kind == "borrow" else None
        legs = (Leg("cash", amount, ticker), Leg(kind, -amount, ticker))
        yield LedgerEvent(name, kind, ts, name, legs, session)

"""Legal bars for tests of the lake itself, which knows nothing of calendars."""

from datetime import UTC, date, datetime, timedelta
from typing import Any

import polars as pl

from lake.tables.market import MARKET_PRICES

SESSION = date(2021, 3, 1)
CLOSE = datetime(2021, 3, 1, 21, 0, tzinfo=UTC)


def bar_rows(*rows: dict[str, Any]) -> pl.DataFrame:
    """Rows of market_prices; each dict overrides what the test is about. A changed close takes the range along."""
    return pl.DataFrame([_bar(row) for row in rows], schema=MARKET_PRICES.schema)


def _bar(row: dict[str, Any]) -> dict[str, Any]:
    close = row.get("close", 10.0)
    session = row.get("session", SESSION)
    ts = CLOSE + (session - SESSION)
    legal = {
        "ticker": "AAA",
        "interval": "1d",
        "session": session,
        "ts": ts,
        "revision": 0,
        "open": close,
        "high": close * 1.01,
        "low": close * 0.99,
        "close": close,
        "volume": 1_000_000,
        "currency": "USD",
        "source": "test",
        "available_at": ts + timedelta(minutes=15),
        "payload_id": "0" * 64,
        "line": 0,
    }
    return legal | row

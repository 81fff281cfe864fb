"""Market payloads and rows, filled in where a test does not care."""

from __future__ import annotations

import hashlib
import json
from collections.abc import Mapping, Sequence
from datetime import UTC, date, datetime, timedelta
from typing import Any

import polars as pl

from lake.tables.market import CORPORATE_ACTIONS, FX_RATES, INSTRUMENTS, MARKET_PRICES, RAW_PRICES
from pipeline.engine.stage import Moment
from pipeline.market.sessions import Sessions
from tests.frames.sessions import weekday_sessions

CALENDAR = weekday_sessions(date(2019, 1, 1), date(2024, 12, 31))
DAY = date(2020, 3, 4)
"""A Wednesday, the session tests speak of unless they say otherwise."""


def moment(
    session: date = DAY, *, since: date | None = None, as_of: datetime | None = None, calendar: Sessions = CALENDAR
) -> Moment:
    """The moment of decision, twenty minutes after the session's close."""
    as_of = as_of or calendar.close_at(session) + timedelta(minutes=20)
    return Moment(session=session, since=since or session, as_of=as_of, seed=1, versions={}, calendar=calendar)


def bar(**values: object) -> dict[str, Any]:
    """One bar as a source writes it: text."""
    return {
        "ticker": "AAA",
        "session": DAY.isoformat(),
        "open": "100",
        "high": "101",
        "low": "99",
        "close": "100",
        "volume": "1000",
    } | {name: value if value is None else str(value) for name, value in values.items()}


def landing(
    lines: Sequence[Mapping[str, Any] | str],
    *,
    kind: str = "bars",
    session: date = DAY,
    history: bool = False,
    fetched_at: datetime | None = None,
    source: str = "test",
    ticker: str = "*",
    form: str = "ndjson",
    request: Mapping[str, Any] | str | None = None,
    calendar: Sessions = CALENDAR,
) -> pl.DataFrame:
    """One row of raw_prices whose payload holds the lines; a string is taken as it is."""
    payload = "\n".join(line if isinstance(line, str) else json.dumps(line) for line in lines)
    usual = {"interval": "1d", "currency": "USD", "exchange": "XNYS", "history": history}
    asked = request if isinstance(request, str) else json.dumps(usual | dict(request or {}))
    row = {
        "payload_id": digest(source, kind, ticker, session, asked, payload, fetched_at),
        "source": source,
        "kind": kind,
        "ticker": ticker,
        "session": session,
        "fetched_at": fetched_at or calendar.close_at(session) + timedelta(minutes=15),
        "format": form,
        "request": asked,
        "payload": payload,
    }
    return pl.DataFrame([row], schema=RAW_PRICES.schema)


def digest(*parts: object) -> str:
    """A payload's identity, good enough for tests."""
    return hashlib.sha256("\0".join(str(part) for part in parts).encode()).hexdigest()


def prices(*rows: Mapping[str, Any], calendar: Sessions = CALENDAR) -> pl.DataFrame:
    """Rows of market_prices: a bar at 100 that was public a quarter of an hour after its close."""
    return pl.DataFrame([_price(row, calendar) for row in rows], schema=MARKET_PRICES.schema)


def _price(row: Mapping[str, Any], calendar: Sessions) -> dict[str, Any]:
    session = row.get("session", DAY)
    close = row.get("close", 100.0)
    ts = row.get("ts", calendar.close_at(session))
    return {
        "ticker": "AAA",
        "interval": "1d",
        "session": session,
        "ts": ts,
        "revision": 0,
        "open": close,
        "high": close * 1.01,
        "low": close * 0.99,
        "close": close,
        "volume": 1000,
        "currency": "USD",
        "source": "test",
        "available_at": ts + timedelta(minutes=15),
        "payload_id": "0" * 64,
        "line": 0,
    } | dict(row)


def actions(*rows: Mapping[str, Any], calendar: Sessions = CALENDAR) -> pl.DataFrame:
    """Rows of corporate_actions: a 2:1 split known at the open of its ex-date."""
    filled = []
    for row in rows:
        ex_date = row.get("ex_date", DAY)
        split = row.get("kind", "split") == "split"
        filled.append(
            {
                "ticker": "AAA",
                "ex_date": ex_date,
                "kind": "split",
                "sequence": 0,
                "revision": 0,
                "numerator": 2 if split else None,
                "denominator": 1 if split else None,
                "amount": None if split else 1.0,
                "pay_date": None,
                "successor": None,
                "source": "test",
                "available_at": calendar.open_at(calendar.at_or_after(ex_date)),
                "payload_id": "0" * 64,
            }
            | dict(row)
        )
    return pl.DataFrame(filled, schema=CORPORATE_ACTIONS.schema)


def instruments(*tickers: str, **values: object) -> pl.DataFrame:
    """Rows of instruments: listed stocks."""
    rows = [
        {
            "ticker": ticker,
            "name": f"{ticker} Inc",
            "sector": "industrials",
            "role": "stock",
            "exchange": "XNYS",
            "currency": "USD",
            "listed_on": date(2019, 1, 1),
            "source": "test",
            "payload_id": "0" * 64,
        }
        | values
        for ticker in tickers
    ]
    return pl.DataFrame(rows, schema=INSTRUMENTS.schema)


def rates(*rows: Mapping[str, Any], calendar: Sessions = CALENDAR) -> pl.DataFrame:
    """Rows of fx_rates: what a euro was worth in dollars, known at the close of its day."""
    filled = []
    for row in rows:
        day = row.get("session", DAY)
        usual = {"base": "EUR", "quote": "USD", "session": day, "revision": 0, "source": "test", "line": 0}
        public = calendar.close_at(calendar.at_or_after(day)) + timedelta(minutes=15)
        filled.append(usual | {"available_at": public, "payload_id": "0" * 64} | dict(row))
    return FX_RATES.check(pl.DataFrame(filled, schema=FX_RATES.schema))


def utc(*parts: int) -> datetime:
    """A moment in UTC."""
    return datetime(*parts, tzinfo=UTC)  # type: ignore[misc, arg-type]

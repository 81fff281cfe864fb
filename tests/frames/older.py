"""An operator's older system: a small SQLite database with everything a home-grown one has, and its mapping."""

from __future__ import annotations

import sqlite3
from collections.abc import Sequence
from contextlib import closing
from dataclasses import replace
from datetime import date
from pathlib import Path
from typing import Any

from pipeline.ingestion.imports.mapping import Mapping, parse_mapping
from pipeline.market.sessions import Sessions

FIRST, LAST = date(2023, 1, 3), date(2023, 2, 3)
TICKERS = ("AAA", "BBB", "SPY")
CONTENT: dict[str, Any] = {
    "name": "legacy",
    "prices": {
        "table": "bars",
        "adjusted": False,
        "columns": {
            "ticker": "sym",
            "session": "d",
            "open": "o",
            "high": "h",
            "low": "l",
            "close": "c",
            "volume": "v",
        },
        "formats": {"session": "%m/%d/%Y"},
        "divide": dict.fromkeys(("open", "high", "low", "close"), 100),
    },
    "news": {"table": "articles", "columns": {"id": "id", "published_at": "pub", "title": "headline"}},
    "predictions": {
        "table": "forecasts",
        "columns": {"ticker": "sym", "made_at": "made", "horizon": "days", "value": "pct"},
        "divide": {"value": 100},
    },
    "trades": {
        "table": "fills",
        "columns": {"ticker": "sym", "shares": "qty", "price": "px", "at": "filled", "fees": "fee"},
    },
}


def mapping(*kinds: str, **changes: Any) -> Mapping:
    """The mapping of the database below, or of some kinds of it."""
    whole = parse_mapping(CONTENT | changes, "a mapping")
    return replace(whole, sections=tuple(one for one in whole.sections if not kinds or one.kind in kinds))


def older_system(path: Path, calendar: Sessions) -> Path:
    """Write the database: prices in cents under American dates, forecasts in per cent, fills by sign."""
    execute(
        path,
        "CREATE TABLE bars (sym, d, o, h, l, c, v)",
        "CREATE TABLE articles (id INTEGER PRIMARY KEY, pub, headline)",
        "CREATE TABLE forecasts (sym, made, days, pct)",
        "CREATE TABLE fills (sym, qty, px, filled, fee)",
    )
    days = calendar.between(FIRST, LAST)
    insert(path, "bars", [cents(ticker, day, close_of(ticker, n)) for ticker in TICKERS for n, day in enumerate(days)])
    insert(path, "forecasts", [(t, f"{day} 18:00:00", 5, 1.5) for t in TICKERS[:2] for day in days])
    insert(
        path, "fills", [("AAA", 10, 101.5, "2023-01-05 09:30:00", 1.0), ("AAA", -4, 103.25, "2023-01-19 09:30:00", 1)]
    )
    insert(
        path,
        "articles",
        [(1, "2023-01-05T13:00:00Z", "$AAA beats estimates"), (2, "2023-01-10T22:00:00Z", "$BBB falls")],
    )
    return path


def close_of(ticker: str, number: int) -> int:
    """The close in cents of a ticker's session of that number."""
    return 10_000 + 1_000 * TICKERS.index(ticker) + 10 * number


def cents(ticker: str, day: date, close: int) -> tuple[object, ...]:
    """A row of bars."""
    return (ticker, day.strftime("%m/%d/%Y"), close, close + 50, close - 50, close, 1_000)


def execute(path: Path, *statements: str) -> None:
    """Run statements on a database and commit."""
    with closing(sqlite3.connect(path)) as connection, connection:
        for statement in statements:
            connection.execute(statement)


def insert(path: Path, table: str, rows: Sequence[Sequence[object]]) -> None:
    """Add rows to a table."""
    with closing(sqlite3.connect(path)) as connection, connection:
        marks = ", ".join("?" for _ in rows[0])
        connection.executemany(f"INSERT INTO {table} VALUES ({marks})", rows)

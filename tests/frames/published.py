"""Small lakes with a history of publications, for tests about what happens to their files."""

from __future__ import annotations

from datetime import UTC, date, datetime, timedelta

import polars as pl

from lake.publication import publish
from lake.runs import Run
from lake.store import Lake
from lake.tables.control import TASK_REQUESTS
from lake.tables.market import INSTRUMENTS, MARKET_PRICES
from tests.frames.bars import bar_rows
from tests.frames.control import recipe, run

FIRST = date(2021, 3, 1)


def instrument_rows(name: str) -> pl.DataFrame:
    """One instrument, under a name that can change: a table whose rows are restated in place."""
    row = {
        "ticker": "AAA",
        "name": name,
        "sector": "unknown",
        "role": "stock",
        "exchange": "XNYS",
        "currency": "USD",
        "listed_on": FIRST,
        "source": "test",
        "payload_id": "0" * 64,
    }
    return pl.DataFrame([row], schema=INSTRUMENTS.schema)


def request_rows(number: int) -> pl.DataFrame:
    """One request of an operator."""
    row = {
        "request_id": f"request {number}",
        "requested_at": datetime(2021, 3, 1, 12, tzinfo=UTC) + timedelta(minutes=number),
        "origin": "cli",
        "action": "cycle",
        "target": "",
        "session": None,
        "arguments": "{}",
        "reason": "",
    }
    return pl.DataFrame([row], schema=TASK_REQUESTS.schema)


def write_session(lake: Lake, number: int) -> list[Run]:
    """What a cycle writes, unpublished: one bar more, and the instrument under another name. Needs the writer lock."""
    session = FIRST + timedelta(days=number)
    at = datetime(session.year, session.month, session.day, 21, tzinfo=UTC)
    bars = bar_rows({"session": session, "ts": at, "available_at": at, "close": 10.0 + number / 100})
    runs = []
    for table, rows in ((MARKET_PRICES, bars), (INSTRUMENTS, instrument_rows(f"name {number}"))):
        one = run(
            recipe=recipe(
                stage="prices" if table is MARKET_PRICES else "instruments",
                cycle_id=f"cycle-{session:%Y%m%d}",
                output_table=table.name,
                session=session,
                since=session,
                inputs={"market_prices": lake.newest(MARKET_PRICES)},
            )
        )
        written = lake.commit(table, rows, one.run_id, {"run": one.row()})
        runs.append(run(recipe=one.recipe, output_version=written.version, written=written.rows))
    return runs


def publish_sessions(lake: Lake, count: int, start: int = 0) -> None:
    """Write and publish that many sessions, and ask for something each time."""
    with lake.lock("sessions"):
        for number in range(start, start + count):
            publish(lake, write_session(lake, number), f"cycle {number}/0", durable=False)
    for number in range(start, start + count):
        lake.commit(TASK_REQUESTS, request_rows(number), f"request {number}", {})

"""Small real lakes for tests of the command line and the console: rows written through the lake's own door."""

from __future__ import annotations

import json
from collections.abc import Mapping, Sequence
from datetime import UTC, date, datetime, timedelta
from decimal import Decimal
from typing import Any

import polars as pl

from lake.contract import Column, Table
from lake.store import Lake
from lake.tables.control import RUNS
from lake.tables.predictions import QUANTILE_COLUMNS

SESSION = date(2022, 3, 1)
MOMENT = datetime(2022, 3, 1, 21, 20, tzinfo=UTC)
SPREAD = (-0.05, -0.03, -0.01, 0.0, 0.02, 0.04, 0.06)
"""Quantiles of a made-up forecast."""


def rows(table: Table, *given: Mapping[str, Any]) -> pl.DataFrame:
    """A legal row for each mapping: what it leaves out is filled with something that fits the contract."""
    filled = [{name: one.get(name, _anything(column)) for name, column in table.columns.items()} for one in given]
    return pl.DataFrame(filled, schema=table.schema)


def _anything(column: Column) -> Any:
    dtype = column.dtype
    if column.nullable and column.pattern is not None:
        return None  # nothing made up fits every pattern
    if dtype == pl.String:
        return ""
    if dtype == pl.Date:
        return SESSION
    if isinstance(dtype, pl.Datetime):
        return MOMENT
    if isinstance(dtype, pl.Decimal):
        return Decimal(0)
    if dtype == pl.Boolean:
        return False
    return [] if isinstance(dtype, pl.List) else 0


def run_row(stage: str, **given: Any) -> dict[str, Any]:
    """A row of `runs`."""
    session = given.get("session", SESSION)
    return {
        "run_id": f"{stage}-{session:%Y%m%d}",
        "work": "cycle",
        "cycle_id": f"cycle-{session:%Y%m%d}",
        "stage": stage,
        "kind": "pure",
        "session": session,
        "since": session,
        "status": "done",
        "inputs": "{}",
        "params": "{}",
        "libraries": "{}",
        "plugins": "{}",
        "files": "{}",
        "rows": 1,
        "written": 1,
        "seconds": 0.25,
        "started_at": datetime.combine(session, MOMENT.timetz()),
        "as_of": datetime.combine(session, MOMENT.timetz()),
        **given,
    }


def publish(lake: Lake, table: Table, frame: pl.DataFrame, *, name: str = "test", **given: Any) -> None:
    """Commit the rows and publish them, as a run would."""
    with lake.lock("a test"):
        run = run_row(name, output_table=table.name, **given)
        run["output_version"] = lake.commit(table, table.check(frame), run["run_id"], {}).version
        lake.commit(RUNS, RUNS.check(rows(RUNS, run)), f"publish-{run['run_id']}", {})


def land(lake: Lake, table: Table, frame: pl.DataFrame, run_id: str = "test") -> None:
    """Commit rows of a table that readers see at its newest version."""
    with lake.lock("a test"):
        lake.commit(table, table.check(frame), run_id, {})


def forecast(ticker: str, horizon: int = 5, **given: Any) -> dict[str, Any]:
    """A row of `predictions`."""
    point = given.get("point", 0.01)
    members = [{"member": "naive", "weight": 1.0, "point": 0.0, **dict(zip(QUANTILE_COLUMNS, SPREAD, strict=True))}]
    return {
        "prediction_id": f"{abs(hash_of(ticker, horizon)):016x}"[:16],
        "session": SESSION,
        "made_at": MOMENT,
        "ticker": ticker,
        "horizon": horizon,
        "target_session": SESSION + timedelta(days=horizon + 2),
        "reference_close": 100.0,
        "point": point,
        **{name: point + level for name, level in zip(QUANTILE_COLUMNS, SPREAD, strict=True)},
        "probability_up": 0.6,
        "confidence": 0.5,
        "sigma": 0.02,
        "members": members,
        "interval_scale": 1.0,
        "features_id": "f1-20220301-0123456789ab",
        "model_id": "naive",
        "role": "naive",
        **given,
    }


def hash_of(*parts: object) -> int:
    """A number that depends on the parts alone."""
    from hashlib import sha256

    return int.from_bytes(sha256(json.dumps([str(part) for part in parts]).encode()).digest()[:8])


def bars(ticker: str, closes: Sequence[float], last: date = SESSION) -> list[dict[str, Any]]:
    """Rows of `market_prices`, one per day, the last on `last`."""
    first = last - timedelta(days=len(closes) - 1)
    return [
        {
            "ticker": ticker,
            "interval": "1d",
            "session": first + timedelta(days=number),
            "ts": datetime.combine(first + timedelta(days=number), MOMENT.timetz()),
            "open": close,
            "high": close,
            "low": close,
            "close": close,
            "volume": 1_000,
            "currency": "USD",
            "source": "simulated",
            "available_at": datetime.combine(first + timedelta(days=number), MOMENT.timetz()),
            "payload_id": "0" * 64,
        }
        for number, close in enumerate(closes)
    ]


def listing(ticker: str) -> dict[str, Any]:
    """A row of `instruments`."""
    own = {"ticker": ticker, "role": "stock", "exchange": "XNYS", "currency": "USD"}
    return {**own, "source": "simulated", "payload_id": "0" * 64}

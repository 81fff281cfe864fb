"""Small simulated markets and ways to read what a source delivered, for the tests of sources."""

from __future__ import annotations

import json
from dataclasses import fields
from datetime import date
from functools import lru_cache
from typing import Any

import polars as pl

from pipeline.ingestion.sources.simulated.params import FaultRates, SimulatedParams
from pipeline.ingestion.sources.simulated.source import SimulatedSource
from pipeline.market.sessions import Sessions
from tests.frames.sessions import weekday_sessions

FAULTLESS = FaultRates(**dict.fromkeys((rate.name for rate in fields(FaultRates)), 0.0))


@lru_cache(maxsize=1)
def calendar() -> Sessions:
    """Weekdays of eight years."""
    return weekday_sessions(date(2017, 1, 2), date(2024, 12, 31))


def market(**changes: Any) -> SimulatedSource:
    """A market of 24 names over 300 sessions without faults, but for what a test is about."""
    plain: dict[str, Any] = {"names": 24, "history_sessions": 300, "faults": FAULTLESS}
    return SimulatedSource(SimulatedParams(**{**plain, **changes}), calendar())


@lru_cache(maxsize=4)
def full_market(signal: float = 1.0, seed: int = 7) -> SimulatedSource:
    """The market of the defaults, as a demonstration uses it."""
    return SimulatedSource(SimulatedParams(signal=signal, seed=seed), calendar())


def lines(raw: pl.DataFrame, kind: str | None = None) -> list[dict[str, str | None]]:
    """Every delivered line under the canonical names the request states, with `payload_ticker` for its payload."""
    if kind is not None:
        raw = raw.filter(pl.col("kind") == kind)
    found = []
    for row in raw.iter_rows(named=True):
        fields = json.loads(row["request"])["fields"]
        for text in row["payload"].split("\n"):
            said = json.loads(text)
            assert all(value is None or isinstance(value, str) for value in said.values())
            found.append({canonical: said[vendor] for canonical, vendor in fields.items()})
    return found


def bars(raw: pl.DataFrame) -> pl.DataFrame:
    """The delivered bars as text columns under the canonical names."""
    return pl.DataFrame(lines(raw, "bars"), schema=dict.fromkeys(BAR_FIELDS, pl.String))


BAR_FIELDS = ("ticker", "session", "open", "high", "low", "close", "volume")


def as_text(true_bars: pl.DataFrame) -> pl.DataFrame:
    """True bars written the way a vendor writes them."""
    return true_bars.select(
        "ticker",
        pl.col("session").dt.to_string("%Y-%m-%d"),
        *(pl.col(name).cast(pl.String) for name in BAR_FIELDS[2:]),
    )

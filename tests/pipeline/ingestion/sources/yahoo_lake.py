"""The way from a server that speaks Yahoo's endpoints through the real library into a lake, for tests."""

from __future__ import annotations

from datetime import date
from pathlib import Path
from typing import Any

import polars as pl

from lake.contract import Table
from lake.store import Lake
from pipeline.config.settings import MarketParams, RuntimeParams, Settings
from pipeline.engine.runner import Runner
from pipeline.ingestion.sources.registry import SourceParams
from pipeline.ingestion.sources.yahoo.connection import Connection
from pipeline.ingestion.sources.yahoo.params import YahooParams
from pipeline.ingestion.sources.yahoo.source import YahooSource
from pipeline.market.sessions import exchange_sessions
from tests.loopback.yahoo import Yahoo
from tests.new_lake import new_lake


def yahoo_source(
    yahoo: Yahoo,
    state: Path,
    *tickers: str,
    connection: Connection | None = None,
    exchange: str = "XNYS",
    **changes: Any,
) -> YahooSource:
    """A source whose Yahoo is the server; it asks as fast as it likes and gives up at once."""
    usual: dict[str, Any] = {"requests_per_minute": 1e6, "patience_minutes": 0.0, "benchmark_ticker": ""}
    params = YahooParams(tickers=tickers, **(usual | changes))
    connection = connection or Connection(
        state=state, requests_per_minute=params.requests_per_minute, base_url=yahoo.base_url
    )
    return YahooSource(params, exchange_sessions(exchange), connection)


def yahoo_runner(path: Path, source: YahooSource) -> Runner:
    """A runner of the lake at the path, fed by the source."""
    settings = Settings(
        market=MarketParams(exchange=source.calendar.exchange),
        runtime=RuntimeParams(durable=False),
        source=SourceParams(name="yahoo", yahoo=source.params),
    )
    return Runner(new_lake(path), settings, source)


def loaded(path: Path, source: YahooSource, since: date, session: date) -> Lake:
    """A lake with the source's history of these sessions."""
    runner = yahoo_runner(path, source)
    runner.backfill(since, session)
    return runner.lake


def rows(lake: Lake, table: Table, **options: Any) -> pl.DataFrame:
    """A table's rows, in the order of its key."""
    return lake.read(table, **options).sort(table.key)

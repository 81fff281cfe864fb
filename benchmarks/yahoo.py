"""Rows per second and memory of an ingest through yfinance from a loopback server: `python -m benchmarks.yahoo`."""

from __future__ import annotations

import argparse
import multiprocessing
import os
import resource
import sys
import tempfile
from datetime import UTC, datetime
from pathlib import Path
from time import perf_counter, sleep
from typing import Any

import numpy as np

from lake.store import Lake
from lake.tables.market import CORPORATE_ACTIONS, MARKET_PRICES
from pipeline.config.settings import RuntimeParams, Settings
from pipeline.engine.runner import Runner
from pipeline.ingestion.sources.registry import SourceParams
from pipeline.ingestion.sources.yahoo.connection import Connection
from pipeline.ingestion.sources.yahoo.params import YahooParams
from pipeline.ingestion.sources.yahoo.source import YahooSource
from pipeline.market.sessions import Sessions, exchange_sessions


def main() -> None:
    """Load a history, kill a second load half way and resume it, and print what each cost."""
    parser = argparse.ArgumentParser(description=__doc__)
    parser.add_argument("--tickers", type=int, default=500)
    parser.add_argument("--years", type=int, default=5)
    asked = parser.parse_args()
    calendar = exchange_sessions()
    last = calendar.last_closed(datetime.now(UTC))
    first = calendar.at_or_after(last.replace(year=last.year - asked.years, day=1))
    tickers = [f"T{number:03d}" for number in range(asked.tickers)]
    with tempfile.TemporaryDirectory() as folder, _Server(tickers, calendar, first, last) as server:
        root = Path(folder)
        runner = _runner(root / "lake", root / "state", server.base_url, tickers)
        start = perf_counter()
        cycle = runner.backfill(first, last)
        wall = perf_counter() - start
        _report(runner, cycle, wall, server.asked())
        _resumed(root / "killed", server, tickers, first, last)


def _report(runner: Runner, cycle: Any, wall: float, requests: int) -> None:
    write = sys.stdout.write
    bars = runner.lake.read(MARKET_PRICES, columns=MARKET_PRICES.key).height
    acted = runner.lake.read(CORPORATE_ACTIONS, columns=CORPORATE_ACTIONS.key).height
    for run in cycle.runs:
        write(f"  {run.recipe.stage:20} {run.seconds:8.2f} s {run.rows:10,} rows\n")
    write(f"{bars:,} bars and {acted:,} actions in {wall:.1f} s: {bars / wall:,.0f} rows/s, {requests} requests\n")
    write(f"peak memory {resource.getrusage(resource.RUSAGE_SELF).ru_maxrss / 1024:.0f} MiB\n")


def _resumed(root: Path, server: _Server, tickers: list[str], first: Any, last: Any) -> None:
    """Kill a fetch when half of the charts have been asked for, and fetch again."""
    before, half = server.asked(), len(tickers) // 2
    child = multiprocessing.get_context("spawn").Process(
        target=_fetch, args=(str(root), server.base_url, tickers, first, last)
    )
    child.start()
    while server.asked() - before < half and child.is_alive():
        child.join(0.002)
    child.kill()
    child.join()
    done = server.asked() - before
    start = perf_counter()
    _fetch(str(root), server.base_url, tickers, first, last)
    again = server.asked() - before - done
    told = f"killed after {done} charts, resumed: {again} asked in {perf_counter() - start:.1f} s"
    sys.stdout.write(f"{told} ({len(tickers)} wanted)\n")


def _fetch(root: str, base_url: str, tickers: list[str], first: Any, last: Any) -> None:
    _source(Path(root), base_url, tickers).prices(first, last, history=True)


def _source(state: Path, base_url: str, tickers: list[str]) -> YahooSource:
    params = YahooParams(tickers=tuple(tickers), benchmark_ticker="", news="none", requests_per_minute=1e6)
    connection = Connection(state, params.requests_per_minute, base_url=base_url)
    return YahooSource(params, exchange_sessions(), connection)


def _runner(path: Path, state: Path, base_url: str, tickers: list[str]) -> Runner:
    source = _source(state, base_url, tickers)
    settings = Settings(runtime=RuntimeParams(), source=SourceParams(name="yahoo", yahoo=source.params))
    return Runner(Lake.create(path), settings, source)


class _Server:
    """A server in a process of its own, so that its memory is not counted; tickers walk at random."""

    def __init__(self, tickers: list[str], calendar: Sessions, first: Any, last: Any) -> None:
        context = multiprocessing.get_context("spawn")
        self._count = context.Value("q", 0)
        self._address: Any = context.Queue()
        opens = [int(calendar.open_at(day).timestamp()) for day in calendar.between(first, last)]
        self._process = context.Process(target=_serve, args=(tickers, opens, self._address, self._count), daemon=True)
        self.base_url = ""

    def __enter__(self) -> _Server:
        self._process.start()
        self.base_url = self._address.get(timeout=120)
        return self

    def __exit__(self, *_: object) -> None:
        self._process.kill()
        self._process.join()

    def asked(self) -> int:
        """Charts asked for so far."""
        return int(self._count.value)


def _serve(tickers: list[str], opens: list[int], address: Any, count: Any) -> None:
    from tests.loopback.yahoo import Asked, Yahoo, chart, serving

    def counted(_: str) -> None:
        with count.get_lock():
            count.value += 1

    def answer(asked: Asked) -> Any:
        symbol = asked.path.rsplit("/", 1)[-1]
        start = int(asked.query.get("period1", 0))
        rng = np.random.default_rng(int(symbol[1:]))
        close = np.round(50 * np.exp(np.cumsum(rng.standard_normal(len(opens)) * 0.015)), 6)
        kept = [number for number, stamp in enumerate(opens) if stamp >= start]
        values = close[kept]
        quotes = {"open": values, "high": values * 1.01, "low": values * 0.99, "close": values}
        dividends = {opens[number]: 0.25 for number in kept[40::63]}
        splits = {opens[kept[len(kept) // 2]]: (2, 1)} if int(symbol[1:]) % 10 == 0 else None
        return chart(
            symbol,
            [opens[number] for number in kept],
            {name: series.tolist() for name, series in quotes.items()} | {"volume": [1_000_000] * len(kept)},
            dividends=dividends,
            splits=splits,
        )

    with serving(Yahoo(charts=dict.fromkeys(tickers, answer), on_chart=counted)) as yahoo:
        address.put(yahoo.base_url)
        while os.getppid() != 1:
            sleep(1)


if __name__ == "__main__":
    main()

"""First paint, key to paint, and a page of 100,000 predictions: `python -m benchmarks.console --lake PATH [--load]`."""

from __future__ import annotations

import argparse
import asyncio
import os
import resource
import subprocess
import sys
from pathlib import Path
from statistics import median, quantiles
from time import perf_counter
from typing import Any

import polars as pl

KEYS = 200
"""Presses that are timed."""
ROWS = 100_000
BURN = "while True: sum(n * n for n in range(10_000))"
"""What keeps a core busy."""


def main() -> None:
    """Time the console on a lake, on request while every core is kept busy by others."""
    parser = argparse.ArgumentParser(description=__doc__)
    parser.add_argument("--lake", type=Path, required=True)
    parser.add_argument("--load", action="store_true", help="keep every core busy meanwhile")
    asked = parser.parse_args()
    burners = [subprocess.Popen([sys.executable, "-c", BURN]) for _ in range(os.cpu_count() or 1)] if asked.load else []
    try:
        asyncio.run(measure(asked.lake))
    finally:
        for burner in burners:
            burner.kill()
            burner.wait()
    page_of_many()


async def measure(lake: Path) -> None:
    """Print seconds from the start to the first screen with data, and from a key to its repaint."""
    start = perf_counter()
    from nextgen_tui.console.app import PAGES, ConsoleApp

    imported = perf_counter() - start
    app = ConsoleApp(lake)
    start = perf_counter()
    async with app.run_test(size=(140, 40)) as pilot:
        painted = perf_counter() - start
        while app.shown("health").data is None:
            await asyncio.sleep(0.005)
        told(f"imports {imported:.2f} s, first paint {painted:.2f} s, first data {perf_counter() - start:.2f} s")
        for page in PAGES:
            start = perf_counter()
            await pilot.press(page.number)
            while app.shown(page.name.lower()).data is None:
                await asyncio.sleep(0.002)
            told(
                f"  {page.number} {page.name:12} {1000 * (perf_counter() - start):7.0f} ms from key to data, first time"
            )
        await pilot.press("3")
        times = [await key_to_paint(app, "down" if number % 60 < 30 else "up") for number in range(KEYS)]
        told(f"key to paint: median {1000 * median(times):.1f} ms, p95 {1000 * quantiles(times, n=20)[-1]:.1f} ms")
    told(f"peak memory {resource.getrusage(resource.RUSAGE_SELF).ru_maxrss / 1024:.0f} MiB")


async def key_to_paint(app: Any, key: str) -> float:
    """Seconds from a key in the queue to the end of the refresh that follows it."""
    from textual.events import Key

    done = asyncio.Event()
    start = perf_counter()
    app.post_message(Key(key, None))
    app.call_later(lambda: app.screen.call_after_refresh(done.set))
    await done.wait()
    return perf_counter() - start


def page_of_many() -> None:
    """Print what it takes to sort, lay out, filter and show 100,000 forecasts."""
    from nextgen_tui.console.pages.predictions import COLS
    from nextgen_tui.console.sheet import Sheet

    rows = pl.int_range(ROWS, eager=True)
    point = (rows % 997).cast(pl.Float64) / 10_000
    frame = pl.DataFrame({"ticker": pl.select(pl.lit("T") + rows.cast(pl.String)).to_series(), "point": point})
    frame = frame.with_columns(
        reference_close=100 + pl.col("point"),
        band=pl.struct(q10=pl.col("point") - 0.02, q90=pl.col("point") + 0.02),
        width=pl.lit(0.04),
        probability_up=pl.lit(0.5),
        confidence=pl.lit(0.5),
        spread=pl.lit(0.01),
        naive=pl.lit(0.0),
        closes=pl.concat_list(pl.lit(1.0), pl.lit(2.0)),
        role=pl.lit("naive"),
    )
    start = perf_counter()
    sheet = Sheet(frame, COLS, ("ticker",)).sorted("expected", descending=True)
    sheet.layout(120)
    shown = [sheet.cells(number) for number in range(40)]
    opened = perf_counter() - start
    start = perf_counter()
    found = sheet.filtered("t99").height
    told(
        f"{ROWS:,} forecasts: opened in {1000 * opened:.0f} ms ({len(shown)} rows formatted), "
        f"filtered to {found:,} in {1000 * (perf_counter() - start):.0f} ms"
    )


def told(words: str) -> None:
    """Write a line."""
    sys.stdout.write(words + "\n")


if __name__ == "__main__":
    main()

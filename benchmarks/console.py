"""The console on big lakes: first paint, key to paint, 100,000 forecasts, an hour of updates, the walk to the raw row.

`python -m benchmarks.console` builds its lakes in a temporary folder; `--load` keeps every core busy meanwhile.
"""

from __future__ import annotations

import argparse
import asyncio
import os
import subprocess
import sys
import tempfile
from collections.abc import AsyncIterator, Callable, Iterator
from contextlib import asynccontextmanager, contextmanager
from datetime import date, timedelta
from pathlib import Path
from statistics import median, quantiles
from time import perf_counter, process_time
from typing import Any

KEYS = 300
"""Presses that are timed."""
FORECASTS = 100_000
UPDATES = 720
"""Publications in an hour of a market at speed: one every five seconds."""
WARM = 60
"""Updates before memory is first looked at."""
BURN = "while True: sum(n * n for n in range(10_000))"
"""What keeps a core busy."""
GLANCE = 0.001
"""Seconds between two looks at whether a page has its data."""
WAY = (
    "executed_trades",
    "trade_plans",
    "predictions",
    "feature_windows",
    "feature_rows",
    "market_prices",
    "raw_prices",
)


def main() -> None:
    """Run the parts that were asked for."""
    parts: dict[str, Callable[[Path], None]] = {"paint": paint, "keys": keys, "updates": updates, "walk": walk}
    parser = argparse.ArgumentParser(description=__doc__)
    parser.add_argument("parts", nargs="*", help="which of them; all where none is named")
    parser.add_argument("--load", action="store_true", help="keep every core busy meanwhile")
    parser.add_argument("--lake", type=Path, help="a lake of one's own, for paint and keys")
    asked = parser.parse_args()
    if unknown := set(asked.parts) - set(parts):
        parser.error(f"there is no part {sorted(unknown)}; there are {', '.join(parts)}")
    with tempfile.TemporaryDirectory(prefix="nextgen-") as folder, burning(asked.load):
        for name in asked.parts or parts:
            parts[name](asked.lake or Path(folder))


@contextmanager
def burning(wanted: bool) -> Iterator[None]:
    """Keep every core busy for the block."""
    cores = os.cpu_count() or 1 if wanted else 0
    burners = [subprocess.Popen([sys.executable, "-c", BURN]) for _ in range(cores)]
    try:
        yield
    finally:
        for burner in burners:
            burner.kill()
            burner.wait()


def lake(folder: Path, name: str, **size: int) -> Path:
    """A lake of a size, built once; or the folder itself, where it is a lake."""
    path = folder / name
    if (folder / "lake.json").exists():
        return folder
    if not path.exists():
        from benchmarks.big_lake import build  # not above: it loads what the console has to load in the time measured

        start = perf_counter()
        build(path, **size)
        told(f"built {name}: {size}, {perf_counter() - start:.0f} s")
    return path


def standard(folder: Path) -> Path:
    """500 tickers over five years, with 100,000 forecasts in the last session."""
    return lake(folder, "standard", tickers=500, sessions=1_260, forecasts=FORECASTS)


# ---- the parts


def paint(folder: Path) -> None:
    """First paint of a console in a process of its own, and every screen's first data."""
    path = standard(folder)
    for _ in range(3):
        program = f"from benchmarks import console as c; c.first({str(path)!r}, {perf_counter()})"
        subprocess.run([sys.executable, "-c", program], check=True)
    asyncio.run(_screens(path))


def first(path: str, start: float) -> None:
    """Tell from the start of the process to the first screen, and to its data; all that is imported counts."""

    async def run() -> None:
        async with console(Path(path)) as (app, _):
            painted = perf_counter() - start
            await read(app, "health")
            ready, cost = perf_counter() - start, process_time()
            told(f"first paint {painted:.2f} s, first data {ready:.2f} s, {cost:.2f} s of processor time")

    asyncio.run(run())


async def _screens(path: Path) -> None:
    async with console(path) as (app, pilot):
        await read(app, "health")
        for page in app.pages.values():
            used = process_time()
            took = 1_000 * await key_to_data(app, page.number, page.name.lower())
            cost = 1_000 * (process_time() - used)
            told(f"  {page.number} {page.name:12} {took:6.0f} ms from key to data, {cost:.0f} ms of processor time")
            await pilot.pause(1)


def keys(folder: Path) -> None:
    """Key to paint: the cursor, over 20,000 rows with a chart beside them; then a sort and a filter of them."""
    asyncio.run(_keys(standard(folder)))


async def _keys(path: Path) -> None:
    async with console(path) as (app, pilot):
        await pilot.press("3")
        await read(app, "predictions")
        await asyncio.sleep(1)
        await _timed(app, "cursor, at a person's pace", [("down", "up")[n % 60 >= 30] for n in range(KEYS)], 0.05)
        await _timed(app, "cursor, a held key", [("down", "up")[n % 60 >= 30] for n in range(KEYS)], 0.0)
        await _timed(app, "screens, at the first visit", ["1", *"2456789"], 1)
        await _timed(app, "screens", [str(n % 9 + 1) for n in range(90)], 0.1)
        await pilot.press("3")
        await read(app, "predictions")
        await _timed(app, "sort", ["s"] * 55, 0.2)
        await _timed(app, "filter", ["slash", *(["t", "0", "1", "backspace", "5", *["backspace"] * 3] * 6)], 0.2)


async def _timed(app: Any, what: str, pressed: list[str], pause: float) -> None:
    used, times = process_time(), []
    for key in pressed:
        times.append(await key_to_paint(app, key))
        await asyncio.sleep(pause)
    cost = 1_000 * (process_time() - used) / len(pressed)
    p95 = quantiles(times, n=20, method="inclusive")[-1]
    told(f"  {what:28} median {1_000 * median(times):5.1f} ms, p95 {1_000 * p95:5.1f} ms, {cost:.1f} ms of processor")


def updates(folder: Path) -> None:
    """An hour's publications, all seen by an open console: by how much it grows."""
    asyncio.run(_updates(lake(folder, "live", tickers=50, sessions=250, forecasts=500)))


async def _updates(path: Path) -> None:
    program = f"from pathlib import Path; from benchmarks import console as c; c.publish(Path({str(path)!r}))"
    pipe = asyncio.subprocess.PIPE
    writer = await asyncio.create_subprocess_exec(sys.executable, "-c", program, stdin=pipe, stdout=pipe)
    assert writer.stdin and writer.stdout
    async with console(path) as (app, _):
        await read(app, "health")
        grown, begun, waits = 0, 0, list[float]()
        for number in range(WARM + UPDATES):
            writer.stdin.write(b"%d\n" % number)
            session = date.fromisoformat((await writer.stdout.readline()).decode().strip())
            start = perf_counter()
            while app.page_state("health").data.health.session != session:
                await asyncio.sleep(0.01)
            waits.append(perf_counter() - start)
            if number == WARM - 1:
                begun = own_memory()
            grown = own_memory() - begun
    writer.stdin.close()
    await writer.wait()
    told(f"{UPDATES} live updates: memory of its own grew by {grown / 1e6:.1f} MB from {begun / 1e6:.0f} MB")
    p95 = quantiles(waits, n=20)[-1]
    told(f"  from published to shown: median {1_000 * median(waits):.0f} ms, p95 {1_000 * p95:.0f} ms")


def publish(path: Path) -> None:
    """A run and a check for each number that is told, as the daemon's workers would: from another process."""
    import polars as pl

    from benchmarks.big_lake import LAST, filled
    from lake.store import Lake
    from lake.tables.control import RUNS, SYSTEM_HEALTH

    writer = Lake.open(path)
    writer.durable = False
    run = {"stage": "report", "status": "done", "kind": "pure", "output_table": "", "rows": 0}
    for number in map(int, sys.stdin):
        session = LAST + timedelta(days=number + 1)
        name = {
            "run_id": f"update-{number}",
            "work": "cycle",
            "cycle_id": f"update-{number}",
            "session": session,
            "since": session,
        }
        check = {"session": session, "service": "book", "check": "reconciled", "status": "ok", "message": str(number)}
        with writer.lock("updating"):
            writer.commit(RUNS, filled(RUNS, pl.DataFrame([{**run, **name}])), f"publish-{number}", {})
        writer.commit(SYSTEM_HEALTH, filled(SYSTEM_HEALTH, pl.DataFrame([check])), f"report-{number}", {})
        if number % 20 == 19:
            writer.checkpoint(RUNS)
            writer.checkpoint(SYSTEM_HEALTH)
        told(str(session))


def walk(folder: Path) -> None:
    """Every hop from a trade down to what the vendor sent, on five million bars; nothing read before."""
    from lake.store import Lake
    from lake.tables import TABLES
    from nextgen_tui.console.lake_view import LakeView, read_runs
    from nextgen_tui.console.lineage.lineage_view import follow
    from nextgen_tui.console.page import Link

    path = lake(folder, "deep", tickers=4_000, sessions=1_260, forecasts=FORECASTS)
    opened = Lake.open(path)
    view = LakeView(opened, read_runs(opened))
    trade = view.read(TABLES[WAY[0]]).row(0, named=True)
    link = Link("trade", "executed_trades", {"trade_id": trade["trade_id"], "session": trade["session"]})
    for table in WAY:
        assert link.table == table, link
        start = perf_counter()
        detail = follow(view, link)
        told(f"  {table:18} {1_000 * (perf_counter() - start):6.0f} ms")
        link = detail.links[0]


# ---- a console to look at


@asynccontextmanager
async def console(path: Path) -> AsyncIterator[tuple[Any, Any]]:
    """A console of 140 x 40 on a lake, with the pilot that presses its keys."""
    from nextgen_tui.console.app import ConsoleApp
    from nextgen_tui.console.runtime.gc_tuning import rare_full_collections

    app = ConsoleApp(path)
    tell_of_paints(app)
    with rare_full_collections():
        async with app.run_test(size=(140, 40)) as pilot:
            yield app, pilot


def tell_of_paints(app: Any) -> None:
    """Let the console call its `painted` after every paint, and after making of it what a terminal is sent."""
    from textual._compositor import CompositorUpdate

    display, app.painted = app._display, lambda: None

    def told_of(screen: Any, renderable: Any) -> None:
        display(screen, renderable)
        hidden = app._batch_count or screen is not app.screen
        if not hidden and isinstance(renderable, CompositorUpdate):
            renderable.render_segments(app.console)
            app.painted()

    app._display = told_of


async def read(app: Any, name: str) -> None:
    """Wait until a page has its data."""
    while app.page_state(name).data is None:
        assert not (app.trouble or app.page_state(name).trouble), app.trouble or app.page_state(name).trouble
        await asyncio.sleep(GLANCE)


async def key_to_paint(app: Any, key: str) -> float:
    """Seconds from a key in the queue to the first paint that shows what it did; notes and charts follow at rest."""
    from textual.events import Key

    shown, before = asyncio.get_running_loop().create_future(), _state(app)

    def look() -> None:
        if _state(app) != before and not shown.done():
            shown.set_result(perf_counter())

    app.painted, start = look, perf_counter()
    app.post_message(Key(key, key if len(key) == 1 else None))
    seen: float = await asyncio.wait_for(shown, 10)
    return seen - start


async def key_to_data(app: Any, key: str, name: str) -> float:
    """Seconds from a screen's key in the queue to the paint of its first data."""
    from textual.events import Key

    painted, start = asyncio.Event(), perf_counter()
    app.post_message(Key(key, key))
    await read(app, name)
    app.screen.call_after_refresh(painted.set)
    await asyncio.wait_for(painted.wait(), 60)
    return perf_counter() - start


def _state(app: Any) -> tuple[Any, ...]:
    """What a key can change."""
    screen = app.screen
    if not screen.query("#sheet"):
        return (app.current_mode,)
    return app.current_mode, screen.view.cursor, screen.here.order, screen.here.filter, screen._purpose


def own_memory() -> int:
    """Bytes this process holds for itself; its libraries' pages come and go with what other programs need."""
    lines = Path("/proc/self/status").read_text().splitlines()
    kilobytes = {name: words.split()[0] for name, words in (line.split(":", 1) for line in lines) if words.strip()}
    return 1024 * sum(int(kilobytes[name]) for name in ("RssAnon", "VmSwap"))


def told(words: str) -> None:
    """Write a line."""
    sys.stdout.write(words + "\n")
    sys.stdout.flush()


if __name__ == "__main__":
    main()

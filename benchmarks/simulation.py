"""Orders of many sessions filled exactly, beside vectorbt, and what settling costs: `python -m benchmarks.simulation`.

vectorbt is installed into a throw-away environment. Read the ratios: processor seconds of a machine differ by the hour.
It runs on Linux.
"""

from __future__ import annotations

import argparse
import sys
import tempfile
from collections.abc import Sequence
from datetime import date
from pathlib import Path
from time import process_time
from typing import NamedTuple

import numpy as np
import polars as pl

from benchmarks import settling
from benchmarks.peers.environment import Outcome, Peers, list_versions, make_environment, run
from benchmarks.peers.simulations.exact_book import compute_value
from benchmarks.peers.simulations.orders import write_orders
from pipeline.engine.stages import SETTLE
from pipeline.trading.simulation.conditions import measure_all
from pipeline.trading.simulation.kernel import Simulated, simulate
from pipeline.trading.simulation.market import Market
from pipeline.trading.simulation.tables import build_ledger, list_fills, read_market, spread
from tests.frames.trading import World

PINS = {"vectorbt": "vectorbt==1.2.0"}
COLUMNS = {
    "cpu s": "cpu", "of it orders": "orders", "x kernel": "times", "first call s": "first", "import s": "import",
    "peak GB": "peak",
}  # fmt: skip
"""Column of the table -> what is shown there. The first call compiles what there is to be compiled."""
NAMES, TRADES, SESSIONS = 50, 20, 250
"""Names, orders a session, and sessions of the books that stages keep."""
SAMPLE, TIMES = 20, 3
"""Sessions at either end that are settled again, and how often each."""
TODAY = 450
"""Bars per processor second through the stages before there was a kernel."""


class Stages(NamedTuple):
    """A book kept by the stages session by session, and what that cost."""

    world: World
    sessions: Sequence[date]
    spent: list[float]
    """Processor milliseconds inside the stages, by session."""
    plans: dict[date, pl.DataFrame]
    """What each session filled."""

    @property
    def year(self) -> Sequence[date]:
        """The first sessions, which the kernel is compared over."""
        return self.sessions[:SESSIONS]


def main() -> None:
    """Fill the orders by each, recompute the value, follow the stages' book; the last line is for machines."""
    parser = argparse.ArgumentParser(description=__doc__, formatter_class=argparse.RawDescriptionHelpFormatter)
    parser.add_argument("--names", type=int, default=800)
    parser.add_argument("--sessions", type=int, default=3_400)
    parser.add_argument("--seed", type=int, default=20)
    parser.add_argument("--calls", type=int, default=5, help="of each simulation; the first one is told apart")
    parser.add_argument("--settled", type=int, default=2_500, help="sessions settled by the stages")
    parser.add_argument("--peers", type=Path, help="an environment that has vectorbt, to be used instead of a new one")
    asked = parser.parse_args()
    with tempfile.TemporaryDirectory(prefix="simulation-") as place:
        folder = Path(place)
        peers = Peers(asked.peers / "bin" / "python", {}) if asked.peers else make_environment(folder / "peers", PINS)
        write(f"{asked.names} names x {asked.sessions} sessions, each name traded daily; {list_versions(peers)}")
        found = fill_orders(folder, peers, asked)
    stages = settle(asked.settled)
    bars = measure_kernel(stages)
    write(f"simulation: {tell_seconds(found)} {bars} {tell_flatness(stages)}")


def fill_orders(folder: Path, peers: Peers, asked: argparse.Namespace) -> dict[str, Outcome]:
    """Fill the same orders by each simulation, and set their value beside the exact one."""
    orders = write_orders(folder / "orders", asked.sessions, asked.names, asked.seed)
    python = Path(sys.executable)
    contenders = {
        "kernel": (python, "simulations.our_kernel", "plain"),
        "rows": (python, "simulations.our_kernel", "rows"),
    }
    contenders["vectorbt"] = (peers.python, "simulations.vectorbt", "")
    refused = peers.refused.get("vectorbt", "")
    found = {
        name: run(place, module, [orders, str(asked.calls), how], folder / "compiled")
        if name != "vectorbt" or not refused
        else Outcome({}, refused)
        for name, (place, module, how) in contenders.items()
    }
    exact = compute_value(orders)
    show(found, exact)
    if any(found[name].figures["value"] != exact for name in ("kernel", "rows")):
        raise SystemExit("the kernel's value is not the exact one")
    return found


def show(found: dict[str, Outcome], exact: int) -> None:
    """What each took, and how far its value is from the exact one."""
    write(f"\n{'':10}" + "".join(f"{title:>{len(title) + 3}}" for title in COLUMNS) + "  value less the exact one")
    for name, (figures, error) in found.items():
        if not figures:
            write(f"{name:10}    none: {error}")
            continue
        cells = {**figures, "times": figures["cpu"] / found["kernel"].figures["cpu"]}
        told = "".join(f"{cells[key]:{len(title) + 3}.3f}" for title, key in COLUMNS.items())
        value = figures["value"] / (1 if name != "vectorbt" else 0.01)
        write(f"{name:10}{told}  {(value - exact) / 100:,.2f} of {exact / 100:,.2f}")
    kept = found["rows"].figures
    write(
        f"{kept['fills']:,.0f} orders, {kept['rows']:,.0f} ledger rows; short of cash in {kept['short']:.0f} sessions"
    )


def tell_seconds(found: dict[str, Outcome]) -> str:
    """Processor seconds of each."""
    return " ".join(
        f"{name}={one.figures['cpu']:.3f}" if one.figures else f"{name}=none" for name, one in found.items()
    )


def settle(sessions: int) -> Stages:
    """Keep a book of fifty names by the stages, by orders that chance decides, as `benchmarks.settling` does."""
    stages = [stage for stage in SETTLE if stage.name in settling.BOOKS]
    world, chance = settling.build(sessions, NAMES, stages), np.random.default_rng(5)
    days, spent, plans = world.calendar.days[:sessions], list[float](), dict[date, pl.DataFrame]()
    for number, session in enumerate(days):
        plans[session] = world.tables["trade_plans"]
        spent.append(sum(settling.run(world, stage, session) for stage in stages))
        settling.order(world, session, NAMES, TRADES, chance)
        if (number + 1) % SESSIONS == 0:
            write(f"{number + 1:6,} sessions settled, the last {SESSIONS} at {np.mean(spent[-SESSIONS:]):.1f} ms each")
    return Stages(world, days, spent, plans)


def measure_kernel(stages: Stages) -> str:
    """Bars per processor second from tables to fills, ledger and values, which have to be those of the stages."""
    prices, actions, trades = (
        stages.world.rows(name).filter(pl.col(clock) <= stages.year[-1])
        for name, clock in (
            ("market_prices", "session"),
            ("corporate_actions", "ex_date"),
            ("executed_trades", "session"),
        )
    )
    simulate_tables(prices, actions, trades, stages)  # the first call imports and plans
    start = process_time()
    market, found, ledger = simulate_tables(prices, actions, trades, stages)
    took = process_time() - start
    check(stages, found, ledger)
    bars = prices.height / took
    live = prices.height / (sum(stages.spent[: len(stages.year)]) / 1e3)
    write(
        f"{len(stages.year)} sessions x {len(market.tickers)} names in {took:.3f} s: {bars:,.0f} bars a second, "
        f"{bars / TODAY:.0f} times {TODAY}; the stages themselves, in memory: {live:,.0f}"
    )
    return f"stages={bars:.0f}"


def simulate_tables(
    prices: pl.DataFrame, actions: pl.DataFrame, trades: pl.DataFrame, stages: Stages
) -> tuple[Market, Simulated, pl.DataFrame]:
    """From tables and orders to fills, ledger rows and values, in the tables' form."""
    world, sessions = stages.world, stages.year
    conditions = measure_all(prices, actions, sessions, world.calendar, world.params)
    unknown = world.params.costs.unknown_volatility
    market = read_market(prices, actions, conditions, sessions, world.calendar, unknown)
    signed = trades.select(pl.col("ordered") * pl.when(pl.col("side") == "buy").then(1.0).otherwise(-1.0))
    orders = spread(trades, signed["ordered"].to_numpy(), sessions, market.tickers)
    found = simulate(market, orders, world.params, rows=True)
    assert found.recorded is not None
    list_fills(market, found.recorded, world.params.costs)
    return market, found, build_ledger(market, found.recorded)


def check(stages: Stages, found: Simulated, ledger: pl.DataFrame) -> None:
    """Hold it that the kernel gives what the stages gave."""
    last = pl.col("session") <= stages.year[-1]
    entries = stages.world.rows("ledger_entries").filter(last).sort("session", "sequence")
    value = stages.world.rows("portfolio_value").filter(last).sort("session")["nav"].to_physical().cast(pl.Int64)
    if not ledger.equals(entries) or found.value.tolist() != value.to_list():
        raise SystemExit("the kernel's books are not those of the stages")
    write(f"\n{entries.height:,} ledger rows and {len(value)} values are those of the stages")


def tell_flatness(stages: Stages) -> str:
    """What a session of the last ones costs beside one of the first year, each settled again in turn.

    A machine's seconds wander by the minute: sessions that are years apart in the run cannot be compared as they came.
    """
    young, old = (stages.sessions[max(end - SAMPLE, 1) : end] for end in (SESSIONS, len(stages.sessions)))
    spent = np.array([[settle_again(stages, session) for session in pair] for pair in zip(young, old, strict=False)])
    first, last = np.median(spent, axis=0)
    write(f"a session settled again: {first:.1f} ms in the first year, {last:.1f} after {len(stages.spent):,}")
    return f"flat={last / first:.2f}"


def settle_again(stages: Stages, session: date) -> float:
    """Processor milliseconds inside the stages of one session, the least of some times; they see what they saw then."""
    world = stages.world
    world.tables["trade_plans"], moment = stages.plans[session], world.moment(session)
    took = 0.0
    for stage in world.settling:
        frames, spent = world.frames(stage, moment).values(), []
        for _ in range(TIMES):
            start = process_time()
            stage.function(*frames, moment, world.params)
            spent.append(process_time() - start)
        took += 1e3 * min(spent)
    return took


def write(line: str) -> None:
    """Print at once: the whole takes minutes."""
    print(line, flush=True)


if __name__ == "__main__":
    main()

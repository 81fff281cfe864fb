"""Orders filled by this program's simulation, which computes their costs: with every ledger row, or without."""

from __future__ import annotations

import sys
from datetime import date
from pathlib import Path

import numpy as np

from benchmarks.peers.measuring import Block, spend
from benchmarks.peers.simulations.orders import CAPITAL, read_orders
from benchmarks.peers.simulations.simulating import tell
from pipeline.trading.params import TradingParams
from pipeline.trading.simulation.kernel import simulate
from pipeline.trading.simulation.market import Market
from tests.frames.sessions import weekday_sessions

FIRST = date(1990, 1, 1)


def main() -> None:
    """Fill the orders several times, and print what each took."""
    rows = sys.argv[3] == "rows"
    imported = spend()
    facts = read_orders(Path(sys.argv[1]))
    market, orders, params = place(facts), facts["orders"], TradingParams(capital=CAPITAL)
    calls = []
    for _ in range(int(sys.argv[2])):
        start = spend()
        found = simulate(market, orders, params, rows=rows)
        calls.append((spend() - start,) * 2)
    written = len(found.recorded.entries.leg) if found.recorded else 0
    short, value = found.one_by_one, int(found.value[-1])
    tell(imported, calls, value=value, fills=int(np.count_nonzero(orders)), rows=written, short=short)


def place(facts: dict[str, Block]) -> Market:
    """The prices in whole millionths; they have four decimals, so that nothing is lost."""
    sessions, names = facts["open"].shape
    calendar = weekday_sessions(FIRST, date(FIRST.year + sessions // 250 + 1, 12, 31))
    return Market(
        calendar=calendar,
        sessions=calendar.days[:sessions],
        tickers=tuple(f"N{number:05d}" for number in range(names)),
        opens=np.rint(facts["open"] * 1e6),
        closes=np.rint(facts["close"] * 1e6),
        volumes=facts["volume"],
        usual_volumes=facts["usual"],
        volatilities=facts["volatility"],
    )


if __name__ == "__main__":
    main()

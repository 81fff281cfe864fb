"""Orders filled by vectorbt's `Portfolio.from_orders`, compiled in the first call; costs are given, not computed."""

from __future__ import annotations

import sys
from pathlib import Path

import vectorbt

from benchmarks.peers.measuring import spend
from benchmarks.peers.simulations.orders import CAPITAL, read_orders
from benchmarks.peers.simulations.simulating import tell


def main() -> None:
    """Fill the orders several times, and print what each took."""
    imported = spend()
    facts = read_orders(Path(sys.argv[1]))
    calls, values = [], []
    for _ in range(int(sys.argv[2])):
        start = spend()
        portfolio = vectorbt.Portfolio.from_orders(
            facts["close"], size=facts["orders"], price=facts["open"], slippage=facts["slippage"],
            fixed_fees=facts["commission"], init_cash=CAPITAL, cash_sharing=True, group_by=True, freq="1D",
        )  # fmt: skip
        filled = spend()
        values.append(float(portfolio.final_value()))
        calls.append((filled - start, spend() - start))
    tell(imported, calls, value=values[-1], fills=len(portfolio.order_records))


if __name__ == "__main__":
    main()

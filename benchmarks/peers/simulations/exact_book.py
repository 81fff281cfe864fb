"""The same orders one after the other in Python's integers, by the rules stated anew: slow, and exact."""

from __future__ import annotations

from math import sqrt
from pathlib import Path

from benchmarks.peers.simulations.orders import CAPITAL, HALF_SPREAD, read_orders

MICROS, CENTS = 1_000_000, 10_000
"""Millionths in one unit of currency, and in a cent."""
PARTICIPATION, COMMISSION, MINIMUM = 0.025, 5_000, 100
"""Fraction of the volume; millionths per share; cents per order."""


def compute_value(folder: Path) -> int:
    """Return what the book is worth after the last session, in cents.

    Raises:
        ValueError: if cash or holdings would limit an order, which is not looked at here.
    """
    facts = {name: values.tolist() for name, values in read_orders(folder).items()}
    cash, held = round(CAPITAL * 100), [0] * len(facts["orders"][0])
    for session in zip(*(facts[name] for name in ("orders", "open", "volume", "usual", "volatility")), strict=True):
        for name, (order, first, volume, usual, volatility) in enumerate(zip(*session, strict=True)):
            shares = min(abs(int(order)), int(PARTICIPATION * volume))
            side = 1 if order > 0 else -1
            slippage = HALF_SPREAD + volatility * sqrt(min(shares / usual, 1.0))
            price = max(round(round(first * MICROS) * (1 + side * slippage)), 1)
            cash -= side * to_cents(shares * price) + (max(to_cents(shares * COMMISSION), MINIMUM) if shares else 0)
            held[name] += side * shares
        if cash < 0 or min(held) < 0:
            raise ValueError(
                f"cash is {cash} cents and the smallest holding {min(held)} shares: something limits orders"
            )
    closes = facts["close"][-1]
    return cash + sum(to_cents(shares * round(close * MICROS)) for shares, close in zip(held, closes, strict=True))


def to_cents(micros: int) -> int:
    """Millionths as cents, ties to the even one."""
    cents, rest = divmod(micros, CENTS)
    return cents + (2 * rest > CENTS or (2 * rest == CENTS and cents % 2))

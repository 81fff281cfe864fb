"""A made-up portfolio that is rebalanced daily: prices, orders and costs as files that each simulation reads alike."""

from __future__ import annotations

from pathlib import Path

import numpy as np

from benchmarks.peers.measuring import Block

FACTS = ("open", "close", "volume", "usual", "volatility", "orders", "slippage", "commission")
CAPITAL = 100_000_000.0
INVESTED = 0.9
"""Fraction of the capital that the targets add up to; the rest pays for costs, so that cash limits no order."""
HALF_SPREAD, PER_SHARE, MINIMUM = 0.0003, 0.005, 1.0
"""The program's own costs: fraction of price, currency per share, currency per order."""


def write_orders(folder: Path, sessions: int, names: int, seed: int) -> Path:
    """A file for each fact, [sessions, names]: prices in currency to four decimals, orders in whole shares.

    Weights wander; each session's targets are what they are worth at the close before, and every name is traded.
    """
    random = np.random.default_rng(seed)
    shape = (sessions, names)
    close = np.round(100 * np.exp(np.cumsum(0.012 * random.standard_normal(shape), axis=0)), 4)
    first = np.round(close * np.exp(0.003 * random.standard_normal(shape)), 4)
    weights = np.exp(0.3 * np.cumsum(0.02 * random.standard_normal(shape), axis=0))
    weights /= weights.sum(axis=1, keepdims=True)
    targets = np.floor(INVESTED * CAPITAL * weights / close)
    orders = np.vstack([np.zeros(names), targets[:1], np.diff(targets[:-1], axis=0)])
    volume = np.round(np.exp(random.normal(14, 0.5, shape)))
    facts = {"open": first, "close": close, "volume": volume, "orders": orders}
    facts |= {
        "usual": np.round(volume * random.uniform(0.7, 1.4, shape)),
        "volatility": random.uniform(0.01, 0.03, shape),
    }
    _save(folder, facts | state_costs(facts))
    return folder


def state_costs(facts: dict[str, Block]) -> dict[str, Block]:
    """What each order costs, worked out beforehand, for who is told costs and does not compute them.

    The slippage is a fraction of the price, by the square-root law; the commission is in currency.
    """
    shares = np.abs(facts["orders"])
    impact = facts["volatility"] * np.sqrt(np.minimum(shares / facts["usual"], 1.0))
    commission = np.maximum(shares * PER_SHARE, MINIMUM) * (shares > 0)
    return {"slippage": HALF_SPREAD + impact, "commission": commission}


def read_orders(folder: Path) -> dict[str, Block]:
    """The facts, [sessions, names] each."""
    return {name: np.load(folder / f"{name}.npy") for name in FACTS}


def _save(folder: Path, facts: dict[str, Block]) -> None:
    folder.mkdir(parents=True)
    for name, values in facts.items():
        np.save(folder / f"{name}.npy", np.ascontiguousarray(values))

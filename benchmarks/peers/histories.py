"""Made-up histories on disk that every engine reads alike: seeded, in cents, and such as single precision holds."""

from __future__ import annotations

from pathlib import Path

import numpy as np

from benchmarks.peers.measuring import FACTS, Block, History, read

COMPARED_TICKERS = 8
"""Tickers whose values are compared; KunQuant takes four or eight at a time."""
COMPARED_SESSIONS = 600
"""Sessions of the history with gaps."""


def write_history(folder: Path, sessions: int, tickers: int, seed: int) -> Path:
    """A file for each fact, [sessions, tickers] in double precision; every session of every ticker is known."""
    _save(folder, _draw(sessions, tickers, seed))
    return folder


def write_few(folder: Path, whole: Path) -> Path:
    """The first tickers of a history with all their sessions: enough to see a sum that drifts."""
    _save(folder, {name: values[:, :COMPARED_TICKERS] for name, values in read(whole).items()})
    return folder


def write_gaps(folder: Path, sessions: int, seed: int) -> Path:
    """Bars that are missing, sessions without volume, and a halt in which no price moves."""
    count = min(sessions, COMPARED_SESSIONS)
    history = _draw(count, COMPARED_TICKERS, seed)
    random = np.random.default_rng(seed + 1)
    halt = slice(count // 3, count // 3 + 12)
    for name in ("open", "high", "low", "close", "vwap"):
        history[name][halt, 0] = 50.0
    history["volume"][random.random(history["volume"].shape) < 0.005] = 0.0
    missing = random.random(history["volume"].shape) < 0.005
    for values in history.values():
        values[missing] = np.nan
    _save(folder, history)
    return folder


def _draw(sessions: int, tickers: int, seed: int) -> History:
    """Random walks that come back to where they began, with bars around them."""
    random = np.random.default_rng(seed)
    shape = (sessions, tickers)
    steps = random.normal(0, 0.02, shape)
    close = 50 * np.exp(np.cumsum(steps - steps.mean(axis=0), axis=0))
    first = close * np.exp(random.normal(0, 0.005, shape))
    high = np.maximum(first, close) * np.exp(np.abs(random.normal(0, 0.005, shape)))
    low = np.minimum(first, close) * np.exp(-np.abs(random.normal(0, 0.005, shape)))
    prices = {"open": first, "high": high, "low": low, "close": close, "vwap": (high + low + close) / 3}
    volume = np.round(np.exp(random.normal(13, 0.5, shape)))
    return {name: _hold(values.round(2)) for name, values in prices.items()} | {"volume": _hold(volume)}


def _hold(values: Block) -> Block:
    """The nearest that single precision has: qlib's store has no other."""
    return values.astype(np.float32).astype(np.float64)


def _save(folder: Path, history: History) -> None:
    folder.mkdir(parents=True)
    for name in FACTS:
        np.save(folder / f"{name}.npy", np.ascontiguousarray(history[name]))

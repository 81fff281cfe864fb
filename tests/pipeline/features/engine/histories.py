"""Made-up histories of a few tickers: gaps, halts, constant stretches and infinite values among them."""

from __future__ import annotations

import numpy as np

from pipeline.features.engine.cross_sections import Members
from pipeline.features.engine.windows.window_kernels import Block
from pipeline.features.facts.declarations import BAR_FACTS


def make_history(sessions: int, tickers: int, seed: int = 0) -> dict[str, Block]:
    """Open, high, low, close, vwap and volume, [sessions, tickers]; everything known."""
    random = np.random.default_rng(seed)
    shape = (sessions, tickers)
    close = 100 * np.exp(np.cumsum(random.normal(0, 0.02, shape), axis=0))
    opening = close * np.exp(random.normal(0, 0.005, shape))
    high = np.maximum(opening, close) * np.exp(np.abs(random.normal(0, 0.005, shape)))
    low = np.minimum(opening, close) * np.exp(-np.abs(random.normal(0, 0.005, shape)))
    volume = np.round(np.exp(random.normal(13, 0.5, shape)))
    return {
        "open": opening, "high": high, "low": low, "close": close, "vwap": (high + low + close) / 3, "volume": volume,
    }  # fmt: skip


def make_ragged_history(sessions: int, tickers: int, seed: int = 0) -> dict[str, Block]:
    """The same with missing bars, sessions without volume, a stretch in which nothing moves, and an infinite price."""
    facts = make_history(sessions, tickers, seed)
    random = np.random.default_rng(seed + 1)
    missing = random.random((sessions, tickers)) < 0.01
    still = slice(sessions // 3, sessions // 3 + 12)
    for name in ("open", "high", "low", "close", "vwap"):
        facts[name][still, 0] = 50.0
    facts["volume"][random.random((sessions, tickers)) < 0.02] = 0.0
    for values in facts.values():
        values[missing] = np.nan
    facts["high"][sessions // 2, -1] = np.inf
    return facts


def make_members(sessions: int, tickers: int, seed: int = 0) -> Members:
    """Members that come and go, three sectors that change hands now and then, and a ticker without one."""
    random = np.random.default_rng(seed)
    sector = np.tile(np.arange(tickers) % 3, (sessions, 1))
    sector[sessions // 2 :, 0] = 1
    sector[:, -1] = -1
    return Members(random.random((sessions, tickers)) < 0.9, sector)


def make_further_facts(sessions: int, tickers: int, seed: int = 0) -> dict[str, Block]:
    """News at one session in three, and what bars within sessions say; some of it unknown."""
    random = np.random.default_rng(seed + 2)
    shape = (sessions, tickers)
    articles = np.where(random.random(shape) < 0.35, random.integers(1, 4, shape), 0).astype(float)
    weight = articles * random.random(shape)
    facts = {"articles": articles, "news_weight": weight, "news_signal": weight * random.uniform(-1, 1, shape)}
    facts |= {fact.name: random.uniform(0.01, 0.4, shape) for fact in BAR_FACTS}
    return facts

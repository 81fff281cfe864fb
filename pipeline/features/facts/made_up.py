"""Computes an expression on made-up facts of a few tickers, to see whether it has a value at all."""

from __future__ import annotations

from collections.abc import Mapping
from functools import lru_cache

import numpy as np
import numpy.typing as npt

from pipeline.features.engine.cross_sections import Members
from pipeline.features.engine.expressions import Expression
from pipeline.features.facts.declarations import BAR_FACTS
from pipeline.features.panel import Floats

TICKERS = 12
AFTER = 8
"""Sessions that are computed, beside those the expression looks back on."""
MAX_BACK = 512


def try_expression(expression: Expression) -> npt.NDArray[np.floating]:
    """The values of an expression, [sessions, tickers], on random walks with news; everybody is a member."""
    from pipeline.features.engine.blocks import compute  # compiles what it runs

    rows = min(expression.warm_up, MAX_BACK) + AFTER
    facts = {name: values[-rows:] for name, values in _make_facts().items()}
    sector = np.tile(np.arange(TICKERS) % 3, (rows, 1))
    members = Members(np.ones((rows, TICKERS), dtype=bool), sector)
    (values,) = compute([expression], facts, first=rows - AFTER, members=members)
    return np.asarray(values)


@lru_cache(maxsize=1)
def _make_facts() -> Mapping[str, Floats]:
    random = np.random.default_rng(0)
    shape = (MAX_BACK + AFTER, TICKERS)
    close = 50 * np.exp(np.cumsum(random.normal(0.0, 0.02, shape), axis=0))
    opened = close * np.exp(random.normal(0.0, 0.01, shape))
    high = np.maximum(opened, close) * np.exp(np.abs(random.normal(0.0, 0.01, shape)))
    low = np.minimum(opened, close) * np.exp(-np.abs(random.normal(0.0, 0.01, shape)))
    weight = random.integers(0, 3, shape).astype(np.float64)
    within = {fact.name: random.uniform(0.01, 0.99, shape) for fact in BAR_FACTS}
    prices = {"open": opened, "high": high, "low": low, "close": close, "vwap": (high + low + close) / 3}
    news = {"news_weight": weight, "news_signal": weight * random.uniform(-1, 1, shape), "articles": weight}
    return {**prices, **news, **within, "volume": np.exp(random.normal(13.0, 0.5, shape))}

"""A process of its own that computes every feature one way and prints the fingerprint of all bits.

Called with: how many sessions at a time, tickers in a block of the engine (0: all), and threads.
"""

from __future__ import annotations

import sys
from dataclasses import replace
from hashlib import sha256

import numpy as np
import polars as pl

from lake.fingerprint import fingerprint
from lake.tables.features import FEATURE_ROWS
from pipeline.features.catalogue import NAMED_SETS, choose
from pipeline.features.engine.blocks import compute
from pipeline.features.engine.cross_sections import Members
from pipeline.features.engine.expressions import Expression, deviation, fact, lag
from pipeline.features.feature import Feature
from pipeline.features.feature_set import extend
from pipeline.features.features import STAGE, features
from pipeline.features.params import FeatureParams
from pipeline.features.trailing_window import View, ln
from tests.frames.features import Market, moment, random_market
from tests.frames.intraday import short_bars

TICKERS, SESSIONS, WANTED = 16, 300, 6


def widen(view: View) -> np.ndarray:
    """A kernel as a plugin declares one."""
    return ln(view.high(10).max(axis=0) / view.low(10).min(axis=0))


OWN = (
    Feature("own_range", "own", "log", "ten sessions' range", 9, widen),
    Feature.express("own_calm", "own", "ratio", deviation(fact("close") / lag(fact("close"), 1), 20)),
)
EXTENSIONS = extend((*choose(tuple(NAMED_SETS)), *OWN))


def compute_rows(market: Market, at_a_time: int) -> str:
    """Fingerprint of what the stage gives of the last sessions."""
    days = market.sessions[-WANTED:]
    tables = [getattr(market, read.table.name) for read in STAGE.reads]
    parts = []
    for start in range(0, WANTED, at_a_time):
        part = days[start : start + at_a_time]
        asked = replace(moment(part[-1], part[0]), extensions=EXTENSIONS)
        parts.append(features(*tables, asked, FeatureParams()))
    rows = pl.concat(parts)
    return fingerprint(rows, FEATURE_ROWS.key, rows.columns)


def compute_engine(tickers: int, threads: int) -> str:
    """Hash of what the engine gives of random facts, in blocks of so many tickers."""
    expressions = [one.kernel for one in EXTENSIONS.features if isinstance(one.kernel, Expression)]
    random = np.random.default_rng(5)
    names = sorted({one for kernel in expressions for one in _list_facts(kernel)})
    facts = {name: random.uniform(0.5, 1.5, (160, 40)) for name in names}
    members = Members(random.random((160, 40)) < 0.9, random.integers(0, 4, (160, 40)))
    values = compute(
        expressions, facts, first=140, tickers=tickers or 40, threads=threads, members=members, precision=np.float64
    )
    return sha256(np.ascontiguousarray(values).tobytes()).hexdigest()


def _list_facts(expression: Expression) -> set[str]:
    if expression.operation == "fact":
        return {expression.text}
    return set().union(*(_list_facts(part) for part in expression.inputs)) if expression.inputs else set()


def main() -> None:
    """Print both fingerprints."""
    at_a_time, tickers, threads = (int(word) for word in sys.argv[1:])
    made = random_market(TICKERS, SESSIONS, seed=8)
    names = made.market_prices["ticker"].unique().sort().to_list()
    bars = pl.concat([short_bars(one, day) for one in names[::2] for day in made.sessions[-30:]])
    market = replace(made, intraday_prices=bars.sort("ticker", "interval", "ts", "revision"))
    sys.stdout.write(f"{compute_rows(market, at_a_time)} {compute_engine(tickers, threads)}\n")

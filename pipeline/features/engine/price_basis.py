"""Expressions of prices and volumes as traded, each session in its own price basis, across splits and dividends.

A session's prices are those that were traded at it. What lies before an action is brought to the basis of after it: a
close c that goes ex a dividend d with a split of `ratio` new shares for each old one makes earlier prices
c / ((c + d) x ratio) of what they were, as for total returns, and earlier volumes `ratio` times. In a window without
an action nothing is scaled, so its numbers are exactly the traded ones, and no value depends on where a range starts.

A ticker's sessions between two actions share a basis and are computed together, as one column of a block. What compares
tickers takes each one's value in the basis of the session that is compared, and is a pure number afterwards.
"""

from __future__ import annotations

from collections.abc import Iterator, Mapping, Sequence
from dataclasses import dataclass, replace
from functools import lru_cache
from typing import NamedTuple

import numpy as np
import numpy.typing as npt
import polars as pl

from pipeline.features.as_of import Epoch
from pipeline.features.engine.blocks import ROWS
from pipeline.features.engine.columns import gather, link, spread
from pipeline.features.engine.cross_sections import Members
from pipeline.features.engine.evaluation import LayOut, Program, Results
from pipeline.features.engine.expressions import Expression
from pipeline.features.engine.layers import arrange, compute_layers, split_sessions
from pipeline.features.engine.windows.window_kernels import Block
from pipeline.features.facts.declarations import find_scale
from pipeline.features.panel import Floats, Ints, Panel
from pipeline.market.returns import daily_total_returns
from pipeline.market.sessions import Sessions

CELLS = 40_000
"""Values of one fact in a block: what is computed of them stays near the processor."""


@dataclass(frozen=True)
class TradedPrices:
    """Prices and volumes as traded, and how each session's actions scale what lies before it."""

    facts: Mapping[str, Floats]
    """open, high, low, close, vwap and volume, [sessions, tickers] as the panel has them; NaN outside history."""
    price_scale: Floats
    """What earlier prices are multiplied by at a session; 1 without an action. The same for volumes."""
    volume_scale: Floats
    members: Members | None = None
    """Who is compared with whom, where an expression compares."""

    def cut(self, start: int, end: int) -> TradedPrices:
        """Those of some sessions, the end excluded."""
        return TradedPrices(
            {name: values[start:end] for name, values in self.facts.items()},
            self.price_scale[start:end],
            self.volume_scale[start:end],
            self.members.cut(start, end) if self.members else None,
        )


def lay_out_prices(epoch: Epoch, panel: Panel, calendar: Sessions) -> TradedPrices:
    """Lay an epoch's bars out as the panel does; where the last close stands for a missing bar, nothing was traded."""
    first, last = calendar.days[max(panel.first, 0)], epoch.sessions[-1]
    bars = epoch.facts.market_prices.filter(pl.col("session").is_between(first, last)).with_columns(
        pl.col("volume") + pl.col("volume_rounding").fill_null(0.0)
    )
    actions = epoch.facts.corporate_actions.filter(pl.col("ex_date").is_between(first, last))
    bridged = ~panel.bar & ~np.isnan(panel.growth)
    at = _locate(bars, panel, calendar)
    prices = {name: _place(panel, at, bars[name], np.nan) for name in ("open", "high", "low", "close", "volume")}
    held = _carry_forward(prices["close"])
    prices = {name: np.where(bridged, 0.0 if name == "volume" else held, values) for name, values in prices.items()}
    prices["vwap"] = (prices["high"] + prices["low"] + prices["close"]) / 3
    daily = daily_total_returns(bars, actions)
    at = _locate(daily, panel, calendar)
    ex_rights = daily["close"] / ((daily["close"] + daily["dividend"]) * daily["ratio"])
    return TradedPrices(prices, _place(panel, at, ex_rights, 1.0), _place(panel, at, daily["ratio"], 1.0))


def _locate(frame: pl.DataFrame, panel: Panel, calendar: Sessions) -> tuple[Ints, Ints]:
    """Row and column of each ticker and session."""
    start = max(panel.first, 0)
    days = pl.Series(calendar.days[start : panel.first + len(panel.bar)], dtype=pl.Date).to_physical().to_numpy()
    rows = np.searchsorted(days, frame["session"].to_physical().to_numpy()) + start - panel.first
    codes = frame["ticker"].cast(pl.Enum(panel.tickers)).to_physical().cast(pl.Int64)
    return rows, codes.to_numpy()


def _place(panel: Panel, at: tuple[Ints, Ints], values: pl.Series, missing: float) -> Floats:
    matrix = np.full(panel.bar.shape, missing)
    matrix[at] = values.to_numpy()
    return matrix


def _carry_forward(values: Floats) -> Floats:
    rows = np.where(np.isnan(values), 0, np.arange(len(values))[:, None])
    return np.take_along_axis(values, np.maximum.accumulate(rows, axis=0), axis=0)


def compute_in_basis(expressions: Sequence[Expression], prices: TradedPrices, first: int) -> Results:
    """Compute expressions for the sessions from row `first` of the prices on.

    Args:
        expressions: of facts that the prices have.
        prices: with as many rows before `first` as the expressions look back on, and members where one compares.
        first: the first session to compute.

    Returns:
        [expressions, sessions, tickers] float32, NaN where a value cannot be known.
    """
    if prices.members is None or len(arrange(tuple(expressions))) == 1:
        return _compute_tickers(expressions, prices, first, np.float32)
    warm_up = max(one.warm_up for one in expressions)
    parts = [
        _compute_compared(expressions, prices.cut(base, end), start - base)
        for base, start, end in split_sessions(warm_up, first, prices.price_scale.shape)
    ]
    return np.concatenate(parts, axis=1)


def _compute_compared(expressions: Sequence[Expression], prices: TradedPrices, first: int) -> Results:
    """Expressions that compare: what is compared at a session is computed in that session's own basis."""

    def evaluate(wanted: Sequence[Expression], held: Mapping[str, Block], start: int, kind: npt.DTypeLike) -> Results:
        return _compute_tickers(wanted, replace(prices, facts={**prices.facts, **held}), start, kind)

    assert prices.members is not None
    return compute_layers(arrange(tuple(expressions)), prices.members, first, evaluate, np.float32)


def _compute_tickers(
    expressions: Sequence[Expression], prices: TradedPrices, first: int, precision: npt.DTypeLike
) -> Results:
    """Expressions in which every ticker stands for itself."""
    program = _compile(tuple(expressions))
    rows, tickers = prices.price_scale.shape
    out = np.full((len(expressions), rows - first, tickers), np.nan, dtype=precision)
    for columns in _pack(_cut_at_actions(prices, first), program.warm_up):
        values = np.empty((len(expressions), columns.sessions[0], len(columns.sessions)), dtype=precision)
        program.evaluate(_lay_out(prices, columns, program.warm_up), len(columns.sessions), values)
        spread(values, columns.starts - first, columns.sessions, columns.tickers, out)
    return out


@lru_cache(maxsize=8)
def _compile(expressions: tuple[Expression, ...]) -> Program:
    return Program(expressions)


class Columns(NamedTuple):
    """Consecutive sessions of a ticker in one price basis, several of them: one entry each."""

    starts: Ints
    sessions: Ints
    tickers: Ints


def _cut_at_actions(prices: TradedPrices, first: int) -> Columns:
    """Sessions between two actions, at most ROWS of them: only those before the first can be in another basis."""
    rows = len(prices.price_scale)
    acts = (prices.price_scale[first:] != 1.0) | (prices.volume_scale[first:] != 1.0)
    acts[0::ROWS] = True
    tickers, starts = np.nonzero(acts.T)
    ends = np.append(starts[1:], rows - first)
    ends[np.append(tickers[1:] != tickers[:-1], True)] = rows - first
    return Columns(starts + first, ends - starts, tickers)


def _pack(columns: Columns, warm_up: int) -> Iterator[Columns]:
    """Columns of like lengths for one block, the longest first."""
    order = np.lexsort((columns.tickers, columns.starts, -columns.sessions))
    at = 0
    while at < len(order):
        width = max(CELLS // (int(columns.sessions[order[at]]) + warm_up), 8)
        yield Columns(*(values[order[at : at + width]] for values in columns))
        at += width


def _lay_out(prices: TradedPrices, columns: Columns, before: int) -> LayOut:
    """What fills a plane [before + longest, columns], all sessions before a column's first in the basis of that."""
    scales = {"price": prices.price_scale, "volume": prices.volume_scale}
    linked = {name: np.empty((before, len(columns.starts))) for name in scales}
    acts = {name: link(scale, columns.starts, columns.tickers, linked[name]) for name, scale in scales.items()}

    def fill(name: str, plane: Block, row: int) -> None:
        scale = find_scale(name)
        by = linked.get(scale, linked["price"])
        gather(prices.facts[name], *columns, by, acts.get(scale, False), row, plane)

    return fill

"""Statistics across the members of one session, session by session.

A ticker counts for its group (the market, or a sector) if it is a member and has all values that are compared; every
ticker of the group that has them gets a value. Sums go over those that count in the order of the columns, so that who
else has a column, and how many sessions are computed at a time, cannot change a bit.

Arrays are [rows, tickers] float64 in row order. Groups are numbered from 0; -1 is none.
"""

from __future__ import annotations

from collections.abc import Sequence
from typing import NamedTuple

import numpy as np
import numpy.typing as npt

from pipeline.features.engine.compiling import compiled
from pipeline.features.engine.expressions import Expression
from pipeline.features.engine.windows.window_kernels import Block

NOTHING = 1e-20
"""A value whose variance is less than this part of its mean square explains nothing."""


class Members(NamedTuple):
    """Who is compared with whom."""

    counted: npt.NDArray[np.bool_]
    """[sessions, tickers] the members that traded."""
    sector: npt.NDArray[np.int64]
    """[sessions, tickers] number of the sector; -1 without one."""

    def cut(self, start: int, end: int | None = None) -> Members:
        """Those of the sessions from one on, up to another (excluded)."""
        return Members(self.counted[start:end], self.sector[start:end])


def compare(one: Expression, inputs: Sequence[Block], members: Members) -> Block:
    """The values of a comparison.

    Args:
        one: the comparison.
        inputs: [sessions, tickers] for each of its inputs, unknown values NaN.
        members: of the same sessions.

    Returns:
        [sessions, tickers] float64, NaN where a value cannot be known.
    """
    group = members.sector if one.within == "sector" else np.zeros_like(members.sector)
    among = (members.counted, group)
    x, *beside = inputs
    out = np.empty(x.shape)
    if not out.size:
        return out
    if one.operation == "cross_rank":
        rank(x, *among, out)
    elif one.operation == "cross_deviation":
        disperse(x, *among, out)
    elif one.operation == "cross_residual":
        fit(x, np.stack([x, *beside])[1:], *among, out)
    else:
        weight = beside[0] if beside else np.ones(x.shape)
        (average_others if one.operation == "peer_mean" else average)(x, weight, *among, out)
    return out


@compiled
def average(
    x: Block, weight: Block, counted: npt.NDArray[np.bool_], group: npt.NDArray[np.int64], out: Block
) -> None:  # pragma: no cover - compiled
    """Weighted mean of each group."""
    rows, tickers = x.shape
    groups = group.max() + 1
    for t in range(rows):
        added, weights = np.zeros(groups), np.zeros(groups)
        for j in range(tickers):
            if counted[t, j] and group[t, j] >= 0 and _weighs(x[t, j], weight[t, j]):
                added[group[t, j]] += weight[t, j] * x[t, j]
                weights[group[t, j]] += weight[t, j]
        for j in range(tickers):
            g = group[t, j]
            out[t, j] = added[g] / weights[g] if g >= 0 and weights[g] > 0 else np.nan


@compiled
def average_others(
    x: Block, weight: Block, counted: npt.NDArray[np.bool_], group: npt.NDArray[np.int64], out: Block
) -> None:  # pragma: no cover - compiled
    """Weighted mean of each group without the ticker's own value.

    What stands before a ticker and what stands after it are added up apart: a sum less the own value would keep the
    rounding of it.
    """
    rows, tickers = x.shape
    groups = group.max() + 1
    sums, weights = np.empty(tickers), np.empty(tickers)
    for t in range(rows):
        sums[:] = 0.0
        weights[:] = 0.0
        for way in range(2):
            added, weighed = np.zeros(groups), np.zeros(groups)
            for i in range(tickers):
                j = i if way == 0 else tickers - 1 - i
                g = group[t, j]
                if g < 0:
                    continue
                sums[j] += added[g]
                weights[j] += weighed[g]
                if counted[t, j] and _weighs(x[t, j], weight[t, j]):
                    added[g] += weight[t, j] * x[t, j]
                    weighed[g] += weight[t, j]
        for j in range(tickers):
            out[t, j] = sums[j] / weights[j] if weights[j] > 0 else np.nan


@compiled
def _weighs(value: float, weight: float) -> bool:  # pragma: no cover - compiled
    return bool(np.isfinite(value) and np.isfinite(weight) and weight >= 0)


@compiled
def disperse(
    x: Block, counted: npt.NDArray[np.bool_], group: npt.NDArray[np.int64], out: Block
) -> None:  # pragma: no cover - compiled
    """Standard deviation of each group as a sample, from distances to its mean."""
    rows, tickers = x.shape
    groups = group.max() + 1
    for t in range(rows):
        added, squares, number = np.zeros(groups), np.zeros(groups), np.zeros(groups)
        for j in range(tickers):
            if counted[t, j] and group[t, j] >= 0 and np.isfinite(x[t, j]):
                added[group[t, j]] += x[t, j]
                number[group[t, j]] += 1
        for j in range(tickers):
            g = group[t, j]
            if counted[t, j] and g >= 0 and np.isfinite(x[t, j]):
                apart = x[t, j] - added[g] / number[g]
                squares[g] += apart * apart
        for j in range(tickers):
            g = group[t, j]
            out[t, j] = np.sqrt(squares[g] / (number[g] - 1)) if g >= 0 and number[g] > 1 else np.nan


@compiled
def rank(
    x: Block, counted: npt.NDArray[np.bool_], group: npt.NDArray[np.int64], out: Block
) -> None:  # pragma: no cover - compiled
    """Share of the other members of the group below a value less share above; equals count for neither."""
    rows, tickers = x.shape
    groups = group.max() + 1
    for t in range(rows):
        out[t] = np.nan
        for g in range(groups):
            values, number = np.empty(tickers), 0
            for j in range(tickers):
                if counted[t, j] and group[t, j] == g and np.isfinite(x[t, j]):
                    values[number] = x[t, j]
                    number += 1
            ordered = np.sort(values[:number])
            for j in range(tickers):
                if group[t, j] != g or not np.isfinite(x[t, j]):
                    continue
                below = np.searchsorted(ordered, x[t, j], side="left")
                above = number - np.searchsorted(ordered, x[t, j], side="right")
                others = number - (1 if counted[t, j] else 0)
                if others > 0:
                    out[t, j] = (below - above) / others


@compiled
def fit(
    x: Block, on: Block, counted: npt.NDArray[np.bool_], group: npt.NDArray[np.int64], out: Block
) -> None:  # pragma: no cover - compiled
    """What least squares among those that count leave of x: a level for each group and [k, rows, tickers] `on`.

    Values are centred group by group, then freed of one explaining value after the other (modified Gram-Schmidt).
    """
    rows, tickers = x.shape
    k = len(on)
    groups = group.max() + 1
    left, inside, here = np.empty((k + 1, tickers)), np.empty(tickers, np.bool_), np.empty(tickers, np.bool_)
    for t in range(rows):
        for j in range(tickers):
            left[k, j] = x[t, j]
            for v in range(k):
                left[v, j] = on[v, t, j]
            here[j] = group[t, j] >= 0
            for v in range(k + 1):
                here[j] = here[j] and np.isfinite(left[v, j])
            inside[j] = here[j] and counted[t, j]
        spare = _centre(left, inside, group[t], groups)
        for v in range(k):
            spare -= _take_out(left, v, on[v, t], inside)
        for j in range(tickers):
            out[t, j] = left[k, j] if here[j] and spare > 0 else np.nan


@compiled
def _centre(
    left: Block, inside: npt.NDArray[np.bool_], group: npt.NDArray[np.int64], groups: int
) -> int:  # pragma: no cover - compiled
    """Take each group's means away, in place; return by how many those that count exceed the groups they are in."""
    number = np.zeros(groups)
    for j in range(len(inside)):
        if inside[j]:
            number[group[j]] += 1
    for v in range(len(left)):
        added = np.zeros(groups)
        for j in range(len(inside)):
            if inside[j]:
                added[group[j]] += left[v, j]
        for j in range(len(inside)):
            g = group[j]
            left[v, j] = left[v, j] - added[g] / number[g] if g >= 0 and number[g] > 0 else np.nan
    return int(number.sum() - (number > 0).sum())


@compiled
def _take_out(left: Block, v: int, whole: Block, inside: npt.NDArray[np.bool_]) -> int:  # pragma: no cover - compiled
    """Free all later values of value v, in place; return 1, or 0 where it explains nothing."""
    norm, size = 0.0, 0.0
    for j in range(len(inside)):
        if inside[j]:
            norm += left[v, j] * left[v, j]
            size += whole[j] * whole[j]
    if not norm > NOTHING * size:
        return 0
    for b in range(v + 1, len(left)):
        together = 0.0
        for j in range(len(inside)):
            if inside[j]:
                together += left[v, j] * left[b, j]
        for j in range(len(inside)):
            left[b, j] -= (together / norm) * left[v, j]
    return 1

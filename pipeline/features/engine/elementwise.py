"""Arithmetic on the values of one session: lists of operations over planes, worked off a few sessions at a time.

A plane holds one value of every session and ticker of a block. Taken one after the other, each operation would read
and write whole planes; taken together for a few sessions, they find what they need in the processor's nearest cache.
"""

from __future__ import annotations

import math

import numpy as np
import numpy.typing as npt

from pipeline.features.engine.compiling import compiled
from pipeline.features.engine.windows.window_kernels import Block

Planes = npt.NDArray[np.float64]
"""[planes, rows, tickers]."""
Orders = npt.NDArray[np.int64]

LAG = 0
ADD = 1
SUBTRACT = 2
MULTIPLY = 3
DIVIDE = 4
MAXIMUM = 5
MINIMUM = 6
GREATER = 7
IF_KNOWN = 8
WHERE = 9
ABSOLUTE = 10
LOG = 11
ROOT = 12
OPERATIONS = {
    "lag": LAG, "+": ADD, "-": SUBTRACT, "*": MULTIPLY, "/": DIVIDE, "maximum": MAXIMUM, "minimum": MINIMUM,
    "greater": GREATER, "if_known": IF_KNOWN, "where": WHERE, "absolute": ABSOLUTE, "log": LOG, "root": ROOT,
}  # fmt: skip
"""Operation of an expression -> its number in a list of orders. A lag of 0 sessions copies."""
CELLS = 1_024
"""Values of a plane that are worked on at a time."""


@compiled
def work_off(orders: Orders, numbers: Block, planes: Planes) -> None:  # pragma: no cover - compiled
    """Do some operations in their order.

    Args:
        orders: [operations, 7] operation, plane of the result, first row of the result, sessions back, and planes of up
            to three inputs; an input below 0 is a number: -1 the first of them.
        numbers: [numbers, CELLS or a row, whichever is more] each number repeated.
        planes: read and written; no operation writes what it reads.
    """
    rows, tickers = planes.shape[1:]
    flat = planes.reshape(len(planes), rows * tickers)
    step = max(CELLS // tickers, 1)
    for start in range(0, rows, step):
        for k in range(len(orders)):
            operation, low = orders[k, 0], max(start, orders[k, 2]) * tickers
            high = min(start + step, rows) * tickers
            if low >= high:
                continue
            out = flat[orders[k, 1]][low:high]
            back = orders[k, 3] * tickers
            x = _take(flat, numbers, orders[k, 4], low - back, high - back)
            y = _take(flat, numbers, orders[k, 5], low, high)
            if operation == WHERE:
                _choose(x, y, _take(flat, numbers, orders[k, 6], low, high), out)
            elif ADD <= operation <= DIVIDE:
                _calculate(operation, x, y, out)
            elif MAXIMUM <= operation <= IF_KNOWN:
                _compare(operation, x, y, out)
            else:
                _change(operation, x, out)


@compiled
def _take(flat: Block, numbers: Block, which: int, low: int, high: int) -> Block:  # pragma: no cover - compiled
    values: Block = numbers[-which - 1][: high - low] if which < 0 else flat[which][low:high]
    return values


@compiled
def _calculate(operation: int, x: Block, y: Block, out: Block) -> None:  # pragma: no cover - compiled
    if operation == ADD:
        for i in range(len(out)):
            out[i] = x[i] + y[i]
    elif operation == SUBTRACT:
        for i in range(len(out)):
            out[i] = x[i] - y[i]
    elif operation == MULTIPLY:
        for i in range(len(out)):
            out[i] = x[i] * y[i]
    else:
        for i in range(len(out)):
            out[i] = x[i] / y[i]


@compiled
def _compare(operation: int, x: Block, y: Block, out: Block) -> None:  # pragma: no cover - compiled
    """Where one of two is not known, neither is the greater one; whether it is greater, nor where one has no bound."""
    if operation == MAXIMUM:
        for i in range(len(out)):
            larger = x[i] if x[i] >= y[i] else y[i]
            out[i] = larger if x[i] == x[i] else x[i]
    elif operation == MINIMUM:
        for i in range(len(out)):
            smaller = x[i] if x[i] <= y[i] else y[i]
            out[i] = smaller if x[i] == x[i] else x[i]
    elif operation == GREATER:
        for i in range(len(out)):
            gap = x[i] - y[i]
            out[i] = (1.0 if gap > 0 else 0.0) + (gap - gap)
    else:
        for i in range(len(out)):
            out[i] = x[i] if x[i] - x[i] == 0 else y[i]


@compiled
def _choose(condition: Block, met: Block, otherwise: Block, out: Block) -> None:  # pragma: no cover - compiled
    """A condition that is unknown chooses neither."""
    for i in range(len(out)):
        told = condition[i]
        out[i] = (met[i] if told > 0 else otherwise[i]) + (told - told)


@compiled
def _change(operation: int, x: Block, out: Block) -> None:  # pragma: no cover - compiled
    if operation == LAG:
        for i in range(len(out)):
            out[i] = x[i]
    elif operation == ABSOLUTE:
        for i in range(len(out)):
            out[i] = abs(x[i])
    elif operation == LOG:
        # One value at a time, by the C library: vectors of logarithms would differ with the place in the array.
        for i in range(len(out)):
            out[i] = math.log(x[i]) if x[i] > 0 else np.nan
    else:
        for i in range(len(out)):
            out[i] = np.sqrt(x[i])


def lay(facts: Block, plane: Block) -> None:
    """Lay facts out as a plane's last rows; the rows before them are unknown, and so is what has no bound."""
    before = len(plane) - len(facts)
    plane[:before] = np.nan
    plane[before:] = facts
    _drop_unbounded(plane.reshape(-1))


@compiled
def _drop_unbounded(values: Block) -> None:  # pragma: no cover - compiled
    for i in range(len(values)):
        value = values[i]
        values[i] = value if value - value == 0 else np.nan


@compiled
def keep_finite(
    planes: Planes, kept: Orders, warm_up: int, out: npt.NDArray[np.floating], row: int, left: int
) -> None:  # pragma: no cover - compiled
    """Store planes in the precision of `out`: what is not finite there becomes unknown, -0 becomes 0.

    Args:
        planes: [planes, rows, tickers].
        kept: [results, 2] plane, and its place in `out`.
        warm_up: rows that are left out.
        out: [results, sessions, tickers]; filled from a row and a ticker on.
        row: the first row.
        left: the first ticker.
    """
    rows, tickers = planes.shape[1:]
    for k in range(len(kept)):
        for t in range(warm_up, rows):
            values = planes[kept[k, 0], t]
            to = out[kept[k, 1], row + t - warm_up][left : left + tickers]
            for j in range(tickers):
                to[j] = values[j]
                held = to[j]
                to[j] = held + 0 if held - held == 0 else np.nan

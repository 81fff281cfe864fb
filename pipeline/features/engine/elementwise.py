"""Arithmetic on the values of one session, written into arrays that are there already."""

from __future__ import annotations

import math
from collections.abc import Callable

import numpy as np

from pipeline.features.engine.compiling import compiled
from pipeline.features.engine.window_kernels import Block

Arithmetic = Callable[..., object]


def _is_greater(one: Block, other: Block, out: Block) -> None:
    """What is unknown, or without bound, on either side stays unknown."""
    np.subtract(one, other, out=out)
    _mark_positive(out)


@compiled
def _mark_positive(gap: Block) -> None:  # pragma: no cover - compiled
    for t in range(gap.shape[0]):
        for j in range(gap.shape[1]):
            value = gap[t, j]
            gap[t, j] = (1.0 if value > 0 else 0.0) + (value - value)


@compiled
def _take_log(one: Block, out: Block) -> None:  # pragma: no cover - compiled
    # One value at a time, by the C library: vectors of logarithms would differ with the place in the array.
    for t in range(out.shape[0]):
        for j in range(out.shape[1]):
            out[t, j] = math.log(one[t, j]) if one[t, j] > 0 else np.nan


@compiled
def _choose(condition: Block, met: Block, otherwise: Block, out: Block) -> None:  # pragma: no cover - compiled
    """A condition that is unknown chooses neither."""
    for t in range(out.shape[0]):
        for j in range(out.shape[1]):
            told = condition[t, j]
            out[t, j] = (met[t, j] if told > 0 else otherwise[t, j]) + (told - told)


def _fill(one: Block, other: Block, out: Block) -> None:
    np.copyto(out, np.where(np.isfinite(one), one, other))


ARITHMETIC: dict[str, Arithmetic] = {
    "+": np.add,
    "-": np.subtract,
    "*": np.multiply,
    "/": np.divide,
    "maximum": np.maximum,
    "minimum": np.minimum,
    "absolute": np.absolute,
    "greater": _is_greater,
    "log": _take_log,
    "root": np.sqrt,
    "where": _choose,
    "if_known": _fill,
}
"""What computes each operation: called with its inputs and the array for the result."""


@compiled
def keep_finite(values: Block, out: Block) -> None:  # pragma: no cover - compiled
    """Store in the precision of `out`: what is not finite there becomes unknown, -0 becomes 0."""
    for t in range(values.shape[0]):
        for j in range(values.shape[1]):
            out[t, j] = values[t, j]
            if out[t, j] - out[t, j] != 0:
                out[t, j] = np.nan
            out[t, j] += 0

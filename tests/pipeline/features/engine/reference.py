"""The statistics of a window by their textbook definitions, one number at a time, in exact or extended arithmetic."""

from __future__ import annotations

from collections.abc import Callable, Sequence
from fractions import Fraction
from math import sqrt

import numpy as np

from pipeline.features.engine.expressions import Expression
from pipeline.features.engine.window_kernels import Block

Window = Sequence[float]


def _total(x: Window) -> float:
    return float(sum(map(Fraction, x)))


def _mean(x: Window) -> float:
    return float(sum(map(Fraction, x)) / len(x))


def _products(x: Window, y: Window) -> Fraction:
    """The sum of the products of distances from the means."""
    first, second = ([Fraction(one) for one in values] for values in (x, y))
    middle, other = sum(first) / len(first), sum(second) / len(second)
    return sum(((a - middle) * (b - other) for a, b in zip(first, second, strict=True)), Fraction(0))


def _deviation(x: Window) -> float:
    return sqrt(_products(x, x) / (len(x) - 1))


def _line(x: Window) -> tuple[Fraction, Fraction]:
    """Slope, and the value of the line at the newest session."""
    places = range(len(x))
    steep = _products(places, x) / _products(places, places)
    return steep, sum(map(Fraction, x)) / len(x) + steep * Fraction(len(x) - 1, 2)


def _r_squared(x: Window) -> float:
    places = range(len(x))
    varies = _products(x, x)
    return float(_products(places, x) ** 2 / (_products(places, places) * varies)) if varies else np.nan


def _correlation(x: Window, y: Window) -> float:
    varies = _products(x, x) * _products(y, y)
    return float(_products(x, y)) / sqrt(varies) if varies else np.nan


def _rank(x: Window) -> float:
    below, equal = sum(one < x[-1] for one in x), sum(one == x[-1] for one in x)
    return (below + (equal + 1) / 2) / len(x)


WINDOWED: dict[str, Callable[..., float]] = {
    "total": _total,
    "mean": _mean,
    "deviation": _deviation,
    "slope": lambda x: float(_line(x)[0]),
    "r_squared": _r_squared,
    "residual": lambda x: float(Fraction(x[-1]) - _line(x)[1]),
    "highest": max,
    "lowest": min,
    "highest_at": lambda x: list(x).index(max(x)) + 1,
    "lowest_at": lambda x: list(x).index(min(x)) + 1,
    "rank": _rank,
    "correlation": _correlation,
}
ELEMENTWISE: dict[str, Callable[..., Block]] = {
    "+": lambda a, b: a + b,
    "-": lambda a, b: a - b,
    "*": lambda a, b: a * b,
    "/": lambda a, b: a / b,
    "maximum": lambda a, b: np.where(np.isnan(a) | np.isnan(b), np.nan, np.where(a > b, a, b)),
    "minimum": lambda a, b: np.where(np.isnan(a) | np.isnan(b), np.nan, np.where(a < b, a, b)),
    "greater": lambda a, b: np.where(np.isfinite(a - b), (a > b).astype(float), np.nan),
    "absolute": np.abs,
    "log": lambda a: np.where(a > 0, np.log(np.where(a > 0, a, 1.0)), np.nan),
}


def evaluate(expression: Expression, facts: dict[str, Block]) -> Block:
    """The value of an expression at every session and ticker; NaN where it cannot be known."""
    with np.errstate(all="ignore"):
        return _evaluate(expression, facts, {})


def _evaluate(one: Expression, facts: dict[str, Block], known: dict[Expression, Block]) -> Block:
    if one not in known:
        known[one] = _apply(one, [_evaluate(part, facts, known) for part in one.inputs], facts)
    return known[one]


def _apply(one: Expression, inputs: list[Block], facts: dict[str, Block]) -> Block:
    if one.operation == "fact":
        return np.where(np.isfinite(facts[one.text]), facts[one.text], np.nan)
    if one.operation == "constant":
        return np.full(next(iter(facts.values())).shape, one.number)
    if one.operation == "lag":
        held = inputs[0]
        return np.vstack([np.full((min(one.window, len(held)), held.shape[1]), np.nan), held])[: len(held)]
    if one.operation in ELEMENTWISE:
        return np.asarray(ELEMENTWISE[one.operation](*inputs), dtype=np.float64)
    return _slide(one, inputs)


def _slide(one: Expression, inputs: list[Block]) -> Block:
    out = np.full(inputs[0].shape, np.nan)
    for row in range(one.window - 1, len(out)):
        for ticker in range(out.shape[1]):
            windows = [values[row - one.window + 1 : row + 1, ticker].tolist() for values in inputs]
            if np.isfinite(windows).all():
                out[row, ticker] = _of_window(one, windows)
    return out


def _of_window(one: Expression, windows: list[list[float]]) -> float:
    if one.operation == "quantile":
        return float(np.quantile(windows[0], one.number))
    return float(WINDOWED[one.operation](*windows))

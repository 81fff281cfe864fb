"""The factors by their textbook definitions in extended precision, each window for itself: what engines are held to."""

from __future__ import annotations

from collections.abc import Callable, Mapping

import numpy as np
import numpy.typing as npt

from pipeline.features.engine.expressions import Expression

Values = npt.NDArray[np.longdouble]
Statistic = Callable[..., Values]

SLICE = 500
"""Sessions whose windows are laid out at a time."""


def evaluate(
    expression: Expression, facts: Mapping[str, npt.NDArray[np.float64]], known: dict[Expression, Values]
) -> Values:
    """An expression at every session and ticker; NaN where it cannot be known. `known` keeps its parts."""
    if expression not in known:
        inputs = [evaluate(part, facts, known) for part in expression.inputs]
        with np.errstate(all="ignore"):
            known[expression] = _apply(expression, inputs, facts)
    return known[expression]


def _apply(one: Expression, inputs: list[Values], facts: Mapping[str, npt.NDArray[np.float64]]) -> Values:
    if one.operation == "fact":
        return np.where(np.isfinite(facts[one.text]), facts[one.text], np.nan).astype(np.longdouble)
    if one.operation == "constant":
        # 1e-12 as engines have it: the nearest double.
        return np.full(next(iter(facts.values())).shape, one.number, dtype=np.longdouble)
    if one.operation == "lag":
        lagged = np.full(inputs[0].shape, np.nan, dtype=np.longdouble)
        lagged[one.window :] = inputs[0][: -one.window]
        return lagged
    if one.operation in ELEMENTWISE:
        return ELEMENTWISE[one.operation](*inputs)
    return _slide(one, inputs)


def _slide(one: Expression, inputs: list[Values]) -> Values:
    """A statistic of every full window without a gap; windows lie along the last axis, oldest session first."""
    out = np.full(inputs[0].shape, np.nan, dtype=np.longdouble)
    views = [np.lib.stride_tricks.sliding_window_view(values, one.window, axis=0) for values in inputs]
    for start in range(0, len(views[0]), SLICE):
        windows = [view[start : start + SLICE] for view in views]
        found = _quantile(windows[0], one.number) if one.operation == "quantile" else WINDOWED[one.operation](*windows)
        whole = np.logical_and.reduce([np.isfinite(window).all(axis=-1) for window in windows])
        first = start + one.window - 1
        out[first : first + len(found)] = np.where(whole, found, np.nan)
    return out


def _centre(x: Values) -> Values:
    return x - x.mean(axis=-1, keepdims=True)


def _deviation(x: Values) -> Values:
    return np.sqrt((_centre(x) ** 2).sum(axis=-1) / (x.shape[-1] - 1))


def _correlation(x: Values, y: Values) -> Values:
    first, second = _centre(x), _centre(y)
    return (first * second).sum(axis=-1) / np.sqrt((first**2).sum(axis=-1) * (second**2).sum(axis=-1))


def _steps(x: Values) -> Values:
    """The places of a window's sessions, from their middle."""
    return np.arange(x.shape[-1], dtype=np.longdouble) - np.longdouble(x.shape[-1] - 1) / 2


def _slope(x: Values) -> Values:
    steps = _steps(x)
    return (steps * _centre(x)).sum(axis=-1) / (steps**2).sum()


def _r_squared(x: Values) -> Values:
    steps = _steps(x)
    return (steps * _centre(x)).sum(axis=-1) ** 2 / ((steps**2).sum() * (_centre(x) ** 2).sum(axis=-1))


def _residual(x: Values) -> Values:
    return _centre(x)[..., -1] - _slope(x) * _steps(x)[-1]


def _rank(x: Values) -> Values:
    newest = x[..., -1:]
    below, equal = (x < newest).sum(axis=-1), (x == newest).sum(axis=-1)
    return (below + (equal + np.longdouble(1)) / 2) / x.shape[-1]


def _quantile(x: Values, share: float) -> Values:
    """By straight lines between the sorted values."""
    ordered = np.sort(x, axis=-1)
    place = share * (x.shape[-1] - 1)
    below = min(int(place), x.shape[-1] - 2)
    return ordered[..., below] + (place - below) * (ordered[..., below + 1] - ordered[..., below])


WINDOWED: dict[str, Statistic] = {
    "total": lambda x: x.sum(axis=-1),
    "mean": lambda x: x.mean(axis=-1),
    "deviation": _deviation,
    "slope": _slope,
    "r_squared": _r_squared,
    "residual": _residual,
    "highest": lambda x: x.max(axis=-1),
    "lowest": lambda x: x.min(axis=-1),
    "highest_at": lambda x: x.argmax(axis=-1) + np.longdouble(1),
    "lowest_at": lambda x: x.argmin(axis=-1) + np.longdouble(1),
    "rank": _rank,
    "correlation": _correlation,
}
ELEMENTWISE: dict[str, Statistic] = {
    "+": np.add,
    "-": np.subtract,
    "*": np.multiply,
    "/": np.divide,
    "maximum": np.maximum,
    "minimum": np.minimum,
    "greater": lambda a, b: np.where(np.isfinite(a - b), a > b, np.nan).astype(np.longdouble),
    "absolute": np.absolute,
    "log": lambda a: np.where(a > 0, np.log(np.where(a > 0, a, 1)), np.nan),
}

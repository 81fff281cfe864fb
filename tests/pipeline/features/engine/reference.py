"""The statistics of a window, and of a session's members, by their textbook definitions, one number at a time."""

from __future__ import annotations

from collections.abc import Callable, Sequence
from math import fsum, sqrt

import numpy as np

from pipeline.features.engine.cross_sections import Members
from pipeline.features.engine.expressions import COMPARISONS, Expression, count_leads, walk
from pipeline.features.engine.windows.window_kernels import Block

Window = Sequence[float]


def _total(x: Window) -> float:
    return fsum(x)


def _mean(x: Window) -> float:
    return fsum(x) / len(x)


def _centre(x: Window) -> list[float]:
    """Distances from the mean, by way of those from the last value: what does not vary has none at all."""
    moved = [one - x[-1] for one in x]
    middle = fsum(moved) / len(moved)
    return [one - middle for one in moved]


def _products(x: Window, y: Window) -> float:
    """The sum of the products of distances from the means, rounded once."""
    return fsum(a * b for a, b in zip(_centre(x), _centre(y), strict=True))


def _deviation(x: Window) -> float:
    return sqrt(_products(x, x) / (len(x) - 1))


def _line(x: Window) -> tuple[float, float]:
    """Slope, and the value of the line at the newest session."""
    places = range(len(x))
    steep = _products(places, x) / _products(places, places)
    return steep, _mean(x) + steep * (len(x) - 1) / 2


def _r_squared(x: Window) -> float:
    places = range(len(x))
    varies = _products(x, x)
    return _products(places, x) ** 2 / (_products(places, places) * varies) if varies else np.nan


def _correlation(x: Window, y: Window) -> float:
    varies = _products(x, x) * _products(y, y)
    return _products(x, y) / sqrt(varies) if varies else np.nan


def _rank(x: Window) -> float:
    below, equal = sum(one < x[-1] for one in x), sum(one == x[-1] for one in x)
    return (below + (equal + 1) / 2) / len(x)


WINDOWED: dict[str, Callable[..., float]] = {
    "total": _total,
    "mean": _mean,
    "deviation": _deviation,
    "slope": lambda x: _line(x)[0],
    "r_squared": _r_squared,
    "residual": lambda x: x[-1] - _line(x)[1],
    "highest": max,
    "lowest": min,
    "highest_at": lambda x: list(x).index(max(x)) + 1,
    "lowest_at": lambda x: list(x).index(min(x)) + 1,
    "rank": _rank,
    "correlation": _correlation,
    "beta": lambda y, x: _products(x, y) / _products(x, x) if _products(x, x) else np.nan,
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
    "root": lambda a: np.where(a >= 0, np.sqrt(np.where(a >= 0, a, 0.0)), np.nan),
    "if_known": lambda a, b: np.where(np.isfinite(a), a, b),
    "where": lambda c, a, b: np.where(np.isnan(c), np.nan, np.where(c > 0, a, b)),
}


def evaluate(expression: Expression, facts: dict[str, Block], members: Members | None = None) -> Block:
    """The value of an expression at every session and ticker; NaN where it cannot be known."""
    return evaluate_all([expression], facts, members)[0]


def evaluate_all(
    expressions: Sequence[Expression], facts: dict[str, Block], members: Members | None = None, first: int = 0
) -> list[Block]:
    """The same for several expressions, whose common parts are computed once; only the sessions from `first` on."""
    known: dict[Expression, Block] = {}
    leads = count_leads(expressions)
    with np.errstate(all="ignore"):
        for one in walk(expressions):
            inputs, start = [known[part] for part in one.inputs], max(first - leads[one], 0)
            if one.operation in COMPARISONS:
                assert members is not None
                known[one] = _compare(one, inputs, members, start)
            else:
                known[one] = _apply(one, inputs, facts, start)
    return [np.where(np.isfinite(known[one]), known[one], np.nan)[first:] for one in expressions]


def _compare(one: Expression, inputs: list[Block], members: Members, start: int) -> Block:
    out = np.full(inputs[0].shape, np.nan)
    for row in range(start, len(out)):
        sector = members.sector[row] if one.within == "sector" else np.zeros(out.shape[1], dtype=np.int64)
        values = np.array([values[row] for values in inputs])
        whole = np.isfinite(values).all(axis=0) & (sector >= 0)
        counted = [j for j in range(out.shape[1]) if members.counted[row, j] and whole[j]]
        for j in range(out.shape[1]):
            among = [i for i in counted if sector[i] == sector[j]] if sector[j] >= 0 else []
            if one.operation == "cross_residual":
                out[row, j] = _residual(values, counted, sector, j) if whole[j] and among else np.nan
            elif among:
                out[row, j] = _among(one.operation, values, among, j)
    return out


def _among(operation: str, values: Block, among: list[int], j: int) -> float:
    x, others = values[0], [i for i in among if i != j]
    if operation == "cross_deviation":
        return float(np.std(x[among], ddof=1)) if len(among) > 1 else np.nan
    if operation == "cross_rank":
        if not others or not np.isfinite(x[j]):
            return np.nan
        return sum(int(x[i] < x[j]) - int(x[i] > x[j]) for i in others) / len(others)
    chosen = others if operation == "peer_mean" else among
    weights = values[1] if len(values) > 1 else np.ones_like(x)
    weight = sum(weights[i] for i in chosen)
    return sum(weights[i] * x[i] for i in chosen) / weight if chosen and weight > 0 else np.nan


def _residual(values: Block, counted: list[int], sector: Block, j: int) -> float:
    """Least squares by numpy: a column for each sector that has members, and one for each other value."""
    levels = sorted({int(sector[i]) for i in counted})

    def explain(i: int) -> list[float]:
        return [*(float(sector[i] == level) for level in levels), *values[1:, i]]

    design = np.array([explain(i) for i in counted])
    scale = np.linalg.norm(design, axis=0)
    design /= scale
    if len(counted) <= np.linalg.matrix_rank(design, tol=1e-9):
        return np.nan
    fitted = np.linalg.lstsq(design, values[0, counted], rcond=1e-11)[0]
    return float(values[0, j] - np.dot(explain(j) / scale, fitted))


def _apply(one: Expression, inputs: list[Block], facts: dict[str, Block], start: int) -> Block:
    if one.operation == "fact":
        return np.where(np.isfinite(facts[one.text]), facts[one.text], np.nan)
    if one.operation == "constant":
        return np.full(next(iter(facts.values())).shape, one.number)
    if one.operation == "lag":
        held = inputs[0]
        return np.vstack([np.full((min(one.window, len(held)), held.shape[1]), np.nan), held])[: len(held)]
    if one.operation in ELEMENTWISE:
        return np.asarray(ELEMENTWISE[one.operation](*inputs), dtype=np.float64)
    return _slide(one, inputs, start)


def _slide(one: Expression, inputs: list[Block], start: int) -> Block:
    out = np.full(inputs[0].shape, np.nan)
    for row in range(max(one.window - 1, start), len(out)):
        for ticker in range(out.shape[1]):
            windows = [values[row - one.window + 1 : row + 1, ticker].tolist() for values in inputs]
            if one.operation in ("total_where", "mean_where"):
                out[row, ticker] = _of_condition(one, *windows)
            elif np.isfinite(windows).all():
                out[row, ticker] = _of_window(one, windows)
    return out


def _of_window(one: Expression, windows: list[list[float]]) -> float:
    if one.operation == "weighted_total":
        return fsum(a * b for a, b in zip(windows[0][::-1], one.weights, strict=True))
    if one.operation == "quantile":
        return float(np.quantile(windows[0], one.number))
    return float(WINDOWED[one.operation](*windows))


def _of_condition(one: Expression, x: Window, condition: Window) -> float:
    if not np.isfinite(condition).all():
        return np.nan
    met = [value for value, told in zip(x, condition, strict=True) if told > 0]
    if not np.isfinite(met).all() or (one.operation == "mean_where" and not met):
        return np.nan
    return _total(met) if one.operation == "total_where" else _mean(met)

"""What an expression is made of: its formula walked down to the facts, with the sessions that each window counts."""

from __future__ import annotations

from collections.abc import Mapping
from functools import lru_cache

from pipeline.features.engine.expressions import WINDOWED, Expression
from pipeline.features.provenance.uses import PRICES, Use

COLUMNS = {**{name: (name,) for name in (*PRICES, "volume")}, "vwap": ("high", "low", "close")}
"""PlacedFact -> the columns of a bar that it is made of."""
Sessions = Mapping[str, frozenset[int]]
SCALED = frozenset({"total", "mean", "deviation", "slope", "residual", "highest", "lowest", "quantile"})
"""Windows whose value is in the unit of what they look at; that of the others has none."""


@lru_cache(maxsize=1024)
def find_expression_uses(expression: Expression) -> tuple[Use, ...]:
    """The facts of the ticker that a value is made of."""
    facts = _find_sessions(expression)
    found = {column: frozenset[int]() for fact in facts for column in COLUMNS[fact]}
    for fact, back in facts.items():
        for column in COLUMNS[fact]:
            found[column] |= back
    anchored = {name: _find_degree(expression, name) != 0 for name in ("price", "volume")}
    return tuple(
        Use((column,), back, "shares", anchored=anchored["volume"])
        if column == "volume"
        else Use((column,), back, "grown", anchored=anchored["price"])
        for column, back in found.items()
    )


def list_counted(operation: str, window: int) -> list[int]:
    """The sessions of a window, counted back, that can change the statistic.

    The least-squares line gives its middle no weight in the slope, and one session none in the newest distance:
    the weight of the value k sessions back is 1/d - (m - k) m / (d (d^2 - 1) / 12) with m = (d - 1) / 2, and 0 at
    k = (2 d - 1) / 3. Two values have no distance from the line through them.
    """
    if operation == "slope":
        return [back for back in range(window) if 2 * back != window - 1]
    if operation == "residual":
        if window == 2:
            return []
        return [back for back in range(window) if 3 * back != 2 * window - 1]
    return list(range(window))


@lru_cache(maxsize=4096)
def _find_sessions(one: Expression) -> Sessions:
    """PlacedFact -> sessions back."""
    if one.operation == "fact":
        return {one.text: frozenset({0})}
    shifts = [one.window] if one.operation == "lag" else [0]
    if one.operation in WINDOWED:
        shifts = list_counted(one.operation, one.window)
    found: dict[str, frozenset[int]] = {}
    for part in one.inputs:
        for fact, back in _find_sessions(part).items():
            moved = frozenset(own + shift for own in back for shift in shifts)
            found[fact] = found.get(fact, frozenset()) | moved
    return found


@lru_cache(maxsize=4096)
def _find_degree(one: Expression, unit: str) -> float | None:
    """With which power of the unit of all prices, or volumes, the value grows; None where with none."""
    if one.operation == "fact":
        return float((one.text == "volume") == (unit == "volume"))
    if one.operation == "constant":
        return 0.0
    degrees = [_find_degree(part, unit) for part in one.inputs]
    if None in degrees:
        return None
    return _combine(one, [degree for degree in degrees if degree is not None])


def _combine(one: Expression, degrees: list[float]) -> float | None:
    if one.operation == "*":
        return degrees[0] + degrees[1]
    if one.operation == "/":
        return degrees[0] - degrees[1]
    if one.operation == "log":
        return 0.0 if degrees[0] == 0 else None
    if one.operation in WINDOWED:
        return degrees[0] if one.operation in SCALED else 0.0
    if one.operation in ("+", "-", "maximum", "minimum", "greater"):
        alike = _are_alike(one, degrees)
        return None if alike is None else 0.0 if one.operation == "greater" else alike
    return degrees[0]


def _are_alike(one: Expression, degrees: list[float]) -> float | None:
    """The degree of both; a constant beside a price is in no unit, unless it is 0 or so small that it only guards."""
    whole = {
        degree
        for part, degree in zip(one.inputs, degrees, strict=True)
        if part.operation != "constant" or abs(part.number) > GUARD
    }
    return next(iter(whole)) if len(whole) == 1 else 0.0 if not whole else None


GUARD = 1e-9
"""A constant below it keeps a division from failing and says nothing about units."""

"""What an expression is made of: its formula walked down to facts, and to joints, where other tickers come in."""

from __future__ import annotations

from collections.abc import Mapping
from dataclasses import dataclass
from functools import lru_cache
from typing import Literal

from pipeline.features.engine.expressions import COMPARISONS, WINDOWED, Expression
from pipeline.features.facts.declarations import OF_BARS, OF_NEWS, find_scale
from pipeline.features.provenance.parts import Part, make_parts
from pipeline.features.provenance.uses import PRICES, Basis, Use

COLUMNS: Mapping[str, tuple[str, ...]] = {
    **{name: (name,) for name in (*PRICES, "volume")},
    "vwap": ("high", "low", "close"),
    "news_signal": ("score", "strength"),
    "news_weight": ("strength",),
    "articles": ("article_id",),
    **dict.fromkeys(OF_BARS, ("ts",)),
}
"""Fact -> the columns that it is made of; `article_id` and `ts` stand for rows' being there."""
CONDITIONAL = frozenset({"*", "/", "where", "if_known", "total_where", "mean_where"})
"""What may leave a value of it without weight, as another decides."""
SCALED = frozenset(
    {
        "total", "mean", "deviation", "slope", "residual", "highest", "lowest", "quantile", "weighted_total",
        "total_where", "mean_where", "absolute", "lag", "if_known",
    }
)  # fmt: skip
"""What is in the unit of what it looks at first."""
GUARD = 1e-9
"""A constant below it keeps a division from failing and says nothing about units."""
Unit = Literal["price", "volume"]


@dataclass(frozen=True)
class Formula:
    """What a value is made of at its own ticker, down to facts and to joints.

    A joint is a part of the expression in which other tickers come in, or a condition by which a pure number counts.
    """

    parts: tuple[Part, ...]
    """Facts of the ticker."""
    joints: Mapping[Expression, tuple[int, ...]]
    """Joint -> how many sessions back its values count."""


@lru_cache(maxsize=4096)
def read_formula(expression: Expression) -> Formula:
    """Walk an expression down."""
    found = _find_sessions(expression)
    price, volume = (_find_degree(expression, unit) != 0 for unit in ("price", "volume"))
    uses = []
    for one, back in found.items():
        if one.operation == "fact":
            basis = _find_basis(one.text)
            anchored = volume if basis == "shares" else price
            uses.append(Use(COLUMNS[one.text], back, basis, anchored=anchored))
    joints = {one: tuple(sorted(back)) for one, back in found.items() if one.operation != "fact"}
    return Formula(make_parts(uses), joints)


def is_joint(one: Expression) -> bool:
    """Whether other tickers come in, or a condition by which a pure number counts or does not."""
    if one.operation in COMPARISONS:
        return True
    if one.operation not in CONDITIONAL or any(part.operation == "constant" for part in one.inputs[:2]):
        return False
    units: tuple[Unit, ...] = ("price", "volume")
    return all(_find_degree(part, unit) == 0 for part in one.inputs for unit in units)


def list_counted(one: Expression) -> list[int]:
    """The sessions of a window, counted back, that can change the statistic.

    The least-squares line gives its middle no weight in the slope, and one session none in the newest distance:
    the weight of the value k sessions back is 1/d - (m - k) m / (d (d^2 - 1) / 12) with m = (d - 1) / 2, and 0 at
    k = (2 d - 1) / 3. Two values have no distance from the line through them.
    """
    window = one.window
    if one.operation == "slope":
        return [back for back in range(window) if 2 * back != window - 1]
    if one.operation == "residual":
        return [back for back in range(window) if 3 * back != 2 * window - 1 and window > 2]
    if one.operation == "weighted_total":
        return [back for back, weight in enumerate(one.weights) if weight != 0]
    return list(range(window))


@lru_cache(maxsize=8192)
def _find_sessions(one: Expression) -> Mapping[Expression, frozenset[int]]:
    """Fact or joint -> sessions back."""
    if one.operation == "fact" or is_joint(one):
        return {one: frozenset({0})}
    shifts = [one.window] if one.operation == "lag" else [0]
    if one.operation in WINDOWED:
        shifts = list_counted(one)
    found: dict[Expression, frozenset[int]] = {}
    for part in one.inputs:
        for key, back in _find_sessions(part).items():
            moved = frozenset(own + shift for own in back for shift in shifts)
            found[key] = found.get(key, frozenset()) | moved
    return found


def _find_basis(fact: str) -> Basis:
    if fact in OF_NEWS:
        return "news"
    if fact in OF_BARS:
        return "within"
    return "shares" if fact == "volume" else "grown"


@lru_cache(maxsize=8192)
def _find_degree(one: Expression, unit: Unit) -> float | None:
    """With which power of the unit of all prices, or volumes, the value grows; None where with none."""
    if one.operation == "fact":
        return float(find_scale(one.text) == unit)
    if one.operation == "constant" or one.operation in COMPARISONS:
        return 0.0
    degrees = [_find_degree(part, unit) for part in one.inputs]
    if None in degrees:
        return None
    return _combine(one, [degree for degree in degrees if degree is not None])


def _combine(one: Expression, degrees: list[float]) -> float | None:
    if one.operation == "*":
        return degrees[0] + degrees[1]
    if one.operation in ("/", "beta"):
        return degrees[0] - degrees[1]
    if one.operation == "root":
        return degrees[0] / 2
    if one.operation == "log":
        return 0.0 if degrees[0] == 0 else None
    if one.operation in ("+", "-", "maximum", "minimum", "greater", "if_known"):
        alike = _are_alike(one, degrees)
        return None if alike is None else 0.0 if one.operation == "greater" else alike
    if one.operation == "where":
        return degrees[1] if degrees[1] == degrees[2] else None
    return degrees[0] if one.operation in SCALED else 0.0


def _are_alike(one: Expression, degrees: list[float]) -> float | None:
    """The degree of both; a constant beside a price is in no unit, unless it is 0 or so small that it only guards."""
    whole = {
        degree
        for part, degree in zip(one.inputs, degrees, strict=True)
        if part.operation != "constant" or abs(part.number) > GUARD
    }
    return next(iter(whole)) if len(whole) == 1 else 0.0 if not whole else None

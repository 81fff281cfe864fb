"""What a feature is computed from: facts, arithmetic, statistics of a ticker's trailing window, and comparisons.

A comparison sets a ticker's value against those of its session's members. It sees every value in the price basis of
its own session and gives pure numbers; windows over them read them as they are.
"""

from __future__ import annotations

from collections import defaultdict
from collections.abc import Callable, Iterable, Iterator, Sequence
from math import isfinite
from typing import Literal

MAX_WINDOW = 252
"""Sessions of the longest window, its own included: a trading year."""

WINDOWED = frozenset(
    {
        "total", "mean", "deviation", "slope", "r_squared", "residual", "highest", "lowest", "highest_at", "lowest_at",
        "rank", "quantile", "correlation", "beta", "total_where", "mean_where", "weighted_total",
    }
)  # fmt: skip
"""What looks at the last `window` sessions, this one included; unknown as soon as one of them is."""
COMPARISONS = frozenset({"cross_rank", "cross_mean", "cross_deviation", "cross_residual", "peer_mean"})
"""What looks at all members of the session."""
Within = Literal["market", "sector"]
"""Whom a comparison is with: all members of the universe, or those of the ticker's sector."""


class Expression:
    """A value for every session and ticker, told by the formula that gives it.

    Two expressions with the same formula are the same one, and are computed once. A value depends on the sessions of
    its own windows alone, and where it compares, on those sessions' members.
    """

    __slots__ = ("inputs", "number", "operation", "text", "warm_up", "weights", "window", "within")

    def __init__(
        self,
        operation: str,
        inputs: tuple[Expression, ...],
        text: str,
        window: int = 0,
        number: float = 0.0,
        weights: tuple[float, ...] = (),
        within: Within = "market",
    ) -> None:
        self.operation, self.inputs, self.text = operation, inputs, text
        self.window, self.number, self.weights, self.within = window, number, weights, within
        self.warm_up: int = max((one.warm_up for one in inputs), default=0) + self.reach
        """Sessions before its own that it needs."""

    @property
    def reach(self) -> int:
        """Sessions before its own that it needs of its inputs."""
        if self.operation == "lag":
            return self.window
        return self.window - 1 if self.operation in WINDOWED else 0

    def __eq__(self, other: object) -> bool:
        return isinstance(other, Expression) and self.text == other.text

    def __hash__(self) -> int:
        return hash(self.text)

    def __repr__(self) -> str:
        return self.text

    def __add__(self, other: Expression | float) -> Expression:
        return _combine("+", self, other)

    def __radd__(self, other: float) -> Expression:
        return _combine("+", other, self)

    def __sub__(self, other: Expression | float) -> Expression:
        return _combine("-", self, other)

    def __rsub__(self, other: float) -> Expression:
        return _combine("-", other, self)

    def __mul__(self, other: Expression | float) -> Expression:
        return _combine("*", self, other)

    def __rmul__(self, other: float) -> Expression:
        return _combine("*", other, self)

    def __truediv__(self, other: Expression | float) -> Expression:
        return _combine("/", self, other)

    def __rtruediv__(self, other: float) -> Expression:
        return _combine("/", other, self)


def replace_inputs(one: Expression, change: Callable[[Expression], Expression]) -> Expression:
    """The same expression of changed inputs, which mean the same: its formula stays."""
    inputs = tuple(change(part) for part in one.inputs)
    return Expression(one.operation, inputs, one.text, one.window, one.number, one.weights, one.within)


def walk(expressions: Iterable[Expression]) -> Iterator[Expression]:
    """Yield all that some expressions are computed from, each once, inputs before what uses them."""
    seen: set[Expression] = set()
    for one in expressions:
        yield from _walk(one, seen)


def _walk(one: Expression, seen: set[Expression]) -> Iterator[Expression]:
    if one not in seen:
        seen.add(one)
        for part in one.inputs:
            yield from _walk(part, seen)
        yield one


def count_leads(expressions: Iterable[Expression]) -> dict[Expression, int]:
    """Each part of some expressions -> how many sessions before its own one of them looks at it."""
    expressions = tuple(expressions)
    leads: dict[Expression, int] = defaultdict(int)
    leads.update(dict.fromkeys(expressions, 0))
    for one in reversed(list(walk(expressions))):
        for part in one.inputs:
            leads[part] = max(leads[part], leads[one] + one.reach)
    return leads


def fact(name: str) -> Expression:
    """A fact of the session: one of the matrices that are handed to the engine."""
    return Expression("fact", (), name)


def constant(value: float) -> Expression:
    """The same number for every session and ticker."""
    return Expression("constant", (), f"{value:g}" if float(f"{value:g}") == value else repr(value), number=value)


def lag(of: Expression, sessions: int) -> Expression:
    """The value of some sessions before."""
    return _look_back("lag", (of,), sessions, least=1)


def log(of: Expression) -> Expression:
    """The natural logarithm; unknown for what is not positive."""
    return Expression("log", (of,), f"log({of.text})")


def absolute(of: Expression) -> Expression:
    """The value without its sign."""
    return Expression("absolute", (of,), f"absolute({of.text})")


def maximum(one: Expression | float, other: Expression | float) -> Expression:
    """The greater of two."""
    return _call("maximum", one, other)


def minimum(one: Expression | float, other: Expression | float) -> Expression:
    """The smaller of two."""
    return _call("minimum", one, other)


def greater(one: Expression | float, other: Expression | float) -> Expression:
    """1 where the first is greater, else 0; unknown where either is."""
    return _call("greater", one, other)


def root(of: Expression) -> Expression:
    """The square root; unknown for what is negative."""
    return Expression("root", (of,), f"root({of.text})")


def where(condition: Expression, met: Expression | float, otherwise: Expression | float) -> Expression:
    """One of two values: the first where the condition is positive. The one that is not chosen need not be known."""
    inputs = (condition, _express(met), _express(otherwise))
    return Expression("where", inputs, f"where({', '.join(part.text for part in inputs)})")


def if_known(of: Expression, otherwise: Expression | float) -> Expression:
    """The value where it is known, else another."""
    return _call("if_known", of, otherwise)


def total(of: Expression, window: int) -> Expression:
    """The sum over the window."""
    return _look_back("total", (of,), window)


def mean(of: Expression, window: int) -> Expression:
    """The arithmetic mean."""
    return _look_back("mean", (of,), window)


def deviation(of: Expression, window: int) -> Expression:
    """The standard deviation of a sample (divided by one less than the window)."""
    return _look_back("deviation", (of,), window, least=2)


def slope(of: Expression, window: int) -> Expression:
    """The slope a session of the least-squares line through the window."""
    return _look_back("slope", (of,), window, least=2)


def r_squared(of: Expression, window: int) -> Expression:
    """How much of the window's variance that line explains; unknown where nothing varies."""
    return _look_back("r_squared", (of,), window, least=2)


def residual(of: Expression, window: int) -> Expression:
    """This session's distance from that line."""
    return _look_back("residual", (of,), window, least=2)


def highest(of: Expression, window: int) -> Expression:
    """The greatest value."""
    return _look_back("highest", (of,), window)


def lowest(of: Expression, window: int) -> Expression:
    """The smallest value."""
    return _look_back("lowest", (of,), window)


def highest_at(of: Expression, window: int) -> Expression:
    """Where in the window the greatest value stands, the first of equals: 1 its oldest session, `window` this one."""
    return _look_back("highest_at", (of,), window)


def lowest_at(of: Expression, window: int) -> Expression:
    """Where in the window the smallest value stands, the first of equals: 1 its oldest session, `window` this one."""
    return _look_back("lowest_at", (of,), window)


def rank(of: Expression, window: int) -> Expression:
    """The rank of this session's value in the window, as a share of it; equals share their mean rank."""
    return _look_back("rank", (of,), window)


def quantile(of: Expression, window: int, share: float) -> Expression:
    """The value below which a share of the window lies, by straight lines between its sorted values."""
    if not 0 <= share <= 1:
        raise ValueError(f"quantile of {of.text}: share is {share}; choose 0 to 1")
    return _look_back("quantile", (of,), window, number=share)


def correlation(one: Expression, other: Expression, window: int) -> Expression:
    """Pearson's correlation of two values; unknown where one of them does not vary."""
    return _look_back("correlation", (one, other), window, least=2)


def beta(of: Expression, on: Expression, window: int) -> Expression:
    """The slope of the least-squares line of one value on another; unknown where the other does not vary."""
    return _look_back("beta", (of, on), window, least=2)


def total_where(of: Expression, condition: Expression, window: int) -> Expression:
    """The sum over the window's sessions at which the condition is positive; elsewhere the value need not be known."""
    return _look_back("total_where", (of, condition), window)


def mean_where(of: Expression, condition: Expression, window: int) -> Expression:
    """The mean over the window's sessions at which the condition is positive; unknown where there is none."""
    return _look_back("mean_where", (of, condition), window)


def weighted_total(of: Expression, weights: Sequence[float]) -> Expression:
    """The sum of each session's value times its weight; the first weight is that of this session."""
    told = ", ".join(constant(float(weight)).text for weight in weights)
    return _weigh(of, tuple(map(float, weights)), f"weighted_total({of.text}, ({told}))")


def decayed_total(of: Expression, half_life: float, window: int) -> Expression:
    """The sum over the window with weights that halve every `half_life` sessions; this session's is 1."""
    if not half_life > 0:
        raise ValueError(f"decayed_total({of.text}): half_life is {half_life!r}; choose more than 0 sessions")
    weights = tuple(0.5 ** (back / half_life) for back in range(window))
    return _weigh(of, weights, f"decayed_total({of.text}, {constant(half_life).text}, {window})")


def cross_rank(of: Expression, within: Within = "market") -> Expression:
    """The share of the other members with a lower value less the share with a higher one, -1 to 1."""
    return _compare("cross_rank", (of,), within)


def cross_mean(of: Expression, within: Within = "market", weight: Expression | None = None) -> Expression:
    """The mean of the members' values, the same for all of a market or sector; weighted by what is not negative."""
    return _compare("cross_mean", (of,) if weight is None else (of, weight), within, "weight")


def peer_mean(of: Expression, within: Within = "market", weight: Expression | None = None) -> Expression:
    """The mean of the other members' values, the ticker's own left out."""
    return _compare("peer_mean", (of,) if weight is None else (of, weight), within, "weight")


def cross_deviation(of: Expression, within: Within = "market") -> Expression:
    """The standard deviation among the members (divided by one less than their number)."""
    return _compare("cross_deviation", (of,), within)


def cross_residual(of: Expression, on: Sequence[Expression] = (), within: Within = "market") -> Expression:
    """What the least-squares fit among the members leaves of the value: on other values, with a level for each group.

    Without other values it is the distance from the members' mean. Unknown where the members that have all values are
    no more than what is fitted to them.
    """
    return _compare("cross_residual", (of, *on), within, "on")


def _compare(operation: str, inputs: tuple[Expression, ...], within: Within, beside: str = "") -> Expression:
    if within not in ("market", "sector"):
        raise ValueError(f"{operation}({inputs[0].text}): within is {within!r}; choose 'market' or 'sector'")
    parts = [inputs[0].text, *(f"{beside} {part.text}" for part in inputs[1:])]
    return Expression(operation, inputs, f"{operation}({', '.join([*parts, within])})", within=within)


def _weigh(of: Expression, weights: tuple[float, ...], text: str) -> Expression:
    if not 1 <= len(weights) <= MAX_WINDOW or not all(map(isfinite, weights)):
        raise ValueError(f"{text[:60]}: {len(weights)} weights; choose 1 to {MAX_WINDOW}, all finite")
    return Expression("weighted_total", (of,), text, len(weights), weights=weights)


def _look_back(
    operation: str, inputs: tuple[Expression, ...], window: int, *, least: int = 1, number: float = 0.0
) -> Expression:
    names = ", ".join(one.text for one in inputs)
    if isinstance(window, bool) or not isinstance(window, int) or not least <= window <= MAX_WINDOW:
        raise ValueError(f"{operation}({names}): window is {window!r}; choose {least} to {MAX_WINDOW} sessions")
    share = f", {number:g}" if operation == "quantile" else ""
    return Expression(operation, inputs, f"{operation}({names}, {window}{share})", window, number)


def _combine(operation: str, one: Expression | float, other: Expression | float) -> Expression:
    inputs = _express(one), _express(other)
    first, second = (_bracket(part) for part in inputs)
    return Expression(operation, inputs, f"{first} {operation} {second}")


def _call(operation: str, one: Expression | float, other: Expression | float) -> Expression:
    inputs = _express(one), _express(other)
    return Expression(operation, inputs, f"{operation}({inputs[0].text}, {inputs[1].text})")


def _express(value: Expression | float) -> Expression:
    return value if isinstance(value, Expression) else constant(float(value))


def _bracket(part: Expression) -> str:
    return f"({part.text})" if part.operation in {"+", "-", "*", "/"} else part.text

"""What a feature is computed from: facts, arithmetic, and statistics of a ticker's trailing window."""

from __future__ import annotations

from collections.abc import Iterable, Iterator

MAX_WINDOW = 252
"""Sessions of the longest window, its own included: a trading year."""

FACTS = ("open", "high", "low", "close", "vwap", "volume")
"""What is known of a ticker's session: prices as traded in its own basis, vwap as (high + low + close) / 3, shares."""
WINDOWED = frozenset(
    {
        "total", "mean", "deviation", "slope", "r_squared", "residual", "highest", "lowest", "highest_at", "lowest_at",
        "rank", "quantile", "correlation",
    }
)  # fmt: skip
"""What looks at the last `window` sessions, this one included; unknown as soon as one of them is."""


class Expression:
    """A value for every session and ticker, told by the formula that gives it.

    Two expressions with the same formula are the same one, and are computed once. A value depends on the sessions of
    its own windows alone.
    """

    __slots__ = ("inputs", "number", "operation", "text", "warm_up", "window")

    def __init__(
        self, operation: str, inputs: tuple[Expression, ...], text: str, window: int = 0, number: float = 0.0
    ) -> None:
        self.operation, self.inputs, self.text = operation, inputs, text
        self.window, self.number = window, number
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

"""What a feature is: its name, unit, formula, the sessions it looks back on, and the function that computes it."""

from __future__ import annotations

import re
from collections import Counter
from collections.abc import Callable, Collection, Iterable
from dataclasses import dataclass

from pipeline.features.engine.expressions import Expression
from pipeline.features.panel import DEPTH, Floats
from pipeline.features.provenance.uses import Use
from pipeline.features.trailing_window import View

Kernel = Callable[[View], Floats]
"""Computes one feature at one session: [tickers] float64, NaN where it cannot be known."""

NAME = r"[a-z][a-z0-9_]{0,62}"
"""What a feature may be called: it is the name of a column."""


@dataclass(frozen=True)
class Feature:
    """One feature, declared in one place.

    In the formulas: C, O, H, L are a session's prices grown by total return (splits and dividends taken out), V its
    shares on today's share basis, ln the natural logarithm, t this session. Windows count exchange sessions and end
    at t. A session without a bar stands at the last close, for at most `FeatureParams.stale_sessions` in a row;
    averages of volume leave it out and need bars for 80 % of the window.

    Raises:
        TypeError: naming the feature and what is wrong with its declaration.
    """

    name: str
    """The column's name. Values once written keep their meaning: what computes something else gets another name."""
    family: str
    unit: str
    formula: str
    warm_up: int
    """Sessions before its own that it looks back on; at most DEPTH - 1."""
    kernel: Kernel | Expression
    """What computes it: a function of a View, or an expression, which is computed for many sessions at once."""
    source: str = ""
    """Who published the formula, or what it follows; empty where it is nobody's in particular."""
    uses: tuple[Use, ...] | None = None
    """What its values are made of, for a kernel: `provenance.uses` has the words. Without it, all that the kernel of
    a plugin asks its view for counts. An expression says it itself."""

    @staticmethod
    def express(name: str, family: str, unit: str, expression: Expression, source: str = "") -> Feature:
        """A feature whose formula and warm-up are those of an expression."""
        return Feature(name, family, unit, expression.text, expression.warm_up, expression, source)

    def __post_init__(self) -> None:
        for field in ("name", "family", "unit", "formula"):
            value = getattr(self, field)
            if not isinstance(value, str) or not value.strip():
                raise TypeError(f"feature {self.name!r}: its {field} is {value!r}; give it a text")
        if not re.fullmatch(NAME, self.name):
            raise TypeError(
                f"feature {self.name!r}: use lower-case letters, digits and underscores, at most 63 of them"
            )
        if not isinstance(self.warm_up, int) or not 0 <= self.warm_up < DEPTH:
            raise TypeError(f"feature {self.name!r}: warm_up is {self.warm_up!r}; choose 0 to {DEPTH - 1} sessions")
        if not callable(self.kernel) and not isinstance(self.kernel, Expression):
            raise TypeError(
                f"feature {self.name!r}: its kernel is {self.kernel!r}; give it a function of a View, or an expression"
            )
        if wrong := [one for one in self.uses or () if not isinstance(one, Use)]:
            raise TypeError(
                f"feature {self.name!r}: its uses hold {wrong[0]!r}; give what pipeline.features.provenance.uses makes,"
                " or leave them out"
            )


def refuse_duplicates(features: Iterable[Feature], taken: Collection[str] = ()) -> None:
    """Let no two features share a name.

    Args:
        features: those to check.
        taken: names that are in use already.

    Raises:
        TypeError: naming the first name that is used twice.
    """
    counts = Counter([*taken, *(feature.name for feature in features)])
    if twice := [name for name, count in counts.items() if count > 1]:
        more = f", and {len(twice) - 1} more" if len(twice) > 1 else ""
        raise TypeError(f"a feature {twice[0]!r} is there already{more}; give yours another name")

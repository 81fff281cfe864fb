"""Numbers as the reconciliation takes them: exact fractions, rounded half to even where the tables are."""

from __future__ import annotations

from fractions import Fraction
from functools import lru_cache


@lru_cache(maxsize=2**15)
def read_exactly(number: float | None) -> Fraction:
    """The decimal number that a float prints as, to a millionth; nothing stated is 0.

    Remembered, because each session looks at most of the prices that the one before did.
    """
    return to_a_millionth(Fraction(repr(float(number)))) if number else Fraction(0)


def to_a_millionth(price: Fraction) -> Fraction:
    """A price as the tables keep it, ties to the even one."""
    return Fraction(round(price * 1_000_000), 1_000_000)


def up_to(amount: int, most: int) -> int:
    """An amount, no further from zero than another of its sign; nothing where that one is none or of the other sign."""
    sign = 1 if amount > 0 else -1
    return sign * max(min(sign * amount, sign * most), 0)


def divide_evenly(numerator: int, denominator: int) -> int:
    """To the nearest whole number, ties to the even one."""
    whole, rest = divmod(numerator, denominator)
    return whole + (2 * rest > denominator or (2 * rest == denominator and whole % 2))

"""Whole-number arithmetic that one formula can be written in for single amounts and for arrays of them.

`ONE` computes with Python's integers, of any size. `MANY` computes with arrays of doubles that hold whole numbers: as
long as every product stays below `EXACT`, each result is the very integer that `ONE` gives; beyond, it says so.
"""

from __future__ import annotations

from math import sqrt
from typing import Any, Protocol

import numpy as np
import numpy.typing as npt

from pipeline.trading.books.money import half_even

EXACT = 2.0**52
"""Below it doubles hold every whole number, and a quotient falls on a half only if it is one: of denominator d, the
next nearest one is 1 / 2d away from the half, and rounding moves a quotient whose numerator is below by less."""
Block = npt.NDArray[np.float64]
"""Whole numbers, or fractions, as doubles."""


class BeyondExactError(OverflowError):
    """Numbers too large for arrays of doubles to hold exactly: they have to be computed one by one."""


class Arithmetic(Protocol):
    """What formulas for money are written in."""

    def half_even(self, numerator: Any, denominator: Any) -> Any:
        """Whole numbers divided and rounded to one, ties to the even one; the denominator is positive."""

    def nearest(self, number: Any) -> Any:
        """A fraction as the nearest whole number, ties to the even one."""

    def lesser(self, one: Any, other: Any) -> Any:
        """The smaller of two."""

    def greater(self, one: Any, other: Any) -> Any:
        """The larger of two."""

    def root(self, number: Any) -> Any:
        """The square root."""


class _One:
    """Python's integers and floats."""

    @staticmethod
    def half_even(numerator: int, denominator: int) -> int:
        return half_even(numerator, denominator)

    @staticmethod
    def nearest(number: float) -> int:
        return round(number)

    @staticmethod
    def lesser(one: Any, other: Any) -> Any:
        return min(one, other)

    @staticmethod
    def greater(one: Any, other: Any) -> Any:
        return max(one, other)

    @staticmethod
    def root(number: float) -> float:
        return sqrt(number)


class _Many:
    """Arrays of doubles, 0 or more; operations of IEEE 754 give the bits that Python's floats have."""

    @staticmethod
    def half_even(numerator: Block, denominator: Block | int) -> Block:
        hold_exact(numerator)
        quotient = numerator / denominator
        return np.rint(quotient, out=quotient)

    @staticmethod
    def nearest(number: Block) -> Block:
        return np.rint(number)

    @staticmethod
    def lesser(one: Any, other: Any) -> Block:
        return np.asarray(np.fmin(one, other))  # what is not known limits nothing

    @staticmethod
    def greater(one: Any, other: Any) -> Block:
        return np.asarray(np.maximum(one, other))

    @staticmethod
    def root(number: Block) -> Block:
        return np.sqrt(number)


def hold_exact(numbers: Block) -> None:
    """Check that products or sums of what is 0 or more are held exactly.

    Raises:
        BeyondExactError: if one is not below `EXACT`; what is rounded would be no less than that.
    """
    if numbers.max(initial=0) >= EXACT:
        raise BeyondExactError(f"{numbers.max():.0f} is not below 2^52, beyond which doubles skip whole numbers")


ONE: Arithmetic = _One()
MANY: Arithmetic = _Many()

"""Tells from the factor between two adjusted closes whether it is a split, and of how many shares into how many."""

from __future__ import annotations

from fractions import Fraction

ROUNDING = 3e-6
"""Relative; how far a factor may lie from the ratio of a split: closes have six decimals."""
FEW, MANY = 21, 50
"""Largest share count of an everyday ratio, between 0.8 and 1, where large dividends lie, and outside."""
MAX_CHANCE = 2e-3
"""How probable a ratio may be by chance alone: a number comes within t of a fraction p/q for one in about p q t."""
NEAREST = 0.009
"""A split moves the price by more than that; what moves it by less is cash, or the vendor's noise."""
LARGEST_CASH = 0.5
"""Fraction of the price; above it a round amount is no sign of cash any more."""
DECIMALS = 10_000
"""Stock dividends are stated in hundredths of a percent."""
NOISE = 6
"""Of the last decimals of an adjusted close, in halves: what a vendor's arithmetic leaves."""
CENTS = 10_000
"""Parts of the currency that amounts of cash are stated in, to the hundredth of a cent."""


def everyday_ratio(factor: float) -> Fraction | None:
    """New shares for each old one, if the factor is the ratio of small whole numbers."""
    largest = FEW if 0.8 < factor < 1 else MANY
    ratio = Fraction(1 / factor).limit_denominator(largest)
    if ratio <= 0 or ratio.numerator > largest or ratio == 1:
        return None
    return ratio if abs(float(ratio) * factor - 1) <= ROUNDING else None


def rare_ratio(close: float, factor: float, precision: float) -> Fraction | None:
    """New shares for each old one, if the factor is any ratio that it can hardly be by chance.

    Above 1 nothing but a split can be meant. Below, an amount of cash that is round is taken for cash.

    Args:
        close: the close before, as traded.
        factor: adjusted close over close.
        precision: relative; how exactly the adjusted close is written.
    """
    if abs(factor - 1) < NEAREST or (
        LARGEST_CASH < factor < 1 and _is_round(close * (1 - factor), NOISE * precision * close)
    ):
        return None
    for tolerance in (precision, ROUNDING):
        ratio = _simplest_fraction(1 / factor, tolerance)
        if ratio != 1 and ratio.numerator * ratio.denominator * tolerance <= MAX_CHANCE:
            return ratio
    stated = Fraction(round(DECIMALS / factor), DECIMALS)
    told = factor > LARGEST_CASH and 2 * precision * DECIMALS <= MAX_CHANCE
    return stated if told and abs(float(stated) * factor - 1) <= precision else None


def _is_round(amount: float, tolerance: float) -> bool:
    return abs(amount - round(amount * CENTS) / CENTS) <= tolerance


def _simplest_fraction(value: float, tolerance: float) -> Fraction:
    """The fraction of the smallest numbers within a relative tolerance: the first that a continued fraction finds."""
    low, high = Fraction(value) * (1 - Fraction(tolerance)), Fraction(value) * (1 + Fraction(tolerance))
    return _between(low, high)


def _between(low: Fraction, high: Fraction) -> Fraction:
    """The simplest fraction from one positive number to another (Stern and Brocot)."""
    whole = -(-low.numerator // low.denominator)
    if whole <= high:
        return Fraction(whole)
    floor = low.numerator // low.denominator
    return floor + 1 / _between(1 / (high - floor), 1 / (low - floor))

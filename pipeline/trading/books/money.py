"""Money as whole numbers: cents for amounts, millionths for prices, rounded half to even."""

from __future__ import annotations

from collections.abc import Iterable
from decimal import ROUND_HALF_EVEN, Decimal
from fractions import Fraction

import polars as pl

from lake.contract import CENTS, PRICE, RATE

MICROS_PER_CENT = 10_000
"""Millionths of the currency in a cent."""

SURE = 2.0**40
"""Size below which a product of a float differs from that of the decimal it prints as by less than a thousandth."""


def half_even(numerator: int, denominator: int) -> int:
    """Return numerator / denominator rounded to a whole number, ties to the even one; the denominator is positive."""
    quotient, remainder = divmod(numerator, denominator)
    twice = 2 * remainder
    return quotient + (twice > denominator or (twice == denominator and quotient % 2 == 1))


def divide_whole(numerator: int, denominator: int) -> tuple[int, int]:
    """Return the whole part of a quotient, towards zero, and what is left over; the denominator is positive."""
    whole, rest = divmod(abs(numerator), denominator)
    return (whole, rest) if numerator >= 0 else (-whole, -rest)


def smaller(one: int, other: int) -> int:
    """Return of two amounts of one sign the one that is nearer to zero; 0 where their signs differ."""
    if one * other <= 0:
        return 0
    return min(one, other, key=abs)


def to_cents(amount: float | Decimal) -> int:
    """Return an amount in cents; a float means the decimal number it prints as."""
    return _scale(amount, 100)


def to_micros(price: float | Decimal) -> int:
    """Return a price in millionths; a float means the decimal number it prints as."""
    return _scale(price, 1_000_000)


def value_of(shares: int, price: int) -> int:
    """Return shares x price (millionths) in cents."""
    return half_even(shares * price, MICROS_PER_CENT)


def cents_series(values: Iterable[int | None]) -> pl.Series:
    """Return cents as the contracts' money column."""
    return pl.Series([None if v is None else Decimal(v).scaleb(-2) for v in values], dtype=CENTS)


def price_series(values: Iterable[int | None]) -> pl.Series:
    """Return millionths as the contracts' price column."""
    return pl.Series([None if v is None else Decimal(v).scaleb(-6) for v in values], dtype=PRICE)


def rate_series(values: Iterable[Fraction | None]) -> pl.Series:
    """Return exchange rates, each a whole number of trillionths, as the contracts' rate column."""
    scale = RATE.scale
    whole = [None if v is None else v * 10**scale for v in values]
    return pl.Series([None if v is None else Decimal(v.numerator).scaleb(-scale) for v in whole], dtype=RATE)


def format_cents(cents: int) -> str:
    """Return an amount as an operator reads it, e.g. 1,234.50."""
    return f"{Decimal(cents).scaleb(-2):,.2f}"


def format_micros(price: int) -> str:
    """Return a price as an operator reads it: to the cent, or finer where it is, e.g. 1,234.50 or 0.0125."""
    exact = Decimal(price).scaleb(-6).normalize()
    digits = max(-int(exact.as_tuple().exponent), 2)
    return f"{exact:,.{digits}f}"


def _scale(number: float | Decimal, factor: int) -> int:
    if isinstance(number, float) and abs(scaled := number * factor) < SURE:
        nearest = round(scaled)
        if abs(scaled - nearest) < 0.25:  # nowhere near a tie, whatever was rounded on the way: no decimals needed
            return nearest
    exact = number if isinstance(number, Decimal) else Decimal(repr(float(number)))
    return int((exact * factor).to_integral_value(rounding=ROUND_HALF_EVEN))

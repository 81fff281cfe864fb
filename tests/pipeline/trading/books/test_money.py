"""Amounts become whole numbers as their decimals say, to the last tie."""

from __future__ import annotations

import random
from collections.abc import Callable
from decimal import ROUND_HALF_EVEN, Decimal

import pytest

from pipeline.trading.books.money import SURE, to_cents, to_micros

DRAWN: dict[str, Callable[[random.Random], float]] = {
    "prices": lambda draw: round(draw.uniform(0, 5_000), draw.randrange(0, 9)),
    "ties": lambda draw: draw.randrange(10**9) / 2 / draw.choice((100, 10**6)),
    "near ties": lambda draw: draw.randrange(10**8) * 1e-6 + 5e-7,
    "any size": lambda draw: draw.uniform(-2, 2) * SURE * 10.0 ** -draw.randrange(12),
}


@pytest.mark.parametrize("name", DRAWN)
def test_a_float_means_the_decimal_that_it_prints_as(name: str) -> None:
    draw = random.Random(name)
    for _ in range(5_000):
        number = DRAWN[name](draw)
        for convert, factor in ((to_cents, 100), (to_micros, 1_000_000)):
            exact = Decimal(repr(number)) * factor
            assert convert(number) == int(exact.to_integral_value(rounding=ROUND_HALF_EVEN)), number


def test_what_is_no_number_is_not_an_amount() -> None:
    for number in (float("nan"), float("inf")):
        with pytest.raises((ValueError, ArithmeticError)):
            to_cents(number)

"""Reads pairs of currencies and exact rates out of delivered text, units such as pence brought to whole currency."""

from __future__ import annotations

import re
from decimal import ROUND_HALF_EVEN, Decimal, InvalidOperation, localcontext

from pipeline.market.currencies import MINOR_UNITS, PER_CURRENCY

PLACES = Decimal("1e-12")
"""What a rate is exact to."""
BOUND = Decimal(10) ** 12
"""Beyond it a rate is a slip, and no column could hold it."""
DIGITS = 60
"""More than any rate within the bound needs."""
LONGEST = 60
"""Characters of the longest text that is read as a number."""
CODE = re.compile("[A-Z]{3}")
PAIR = re.compile(r"([A-Za-z]{3})[/\-. _]?([A-Za-z]{3})(=X)?")
"""EURUSD, EUR/USD, EUR-USD or Yahoo's EURUSD=X."""


def split_pair(pair: str) -> tuple[str, str] | None:
    """Return the two currencies or units of a pair as they are written; None where it is none."""
    found = PAIR.fullmatch(pair.strip())
    return (found[1], found[2]) if found else None


def read_unit(unit: str) -> tuple[str, int]:
    """Return the currency of a currency or unit, in capitals, and how many of the unit make one of it."""
    plain = unit.strip()
    if plain in MINOR_UNITS:
        return MINOR_UNITS[plain], PER_CURRENCY
    return plain.upper(), 1


def is_code(currency: str) -> bool:
    """Whether it is written as an ISO 4217 code is."""
    return CODE.fullmatch(currency) is not None


def read_rate(text: str) -> Decimal | None:
    """Return the number a text is, exactly; None where it is none, or an infinite one."""
    try:
        rate = Decimal(text.strip()) if len(text) <= LONGEST and "_" not in text else None
    except InvalidOperation:
        return None
    return rate if rate is not None and rate.is_finite() else None


def scale_rate(rate: Decimal, base_units: int, quote_units: int) -> Decimal:
    """Return a rate of units as one of whole currencies, to twelve places, half to even.

    Args:
        rate: positive, below BOUND.
        base_units: how many of the unit valued make one of its currency.
        quote_units: the same of the unit that it is valued in.
    """
    with localcontext() as context:
        context.prec = DIGITS
        return (rate * base_units / quote_units).quantize(PLACES, ROUND_HALF_EVEN)

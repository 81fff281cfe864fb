"""Brings amounts stated in another currency than the listing's into it, by the last rate before the ex-date."""

from __future__ import annotations

from datetime import date
from decimal import Decimal
from fractions import Fraction
from typing import Any, NamedTuple

import polars as pl

from lake.contract import RATE
from lake.tables.market import FX_RATES
from pipeline.market.exchange_rates import DatedRate, ExchangeRates

AMOUNTS = ("amount", "cash")
TRILLION = 10**RATE.scale
STATED = tuple(f"stated_{name}" for name in AMOUNTS)
"""The amounts as they were stated."""
MICROS = 1_000_000
"""Amounts are exact to a millionth, as the books take them."""
CONVERSION: dict[str, Any] = {"rate": RATE, "rate_session": pl.Date, "unconverted": pl.String}
"""What a conversion says: the rate, its day, and the rule that an amount without one breaks."""


class Conversion(NamedTuple):
    """By which rates amounts are converted."""

    fx_rates: pl.DataFrame
    """The rates known, last revisions."""
    upto: date
    """The last day that anything is known of."""
    max_age_days: int
    """How old a rate may be at the ex-date."""


NO_CONVERSION = Conversion(FX_RATES.empty(), date.max, 0)
"""Nothing is known of any rate."""


def convert_amounts(typed: pl.DataFrame, by: Conversion) -> pl.DataFrame:
    """Convert what is stated in another currency, and add rate, rate_session, stated_* and unconverted.

    Converted is at the last rate of a day before the ex-date: who holds the share then knows it. Of an ex-date ahead
    the last day known counts for the age, as the rates in between are still to come.

    Args:
        typed: lines with amount and cash (Float64), currency (String; null for the listing's), listed_currency and
            ex_date.
        by: the rates, and how far they are carried.
    """
    foreign = (pl.col("currency") != pl.col("listed_currency")).fill_null(False)
    if not typed.select(foreign.any()).item():
        nothing = {**CONVERSION, **dict.fromkeys(STATED, pl.Float64)}
        return typed.with_columns(pl.lit(None, dtype).alias(name) for name, dtype in nothing.items())
    rates = ExchangeRates.read(by.fx_rates)
    asked = typed.select("currency", "listed_currency", "ex_date", *AMOUNTS, foreign=foreign)
    rows = [
        (amount, cash, None, None, None)
        if not is_foreign or day is None or (amount is None and cash is None)
        else _convert_line((currency, listed), day, (amount, cash), rates, by)
        for currency, listed, day, amount, cash, is_foreign in asked.iter_rows()
    ]
    schema = {**dict.fromkeys(AMOUNTS, pl.Float64), **CONVERSION}
    kept = typed.rename({name: f"stated_{name}" for name in AMOUNTS})
    converted = kept.hstack(pl.DataFrame(rows, schema=schema, orient="row"))
    return converted.with_columns(pl.when(pl.col("rate").is_not_null()).then(name).alias(name) for name in STATED)


def _convert_line(
    pair: tuple[str, str], ex_date: date, amounts: tuple[float | None, ...], rates: ExchangeRates, by: Conversion
) -> tuple[Any, ...]:
    """The amounts, the rate, its day, and the rule that is broken."""
    currency, listed = pair
    found = rates.last_before(currency, listed, min(ex_date, by.upto), by.max_age_days)
    if found is None:
        rule = f"a rate of {currency[:10]} in {listed} is known, at most {by.max_age_days} days before the ex-date"
        return *amounts, None, None, rule
    shown = Decimal(round(found.rate * TRILLION)).scaleb(-RATE.scale)
    return *(_convert(amount, found) for amount in amounts), shown, found.session, None


def _convert(amount: float | None, found: DatedRate) -> float | None:
    """To a millionth, half to even; what is no finite number stays so, and is told by its own rule."""
    if amount is None:
        return None
    try:
        return float(Fraction(round(Fraction(repr(amount)) * found.rate * MICROS), MICROS))
    except (ValueError, OverflowError):
        return amount

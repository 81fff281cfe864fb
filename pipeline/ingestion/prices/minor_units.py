"""Tells in which currency a landed price or amount is, and whether it is stated in hundredths of it, such as pence."""

from __future__ import annotations

import polars as pl

from pipeline.ingestion.sources.payloads import CONVERTED, WHOLE
from pipeline.market.currencies import MINOR_UNITS, PER_CURRENCY


def add_currency(lines: pl.DataFrame, instruments: pl.DataFrame) -> pl.DataFrame:
    """Add currency (String, ISO 4217) and per (Float64: what a landed amount is divided by to be in it, 1 or 100).

    A payload that states its currency is in whole units of it. Else the ticker's listing decides, and where there is
    none, what was asked for. A landing in whole units is in those of its listing's currency; one whose request does not
    speak of units is read as it stands.

    Args:
        lines: decoded lines with ticker, asked_currency, asked_units and currency_said.
        instruments: what is listed; may be empty.
    """
    listed = instruments.select("ticker", listed_currency="currency", listed_unit="unit")
    beside = lines.join(listed, on="ticker", how="left", maintain_order="left")
    asked, whole = (
        pl.col("asked_currency"),
        pl.col("asked_currency").replace_strict(MINOR_UNITS, default=pl.col("asked_currency")),
    )
    converts = (pl.col("asked_units") == CONVERTED).fill_null(False) & ~pl.col("currency_said")
    is_whole = (pl.col("asked_units") == WHOLE).fill_null(False) & ~pl.col("currency_said")
    currency = pl.coalesce("listed_currency", whole)
    hundredths = pl.col("listed_unit").is_not_null() | ((whole != asked) & (whole == currency))
    return beside.with_columns(
        currency=pl.when(converts | is_whole).then(currency).otherwise(asked),
        per=pl.when(converts & hundredths).then(float(PER_CURRENCY)).otherwise(1.0),
    ).drop("listed_currency", "listed_unit")

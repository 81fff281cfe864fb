"""Finds the currency that price files state, which may be another one than their prices would be taken in."""

from __future__ import annotations

import re
from collections.abc import Iterator

import polars as pl

from pipeline.ingestion.sources.files.bars import Bars, PriceFiles
from pipeline.ingestion.sources.files.checks.judged_rows import Asked
from pipeline.ingestion.sources.files.columns import plain
from pipeline.market.currencies import CURRENCIES, MINOR_UNITS

COLUMNS = ("currency", "ccy", "currency_code")
SIGNS = {
    "US$": "USD",
    "HK$": "HKD",
    "AU$": "AUD",
    "CA$": "CAD",
    "NT$": "TWD",
    "NZ$": "NZD",
    "MX$": "MXN",
    "A$": "AUD",
    "C$": "CAD",
    "S$": "SGD",
    "R$": "BRL",
    "€": "EUR",
    "£": "GBP",
    "₹": "INR",
    "₩": "KRW",
    "₽": "RUB",
    "₺": "TRY",
    "₪": "ILS",
    "฿": "THB",
    "₱": "PHP",
    "zł": "PLN",
    "Kč": "CZK",
    "Ft": "HUF",
}
"""Signs of one currency alone; a bare $ or ¥, and kr, are those of several."""
CODES = frozenset({*CURRENCIES.values(), *MINOR_UNITS})
STATED = rf"({'|'.join(map(re.escape, SIGNS))}|\b(?:{'|'.join(sorted(CODES))})\b)"
UNITS = {"GBp": "GBX", "ZAc": "ZAC", "ZAX": "ZAC"}
"""Ways to write a unit -> the one that settings take."""


def find_stated_currencies(files: PriceFiles, bars: Bars) -> frozenset[str]:
    """Return the currencies that a column of a block names, or the cells of its closes beside their numbers."""
    named = [column for column in bars.lines.columns if plain(column) in COLUMNS]
    cells = [bars.lines[column].cast(pl.String).str.strip_chars() for column in named]
    if written := files.written.get("close"):  # where all closes are plain numbers none has a sign
        cells.append(bars.lines[written].cast(pl.String).str.extract(STATED))
    found = {str(cell) for column in cells for cell in column.unique().drop_nulls()}
    codes = {SIGNS.get(cell, cell) for cell in found}
    return frozenset(UNITS.get(code, code) for code in codes if code in CODES)


def tell_currencies(files: PriceFiles, currencies: frozenset[str], asked: Asked, *, said: bool) -> Iterator[str]:
    """Yield what is wrong with a currency that files state and that is not the one they would be taken in.

    Args:
        files: the files.
        currencies: those that they state.
        asked: what the load would ask for.
        said: whether the operator says the currency, who then knows better: some vendors call pence pounds.
    """
    stated, file = sorted(currencies), files.files[0]
    if len(stated) > 1:
        yield (
            f"{file} states several currencies, {' and '.join(stated)}: state exchange and currency of each in a "
            "file of listings (--listings)"
        )
    elif stated and not said and stated != [UNITS.get(asked.currency, asked.currency)]:
        yield (
            f"{file} states prices in {stated[0]}, and they would be taken in {asked.currency}: "
            f"--set source.files.currency={stated[0]}"
        )

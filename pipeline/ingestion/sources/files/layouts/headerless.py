"""Names the columns of tables without a header, as far as their data say what they are."""

from __future__ import annotations

import csv
import re
from collections.abc import Callable, Sequence

from pipeline.ingestion.sources.errors import SourceError

BINANCE = (
    *("open_time", "open", "high", "low", "close", "volume", "close_time"),
    *("quote_volume", "count", "taker_buy_volume", "taker_buy_quote_volume", "ignore"),
)
LEAN = ("time", "open_e4", "high_e4", "low_e4", "close_e4", "volume")
"""LEAN keeps prices of shares in ten-thousandths."""
METATRADER = ("date", "time", "open", "high", "low", "close", "tick_volume")
METASTOCK = ("ticker", "date", "open", "high", "low", "close", "volume")
_EPOCH = re.compile(r"^\d{13}(\d{3})?$")
_LEAN_TIME = re.compile(r"^\d{8} \d{2}:\d{2}$")
_DAY = re.compile(r"^\d{4}[-./]?\d{2}[-./]?\d{2}$")
_CLOCK = re.compile(r"^\d{2}:\d{2}(:\d{2})?$")
_TICKER = re.compile(r"^[A-Za-z^][A-Za-z0-9.\-=^]{0,19}$")


def name_columns(sample: Sequence[str], separator: str, file: str) -> tuple[str, ...]:
    """Return the names of the columns of a table that begins with data.

    Raises:
        SourceError: if the data could be several things.
    """
    rows = [tuple(cell.strip() for cell in row) for row in csv.reader(sample, delimiter=separator) if row]
    for names, fits in _KNOWN:
        if all(len(row) == len(names) and fits(row) for row in rows):
            return names
    width = len(rows[0]) if rows else 0
    raise SourceError(
        f"{file} has no header, and its {width} columns could be several things; its first line is "
        f"{sample[0].strip()!r}: write a first line of names above it, such as date,open,high,low,close,volume in the "
        "order of the columns"
    )


def _is_binance(row: tuple[str, ...]) -> bool:
    return bool(_EPOCH.match(row[0]) and _EPOCH.match(row[6])) and int(row[0]) < int(row[6])


def _is_lean(row: tuple[str, ...]) -> bool:
    return bool(_LEAN_TIME.match(row[0])) and all(cell.isdigit() for cell in row[1:5])


def _is_metatrader(row: tuple[str, ...]) -> bool:
    return bool(_DAY.match(row[0]) and _CLOCK.match(row[1])) and _is_bar(row[2:6])


def _is_metastock(row: tuple[str, ...]) -> bool:
    return bool(_TICKER.match(row[0]) and _DAY.match(row[1])) and _is_bar(row[2:6])


def _is_bar(cells: Sequence[str]) -> bool:
    """Whether the four can be open, high, low and close in this order."""
    try:
        opened, high, low, closed = map(float, cells)
    except ValueError:
        return False
    return low <= min(opened, closed) and max(opened, closed) <= high


_KNOWN: tuple[tuple[tuple[str, ...], Callable[[tuple[str, ...]], bool]], ...] = (
    (BINANCE, _is_binance),
    (LEAN, _is_lean),
    (METATRADER, _is_metatrader),
    (METASTOCK, _is_metastock),
)

"""Numbers and instants as the operator reads them; each function is pure and gives plain text."""

from __future__ import annotations

from collections.abc import Sequence
from datetime import date, datetime
from decimal import Decimal
from math import isnan

from pipeline import text_format
from pipeline.text_format import counted as counted
from pipeline.text_format import duration as duration

MISSING = "–"
"""Shown where there is no value: never 0, never an empty field."""
_BLOCKS = "▁▂▃▄▅▆▇"
"""None as high as its row: a sparkline stays apart from the one above."""


def percent(fraction: float | None, digits: int = 2, *, signed: bool = False) -> str:
    """A fraction as percent: 0.0123 -> '1.23 %'; what rounds to nothing is never minus nothing."""
    if fraction is None:
        return MISSING
    return text_format.change(fraction, digits) if signed else text_format.percent(fraction, digits)


def adding_digits(total: float | None, parts: Sequence[float | None], least: int = 2, most: int = 6) -> int:
    """How many digits of percent are written where parts stand beside their sum, so that what is read adds up."""
    known = [part for part in parts if part is not None]
    if total is None or len(known) < len(parts):
        return least
    for digits in range(least, most + 1):
        if round(sum(round(100 * part, digits) for part in known), digits) == round(100 * total, digits):
            return digits
    return least


def number(value: float | None, digits: int = 4, *, signed: bool = False) -> str:
    """A plain number, thousands apart; what could not be computed is missing."""
    return MISSING if value is None or isnan(value) else f"{value:{'+' if signed else ''}z,.{digits}f}"


def whole(value: int | None) -> str:
    """A count, thousands apart."""
    return MISSING if value is None else f"{value:,}"


def money(value: Decimal | float | None, *, signed: bool = False) -> str:
    """An amount to the cent, thousands apart."""
    return MISSING if value is None else f"{value:{'+' if signed else ''}z,.2f}"


def instant(value: datetime | None) -> str:
    """A moment in UTC to the second: '2026-01-05 21:20:00Z'."""
    return MISSING if value is None else f"{value:%Y-%m-%d %H:%M:%S}Z"


def day(value: date | None) -> str:
    """A date."""
    return MISSING if value is None else value.isoformat()


def bar(share: float, width: int = 10) -> str:
    """A horizontal bar of `width` characters filled to the share (0..1), in halves of a character."""
    full, half = divmod(round(min(max(share, 0.0), 1.0) * width * 2), 2)
    return ("━" * full + "╸" * half).ljust(width)


def sparkline(values: Sequence[float], width: int = 40, low: float | None = None, high: float | None = None) -> str:
    """Values as a line of blocks, thin to `width`; `low` and `high` let several lines share a scale."""
    points = thin(values, width)
    if not points:
        return ""
    low = min(points) if low is None else low
    high = max(points) if high is None else high
    span = high - low
    highest = len(_BLOCKS) - 1
    steps = [round((value - low) / span * highest) if span > 0 else highest // 2 for value in points]
    return "".join(_BLOCKS[min(max(step, 0), highest)] for step in steps)


def thin(values: Sequence[float], width: int) -> list[float]:
    """At most `width` of the values, evenly spaced, the first and the last always among them."""
    count = len(values)
    if count <= width or width < 2:
        return list(values)[-max(width, 0) :] if width < 2 else list(values)
    return [values[round(position * (count - 1) / (width - 1))] for position in range(width)]

"""How figures are written in the sentences that stages and services leave behind."""

from __future__ import annotations

from datetime import timedelta

import polars as pl


def percent(fraction: float, digits: int = 2) -> str:
    """A fraction as percent: 0.0123 -> '1.23 %'; what rounds to nothing is never minus nothing."""
    return f"{100 * fraction:z.{digits}f} %"


def change(fraction: float, digits: int = 2) -> str:
    """The same of what rises or falls: always with its sign."""
    return f"{100 * fraction:+z.{digits}f} %"


def counted(count: int, one: str, many: str | None = None) -> str:
    """A count with its noun: '1 row', '2 rows', '2 entries'."""
    return f"{count:,} {one if count == 1 else many or _plural(one)}"


def counted_each(column: str, one: str) -> pl.Expr:
    """The same of each value of an integer column; null where that is null."""
    return pl.when(pl.col(column) == 1).then(pl.lit(f"1 {one}")).otherwise(pl.format(f"{{}} {_plural(one)}", column))


def duration(seconds: float) -> str:
    """A span of wall time: '0.04 s', '1.4 s', '12 s', '3 min 05 s', '2 h 10 min'."""
    if seconds < 1:
        return f"{seconds:.2f} s"
    if seconds < 10:
        return f"{seconds:.1f} s"
    if (rounded := round(seconds)) < 60:
        return f"{rounded} s"
    if rounded < 3600:
        return f"{rounded // 60} min {rounded % 60:02d} s"
    return f"{rounded // 3600} h {rounded % 3600 // 60:02d} min"


def rough_duration(span: timedelta) -> str:
    """A span in its largest unit of which there are two or more: '90 s', '3 min', '5 h', '1,659 days'."""
    seconds = int(span.total_seconds())
    for size, name in ((86_400, "days"), (3_600, "h"), (60, "min")):
        if seconds >= 2 * size:
            return f"{seconds // size:,} {name}"
    return f"{seconds} s"


def _plural(noun: str) -> str:
    if noun.endswith("y") and noun[-2:-1] not in "aeiou":
        return noun[:-1] + "ies"
    return noun + ("es" if noun.endswith(("s", "x", "z", "ch", "sh")) else "s")

"""How figures are written in the sentences that stages and services leave behind."""

from __future__ import annotations

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


def _plural(noun: str) -> str:
    return noun[:-1] + "ies" if noun.endswith("y") and noun[-2:-1] not in "aeiou" else noun + "s"

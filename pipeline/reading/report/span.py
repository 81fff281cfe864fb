"""Which sessions a summary or report is about: those of the book that lie between two days."""

from __future__ import annotations

from dataclasses import dataclass
from datetime import date
from decimal import Decimal
from typing import Any

import polars as pl

from lake.errors import NoSuchError
from lake.store import Lake
from lake.tables.books import PORTFOLIO_VALUE
from pipeline.text_format import counted


@dataclass(frozen=True)
class Span:
    """Consecutive sessions of the book."""

    value: pl.DataFrame
    """Rows of `portfolio_value`, one per session, oldest first; at least one."""
    before: dict[str, Any] | None
    """The row of the session before them; None where the book begins with them."""
    history: pl.DataFrame
    """The book's rows from its first session to the last of these."""

    @property
    def sessions(self) -> tuple[date, ...]:
        """The sessions, oldest first."""
        return tuple(self.value["session"].to_list())

    @property
    def first(self) -> date:
        """The first session."""
        return self.sessions[0]

    @property
    def last(self) -> date:
        """The last session."""
        return self.sessions[-1]

    @property
    def closing(self) -> dict[str, Any]:
        """The row of the last session."""
        return self.value.row(-1, named=True)

    @property
    def start_value(self) -> Decimal:
        """What the book was worth before the first session: its capital where it begins there."""
        row = self.before or self.value.row(0, named=True)
        return Decimal(row["nav"] if self.before else row["capital"])

    def paid(self, column: str) -> Decimal:
        """How much a running total of `portfolio_value` grew over the sessions."""
        return Decimal(self.closing[column] or 0) - Decimal((self.before[column] if self.before else 0) or 0)


def read_span(lake: Lake, first: date | None = None, last: date | None = None) -> Span:
    """The published sessions of the book from one day to another, both included; open ends take all there are.

    Raises:
        NoSuchError: if the book has none there, naming those it has.
    """
    value = lake.read(PORTFOLIO_VALUE)
    if value.is_empty():
        raise NoSuchError("the book has no session yet; `nextgen cycle` or `nextgen replay` runs some")
    wanted = value
    if first is not None:
        wanted = wanted.filter(pl.col("session") >= first)
    if last is not None:
        wanted = wanted.filter(pl.col("session") <= last)
    if wanted.is_empty():
        there = value["session"].to_list()
        raise NoSuchError(
            f"the book has no session from {first or there[0]} to {last or there[-1]}; "
            f"it has {counted(len(there), 'session')} from {there[0]} to {there[-1]}"
        )
    earlier = value.filter(pl.col("session") < wanted["session"][0])
    return Span(wanted, earlier.row(-1, named=True) if earlier.height else None, pl.concat([earlier, wanted]))

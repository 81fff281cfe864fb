"""The kinds of change there are, how older files are read through them, and how rows looked before them."""

from __future__ import annotations

from collections.abc import Iterable, Sequence
from dataclasses import dataclass

import polars as pl


@dataclass(frozen=True)
class AddColumn:
    """A table gains a column. Rows written before have null in it, or what is computed from their other columns."""

    table: str
    column: str
    value: pl.Expr | None = None
    """Row by row, of columns that were there before; null where None."""

    @property
    def rewrites(self) -> bool:
        """Whether rows that are there have to be written anew: the storage library fills gaps with null only."""
        return self.value is not None

    @property
    def description(self) -> str:
        """The change in words."""
        return f"gains {self.column}" + (", computed for older rows" if self.rewrites else ", null in older rows")

    def is_pending(self, columns: Sequence[str]) -> bool:
        """Whether a table or file with these columns is from before the change."""
        return self.column not in columns

    def columns_after(self, columns: Sequence[str]) -> list[str]:
        """The columns after the change."""
        return [*columns, self.column]

    def upgrade(self, rows: pl.LazyFrame, schema: pl.Schema) -> pl.LazyFrame:
        """Rows from before, as they look after it."""
        value = pl.lit(None) if self.value is None else self.value
        return rows.with_columns(value.cast(schema.get(self.column, pl.Null)).alias(self.column))

    def former_name(self, name: str) -> str | None:
        """What the column of that name was called before; None if there was none."""
        return None if name == self.column else name


@dataclass(frozen=True)
class RenameColumn:
    """A column gets another name and keeps its values."""

    table: str
    old: str
    new: str
    rewrites = True

    @property
    def description(self) -> str:
        """The change in words."""
        return f"{self.old} becomes {self.new}"

    def is_pending(self, columns: Sequence[str]) -> bool:
        """Whether a table or file with these columns is from before the change."""
        return self.old in columns and self.new not in columns

    def columns_after(self, columns: Sequence[str]) -> list[str]:
        """The columns after the change."""
        return [self.new if name == self.old else name for name in columns]

    def upgrade(self, rows: pl.LazyFrame, schema: pl.Schema) -> pl.LazyFrame:  # noqa: ARG002
        """Rows from before, as they look after it."""
        return rows.rename({self.old: self.new})

    def former_name(self, name: str) -> str | None:
        """What the column of that name was called before."""
        return self.old if name == self.new else name


Step = AddColumn | RenameColumn
Formats = tuple[tuple[Step, ...], ...]
"""The steps of each format, from format 1 on."""


def select_steps(formats: Iterable[Iterable[Step]], table: str) -> tuple[Step, ...]:
    """A table's steps in their order."""
    return tuple(step for steps in formats for step in steps if step.table == table)


def pending(steps: Iterable[Step], columns: Sequence[str]) -> list[Step]:
    """The steps that a table or file with these columns is from before."""
    ahead: list[Step] = []
    for step in steps:
        if step.is_pending(columns):
            columns = step.columns_after(columns)
            ahead.append(step)
    return ahead


def columns_after(steps: Iterable[Step], columns: Sequence[str]) -> list[str]:
    """The columns once all steps are done."""
    after = list(columns)
    for step in pending(steps, columns):
        after = step.columns_after(after)
    return after


def upgrade_rows(rows: pl.LazyFrame, steps: Iterable[Step], columns: Sequence[str], schema: pl.Schema) -> pl.LazyFrame:
    """Rows of an older file as the schema has them.

    Args:
        rows: as they lie in the file.
        steps: the table's, in their order.
        columns: the file's.
        schema: of the table today; its columns come out in its order.
    """
    for step in pending(steps, columns):
        rows = step.upgrade(rows, schema)
    return rows.select(list(schema))


def names_before(steps: Iterable[Step], columns: Iterable[str]) -> dict[str, str]:
    """Name today -> name before the steps, for the columns that were there."""
    then = {name: name for name in columns}
    for step in reversed(tuple(steps)):
        then = {today: old for today, name in then.items() if (old := step.former_name(name)) is not None}
    return then

"""The distinct cells of a column and which of them each row has: what is found out of a cell is found out once."""

from __future__ import annotations

from dataclasses import dataclass

import numpy as np
import polars as pl

from pipeline.ingestion.sources.files.typed_text import write_out


@dataclass(frozen=True)
class DistinctCells:
    """A column, taken apart."""

    once: pl.Series
    """Each cell once, as text, in the order they come; null is one of them where a row has none."""
    filled: pl.Series
    """The same without null, as the column has them."""
    place: pl.Series
    """Which of the filled ones each row has, UInt32; null for a row that has none."""

    @classmethod
    def of(cls, column: pl.Series) -> DistinctCells:
        """Take a column of text or days apart."""
        once = column.unique(maintain_order=True)
        filled = once.drop_nulls()
        if column.dtype == pl.String:
            return cls(once, filled, column.cast(pl.Enum(filled)).to_physical().cast(pl.UInt32))
        return cls(write_out(once), filled, _places_of_days(column, filled))

    @property
    def rows(self) -> pl.Series:
        """How many rows have each of `once`, UInt32."""
        filled = np.bincount(self.place.drop_nulls().to_numpy(), minlength=len(self.filled))
        counts = np.full(len(self.once), self.place.null_count())
        counts[self.once.is_not_null().to_numpy()] = filled
        return pl.Series("rows", counts, dtype=pl.UInt32)

    def count(self) -> pl.DataFrame:
        """Return each cell once, as `text`, and the number of `rows` that have it; rows without any are left out."""
        return pl.DataFrame([self.once.alias("text"), self.rows]).drop_nulls("text")

    def spread(self, values: pl.Series) -> pl.Series:
        """Return for each row the value of its cell; null for a row that has none.

        Args:
            values: one for each of `once`.
        """
        return values.filter(self.once.is_not_null()).gather(self.place)


def _places_of_days(column: pl.Series, filled: pl.Series) -> pl.Series:
    """Which of the distinct days each row has, looked up by the days since the first."""
    since = column.to_physical() - (filled.to_physical().min() or 0)
    distinct = since.unique(maintain_order=True).drop_nulls().to_numpy()
    numbers = np.zeros(distinct.max(initial=0) + 1, np.uint32)
    numbers[distinct] = np.arange(len(filled))
    return pl.Series(numbers).gather(since.cast(pl.UInt32))

"""Sparse matrices as the solver reads them: column by column, what is not listed is 0."""

from __future__ import annotations

from collections.abc import Sequence
from typing import NamedTuple, Self

import numpy as np
import numpy.typing as npt

from pipeline.trading.construction.problem import Floats

Places = npt.NDArray[np.intp]


class Entries(NamedTuple):
    """Numbers of a matrix with their places, in no particular order; no two share one."""

    rows: Places
    columns: Places
    values: Floats

    @classmethod
    def of(cls, dense: Floats) -> Self:
        """What of a block is not 0."""
        rows, columns = dense.nonzero()
        return cls(rows, columns, dense[rows, columns])

    def below(self, count: int) -> Self:
        """The same after so many rows."""
        return self._replace(rows=self.rows + count)


class SparseMatrix(NamedTuple):
    """A matrix in compressed columns; Clarabel asks for nothing else of one, so that scipy need not be loaded."""

    data: Floats
    """Column after column, by row within each."""
    indices: Places
    """The row of each."""
    indptr: Places
    """Where each column begins, and where the last one ends."""
    shape: tuple[int, int]
    columns: Places
    """The column of each."""
    has_canonical_format: bool = True

    @classmethod
    def compress(cls, blocks: Sequence[Entries], shape: tuple[int, int]) -> Self:
        """The matrix that has these entries."""
        rows, columns, values = (np.concatenate(part) for part in zip(*blocks, strict=True))
        order = np.argsort(columns * shape[0] + rows)
        starts = np.concatenate([[0], np.cumsum(np.bincount(columns, minlength=shape[1]))])
        return cls(values[order], rows[order], starts, shape, columns[order])

    def times(self, vector: Floats) -> Floats:
        """The product with a vector, added up in the order of the columns."""
        return _sum(self.indices, self.data * vector[self.columns], self.shape[0])

    def transposed_times(self, vector: Floats) -> Floats:
        """The product of the transposed matrix with a vector, added up in the order of the rows."""
        return _sum(self.columns, self.data * vector[self.indices], self.shape[1])

    def diagonal(self) -> Floats:
        """What stands where row and column are the same."""
        return _sum(self.columns, np.where(self.indices == self.columns, self.data, 0.0), self.shape[1])


def _sum(places: Places, values: Floats, count: int) -> Floats:
    """[count] the sum of the values of each place, one after the other as they stand."""
    return np.asarray(np.bincount(places, values, count), dtype=np.float64)

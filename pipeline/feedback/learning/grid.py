"""The forecasts of one horizon by session and ticker, and which have which trait: laid out once for all questions."""

from __future__ import annotations

from dataclasses import dataclass, field
from datetime import date
from functools import cached_property

import numpy as np
import polars as pl
from numpy.typing import NDArray

from pipeline.feedback.learning.mean_test import Sharing
from pipeline.market.sessions import Sessions

Floats = NDArray[np.float64]
Mask = NDArray[np.bool_]
Numbers = NDArray[np.int64]
Cells = tuple[NDArray[np.intp], NDArray[np.intp]]
BETWEEN = "\x1f"
"""Stands between traits told in one text: the sign of old for it, which none of them has."""


@dataclass(frozen=True)
class Grid:
    """The deciding forecasts of one horizon; matrices are [sessions, tickers]."""

    horizon: int
    made: list[date]
    """[sessions] when they were made, in order."""
    positions: Numbers
    """[sessions] the same as numbers of sessions."""
    tickers: list[str]
    sectors: list[str]
    """[tickers]."""
    rows: Numbers
    """Which rows of `scores` are laid out."""
    cells: Cells
    """The session and the ticker of each."""
    scores: pl.DataFrame
    """Of prediction_accuracy."""
    outcomes: Floats
    """Realised, as fractions; NaN where there is no forecast."""
    sigma: Floats
    _having: dict[str, Mask] = field(default_factory=dict, repr=False)
    _present: dict[bytes, Present] = field(default_factory=dict, repr=False)
    _sharing: dict[tuple[bytes, int], Sharing] = field(default_factory=dict, repr=False)

    @classmethod
    def lay_out(cls, scores: pl.DataFrame, rows: Numbers, calendar: Sessions) -> Grid:
        """Lay out rows of prediction_accuracy: those of one horizon, one at least.

        Of several forecasts of a ticker made at a session the last counts, by their ids.
        """
        tickers = scores["ticker"].gather(rows)
        named = tickers.unique().sort()
        made, session = _number_days(scores["made_session"].to_physical().to_numpy()[rows])
        cells = session, tickers.cast(pl.Enum(named)).to_physical().to_numpy().astype(np.intp)
        shape = (len(made), len(named))
        if (_number_cells(shape, cells) >= 0).sum() < len(rows):
            order = scores["prediction_id"].gather(rows).arg_sort().to_numpy()
            rows, cells = rows[order], (cells[0][order], cells[1][order])
        return cls(
            horizon=int(scores["horizon"][int(rows[0])]),
            made=made,
            positions=np.array([calendar.position(day) for day in made], dtype=np.int64),
            tickers=named.to_list(),
            sectors=scores["sector"].gather(rows[_find_last(shape, cells)]).to_list(),
            rows=rows,
            cells=cells,
            scores=scores,
            outcomes=_matrix(shape, cells, scores["realised"].to_numpy()[rows]),
            sigma=_matrix(shape, cells, scores["sigma"].to_numpy()[rows]),
        )

    @cached_property
    def _told(self) -> tuple[list[set[str]], Numbers]:
        """What forecasts say of themselves, each of it once, and which of it each forecast says; one more: nothing."""
        told = self.scores["traits"].gather(self.rows).list.join(BETWEEN)
        distinct = told.unique().drop_nulls().sort()
        number = told.cast(pl.Enum(distinct)).to_physical().fill_null(len(distinct))
        return [*(set(one.split(BETWEEN)) for one in distinct), set()], number.to_numpy().astype(np.int64)

    @cached_property
    def traits(self) -> list[str]:
        """All that any forecast has, those by sector and ticker left out."""
        names = set().union(*self._told[0])
        return sorted(name for name in names if name and not name.startswith("sector:"))

    def spread(self, values: Floats) -> Floats:
        """A figure of each row of the scores as a matrix; NaN where there is none."""
        return _matrix(self.outcomes.shape, self.cells, values[self.rows])

    def having(self, trait: str) -> Mask:
        """Which forecasts have a trait."""
        if trait not in self._having:
            self._having[trait] = self._find_having(trait)
        return self._having[trait]

    def _find_having(self, trait: str) -> Mask:
        kind, _, value = trait.partition(":")
        named = {"sector": self.sectors, "ticker": self.tickers}.get(kind)
        if named is not None:
            return np.broadcast_to(np.array(named) == value, self.outcomes.shape)
        each, number = self._told
        having = np.array([trait in one for one in each])[number]
        mask = np.zeros(self.outcomes.shape, dtype=bool)
        mask[self.cells[0][having], self.cells[1][having]] = True
        return mask

    def find_present(self, values: Floats) -> Present:
        """Which forecasts there are values of: one object for all questions that have the same."""
        known = ~np.isnan(values)
        return self._present.setdefault(known.tobytes(), Present(self, known))

    def share(self, at: Numbers, power: int) -> Sharing:
        """What outcomes of forecasts made at these sessions share, worked out once."""
        key = at.tobytes(), power
        if key not in self._sharing:
            complete = np.ones((at.size, 1), dtype=bool)
            self._sharing[key] = Sharing.of(complete, self.positions[at], self.horizon, power)
        return self._sharing[key]


@dataclass(frozen=True)
class Present:
    """The forecasts of a grid that a question has a measure of, and those of its slices."""

    grid: Grid
    known: Mask
    _slices: dict[tuple[str, ...], tuple[Mask, Numbers]] = field(default_factory=dict, repr=False)
    _sessions: dict[str, Mask | None] = field(default_factory=dict, repr=False)

    def select(self, traits: tuple[str, ...]) -> Mask:
        """Which forecasts have all of these traits."""
        return self._find(traits)[0]

    def count(self, traits: tuple[str, ...]) -> Numbers:
        """[sessions] how many these are."""
        return self._find(traits)[1]

    def _find(self, traits: tuple[str, ...]) -> tuple[Mask, Numbers]:
        if traits not in self._slices:
            chosen = self.select(traits[:-1]) & self.grid.having(traits[-1]) if traits else self.known
            self._slices[traits] = chosen, chosen.sum(axis=1)
        return self._slices[traits]

    def find_sessions(self, trait: str) -> Mask | None:
        """[sessions] those with a trait that all of a session's forecasts share; None if some do not."""
        if trait not in self._sessions:
            having = self.select((trait,))
            some = np.any(having, axis=1)
            self._sessions[trait] = some if np.array_equal(having, self.known & some[:, None]) else None
        return self._sessions[trait]


def row_means(values: Floats, chosen: Mask, counts: Numbers | None = None) -> Floats:
    """[sessions] mean of the chosen values; NaN where there are none.

    Args:
        values: [sessions, tickers].
        chosen: the same shape.
        counts: [sessions] how many are chosen, where that is known.
    """
    counts = chosen.sum(axis=1) if counts is None else counts
    totals = np.where(chosen, values, 0.0).sum(axis=1)
    means: Floats = np.divide(totals, counts, out=np.full(len(counts), np.nan), where=counts > 0)
    return means


def _matrix(shape: tuple[int, ...], cells: Cells, values: Floats) -> Floats:
    matrix = np.full(shape, np.nan)
    matrix[cells] = values
    return matrix


def _number_days(days: NDArray[np.int32]) -> tuple[list[date], NDArray[np.intp]]:
    """The days that occur, in order, and the number of each day among them."""
    since = int(days.min())
    occurs = np.bincount(days - since) > 0
    occurring = pl.Series(np.flatnonzero(occurs) + since, dtype=pl.Int32).cast(pl.Date)
    return occurring.to_list(), (occurs.cumsum() - 1)[days - since]


def _number_cells(shape: tuple[int, int], cells: Cells) -> Numbers:
    """[sessions, tickers] which forecast is there, the last of several; -1 for none."""
    number = np.full(shape, -1)
    number[cells] = np.arange(len(cells[0]))
    return number


def _find_last(shape: tuple[int, int], cells: Cells) -> Numbers:
    """[tickers] which is the forecast of the last session."""
    number = _number_cells(shape, cells)
    last = shape[0] - 1 - (number[::-1] >= 0).argmax(axis=0)
    found: Numbers = number[last, np.arange(shape[1])]
    return found

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
    """Which rows of the scores are laid out."""
    cells: Cells
    """The session and the ticker of each."""
    told: pl.Series
    """The traits of each."""
    outcomes: Floats
    """Realised, as fractions; NaN where there is no forecast."""
    sigma: Floats
    _present: dict[bytes, Present] = field(default_factory=dict, repr=False)
    _sharing: dict[tuple[bytes, int], Sharing] = field(default_factory=dict, repr=False)

    @classmethod
    def lay_out(cls, scores: pl.DataFrame, rows: Numbers, calendar: Sessions) -> Grid:
        """Lay out rows of prediction_accuracy: those of one horizon, one at least.

        Of several forecasts of a ticker made at a session the last counts, by their ids.
        """
        mine = scores.select("prediction_id", "made_session", "ticker", "sector", "traits", "realised", "sigma")[rows]
        tickers = mine["ticker"].unique().sort()
        made, cells = _find_cells(mine, tickers)
        shape = (len(made), len(tickers))
        if len(np.unique(np.ravel_multi_index(cells, shape))) < len(rows):
            order = mine["prediction_id"].arg_sort().to_numpy()
            mine, rows, cells = mine[order], rows[order], (cells[0][order], cells[1][order])
        return cls(
            horizon=int(scores["horizon"][int(rows[0])]),
            made=made,
            positions=np.array([calendar.position(day) for day in made], dtype=np.int64),
            tickers=tickers.to_list(),
            sectors=mine["sector"].gather(_find_last(shape, cells)).to_list(),
            rows=rows,
            cells=cells,
            told=mine["traits"],
            outcomes=_matrix(shape, cells, mine["realised"].to_numpy()),
            sigma=_matrix(shape, cells, mine["sigma"].to_numpy()),
        )

    @cached_property
    def traits(self) -> dict[str, Mask]:
        """Trait -> which forecasts have it, those by sector and ticker left out."""
        told = self.told.list.join(BETWEEN)  # few are told apart: each is taken apart once
        distinct = told.unique().drop_nulls().sort()
        each = [set(one.split(BETWEEN)) for one in distinct]
        names = sorted(name for name in set().union(*each) if name and not name.startswith("sector:"))
        number = told.cast(pl.Enum(distinct)).to_physical().fill_null(len(each)).to_numpy()
        masks = {}
        for name in names:
            having = np.array([*(name in one for one in each), False])[number]
            masks[name] = np.zeros(self.outcomes.shape, dtype=bool)
            masks[name][self.cells[0][having], self.cells[1][having]] = True
        return masks

    def spread(self, values: Floats) -> Floats:
        """A figure of each row of the scores as a matrix; NaN where there is none."""
        return _matrix(self.outcomes.shape, self.cells, values[self.rows])

    def having(self, trait: str) -> Mask:
        """Which forecasts have a trait."""
        kind, _, value = trait.partition(":")
        named = {"sector": self.sectors, "ticker": self.tickers}.get(kind)
        if named is not None:
            return np.broadcast_to(np.array(named) == value, self.outcomes.shape)
        return self.traits.get(trait, np.zeros(self.outcomes.shape, dtype=bool))

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


def _find_cells(forecasts: pl.DataFrame, tickers: pl.Series) -> tuple[list[date], Cells]:
    """The sessions forecasts were made at, in order, and the number of session and ticker of each."""
    days = forecasts["made_session"].to_physical().to_numpy()
    made, session = np.unique(days, return_inverse=True)
    ticker = forecasts["ticker"].cast(pl.Enum(tickers)).to_physical().to_numpy().astype(np.intp)
    return pl.Series(made).cast(pl.Date).to_list(), (session.astype(np.intp), ticker)


def _find_last(shape: tuple[int, int], cells: Cells) -> Numbers:
    """[tickers] which is the forecast of the last session."""
    number = np.full(shape, -1)
    number[cells] = np.arange(len(cells[0]))
    last = shape[0] - 1 - (number[::-1] >= 0).argmax(axis=0)
    found: Numbers = number[last, np.arange(shape[1])]
    return found

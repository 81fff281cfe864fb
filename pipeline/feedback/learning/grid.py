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
    cells: tuple[NDArray[np.intp], NDArray[np.intp]]
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
        """Lay out rows of prediction_accuracy: those of one horizon, one at least, in the order of session and ticker.

        Of several forecasts of a ticker made at a session the last counts.
        """
        mine = scores.select("made_session", "ticker", "sector", "traits", "realised", "sigma")[rows]
        made = mine["made_session"].unique().sort()
        named = mine.select("ticker", "sector").unique("ticker", keep="last", maintain_order=True).sort("ticker")
        cells = (
            made.search_sorted(mine["made_session"]).to_numpy(),
            named["ticker"].search_sorted(mine["ticker"]).to_numpy(),
        )
        shape = (len(made), len(named))
        return cls(
            horizon=int(scores["horizon"][int(rows[0])]),
            made=made.to_list(),
            positions=np.array([calendar.position(day) for day in made], dtype=np.int64),
            tickers=named["ticker"].to_list(),
            sectors=named["sector"].to_list(),
            rows=rows,
            cells=cells,
            told=mine["traits"],
            outcomes=_matrix(shape, cells, mine["realised"].to_numpy()),
            sigma=_matrix(shape, cells, mine["sigma"].to_numpy()),
        )

    @cached_property
    def traits(self) -> dict[str, Mask]:
        """Trait -> which forecasts have it, those by sector and ticker left out."""
        told = self.told.explode()
        names = told.unique().drop_nulls().sort()
        number = told.cast(pl.Enum(names)).to_physical()
        lengths = self.told.list.len().fill_null(0).clip(1)  # one that says nothing is a null among what is told
        row = np.repeat(np.arange(len(self.told)), lengths.to_numpy())[number.is_not_null().to_numpy()]
        masks = np.zeros((len(names), *self.outcomes.shape), dtype=bool)
        masks[number.drop_nulls().to_numpy(), self.cells[0][row], self.cells[1][row]] = True
        return {name: masks[at] for at, name in enumerate(names) if not name.startswith("sector:")}

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


def _matrix(shape: tuple[int, ...], cells: tuple[NDArray[np.intp], NDArray[np.intp]], values: Floats) -> Floats:
    matrix = np.full(shape, np.nan)
    matrix[cells] = values
    return matrix

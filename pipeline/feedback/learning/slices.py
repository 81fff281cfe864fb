"""The errors of one horizon as one question measures them, and the series of any slice cut from them."""

from __future__ import annotations

from bisect import bisect_left
from dataclasses import dataclass, field
from datetime import date
from functools import cached_property

import numpy as np

from pipeline.feedback.learning.grid import Floats, Grid, Mask, Numbers, Present, row_means
from pipeline.prediction.traits import OF_SESSIONS, kind_of, split_slice

Traits = tuple[str, ...]


@dataclass(frozen=True)
class SliceSeries:
    """A slice's mean per session, beyond what it is part of."""

    errors: Floats
    """[sessions] as fractions; NaN where nothing was scored."""
    forecasts: Numbers
    """[sessions] how many forecasts each mean is of."""
    sigma: float
    """The forecasts' mean standard deviation; NaN without any."""
    raw: float
    """Mean of what is measured over all of its forecasts, not beyond anything; NaN without any."""


@dataclass(frozen=True)
class SliceMeans:
    """Means of one figure of forecasts per session, slice by slice, beyond what a slice is part of.

    All tickers: as they are. A sector: beyond all. A ticker, or traits: beyond their sectors. Traits that all forecasts
    of a session share: beyond the mean of the same slice over all sessions. What several slices need is worked out
    once.
    """

    values: Floats
    """[sessions, tickers]."""
    present: Present
    nested: bool
    """Whether slices are measured beyond what they are part of."""
    _means: dict[Traits, Floats] = field(default_factory=dict, repr=False)
    _usual: dict[tuple[Traits, int], float] = field(default_factory=dict, repr=False)

    def find(self, traits: Traits, first: int = 0) -> Floats:
        """[sessions] means over the forecasts that have all of these traits; NaN where there are none.

        Args:
            traits: of the slice.
            first: the number of the first session that counts.
        """
        lasting = tuple(trait for trait in traits if kind_of(trait) not in OF_SESSIONS)
        means = _begin(self._find(traits, lasting), first)
        return means - self._find_usual(lasting, first) if self.nested and lasting != traits else means

    def _find_usual(self, lasting: Traits, first: int) -> float:
        """The mean of a slice's means over all sessions; 0 where there are none."""
        if (lasting, first) not in self._usual:
            means = _begin(self._find(lasting, lasting), first)
            self._usual[lasting, first] = float(np.nanmean(means)) if np.isfinite(means).any() else 0.0
        return self._usual[lasting, first]

    def _find(self, traits: Traits, lasting: Traits) -> Floats:
        if traits not in self._means:
            self._means[traits] = self._average(traits, lasting)
        return self._means[traits]

    def _average(self, traits: Traits, lasting: Traits) -> Floats:
        shared = [self.present.find_sessions(trait) for trait in traits if trait not in lasting]
        sessions = [one for one in shared if one is not None]
        if shared and len(sessions) == len(shared):
            return np.where(np.logical_and.reduce(sessions), self._find(lasting, lasting), np.nan)
        return row_means(self._beyond(lasting), self.present.select(traits), self.present.count(traits))

    def _beyond(self, lasting: Traits) -> Floats:
        """The values less the mean of what a slice with these traits is part of."""
        if not lasting or not self.nested:
            return self.values
        return self.beyond_all if len(lasting) == 1 and kind_of(lasting[0]) == "sector" else self.beyond_sectors

    @cached_property
    def beyond_all(self) -> Floats:
        """The values less their mean in the session."""
        return self.values - row_means(self.values, self.present.known)[:, None]

    @cached_property
    def beyond_sectors(self) -> Floats:
        """The values less the mean of their sector in the session."""
        less = np.full_like(self.values, np.nan)
        members = np.unique(np.array(self.present.grid.sectors, dtype=str), return_inverse=True)[1]
        for number in range(int(members.max(initial=-1)) + 1):
            mine = members == number
            values = self.values[:, mine]
            less[:, mine] = values - row_means(values, self.present.known[:, mine])[:, None]
        return less


def _begin(series: Floats, first: int) -> Floats:
    """The same from a session on, NaN before it."""
    return series if not first else np.where(np.arange(len(series)) >= first, series, np.nan)


@dataclass(frozen=True)
class HorizonErrors:
    """All deciding forecasts of one horizon as a question sees them: matrices [sessions, tickers], NaN for none."""

    grid: Grid
    errors: Floats
    """What is measured: of a bias, realised less forecast had nothing been adjusted, as fractions."""
    nested: bool = True
    """Whether slices are measured beyond what they are part of."""

    @cached_property
    def present(self) -> Present:
        """Which forecasts there are."""
        return self.grid.find_present(self.errors)

    @cached_property
    def error_means(self) -> SliceMeans:
        """Means of what is measured."""
        return SliceMeans(self.errors, self.present, self.nested)

    @cached_property
    def outcome_means(self) -> SliceMeans:
        """Means of outcomes over the same forecasts."""
        return SliceMeans(self.grid.outcomes, self.present, self.nested)

    def select(self, scope: str, name: str) -> Mask:
        """Which forecasts are in a slice: [sessions, tickers]."""
        return self.present.select(split_slice(scope, name))

    def find_first(self, since: date | None) -> int:
        """The number of the first session at or after one; 0 for none."""
        return 0 if since is None else bisect_left(self.grid.made, since)

    def cut(self, scope: str, name: str, first: int = 0) -> SliceSeries:
        """The slice's series.

        Args:
            scope: all, sector, ticker, trait or pair.
            name: the slice.
            first: the number of the first session that counts.
        """
        traits = split_slice(scope, name)
        forecasts = self.present.count(traits).copy()
        forecasts[:first] = 0
        sigma, raw = (self.average(one, traits, first) for one in (self.grid.sigma, self.errors))
        return SliceSeries(self.error_means.find(traits, first), forecasts, sigma, raw)

    def average(self, values: Floats, traits: Traits, first: int = 0) -> float:
        """The mean of a figure over all forecasts of a slice from a session on; NaN without any."""
        chosen = np.flatnonzero(self.present.select(traits)[first:])
        return float(values[first:].reshape(-1)[chosen].mean()) if chosen.size else float("nan")

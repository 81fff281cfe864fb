"""The errors of one horizon laid out by session and ticker, and the series of any slice cut from them."""

from __future__ import annotations

from collections.abc import Iterable, Mapping
from dataclasses import dataclass
from datetime import date
from functools import cached_property

import numpy as np
import polars as pl
from numpy.typing import NDArray

from pipeline.feedback.learning.questions import BIAS, SliceQuestion
from pipeline.market.sessions import Sessions
from pipeline.prediction.traits import OF_SESSIONS, kind_of, split_slice

Floats = NDArray[np.float64]
Mask = NDArray[np.bool_]


@dataclass(frozen=True)
class SliceSeries:
    """A slice's mean per session, beyond what it is part of."""

    errors: Floats
    """[sessions] as fractions; NaN where nothing was scored."""
    outcomes: Floats
    forecasts: NDArray[np.int64]
    """[sessions] how many forecasts each mean is of."""
    sigma: float
    """The forecasts' mean standard deviation; NaN without any."""
    raw: float
    """Mean of what is measured over all of its forecasts, not beyond anything; NaN without any."""


@dataclass(frozen=True)
class HorizonErrors:
    """All deciding forecasts of one horizon: matrices [sessions, tickers], NaN where there is none."""

    horizon: int
    made: list[date]
    """[sessions] when they were made, in order."""
    positions: NDArray[np.int64]
    """[sessions] the same as numbers of sessions."""
    tickers: list[str]
    sectors: list[str]
    """[tickers]."""
    errors: Floats
    """What is measured: of a bias, realised less forecast had nothing been adjusted, as fractions."""
    outcomes: Floats
    """Realised."""
    sigma: Floats
    traits: Mapping[str, Mask]
    """Trait -> which forecasts have it, those by sector and ticker left out."""
    nested: bool = True
    """Whether slices are measured beyond what they are part of."""

    @classmethod
    def lay_out(cls, accuracy: pl.DataFrame, calendar: Sessions, question: SliceQuestion = BIAS) -> HorizonErrors:
        """Lay out prediction_accuracy rows of one horizon, shadow forecasts left out; one at least."""
        rows = accuracy.sort("made_session", "ticker", "prediction_id")
        made = rows["made_session"].unique().sort()
        named = rows.select("ticker", "sector").unique("ticker", keep="last", maintain_order=True).sort("ticker")
        at = (
            made.search_sorted(rows["made_session"]).to_numpy(),
            named["ticker"].search_sorted(rows["ticker"]).to_numpy(),
        )
        shape = (len(made), len(named))
        return cls(
            horizon=int(rows["horizon"][0]),
            made=made.to_list(),
            positions=np.array([calendar.position(day) for day in made], dtype=np.int64),
            tickers=named["ticker"].to_list(),
            sectors=named["sector"].to_list(),
            errors=_matrix(shape, at, rows.select(question.measure.cast(pl.Float64)).to_series().to_numpy()),
            outcomes=_matrix(shape, at, rows["realised"].to_numpy()),
            sigma=_matrix(shape, at, rows["sigma"].to_numpy()),
            traits=_trait_masks(shape, at, rows["traits"]),
            nested=question.nested,
        )

    @property
    def present(self) -> Mask:
        """Which forecasts there are."""
        return ~np.isnan(self.errors)

    def select(self, scope: str, name: str) -> Mask:
        """Which forecasts are in a slice: [sessions, tickers]."""
        return self._with(split_slice(scope, name), None)

    def _having(self, trait: str) -> Mask:
        kind, _, value = trait.partition(":")
        named = {"sector": self.sectors, "ticker": self.tickers}.get(kind)
        if named is not None:
            return np.broadcast_to(np.array(named) == value, self.errors.shape)
        return self.traits.get(trait, np.zeros(self.errors.shape, dtype=bool))

    def cut(self, scope: str, name: str, since: date | None = None) -> SliceSeries:
        """The slice's series over the forecasts scored since a session, beyond what the slice is part of.

        All tickers: as they are. A sector: beyond all. A ticker, or traits: beyond their sectors. Traits that all
        forecasts of a session share: beyond the mean of the same slice over all sessions.

        Args:
            scope: all, sector, ticker, trait or pair.
            name: the slice.
            since: forecasts made earlier are left out.
        """
        traits = split_slice(scope, name)
        chosen = self._with(traits, since)
        lasting = [trait for trait in traits if kind_of(trait) not in OF_SESSIONS]
        wide = self._with(lasting, since) if self.nested and len(lasting) < len(traits) else chosen
        errors, outcomes = (self._series(values, chosen, wide) for values in self._beyond_parents(lasting))
        sigma, raw = (float(one[chosen].mean()) if chosen.any() else float("nan") for one in (self.sigma, self.errors))
        return SliceSeries(errors, outcomes, chosen.sum(axis=1), sigma, raw)

    def _with(self, traits: Iterable[str], since: date | None) -> Mask:
        """Which forecasts have all of these traits and were made since a session."""
        chosen = self.present
        for trait in traits:
            chosen = chosen & self._having(trait)
        return chosen if since is None else chosen & (np.array(self.made) >= since)[:, None]

    def _series(self, values: Floats, chosen: Mask, wide: Mask) -> Floats:
        series = row_means(values, chosen)
        if wide is chosen:
            return series
        usual = row_means(values, wide)
        return series - (float(np.nanmean(usual)) if np.isfinite(usual).any() else 0.0)

    def _beyond_parents(self, lasting: list[str]) -> tuple[Floats, Floats]:
        """Errors and outcomes less the mean of what a slice with these traits is part of."""
        if not lasting or not self.nested:
            return self.errors, self.outcomes
        if len(lasting) == 1 and kind_of(lasting[0]) == "sector":
            return self._beyond_all
        return self.beyond_sectors

    @cached_property
    def _beyond_all(self) -> tuple[Floats, Floats]:
        errors, outcomes = (
            values - row_means(values, self.present)[:, None] for values in (self.errors, self.outcomes)
        )
        return errors, outcomes

    @cached_property
    def beyond_sectors(self) -> tuple[Floats, Floats]:
        """Errors and outcomes less the mean of their sector in the session."""
        return self._less_sector(self.errors), self._less_sector(self.outcomes)

    def _less_sector(self, values: Floats) -> Floats:
        less = np.full_like(values, np.nan)
        members = np.unique(np.array(self.sectors, dtype=str), return_inverse=True)[1]
        for number in range(int(members.max(initial=-1)) + 1):
            mine = members == number
            less[:, mine] = values[:, mine] - row_means(values[:, mine], self.present[:, mine])[:, None]
        return less


def row_means(values: Floats, chosen: Mask) -> Floats:
    """[sessions] mean of the chosen values; NaN where there are none."""
    counts = chosen.sum(axis=1)
    totals = np.where(chosen, values, 0.0).sum(axis=1)
    means: Floats = np.divide(totals, counts, out=np.full(len(counts), np.nan), where=counts > 0)
    return means


def _matrix(shape: tuple[int, int], at: tuple[NDArray[np.intp], NDArray[np.intp]], values: Floats) -> Floats:
    matrix = np.full(shape, np.nan)
    matrix[at] = values
    return matrix


def _trait_masks(
    shape: tuple[int, int], at: tuple[NDArray[np.intp], NDArray[np.intp]], traits: pl.Series
) -> dict[str, Mask]:
    """Each trait with the forecasts that say they have it."""
    told = pl.DataFrame({"row": at[0], "column": at[1], "trait": traits}).explode("trait").drop_nulls()
    masks = {}
    for (trait,), mine in told.filter(~pl.col("trait").str.starts_with("sector:")).group_by(
        "trait", maintain_order=True
    ):
        mask = np.zeros(shape, dtype=bool)
        mask[mine["row"].to_numpy(), mine["column"].to_numpy()] = True
        masks[str(trait)] = mask
    return dict(sorted(masks.items()))

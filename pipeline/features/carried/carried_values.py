"""Rows of a set that take the values of some features from rows of another set, and the rest as computed."""

from __future__ import annotations

from collections.abc import Sequence
from datetime import date

import numpy as np
import numpy.typing as npt
import polars as pl

from pipeline.features.feature import Feature
from pipeline.features.feature_set import FeatureSet
from pipeline.plugins.extensions import Extensions


class CarriedValues:
    """What the rows of another set have of features that mean the same there."""

    def __init__(self, feature_rows: pl.DataFrame, extensions: Extensions, chosen: FeatureSet) -> None:
        """Take the rows there are, what the run uses, and the set it computes."""
        self._names = [name for name in chosen.names if name in set(extensions.carried)]
        self._order = [name not in set(extensions.carried) for name in chosen.names]
        self.fresh: tuple[Feature, ...] = tuple(
            feature for feature in chosen.features if feature.name not in set(extensions.carried)
        )
        """The features that are computed anew."""
        own = pl.col("feature_set") == extensions.carried_from
        rows = feature_rows.filter(own).sort("session", "ticker") if self._names else feature_rows.clear()
        values = rows.select(pl.col(self._names).fill_null(float("nan"))).to_numpy()
        self._values = values.astype(np.float32, copy=False)
        self._tickers = rows["ticker"].to_list()
        lengths = rows.group_by("session", maintain_order=True).len()
        ends = lengths["len"].cum_sum().to_list()
        self._places = (
            dict(zip(lengths["session"], zip([0, *ends[:-1]], ends, strict=True), strict=True)) if ends else {}
        )

    def covers(self, session: date, tickers: Sequence[str]) -> bool:
        """Whether there are values of a session for exactly these tickers, sorted."""
        if session not in self._places:
            return False
        start, end = self._places[session]
        return self._tickers[start:end] == list(tickers)

    def complete(self, session: date, fresh: npt.NDArray[np.float32]) -> npt.NDArray[np.float32]:
        """[tickers, features] the values of all features, from those of the fresh ones."""
        start, end = self._places[session]
        values = np.empty((len(fresh), len(self._order)), dtype=np.float32)
        anew = np.array(self._order)
        values[:, anew] = fresh
        values[:, ~anew] = self._values[start:end]
        return values

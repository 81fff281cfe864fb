"""On which dates a task is trained, chosen by and tested: no label of an earlier part reaches into a later one."""

from __future__ import annotations

from collections.abc import Mapping
from dataclasses import dataclass
from datetime import date
from itertools import pairwise
from types import MappingProxyType
from typing import Protocol

import numpy as np
import numpy.typing as npt

from pipeline.models.folds import Fold, SessionSpan, walk_forward
from pipeline.models.params import ModelParams

Index = npt.NDArray[np.int64]
PARTS = ("train", "validate", "test")


class Partition(Protocol):
    """A rule that gives an example its part."""

    @property
    def purge(self) -> int:
        """The longest horizon, in sessions, for which no label of a part overlaps one of a later part."""
        ...


@dataclass(frozen=True)
class DatedSplit:
    """Three parts, one after the other, each from a date on. An example belongs to the day its label is known.

    Purged are examples whose label overlaps one of the next part: those known within `horizon` - 1 sessions before it
    (M. López de Prado, Advances in Financial Machine Learning, 2018, chapter 7). Labels of one day lose none.
    """

    train: date
    validate: date
    test: date
    end: date | None = None
    """The last day; None for all there is."""
    horizon: int = 1
    """Sessions a label takes; the longest of the task."""

    def __post_init__(self) -> None:
        for (earlier, first), (later, second) in pairwise(
            zip(PARTS, (self.train, self.validate, self.test), strict=True)
        ):
            if first >= second:
                raise ValueError(
                    f"the part {later!r} starts at {second}, which is not after {earlier!r} at {first}: the parts "
                    "would overlap or be empty; give train < validate < test"
                )
        if self.end is not None and self.end < self.test:
            raise ValueError(f"the study ends at {self.end}, before its test part starts at {self.test}")
        if self.horizon < 1:
            raise ValueError(f"a label of {self.horizon} sessions; it takes at least 1")

    @property
    def purge(self) -> int:
        """Sessions a label takes."""
        return self.horizon

    def parts(self, days: npt.NDArray[np.datetime64], known: Index) -> Mapping[str, Index]:
        """Which examples belong to each part.

        Args:
            days: all sessions of the study, rising, [D] datetime64[D].
            known: [n] number of the session in which each example's label is known.

        Returns:
            Per part the positions of its examples, in their order.
        """
        starts = [int(np.searchsorted(days, np.datetime64(day))) for day in (self.train, self.validate, self.test)]
        end = len(days) if self.end is None else int(np.searchsorted(days, np.datetime64(self.end), side="right"))
        lasts = [start - self.horizon for start in starts[1:]] + [end - 1]
        return MappingProxyType(
            {
                name: np.flatnonzero((known >= first) & (known <= last)).astype(np.int64)
                for name, first, last in zip(PARTS, starts, lasts, strict=True)
            }
        )


@dataclass(frozen=True)
class WalkForward:
    """The live loop's way: test blocks at the end of history, each behind everything it may be trained on."""

    params: ModelParams

    @property
    def purge(self) -> int:
        """Sessions dropped before each test block, less the embargo."""
        return self.params.purge

    def folds(self, labelled: SessionSpan) -> list[Fold]:
        """The folds of a labelled span, earliest first."""
        return walk_forward(labelled, self.params)

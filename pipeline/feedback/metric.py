"""What a metric is: its name, its unit, what it means and how it is computed, in one declaration."""

from __future__ import annotations

from dataclasses import dataclass
from typing import Literal

import numpy as np
from numpy.typing import NDArray

Floats = NDArray[np.float64]
MetricUnit = Literal["correlation", "factor", "fraction", "share"]
"""A share lies between 0 and 1; a fraction is a change or a return and has a sign."""


@dataclass(frozen=True, kw_only=True)
class Metric:
    """A figure of the trailing window."""

    name: str
    title: str
    """Its heading."""
    unit: MetricUnit
    doc: str
    """What it means, in a sentence."""


@dataclass(frozen=True, kw_only=True)
class RatioMetric(Metric):
    """A ratio of two sums over the window, with an interval from a bootstrap over its sessions."""

    above: str
    """The sum above, a column of session_scores."""
    below: str
    """The sum below; sessions where it is 0 say nothing."""
    complement: bool = False
    """Whether it is 1 less the ratio: a skill is what is left of the naive forecast's loss."""
    claims: bool
    """Whether it is about what a model claims: then only forecasts of a champion count, for a naive one claims nothing.
    Else whatever forecast decided counts."""
    by: tuple[str, ...] = ()
    """Whether it is measured by sector, model or regime too."""
    level: float = 0.0
    """What its interval is compared with."""
    baseline: tuple[str, str] | None = None
    """The two sums whose ratio is the naive forecast's figure; None where that is `level`."""
    verdicts: tuple[str, str, str] = ("worse", "no skill", "skill")
    """What is said where the interval lies below the level, around it, and above it."""

    @property
    def sums(self) -> tuple[str, ...]:
        """The sums it is computed from."""
        return (self.above, self.below, *(self.baseline or ()))

    def from_ratio(self, ratio: Floats) -> Floats:
        """The figure, or figures, of a ratio of the two sums."""
        return 1 - ratio if self.complement else ratio

    def judge(self, low: float | None, high: float | None) -> str:
        """What the interval allows one to say: it excludes the level, or nothing is claimed."""
        if low is None or high is None:
            return "too few"
        below, around, above = self.verdicts
        return above if low > self.level else below if high < self.level else around

    def variance_of_one(self, value: float) -> float | None:
        """The variance of one independent forecast's figure: p (1 - p) of a share, 1 of a correlation; else None."""
        return {"share": value * (1 - value), "correlation": 1.0}.get(self.unit)

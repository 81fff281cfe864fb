"""What a forecast is of: a label says which number or class a return becomes, and which returns are no example.

All are derived from the same outcomes: returns over the horizons, the volatility known before them, and the session
they count from. So a task differs from another by the label it names, and models need not know which it is.
"""

from __future__ import annotations

from dataclasses import dataclass
from typing import ClassVar, Literal, Protocol

import numpy as np
import numpy.typing as npt

from pipeline.models.dataset import session_means
from pipeline.models.scaling import horizon_sigma

Floats = npt.NDArray[np.float64]
Index = npt.NDArray[np.int64]
Kind = Literal["amount", "class"]
"""An amount is forecast as a number, a class as a side: +1 or -1."""


@dataclass(frozen=True)
class Outcomes:
    """What became of n examples, of which labels are derived."""

    returns: Floats
    """[n, H] total return over each horizon, as a fraction; NaN where it is not known."""
    sigma: Floats
    """[n] daily volatility as known before, as a fraction."""
    session: Index
    """[n] the session the return counts from, never decreasing."""
    horizons: tuple[int, ...]
    """H sessions ahead."""


class Label(Protocol):
    """How returns become what is forecast."""

    kind: ClassVar[Kind]

    def derive(self, outcomes: Outcomes) -> Floats:
        """The labels of examples: [n, H], NaN where a return is no example."""
        ...


@dataclass(frozen=True)
class ReturnOverSigma:
    """The return in units of sigma x sqrt(h), so that quiet and wild tickers weigh alike; what the live loop learns."""

    clip: float = float("inf")
    """Largest amount, in standard deviations: one merger must not outweigh a year."""
    kind: ClassVar[Kind] = "amount"

    def derive(self, outcomes: Outcomes) -> Floats:
        """[n, H] in standard deviations, within the clip."""
        return np.clip(outcomes.returns / horizon_sigma(outcomes.sigma, outcomes.horizons), -self.clip, self.clip)


@dataclass(frozen=True)
class CrossSectionResidual:
    """The return over sigma less the mean of its session: what is left to anybody who ranks tickers."""

    clip: float = float("inf")
    """As of `ReturnOverSigma`; the mean is one of clipped amounts."""
    kind: ClassVar[Kind] = "amount"

    def derive(self, outcomes: Outcomes) -> Floats:
        """[n, H] in standard deviations; the mean of every session is 0."""
        amounts = ReturnOverSigma(self.clip).derive(outcomes)
        number = np.unique(outcomes.session, return_inverse=True)[1]
        return amounts - session_means(amounts, outcomes.session)[number]


@dataclass(frozen=True)
class ThresholdClasses:
    """Up at or above one threshold, down at or below another; what lies between is no example.

    Xu and Cohen (2018), section 3, and Feng et al. (2019), section 4.1, take 0.55 % and -0.50 % for daily returns.
    """

    up: float = 0.0055
    """Least return of an up move, as a fraction."""
    down: float = -0.005
    """Largest return of a down move, as a fraction."""
    kind: ClassVar[Kind] = "class"

    def __post_init__(self) -> None:
        if not self.down < self.up:
            raise ValueError(f"the threshold down is {self.down} and up {self.up}; down has to lie below up")

    def derive(self, outcomes: Outcomes) -> Floats:
        """[n, H] of +1 and -1."""
        return np.where(outcomes.returns >= self.up, 1.0, np.where(outcomes.returns <= self.down, -1.0, np.nan))


@dataclass(frozen=True)
class Direction:
    """The sign of the return; one of exactly 0 has none and is no example."""

    kind: ClassVar[Kind] = "class"

    def derive(self, outcomes: Outcomes) -> Floats:
        """[n, H] of +1 and -1."""
        return np.where(outcomes.returns > 0, 1.0, np.where(outcomes.returns < 0, -1.0, np.nan))

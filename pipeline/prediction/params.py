"""What the prediction stages can be told."""

from __future__ import annotations

from dataclasses import dataclass


@dataclass(frozen=True, kw_only=True)
class PredictionParams:
    """How many tickers are forecast, and the bounds no forecast leaves."""

    most_tickers: int = 500
    """Tickers forecast per session, those held always among them: bounds the time a session takes."""
    horizons: tuple[int, ...] = (1, 5, 20)
    """Sessions ahead of the naive forecast while there is no champion; a champion brings its own."""
    most_sigmas: float = 2.0
    """Cap on the size of the point forecast, in its own standard deviations: beyond it a model is extrapolating."""
    lowest_return: float = -0.99
    """Floor of every quantile, as a fraction: a share can't lose more than all of its value."""
    narrowest: float = 0.5
    """Least interval scale taken over from the measured coverage."""
    widest: float = 2.0
    """Greatest interval scale taken over, for the same reason: beyond it a model needs training, not correction."""
    unmeasured_skill: float = 0.25
    """Skill (0 to 1) granted to a champion none of whose forecasts have matured: it passed the court, no more."""

    def __post_init__(self) -> None:
        if self.most_tickers < 1:
            raise ValueError(f"prediction.most_tickers is {self.most_tickers}; choose 1 or more")
        if not self.horizons or list(self.horizons) != sorted(set(self.horizons)) or self.horizons[0] < 1:
            raise ValueError(f"prediction.horizons are {self.horizons}; give distinct positive sessions, rising")
        if not -1 < self.lowest_return < 0:
            raise ValueError(f"prediction.lowest_return is {self.lowest_return}; choose one above -1 and below 0")
        if not 0 < self.narrowest <= 1 <= self.widest:
            raise ValueError(
                f"prediction.narrowest and widest are {self.narrowest} and {self.widest}; they have to span 1"
            )
        if self.most_sigmas <= 0:
            raise ValueError(f"prediction.most_sigmas is {self.most_sigmas}; choose more than 0")
        if not 0 <= self.unmeasured_skill <= 1:
            raise ValueError(f"prediction.unmeasured_skill is {self.unmeasured_skill}; choose 0 to 1")

"""What can be set about features."""

from __future__ import annotations

from dataclasses import dataclass

LONGEST_WINDOW = 20
"""Sessions of feature rows the windows stage reads; raise it to allow longer windows."""


@dataclass(frozen=True, kw_only=True)
class FeatureParams:
    """The knobs of the features domain. Window lengths of single features are part of their names instead."""

    window: int = 20
    """Sessions a model looks back on: a trading month. At most LONGEST_WINDOW."""

    stale_sessions: int = 5
    """Sessions without a bar that the last close may stand for; after a longer halt a ticker's history starts anew."""

    news_prior: float = 1.0
    """Weight of neutral news in every sentiment mean, in articles of full strength: little news says little."""

    def __post_init__(self) -> None:
        if not 2 <= self.window <= LONGEST_WINDOW:
            raise ValueError(f"features.window is {self.window}; choose 2 to {LONGEST_WINDOW} sessions")
        if not 0 <= self.stale_sessions <= 20:
            raise ValueError(f"features.stale_sessions is {self.stale_sessions}; choose 0 to 20 sessions")
        if not self.news_prior > 0:
            raise ValueError(f"features.news_prior is {self.news_prior}; choose a weight above 0")

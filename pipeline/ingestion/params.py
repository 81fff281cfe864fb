"""What the operator may set about ingestion."""

from __future__ import annotations

from dataclasses import dataclass, field
from datetime import timedelta


@dataclass(frozen=True, kw_only=True)
class JumpParams:
    """When a price is too far from the last one to be believed at first sight."""

    ratio: float = 3.0
    """Close over the last accepted close, splits undone: outside 1/ratio..ratio a bar waits for a second one.

    Three leaves the violent days of real stocks alone (failed trials, takeovers) and catches unit errors of 10 and 100.
    """
    idle: float = 0.5
    """Fraction; a bar without volume may not move further than this: nobody traded at that price."""
    agree: float = 0.2
    """Fraction; the next session's close within this of the waiting one confirms the new level."""

    def __post_init__(self) -> None:
        if self.ratio <= 1 or self.idle <= 0 or not 0 < self.agree < 1:
            raise ValueError(f"a jump needs ratio > 1, idle > 0 and 0 < agree < 1, not {self}")


@dataclass(frozen=True, kw_only=True)
class UniverseParams:
    """Who may be traded."""

    most_stale: int = 2
    """Sessions without a bar that are forgiven: a short halt is no reason to forget a stock."""
    least_history: int = 120
    """Sessions of bars before a stock counts: the longest common feature look-back."""
    least_close: float = 1.0
    """Currency per share; below it, one tick is more than a per cent."""
    least_dollar_volume: float = 1_000_000.0
    """Currency per session, median of 20 sessions; below it our own order would move the price."""
    most_members: int = 1_000
    """Count; the most liquid ones stay."""


@dataclass(frozen=True, kw_only=True)
class NewsParams:
    """How articles are told apart, and how their words are weighed."""

    repeat_hours: int = 72
    """Hours within which the same title about the same tickers is the same story; wires repeat over a weekend."""
    body_weight: float = 0.5
    """0 to 1; what a finding in the body counts beside one in the title, which says what the story is."""
    body_characters: int = 2_000
    """Characters of the body that are read: the lead carries the news, the rest is background."""


@dataclass(frozen=True, kw_only=True)
class IngestionParams:
    """Everything the ingestion stages take."""

    publication_lag_minutes: int = 15
    """Minutes from the end of a bar until a vendor shows it."""
    decision_lag_minutes: int = 20
    """Minutes from the close until decisions are made; what is public by then counts for the session."""
    jump: JumpParams = field(default_factory=JumpParams)
    """When a price waits for confirmation."""
    universe: UniverseParams = field(default_factory=UniverseParams)
    """Who may be traded."""
    news: NewsParams = field(default_factory=NewsParams)
    """How news is read."""

    def __post_init__(self) -> None:
        if not 0 <= self.publication_lag_minutes <= self.decision_lag_minutes:
            raise ValueError(
                f"publication_lag_minutes is {self.publication_lag_minutes} and decision_lag_minutes is"
                f" {self.decision_lag_minutes}; a bar has to be public before the decision that uses it"
            )

    @property
    def publication_lag(self) -> timedelta:
        """From the end of a bar until it is public."""
        return timedelta(minutes=self.publication_lag_minutes)

    @property
    def decision_lag(self) -> timedelta:
        """From the close until the decision."""
        return timedelta(minutes=self.decision_lag_minutes)

"""The settings of ingestion: when what a vendor says is believed; the universe and news have settings beside them."""

from __future__ import annotations

from collections.abc import Iterator
from dataclasses import dataclass, field
from datetime import timedelta
from typing import TYPE_CHECKING, Annotated, Literal

from pydantic import Field

from pipeline.config.setting_types import Earlier
from pipeline.ingestion.news.params import NewsParams
from pipeline.ingestion.universe.params import UniverseParams

if TYPE_CHECKING:
    from pipeline.market.sessions import Sessions


@dataclass(frozen=True, kw_only=True)
class JumpParams:
    """When a price is too far from the last one to be believed at first sight."""

    ratio: Annotated[float, Field(gt=1, le=1000)] = 3.0
    """Close over the last accepted close, splits undone: outside 1/ratio..ratio a bar waits for a second one.

    Three accepts the violent days of real stocks (failed trials, takeovers) and catches unit errors of 10 and 100.
    """
    idle: Annotated[float, Field(gt=0, le=1000)] = 0.5
    """Fraction; a bar without volume may not move further than this: nobody traded at that price."""
    agree: Annotated[float, Field(gt=0, lt=1)] = 0.2
    """Fraction; the next session's close within this of the waiting one confirms the new level."""
    confirmations: Annotated[int, Field(ge=1, le=5), Earlier(1)] = 1
    """Bars in a row that have to agree with a waiting one, each within `agree` of the one before, to confirm it."""
    securities: Annotated[Literal[1, 2], Earlier(1)] = 2
    """Whose last close a bar follows from: 2 its company's, under any name; 1 the ticker's, as in earlier programs."""
    waiting: Annotated[Literal[1, 2], Earlier(1)] = 2
    """How long a bar waits: 2 until a later arrival confirms it or brings the split that explains it; 1 within its own
    arrival only, as runs of earlier programs did, so that files which state when each bar was known lose true jumps."""


@dataclass(frozen=True, kw_only=True)
class CheckParams:
    """How far a second source may differ before it is reported."""

    close: Annotated[float, Field(gt=0, lt=1)] = 0.005
    """Fraction of the close; vendors' closes differ by a tick, and by half a per cent only if one of them is wrong."""


@dataclass(frozen=True, kw_only=True)
class IngestionParams:
    """Everything the ingestion stages take."""

    publication_lag_minutes: Annotated[int, Field(ge=0, le=960)] = 15
    """Minutes from the end of a bar until a vendor shows it."""
    decision_lag_minutes: Annotated[int, Field(ge=0, le=960)] = 20
    """Minutes from the close until decisions are made; what is public by then counts for the session."""
    max_rate_age_days: Annotated[int, Field(ge=1, le=366)] = 7
    """Days for which the last exchange rate known is carried: a week spans the longest holidays of the markets."""
    jump: JumpParams = field(default_factory=JumpParams)
    """When a price waits for confirmation."""
    check: CheckParams = field(default_factory=CheckParams)
    """When a second source disagrees."""
    universe: UniverseParams = field(default_factory=UniverseParams)
    """Who may be traded."""
    news: NewsParams = field(default_factory=NewsParams)
    """How news is read."""

    def contradictions(self) -> Iterator[str]:
        """A bar that becomes public after the decision that uses it."""
        if self.publication_lag_minutes > self.decision_lag_minutes:
            yield (
                f"publication_lag_minutes is {self.publication_lag_minutes} and decision_lag_minutes is"
                f" {self.decision_lag_minutes}; a bar must be public before the decision that uses it"
            )

    def publication_lag(self, calendar: Sessions) -> timedelta:
        """From the end of a bar until it is public: before the next open."""
        return calendar.within_pause(timedelta(minutes=self.publication_lag_minutes))

    def decision_lag(self, calendar: Sessions) -> timedelta:
        """From the close until the decision: before the next open."""
        return calendar.within_pause(timedelta(minutes=self.decision_lag_minutes))

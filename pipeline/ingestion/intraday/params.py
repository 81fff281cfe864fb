"""The settings of snapshots: how far back one asks, and when what it brings counts as known."""

from __future__ import annotations

from dataclasses import dataclass
from datetime import timedelta
from typing import Annotated

from pydantic import Field


@dataclass(frozen=True, kw_only=True)
class IntradayParams:
    """Everything the stages of a snapshot take."""

    history_sessions: Annotated[int, Field(ge=1, le=20)] = 5
    """Sessions, the one in progress included, that are asked for of a ticker without any bar in them."""
    refetched_minutes: Annotated[int, Field(ge=0, le=960)] = 60
    """Minutes before a ticker's last known bar that are asked for again, so that restated bars show up; the first
    snapshot of a session asks for all of the last bar's session again."""
    publication_lag_minutes: Annotated[int, Field(ge=0, le=960)] = 15
    """Minutes from the end of a bar until a vendor shows it: when a bar of a ticker's first snapshot counts as known,
    which is no later than that snapshot. Every other bar counts from the snapshot that brought it."""

    @property
    def refetched(self) -> timedelta:
        """How far before the last known bar is asked for again."""
        return timedelta(minutes=self.refetched_minutes)

    @property
    def publication_lag(self) -> timedelta:
        """From the end of a bar until a vendor shows it."""
        return timedelta(minutes=self.publication_lag_minutes)

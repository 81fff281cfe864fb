"""What every source of prices and news looks like from the pipeline."""

from __future__ import annotations

from datetime import date, datetime
from typing import TYPE_CHECKING, Annotated, Literal, Protocol

from pydantic import Field

from pipeline.config.setting_types import DISTINCT

if TYPE_CHECKING:
    import polars as pl

Interval = Literal["1d", "1h", "5m", "1m"]
"""The lengths of bars that a source can be asked for."""
MINUTES = {"1d": 0, "1h": 60, "5m": 5, "1m": 1}
"""Length of a bar; a daily bar ends with its session, whatever the length of that."""
Intervals = Annotated[tuple[Interval, ...], Field(min_length=1, max_length=4), DISTINCT]
"""Lengths of bars that a lake takes: 1d by cycles, the shorter ones by snapshots."""


class Source(Protocol):
    """Whoever answers with prices and news; the answer is landed as it came."""

    @property
    def name(self) -> str:
        """The source's name, as it stands in the raw tables."""

    def coverage(self) -> tuple[date, date]:
        """The first and last session there is history for: what a first load should ask."""

    def check_reachable(self) -> None:
        """Make sure that it answers, before a lake is begun with it.

        Raises:
            OutOfReachError: if it does not for the moment.
        """

    def prices(self, since: date, session: date, *, history: bool) -> pl.DataFrame:
        """Return RAW_PRICES rows of the kinds bars, actions and listings.

        Args:
            since: first session wanted.
            session: last session wanted; its close has passed.
            history: True loads everything between the two as known at the end; False is the daily fetch, which asks
                for the last five sessions again.

        Raises:
            SourceError: if the source cannot answer.
        """

    def news(self, since: date, session: date, *, history: bool) -> pl.DataFrame:
        """Return RAW_NEWS rows: all articles between the sessions, or those of the session's day alone."""

    def news_so_far(self, session: date, as_of: datetime) -> pl.DataFrame:
        """Return RAW_NEWS rows between cycles: what is public by a moment before the close of the session to come.

        What has been answered so before is the same payload again, so that it is landed once.
        """

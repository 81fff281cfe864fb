"""Where market data and news come from: one small protocol, one class per vendor."""

from __future__ import annotations

from dataclasses import replace
from datetime import date
from difflib import get_close_matches
from typing import Protocol, get_args

import polars as pl

from pipeline.ingestion.sources.errors import OutOfReachError, SourceError
from pipeline.ingestion.sources.params import SourceName, SourceParams
from pipeline.market.sessions import Sessions

__all__ = ["SOURCES", "OutOfReachError", "Source", "SourceError", "SourceParams", "open_source"]

SOURCES: tuple[str, ...] = get_args(SourceName)
"""The sources there are."""


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


def open_source(params: SourceParams, calendar: Sessions) -> Source:
    """Return the source the parameters name, joined by the feeds and by the one it is checked against, if any.

    Raises:
        SourceError: for a name there is no source of, naming the nearest, or if the source cannot be opened.
    """
    source = _open_named(params, calendar)
    if params.cross_check:
        from pipeline.ingestion.sources.checked import CheckedSource

        source = CheckedSource(source, _open_named(replace(params, name=params.cross_check, cross_check=""), calendar))
    if not params.rss.feeds:
        return source
    from pipeline.ingestion.sources.rss import WithFeeds, open_feeds

    return WithFeeds(source, open_feeds(params.rss, calendar))


def _open_named(params: SourceParams, calendar: Sessions) -> Source:
    name: str = params.name
    if name == "simulated":
        from pipeline.ingestion.sources.simulated import SimulatedSource

        return SimulatedSource(params.simulated, calendar)
    if name == "files":
        from pipeline.ingestion.sources.files import FilesSource

        return FilesSource(params.files, calendar)
    if name == "yahoo":
        from pipeline.ingestion.sources.yahoo import YahooSource

        return YahooSource(params.yahoo, calendar)
    near = get_close_matches(name, SOURCES, n=1, cutoff=0.4)
    hint = f"did you mean {near[0]!r}?" if near else f"there are {', '.join(SOURCES)}"
    raise SourceError(f"there is no source {name!r}; {hint}")

"""The sources there are: the parameters of each, and how it is opened; a new one is its module and its lines here."""

from __future__ import annotations

from collections.abc import Callable, Iterator, Mapping
from dataclasses import dataclass, field
from difflib import get_close_matches
from typing import TYPE_CHECKING, Literal, get_args

from pipeline.ingestion.sources.errors import SourceError
from pipeline.ingestion.sources.files.params import FilesParams
from pipeline.ingestion.sources.rss.params import RssParams
from pipeline.ingestion.sources.simulated.params import SimulatedParams
from pipeline.ingestion.sources.yahoo.params import YahooParams

if TYPE_CHECKING:
    from pipeline.ingestion.sources.snapshot_source import SnapshotSource
    from pipeline.ingestion.sources.source import Source
    from pipeline.market.sessions import Sessions

SourceName = Literal["simulated", "files", "yahoo"]
SOURCES: tuple[str, ...] = get_args(SourceName)
DAILY = "1d"


@dataclass(frozen=True, kw_only=True)
class SourceParams:
    """Which source is in use, with the parameters of each."""

    name: SourceName = "simulated"
    """simulated, files or yahoo."""
    simulated: SimulatedParams = field(default_factory=SimulatedParams)
    """The seeded market."""
    files: FilesParams = field(default_factory=FilesParams)
    """The operator's own files."""
    yahoo: YahooParams = field(default_factory=YahooParams)
    """Yahoo's charts."""
    cross_check: Literal["", SourceName] = ""
    """A second source whose bars are compared with those of the first and used for nothing else; none if empty."""
    rss: RssParams = field(default_factory=RssParams)
    """Feeds of news that join whichever source is in use."""
    news_between_cycles: bool = False
    """Whether the daemon also fetches news between cycles, which turns on the task `news` of the schedule: what a feed
    has dropped by the close is there for the cycle then. A cycle's own fetch stays."""

    @property
    def shorter_intervals(self) -> tuple[str, ...]:
        """The lengths of bars below a day that the source in use is to bring, for snapshots; none if empty."""
        return tuple(one for one in self._intervals if one != DAILY)

    @property
    def _intervals(self) -> tuple[str, ...]:
        intervals: tuple[str, ...] = getattr(getattr(self, self.name, None), "intervals", (DAILY,))
        return intervals

    @property
    def _has_news(self) -> bool:
        own = getattr(getattr(self, self.name, None), "news", True)
        return bool(self.rss.feeds) or own not in ("", "none")

    def contradictions(self) -> Iterator[str]:
        """A source checked against itself, and lengths of bars that nothing brings."""
        yield from self._interval_contradictions()
        if self.news_between_cycles and not self._has_news:
            yield (
                f"news_between_cycles is true, and nothing brings news: set source.{self.name}.news or name"
                " source.rss.feeds, or set it to false"
            )
        if self.cross_check == self.name:
            yield (
                f"cross_check is {self.cross_check!r} and so is name, the source itself; name another one or leave"
                " cross_check empty"
            )

    def _interval_contradictions(self) -> Iterator[str]:
        """What the lengths of bars of the source in use say against its other settings."""
        key, shorter = f"source.{self.name}", ", ".join(self.shorter_intervals)
        by_cycles = getattr(getattr(self, self.name, None), "interval", DAILY)
        if DAILY not in self._intervals:
            yield f"{key}.intervals is {shorter}, and cycles take bars of {DAILY}; add {DAILY} to {key}.intervals"
        if by_cycles != DAILY and self.name != "files":  # of files they are summed up to daily ones
            yield (
                f"{key}.interval is {by_cycles}, and everything is decided by daily bars: set it to {DAILY}, and name"
                f' bars of {by_cycles} in {key}.intervals ("{DAILY}", "{by_cycles}"), for snapshots'
            )
        if self.name == "files" and shorter and not self.files.intraday:
            yield f"{key}.intervals names {shorter}, and no files hold such bars; name them in {key}.intraday"
        if self.name == "files" and self.files.intraday and not shorter:
            yield (
                f"{key}.intraday names {self.files.intraday[0]}, and {key}.intervals no bars shorter than a day, so"
                f' nothing would read it; add their length, such as intervals = ["{DAILY}", "5m"], or take it out'
            )


def _open_simulated(params: SourceParams, calendar: Sessions, currency: str) -> Source:
    from pipeline.ingestion.sources.simulated.source import SimulatedSource

    return SimulatedSource(params.simulated, calendar, currency)


def _open_files(params: SourceParams, calendar: Sessions, currency: str) -> Source:
    from pipeline.ingestion.sources.files.source import FilesSource

    return FilesSource(params.files.at(calendar.exchange, currency), calendar)


def _open_yahoo(params: SourceParams, calendar: Sessions, currency: str) -> Source:
    del currency  # Yahoo states it with the prices
    from pipeline.ingestion.sources.yahoo.source import YahooSource

    return YahooSource(params.yahoo, calendar)


OPENERS: Mapping[str, Callable[[SourceParams, Sessions, str], Source]] = {
    "simulated": _open_simulated,
    "files": _open_files,
    "yahoo": _open_yahoo,
}
"""Each imports its source when it is opened: some bring heavy libraries."""


def open_source(params: SourceParams, calendar: Sessions, currency: str = "") -> Source:
    """Return the source the parameters name, joined by the feeds and by the one it is checked against, if any.

    Args:
        params: of all sources.
        calendar: of the lake's exchange.
        currency: ISO 4217, of prices where neither the source nor the exchange says one: the book's.

    Raises:
        SourceError: for a name there is no source of, naming the nearest, or if the source cannot be opened.
    """
    source = _open(params.name, params, calendar, currency)
    if params.cross_check:
        from pipeline.ingestion.sources.cross_checked_source import CheckedSource

        source = CheckedSource(source, _open(params.cross_check, params, calendar, currency))
    if not params.rss.feeds:
        return source
    from pipeline.ingestion.sources.rss.source import WithFeeds, open_feeds

    return WithFeeds(source, open_feeds(params.rss, calendar))


def _open_intraday_files(params: SourceParams, calendar: Sessions, currency: str) -> SnapshotSource:
    from pipeline.ingestion.sources.files.intraday_files import IntradayFiles

    return IntradayFiles(params.files.at(calendar.exchange, currency), calendar)


def _open_intraday_charts(params: SourceParams, calendar: Sessions, currency: str) -> SnapshotSource:
    del currency  # Yahoo states it with the prices
    from pipeline.ingestion.sources.yahoo.intraday_charts import IntradayCharts

    return IntradayCharts(params.yahoo, calendar)


def _open_simulated_intraday(params: SourceParams, calendar: Sessions, currency: str) -> SnapshotSource:
    from pipeline.ingestion.sources.simulated.intraday_source import SimulatedIntraday

    return SimulatedIntraday(params.simulated, calendar, currency)


SNAPSHOT_OPENERS: Mapping[str, Callable[[SourceParams, Sessions, str], SnapshotSource]] = {
    "simulated": _open_simulated_intraday,
    "files": _open_intraday_files,
    "yahoo": _open_intraday_charts,
}


def open_snapshot_source(params: SourceParams, calendar: Sessions, currency: str = "") -> SnapshotSource:
    """Return what answers for bars within sessions: the source that the parameters name, by itself.

    Raises:
        SourceError: if no such bars are configured, or they contradict other settings.
    """
    if not params.shorter_intervals:
        key = f"source.{params.name}"
        files = f", and name their files in {key}.intraday" if params.name == "files" else ""
        raise SourceError(
            f"no bars within sessions are configured: add 1h, 5m or 1m to {key}.intervals, such as "
            f'intervals = ["1d", "5m"]{files}'
        )
    if wrong := next(params.contradictions(), None):
        raise SourceError(wrong)
    return SNAPSHOT_OPENERS[params.name](params, calendar, currency)


def _open(name: str, params: SourceParams, calendar: Sessions, currency: str) -> Source:
    if name in OPENERS:
        return OPENERS[name](params, calendar, currency)
    near = get_close_matches(name, SOURCES, n=1, cutoff=0.4)
    hint = f"did you mean {near[0]!r}?" if near else f"choose from {', '.join(SOURCES)}"
    raise SourceError(f"there is no source {name!r}; {hint}")

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

    def contradictions(self) -> Iterator[str]:
        """A source checked against itself."""
        if self.cross_check == self.name:
            yield (
                f"cross_check is {self.cross_check!r} and so is name, the source itself; name another one or leave"
                " cross_check empty"
            )


def _open_simulated(params: SourceParams, calendar: Sessions) -> Source:
    from pipeline.ingestion.sources.simulated.source import SimulatedSource

    return SimulatedSource(params.simulated, calendar)


def _open_files(params: SourceParams, calendar: Sessions) -> Source:
    from pipeline.ingestion.sources.files.source import FilesSource

    return FilesSource(params.files, calendar)


def _open_yahoo(params: SourceParams, calendar: Sessions) -> Source:
    from pipeline.ingestion.sources.yahoo.source import YahooSource

    return YahooSource(params.yahoo, calendar)


OPENERS: Mapping[str, Callable[[SourceParams, Sessions], Source]] = {
    "simulated": _open_simulated,
    "files": _open_files,
    "yahoo": _open_yahoo,
}
"""Each imports its source when it is opened: some bring heavy libraries."""


def open_source(params: SourceParams, calendar: Sessions) -> Source:
    """Return the source the parameters name, joined by the feeds and by the one it is checked against, if any.

    Raises:
        SourceError: for a name there is no source of, naming the nearest, or if the source cannot be opened.
    """
    source = _open(params.name, params, calendar)
    if params.cross_check:
        from pipeline.ingestion.sources.cross_checked_source import CheckedSource

        source = CheckedSource(source, _open(params.cross_check, params, calendar))
    if not params.rss.feeds:
        return source
    from pipeline.ingestion.sources.rss.source import WithFeeds, open_feeds

    return WithFeeds(source, open_feeds(params.rss, calendar))


def open_snapshot_source(params: SourceParams, calendar: Sessions) -> SnapshotSource:
    """Return what answers for bars within sessions: the source that the parameters name, by itself.

    Raises:
        SourceError: if it has none, or none are configured.
    """
    if params.name != "files":
        raise SourceError(
            f"the source {params.name!r} has no bars within sessions; snapshots are taken of files: set source.name to "
            "files, and intervals and intraday under [source.files]"
        )
    from pipeline.ingestion.sources.files.intraday_files import IntradayFiles

    return IntradayFiles(params.files, calendar)


def _open(name: str, params: SourceParams, calendar: Sessions) -> Source:
    if name in OPENERS:
        return OPENERS[name](params, calendar)
    near = get_close_matches(name, SOURCES, n=1, cutoff=0.4)
    hint = f"did you mean {near[0]!r}?" if near else f"choose from {', '.join(SOURCES)}"
    raise SourceError(f"there is no source {name!r}; {hint}")

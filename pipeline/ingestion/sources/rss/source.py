"""RSS and Atom feeds as a source of news beside whichever source brings the prices."""

from __future__ import annotations

import json
import os
import time
from collections.abc import Callable, Mapping
from datetime import UTC, date, datetime
from typing import TYPE_CHECKING

import polars as pl

from lake.tables.news import RAW_NEWS
from pipeline.config.home import state_home
from pipeline.ingestion.sources.payloads import FETCH_LAG, NEWS, payload_id
from pipeline.ingestion.sources.rss.fetch_feed import Document, FeedError, Fetcher
from pipeline.ingestion.sources.rss.params import Feed, RssParams
from pipeline.market.sessions import Sessions
from pipeline.network.addresses import origin_of

if TYPE_CHECKING:
    from pipeline.ingestion.sources.source import Source

__all__ = ["Feeds", "WithFeeds", "open_feeds"]


class Feeds:
    """The operator's feeds. They speak of the present: only for the last session that has closed is there an answer."""

    def __init__(
        self, params: RssParams, calendar: Sessions, fetcher: Fetcher, now: Callable[[], float] = time.time
    ) -> None:
        self.params, self.calendar, self.fetcher, self.now = params, calendar, fetcher, now

    def news(self, since: date, session: date, *, history: bool) -> pl.DataFrame:
        """Return RAW_NEWS rows: each feed's document as it came, or the failure to get one, which names its rule."""
        at = datetime.fromtimestamp(self.now(), UTC)
        if session != self.calendar.last_closed(at - FETCH_LAG):
            return RAW_NEWS.empty()
        return self._land(since, session, history, at)

    def news_so_far(self, session: date, as_of: datetime) -> pl.DataFrame:
        """The same between cycles: a document that has not changed since is the same landing again."""
        del as_of  # a feed says what it says now
        return self._land(session, session, False, datetime.fromtimestamp(self.now(), UTC))

    def _land(self, since: date, session: date, history: bool, at: datetime) -> pl.DataFrame:
        rows = [self._landing(feed, since, session, history, at) for feed in self.params.feeds]
        return pl.DataFrame(rows, schema=RAW_NEWS.schema).unique("payload_id", keep="first", maintain_order=True)

    def _landing(self, feed: Feed, since: date, session: date, history: bool, at: datetime) -> dict[str, object]:
        asked = {
            "url": feed.url,
            "tickers": " ".join(feed.tickers),
            "history": history,
            "since": since.isoformat(),
            "until": session.isoformat(),
        }
        try:
            found = self.fetcher.fetch(feed.url)
        except FeedError as error:
            text = json.dumps({"rule": error.rule, "error": str(error)})
            return _row(feed, session, asked, "failure", text, at)
        return self._document(feed, session, asked, found)

    def _document(self, feed: Feed, session: date, asked: Mapping[str, object], found: Document) -> dict[str, object]:
        request = {**asked, "encoding": found.encoding, "content_type": found.content_type}
        return _row(feed, session, request, "rss", found.body, datetime.fromisoformat(found.fetched_at))


def _row(
    feed: Feed, session: date, request: Mapping[str, object], form: str, payload: str, at: datetime
) -> dict[str, object]:
    source, asked = f"rss-{feed.name}", json.dumps(request)
    # A failure is one of its moment; the same document is the same landing, whenever it is asked for again.
    moment = at.isoformat() if form == "failure" else ""
    return {
        "payload_id": payload_id(source, NEWS, asked, payload, moment),
        "source": source,
        "session": session,
        "fetched_at": at,
        "format": form,
        "request": asked,
        "payload": payload,
    }


class WithFeeds:
    """A source whose news is joined by that of the feeds; all else is its own."""

    def __init__(self, source: Source, feeds: Feeds) -> None:
        self.source, self.feeds = source, feeds

    @property
    def name(self) -> str:
        """The name of the source of prices."""
        return self.source.name

    def coverage(self) -> tuple[date, date]:
        """What the source of prices has."""
        return self.source.coverage()

    def check_reachable(self) -> None:
        """The source of prices has to answer; a feed may be silent."""
        self.source.check_reachable()

    def prices(self, since: date, session: date, *, history: bool) -> pl.DataFrame:
        """What the source of prices answers."""
        return self.source.prices(since, session, history=history)

    def news(self, since: date, session: date, *, history: bool) -> pl.DataFrame:
        """The news of both."""
        own = self.source.news(since, session, history=history)
        return pl.concat([own, self.feeds.news(since, session, history=history)])

    def news_so_far(self, session: date, as_of: datetime) -> pl.DataFrame:
        """The news of both between cycles."""
        return pl.concat([self.source.news_so_far(session, as_of), self.feeds.news_so_far(session, as_of)])


def open_feeds(params: RssParams, calendar: Sessions) -> Feeds:
    """The feeds the parameters name; what they answered last is kept where the environment says."""
    fetcher = Fetcher(
        folder=state_home(os.environ) / "feeds",
        timeout=params.timeout_seconds,
        max_bytes=params.max_bytes,
        reuse=params.reuse_minutes * 60,
        configured=frozenset(origin_of(feed.url) for feed in params.feeds),
    )
    return Feeds(params, calendar, fetcher)

"""Fetches one feed: bounded in size and time, asked only whether it changed, and kept until it does."""

from __future__ import annotations

import hashlib
import json
import time
from collections.abc import Callable, Mapping
from dataclasses import asdict, dataclass, replace
from datetime import UTC, datetime
from pathlib import Path
from typing import TYPE_CHECKING

from lake.access import make_private_folder
from lake.storage.atomic import write_atomic
from pipeline.ingestion.news.parse_feeds import SLOW_ENCODINGS
from pipeline.network.addresses import Origin, origin_of
from pipeline.network.errors import Kind, NetworkError

if TYPE_CHECKING:
    from pipeline.network.exchange import Answer

AGENT = "nextgen-trading (feed reader)"
ACCEPT = "application/rss+xml, application/atom+xml, application/xml;q=0.9, text/xml;q=0.8, */*;q=0.1"


class FeedError(Exception):
    """There is no usable answer; `rule` names what it breaks, the text says more."""

    def __init__(self, rule: str, text: str) -> None:
        super().__init__(text)
        self.rule = rule


REACHED = "the feed can be reached"
SMALL = "the feed is not too large"
WELL = "the server answers with a feed"
RULES: dict[Kind, str] = {"unreachable": REACHED, "refused": REACHED, "too_large": SMALL, "broken": WELL}


@dataclass(frozen=True, kw_only=True)
class Document:
    """What a feed's address answered last."""

    url: str
    body: str
    """Its bytes, read in `encoding`."""
    encoding: str
    content_type: str
    fetched_at: str
    """ISO 8601: when these bytes first came."""
    checked_at: float
    """Epoch seconds of the last time the server was asked."""
    etag: str = ""
    last_modified: str = ""
    fresh_seconds: float = 0.0
    """How long the server says that they need not be asked for again."""


@dataclass(frozen=True, kw_only=True)
class Fetcher:
    """Asks for feeds and keeps each one's last answer in a folder, so that the same bytes are the same landing."""

    folder: Path
    timeout: float
    """Seconds for a whole answer, redirects included."""
    max_bytes: int
    reuse: float
    """Seconds within which a feed is not asked for again."""
    configured: frozenset[Origin] = frozenset()
    """Hosts and ports of all feeds: a redirect may lead to a private address only if it is one of them."""
    now: Callable[[], float] = time.time

    def fetch(self, url: str) -> Document:
        """The feed's document; the one kept if it is recent or the server says that nothing changed.

        Raises:
            FeedError: if there is none to be had.
        """
        kept = self._read_cached(url)
        at = self.now()
        if kept is not None and 0 <= at - kept.checked_at < max(self.reuse, kept.fresh_seconds):
            return kept
        found = self._request_document(url, kept)
        if kept is not None and (found.body, found.encoding) == (kept.body, kept.encoding):
            found = replace(found, fetched_at=kept.fetched_at, content_type=kept.content_type)
        self._cache(found)
        return found

    def _request_document(self, url: str, kept: Document | None) -> Document:
        from pipeline.network.exchange import HttpRequest, exchange

        configured = self.configured | {origin_of(url)}
        request = HttpRequest(url=url, headers=_headers(kept), configured=configured)
        try:
            answer = exchange(request, seconds=self.timeout, max_bytes=self.max_bytes)
        except NetworkError as error:
            raise FeedError(RULES[error.kind], str(error)) from None
        if answer.status == 304 and kept is not None:
            return replace(kept, checked_at=self.now(), fresh_seconds=_freshness(answer.headers))
        if not 200 <= answer.status < 300:
            raise FeedError(WELL, f"HTTP {answer.status}")
        return self._document(url, answer)

    def _document(self, url: str, answer: Answer) -> Document:
        body, encoding = _read(answer.body, answer.charset)
        at = self.now()
        return Document(
            url=url,
            body=body,
            encoding=encoding,
            content_type=answer.headers.get("content-type", "")[:200],
            fetched_at=datetime.fromtimestamp(at, UTC).isoformat(),
            checked_at=at,
            etag=_header(answer.headers, "etag"),
            last_modified=_header(answer.headers, "last-modified"),
            fresh_seconds=_freshness(answer.headers),
        )

    def _path(self, url: str) -> Path:
        return self.folder / f"{hashlib.sha256(url.encode()).hexdigest()[:32]}.json"

    def _read_cached(self, url: str) -> Document | None:
        """The document kept of an address; an unreadable file is as if there were none."""
        try:
            found = Document(**json.loads(self._path(url).read_text(encoding="utf-8")))
        except (OSError, ValueError, TypeError):
            return None
        return found if found.url == url else None

    def _cache(self, document: Document) -> None:
        make_private_folder(self.folder)
        write_atomic(self._path(document.url), json.dumps(asdict(document)), durable=False)


def _headers(kept: Document | None) -> dict[str, str]:
    headers = {"User-Agent": AGENT, "Accept": ACCEPT}
    if kept is not None and kept.etag:
        headers["If-None-Match"] = kept.etag
    if kept is not None and kept.last_modified:
        headers["If-Modified-Since"] = kept.last_modified
    return headers


def _header(headers: Mapping[str, str], name: str) -> str:
    """A header to be sent back later: short and on one line, or none."""
    value = headers.get(name, "")
    return value if len(value) <= 200 and value.isascii() and value.isprintable() else ""


def _freshness(headers: Mapping[str, str]) -> float:
    """Seconds of Cache-Control: max-age, at most an hour: a feed of news is asked for more often than it likes."""
    for part in headers.get("cache-control", "").lower().split(","):
        name, _, value = part.strip().partition("=")
        if name == "max-age" and value.isdigit() and len(value) < 10:
            return min(float(value), 3_600.0)
    return 0.0


def _read(data: bytes, charset: str | None) -> tuple[str, str]:
    """The bytes as text that turns back into the same bytes: UTF-8, the stated encoding, or one sign per byte."""
    for encoding in ("utf-8", "latin-1" if charset is None or charset.lower() in SLOW_ENCODINGS else charset):
        try:
            text = data.decode(encoding)
            text.encode()  # what some encodings can write, such as half a surrogate pair, cannot be stored
            if text.encode(encoding) == data:
                return text, encoding
        except (LookupError, UnicodeError, ValueError):
            continue
    return data.decode("latin-1"), "latin-1"

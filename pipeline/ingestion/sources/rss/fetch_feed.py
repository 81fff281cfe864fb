"""Fetches one feed: bounded in size and time, asked only whether it changed, and kept until it does."""

from __future__ import annotations

import hashlib
import http.client
import json
import time
import urllib.error
import urllib.request
import zlib
from collections.abc import Callable
from dataclasses import asdict, dataclass, replace
from datetime import UTC, datetime
from email.message import Message
from pathlib import Path
from typing import IO, Any
from urllib.parse import urlsplit

from lake.storage.atomic import write_atomic

AGENT = "nextgen-trading (feed reader)"
CHUNK = 65_536
INFLATED = {"gzip": 31, "x-gzip": 31, "deflate": 15}
"""Content coding -> window bits for zlib; other codings were not offered and are refused."""


class FeedError(Exception):
    """There is no usable answer; `rule` names what it breaks, the text says more."""

    def __init__(self, rule: str, text: str) -> None:
        super().__init__(text)
        self.rule = rule


REACHED = "the feed can be reached"
SMALL = "the feed is not too large"
WELL = "the server answers with a feed"


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


class _CarefulRedirects(urllib.request.HTTPRedirectHandler):
    """Follows a redirection to http and https alone, and never from an encrypted to an open one."""

    max_redirections = 5

    def redirect_request(
        self, req: urllib.request.Request, fp: IO[bytes], code: int, msg: str, headers: Any, newurl: str
    ) -> urllib.request.Request | None:
        to = urlsplit(newurl).scheme
        if to != "https" and (to != "http" or req.type == "https"):
            raise FeedError(REACHED, f"it redirects to {newurl[:200]!r}, which is not followed")
        return super().redirect_request(req, fp, code, msg, headers, newurl)


@dataclass(frozen=True, kw_only=True)
class Fetcher:
    """Asks for feeds and keeps each one's last answer in a folder, so that the same bytes are the same landing."""

    folder: Path
    timeout: float
    """Seconds for a whole answer."""
    max_bytes: int
    reuse: float
    """Seconds within which a feed is not asked for again."""
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
        opener = urllib.request.build_opener(_CarefulRedirects())
        deadline = time.monotonic() + self.timeout
        try:
            with opener.open(_request(url, kept), timeout=self.timeout) as response:
                data = _decompress(self._bytes(response, deadline), response.headers, self.max_bytes)
                return self._document(url, data, response.headers)
        except urllib.error.HTTPError as error:
            with error:
                if error.code == 304 and kept is not None:
                    return replace(kept, checked_at=self.now(), fresh_seconds=_freshness(error.headers))
                raise FeedError(WELL, f"HTTP {error.code}") from None
        except (OSError, http.client.HTTPException, ValueError) as error:
            raise FeedError(REACHED, f"{type(error).__name__}: {error}"[:500]) from None

    def _bytes(self, response: Any, deadline: float) -> bytes:
        """The answer's bytes; a server that drips them is given no longer than one that is silent."""
        data = bytearray()
        while chunk := response.read1(CHUNK):
            data += chunk
            if len(data) > self.max_bytes:
                raise FeedError(SMALL, f"it has more than {self.max_bytes} bytes")
            if time.monotonic() > deadline:
                raise FeedError(REACHED, f"it is not complete after {self.timeout:g} seconds")
        if response.length:
            raise FeedError(REACHED, f"its last {response.length} bytes are missing")
        return bytes(data)

    def _document(self, url: str, data: bytes, headers: Message) -> Document:
        body, encoding = _read(data, headers)
        at = self.now()
        return Document(
            url=url,
            body=body,
            encoding=encoding,
            content_type=str(headers.get("Content-Type", ""))[:200],
            fetched_at=datetime.fromtimestamp(at, UTC).isoformat(),
            checked_at=at,
            etag=_header(headers, "ETag"),
            last_modified=_header(headers, "Last-Modified"),
            fresh_seconds=_freshness(headers),
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
        self.folder.mkdir(parents=True, exist_ok=True)
        write_atomic(self._path(document.url), json.dumps(asdict(document)), durable=False)


def _request(url: str, kept: Document | None) -> urllib.request.Request:
    headers = {
        "User-Agent": AGENT,
        "Accept": "application/rss+xml, application/atom+xml, application/xml;q=0.9, text/xml;q=0.8, */*;q=0.1",
        "Accept-Encoding": "gzip",
    }
    if kept is not None and kept.etag:
        headers["If-None-Match"] = kept.etag
    if kept is not None and kept.last_modified:
        headers["If-Modified-Since"] = kept.last_modified
    return urllib.request.Request(url, headers=headers)  # the scheme was checked with the configuration


def _header(headers: Message, name: str) -> str:
    """A header to be sent back later: short and on one line, or none."""
    value = str(headers.get(name, ""))
    return value if len(value) <= 200 and value.isascii() and value.isprintable() else ""


def _freshness(headers: Message) -> float:
    """Seconds of Cache-Control: max-age, at most an hour: a feed of news is asked for more often than it likes."""
    for part in str(headers.get("Cache-Control", "")).lower().split(","):
        name, _, value = part.strip().partition("=")
        if name == "max-age" and value.isdigit() and len(value) < 10:
            return min(float(value), 3_600.0)
    return 0.0


def _decompress(data: bytes, headers: Message, max_bytes: int) -> bytes:
    coding = str(headers.get("Content-Encoding", "") or "identity").strip().lower()
    if coding == "identity":
        return data
    if coding not in INFLATED:
        raise FeedError(WELL, f"its coding {coding[:40]!r} was not asked for")
    unpacker = zlib.decompressobj(INFLATED[coding])
    try:
        plain = unpacker.decompress(data, max_bytes + 1)
    except zlib.error as error:
        raise FeedError(WELL, f"its {coding} coding is broken: {error}") from None
    if len(plain) > max_bytes:
        raise FeedError(SMALL, f"it unpacks to more than {max_bytes} bytes")
    if not unpacker.eof:
        raise FeedError(WELL, f"its {coding} coding is cut short")
    return plain


def _read(data: bytes, headers: Message) -> tuple[str, str]:
    """The bytes as text that turns back into the same bytes: UTF-8, the stated encoding, or one sign per byte."""
    stated = headers.get_content_charset() or "latin-1"
    for encoding in ("utf-8", stated):
        try:
            text = data.decode(encoding)
            text.encode()  # what some encodings can write, such as half a surrogate pair, cannot be stored
            if text.encode(encoding) == data:
                return text, encoding
        except (LookupError, UnicodeError, ValueError):
            continue
    return data.decode("latin-1"), "latin-1"

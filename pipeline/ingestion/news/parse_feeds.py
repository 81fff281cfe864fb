"""Reads news payloads as they came: RSS and Atom feeds, and Yahoo's news."""

from __future__ import annotations

import hashlib
import html
import json
import logging
import re
from collections.abc import Callable, Iterator, Mapping
from datetime import UTC, datetime
from email.utils import parsedate_to_datetime
from functools import partial
from typing import Any, NamedTuple
from urllib.parse import urljoin, urlsplit

import polars as pl

from pipeline.ingestion.news.bounds.declaration import end_first_line
from pipeline.ingestion.news.bounds.markup import broken_bound, plain, storable
from pipeline.ingestion.prices.yahoo_chart.symbols import our_ticker

log = logging.getLogger(__name__)
NO_FEED = "the payload is a feed"
ENTITIES = "the feed declares no entities of its own"
NO_NEWS = "the payload is Yahoo's news"
MAX_QUOTED = 2_000
"""Characters of a payload that cannot be read which are kept beside the rule."""
MAX_ENTRIES = 5_000
"""Entries read of one payload; no feed has more, and every one costs time."""
ENTITY = re.compile(r"<!ENTITY", re.IGNORECASE)
"""No feed needs entities of its own; they serve to blow a parser up or to read files through it."""
HTML_ENTITY = re.compile(r"&(?:#\d{1,7}|#[xX][0-9a-fA-F]{1,6}|[a-zA-Z][a-zA-Z0-9]{1,31});")
EPOCH = re.compile(r"[+-]?\d+(?:\.\d*)?")
IN_MILLISECONDS = 1e11
"""As seconds this lies 3,000 years ahead; a larger number counts milliseconds."""
BEGINS = re.compile(r"(?=<(?:\w+:)?(?:item|entry)[\s>])", re.IGNORECASE)
ENDS = re.compile(r"</(?:\w+:)?(?:item|entry)\s*>", re.IGNORECASE)
"""Where an article of a feed begins and ends."""
STATED = re.compile(rb"encoding\s*=\s*['\"]([^'\"]{1,40})['\"]")
CHARSET = re.compile(r"charset\s*=\s*['\"]?([\w.-]{1,40})")
SLOW_ENCODINGS = frozenset({"punycode", "idna"})
"""Their decoding takes the square of the length; nobody writes a feed in them."""
MAX_RECENT = 64
"""Payloads whose reading is remembered."""
YAHOO = "https://finance.yahoo.com/"
"""What a link without a host is relative to."""


class Entry(NamedTuple):
    """One article as text."""

    id: str | None
    published_at: str | None
    """ISO 8601, with an offset if one was stated; what cannot be read stays as it was written."""
    title: str | None
    body: str | None
    url: str | None
    tickers: str
    """Separated by blanks."""


class Fault(NamedTuple):
    """What is set aside instead of being read."""

    text: str
    rule: str


class Parsed(NamedTuple):
    """A payload as far as it can be read."""

    entries: tuple[Entry, ...]
    faults: tuple[Fault, ...] = ()


Reader = Callable[[str, Mapping[str, Any]], Parsed | None]
"""Reads a payload with its request; None for one that is nothing of the kind."""


class _Recent:
    """What was last read: two stages look at the same payloads, one for what is sound and one for what is not."""

    def __init__(self, max_kept: int) -> None:
        self._max_kept = max_kept
        self._kept: dict[bytes, Parsed | None] = {}

    def recall(self, asked: tuple[str, ...], read: Callable[[], Parsed | None]) -> Parsed | None:
        """What was read before of the same, or what reading it gives now."""
        key = hashlib.sha256(json.dumps(asked).encode()).digest()
        if key not in self._kept:
            self._kept[key] = read()
            while len(self._kept) > self._max_kept:
                self._kept.pop(next(iter(self._kept)))
        return self._kept[key]


_READ = _Recent(MAX_RECENT)


def rss(payloads: pl.DataFrame, fields: Mapping[str, str | None]) -> pl.DataFrame:
    """Decode RSS 0.9 to 2.0, RDF and Atom feeds with feedparser; a document that is no feed becomes one faulty line.

    Args:
        payloads: payload_id, request and payload; the request names the payload's `encoding`, its `content_type` and
            the `tickers` that all of the feed's articles are about.
        fields: our names of the fields wanted; an entry has id, published_at, title, body, url and tickers.

    Returns:
        payload_id, line, text (the entry as JSON), fault, and the fields, all text but line (Int64).
    """
    return _lines(payloads, fields, _try_to_read_feed, NO_FEED)


def yahoo_news(payloads: pl.DataFrame, fields: Mapping[str, str | None]) -> pl.DataFrame:
    """Decode Yahoo's news: the stream of a ticker, a list of its items, or the news beside a search's results.

    Arguments and result are those of `rss`.
    """
    return _lines(payloads, fields, _read_yahoo, NO_NEWS)


def _lines(payloads: pl.DataFrame, fields: Mapping[str, str | None], read: Reader, rule: str) -> pl.DataFrame:
    rows: list[tuple[object, ...]] = []
    for payload_id, request, payload in payloads.select("payload_id", "request", "payload").iter_rows():
        asked = (rule, request, payload)
        read_of = _READ.recall(asked, partial(read, payload, _request(request)))
        entries, faults = ((), (Fault(payload, rule),)) if read_of is None else read_of
        for line, entry in enumerate(entries[:MAX_ENTRIES]):
            parsed = entry._asdict()
            rows.append((payload_id, line, json.dumps(parsed), None, *(parsed.get(field) for field in fields)))
        for line, fault in enumerate(faults[:MAX_ENTRIES], len(entries[:MAX_ENTRIES])):
            rows.append((payload_id, line, fault.text[:MAX_QUOTED], fault.rule, *(None for _ in fields)))
    schema = {"payload_id": pl.String, "line": pl.Int64, "text": pl.String, "fault": pl.String}
    return pl.DataFrame(rows, schema={**schema, **dict.fromkeys(fields, pl.String)}, orient="row")


def _request(text: str) -> dict[str, Any]:
    try:
        stated = json.loads(text)
    except ValueError:
        return {}
    return stated if isinstance(stated, dict) else {}


# ---- feeds


def _try_to_read_feed(payload: str, request: Mapping[str, Any]) -> Parsed | None:
    """Read a feed; what the parser stumbles over is none, and holds up nobody else's news."""
    try:
        return _read_feed(payload, request)
    except MemoryError:
        raise
    except Exception as error:  # a parser of what anybody may write raises anything
        log.warning("a feed cannot be read: %s: %s", type(error).__name__, str(error)[:200])
        return None


def _read_feed(payload: str, request: Mapping[str, Any]) -> Parsed | None:
    """Look at the document as the parser will decode it, leave out what might stall it, and parse the rest."""
    import feedparser

    try:
        data = payload.encode(str(request.get("encoding") or "utf-8"))
    except (LookupError, UnicodeEncodeError):
        data = payload.encode()
    data = end_first_line(data)
    # Bytes only: a text would be taken for an address or a file to open.
    headers = {"content-type": str(request.get("content_type") or "application/xml")}
    decoded = _decode_as_parsed(data, headers)
    if decoded is None or ENTITY.search(decoded.replace("\0", "")):
        return Parsed((), (Fault(payload, NO_FEED if decoded is None else ENTITIES),))
    head, *pieces = BEGINS.split(decoded)
    if broken := broken_bound(head):
        return Parsed((), (Fault(payload, broken),))
    judged = [(piece, _broken_piece(piece)) for piece in pieces[:MAX_ENTRIES]]
    if len(pieces) > MAX_ENTRIES or any(rule for _, rule in judged):
        kept = "".join(_after(piece) if rule else piece for piece, rule in judged)
        kept += _after(pieces[-1]) if len(pieces) > MAX_ENTRIES else ""
        data, headers = (head + kept).encode(), {"content-type": "application/xml; charset=utf-8"}
    found = feedparser.parse(data, response_headers=headers, resolve_relative_uris=False)
    faults = tuple(Fault(piece, rule) for piece, rule in judged if rule)
    if not found.get("version") and not found.entries and not faults:
        return None
    stated = str(request.get("tickers") or "")
    return Parsed(tuple(_feed_entry(entry, stated) for entry in found.entries), faults)


def _decode_as_parsed(data: bytes, headers: Mapping[str, str]) -> str | None:
    """The text that feedparser will see; None for an encoding whose decoding takes for ever."""
    from feedparser.encodings import convert_to_utf8

    stated = {match.decode("ascii", "replace") for match in STATED.findall(data[:1_000])}
    stated |= set(CHARSET.findall(headers["content-type"]))
    if any(name.strip().lower().replace("-", "_") in SLOW_ENCODINGS for name in stated):
        return None
    converted: bytes = convert_to_utf8(dict(headers), data, {})
    return converted.decode("utf-8", "replace")


def _broken_piece(piece: str) -> str:
    """The rule that an article breaks as it stands, or once its escaped markup is markup."""
    once = html.unescape(piece)
    return broken_bound(piece) or broken_bound(once) or broken_bound(html.unescape(once))


def _after(piece: str) -> str:
    """What follows an article that is left out; nothing where that breaks a bound itself."""
    ends = list(ENDS.finditer(piece))
    rest = piece[ends[-1].end() :] if ends else ""
    return "" if broken_bound(rest) else rest


def _feed_entry(entry: Any, tickers: str) -> Entry:
    content = entry.get("content")
    body = entry.get("summary") or (content[0].get("value") if content else None)
    return Entry(
        id=storable(entry.get("id")),
        published_at=storable(_last_time(entry)),
        title=plain(entry.get("title")),
        body=plain(body),
        url=storable(entry.get("link")),
        tickers=tickers,
    )


def _last_time(entry: Any) -> str | None:
    """When the words we read were public: a later update counts, for nobody knows what it changed."""
    stated = [str(dict.get(entry, name)) for name in ("published", "updated") if dict.get(entry, name)]
    read = [(instant, text) for text in stated if (instant := _instant(text)) is not None]
    if not stated or len(read) < len(stated):
        return _naive_or_verbatim(stated[0]) if stated else None
    return max(read)[0].isoformat()


def _instant(text: str) -> datetime | None:
    """An RFC 822 or ISO 8601 time as UTC; None without an offset, or where it cannot be read."""
    found = _time(text)
    return found.astimezone(UTC) if found is not None and found.tzinfo is not None else None


def _naive_or_verbatim(text: str) -> str:
    """A time without an offset as ISO 8601, so that the rule it breaks is named; else the text as it was."""
    found = _time(text)
    return found.replace(tzinfo=None).isoformat(sep="T") if found is not None and found.tzinfo is None else text


def _time(text: str) -> datetime | None:
    for reader in (parsedate_to_datetime, datetime.fromisoformat):
        try:
            found = reader(text.strip())
            found.astimezone(UTC) if found.tzinfo else None  # the year 1 has no earlier day
        except (ValueError, TypeError, IndexError, OverflowError):
            continue
        return found
    return None


# ---- Yahoo


def _read_yahoo(payload: str, request: Mapping[str, Any]) -> Parsed | None:
    try:
        parsed = json.loads(payload)
    except (ValueError, RecursionError):
        return None
    items = _yahoo_items(parsed)
    if items is None:
        return None
    judged = [(item, _broken_item(item)) for item in items if not item.get("ad")]
    entries = tuple(_yahoo_entry(item, request) for item, rule in judged if not rule)
    return Parsed(entries, tuple(Fault(json.dumps(item), rule) for item, rule in judged if rule))


def _broken_item(item: Mapping[str, Any]) -> str:
    content = item.get("content") if isinstance(item.get("content"), dict) else item
    assert isinstance(content, dict)
    texts = [text for text in (content.get("title"), content.get("summary")) if isinstance(text, str)]
    return next((rule for text in texts if (rule := broken_bound(text))), "")


def _yahoo_items(parsed: Any) -> list[dict[str, Any]] | None:
    for path in (("data", "tickerStream", "stream"), ("news",), ()):
        found = parsed
        for name in path:
            found = found.get(name) if isinstance(found, dict) else None
        if isinstance(found, list):
            return [item for item in found if isinstance(item, dict)]
    return None


def _yahoo_entry(item: Mapping[str, Any], request: Mapping[str, Any]) -> Entry:
    content = item.get("content") if isinstance(item.get("content"), dict) else item
    assert isinstance(content, dict)
    named = {our_ticker(symbol, str(request.get("exchange") or "")) for symbol in _yahoo_symbols(item, content)}
    return Entry(
        id=storable(item.get("id") or item.get("uuid") or content.get("id")),
        published_at=_yahoo_time(content),
        title=_unescape(content.get("title")),
        body=_unescape(content.get("summary")),
        url=_yahoo_url(content),
        tickers=" ".join(sorted(named)) or str(request.get("tickers") or ""),
    )


def _unescape(text: object) -> str | None:
    """Text without HTML; Yahoo writes some signs as entities, whether or not there is a tag beside them."""
    plainly = plain(text)
    return plainly if plainly is None or text != plainly else storable(HTML_ENTITY.sub(_entity, plainly))


def _entity(match: re.Match[str]) -> str:
    return html.unescape(match.group())


def _yahoo_time(content: Mapping[str, Any]) -> str | None:
    """When the words we read were public, as ISO 8601: the publication, or the later moment they were shown.

    A search states seconds since 1970, as a number or as digits. What cannot be read stays as it was written.
    """
    published = content.get("pubDate", content.get("providerPublishTime"))
    stated = _yahoo_instant(published)
    shown = _yahoo_instant(content.get("displayTime"))
    if stated is None:
        return storable(published if isinstance(published, str) else None if published is None else str(published))
    return (stated if shown is None else max(stated, shown)).isoformat()


def _yahoo_instant(stated: object) -> datetime | None:
    if isinstance(stated, str) and not EPOCH.fullmatch(stated.strip()):
        return _instant(stated)
    if isinstance(stated, bool) or not isinstance(stated, (str, int, float)):
        return None
    try:
        seconds = float(stated)
        return datetime.fromtimestamp(seconds / 1_000 if seconds >= IN_MILLISECONDS else seconds, UTC)
    except (OverflowError, OSError, ValueError):
        return None


def _yahoo_symbols(item: Mapping[str, Any], content: Mapping[str, Any]) -> Iterator[str]:
    finance = content.get("finance")
    listed = finance.get("stockTickers") if isinstance(finance, dict) else item.get("relatedTickers")
    for one in listed if isinstance(listed, list) else ():
        symbol = one.get("symbol") if isinstance(one, dict) else one
        if isinstance(symbol, str) and symbol.isascii() and symbol.strip():
            yield symbol.replace(" ", "")


def _yahoo_url(content: Mapping[str, Any]) -> str | None:
    """The article's address, absolute, if it is one of the web."""
    links = [content.get(name) for name in ("canonicalUrl", "clickThroughUrl")]
    stated = [link.get("url") for link in links if isinstance(link, dict)] + [content.get("link")]
    for link in stated:
        if isinstance(link, str) and link.strip():
            try:
                whole = urljoin(YAHOO, link.strip())
            except ValueError:  # such as an address with half a bracket
                continue
            if urlsplit(whole).scheme in ("http", "https"):
                return storable(whole)
    return None

"""A server on this machine that speaks Yahoo's endpoints: recorded exchanges, generated charts and faults."""

from __future__ import annotations

import json
import threading
from collections.abc import Callable, Iterator, Mapping
from contextlib import contextmanager
from dataclasses import dataclass, field
from http.server import BaseHTTPRequestHandler, ThreadingHTTPServer
from pathlib import Path
from typing import Any
from urllib.parse import parse_qs, unquote, urlsplit

CHART = "/v8/finance/chart/"
SCREENER = "/v1/finance/screener"
CRUMB = "/v1/test/getcrumb"
STREAM, SEARCH = "/xhr/ncp", "/v1/finance/search"


@dataclass(frozen=True)
class Answer:
    """What the server says to one request."""

    body: str
    status: int = 200
    content_type: str = "application/json;charset=utf-8"


@dataclass(frozen=True)
class Asked:
    """One request, as it came in."""

    path: str
    query: Mapping[str, str]
    host: str
    """The host it was meant for."""
    body: str = ""
    """What was posted."""


LIMITED = Answer("Too Many Requests\r\n", 429, "text/plain")
IN_TROUBLE = Answer("<html><body>Service Unavailable</body></html>", 503, "text/html")


def not_found(symbol: str) -> Answer:
    """Yahoo's answer about a symbol that it does not know."""
    error = {"code": "Not Found", "description": f"No data found, symbol may be delisted: {symbol}"}
    return Answer(json.dumps({"chart": {"result": None, "error": error}}), 404)


@dataclass
class Yahoo:
    """What the server knows; tests change it while it runs."""

    charts: dict[str, Answer | Callable[[Asked], Answer]] = field(default_factory=dict)
    """Symbol -> answer, or what makes one of a request."""
    screeners: dict[str, Answer] = field(default_factory=dict)
    streams: dict[str, Answer] = field(default_factory=dict)
    """Symbol -> its stream of news; a symbol without one has an empty stream."""
    searches: dict[str, Answer] = field(default_factory=dict)
    """What is searched for -> answer; a search without one finds nothing."""
    faults: list[Answer] = field(default_factory=list)
    """Taken one by one, before anything else, by requests for charts."""
    news_faults: list[Answer] = field(default_factory=list)
    """The same for requests for news."""
    asked: list[Asked] = field(default_factory=list)
    base_url: str = ""
    on_chart: Callable[[str], None] | None = None
    """Told each symbol a chart is asked of, before it is answered."""
    _lock: threading.Lock = field(default_factory=threading.Lock)

    @property
    def symbols(self) -> list[str]:
        """The symbols charts were asked of, in order."""
        return [unquote(one.path.removeprefix(CHART)) for one in self.asked if one.path.startswith(CHART)]

    def answer(self, asked: Asked) -> Answer:
        """What the server says."""
        with self._lock:
            self.asked.append(asked)
            if asked.path.startswith(CHART):
                return self._chart(asked, unquote(asked.path.removeprefix(CHART)))
        if asked.path in (STREAM, SEARCH):
            return self._news(asked)
        if asked.path.startswith(SCREENER):
            return self.screeners.get(asked.query.get("scrIds", ""), Answer("{}", 404))
        if asked.path == CRUMB:
            return Answer("a.crumb", content_type="text/plain")
        return Answer("", content_type="text/html")

    @property
    def news_of(self) -> list[str]:
        """The symbols news was asked of, in order."""
        return [_newsworthy(one) for one in self.asked if one.path in (STREAM, SEARCH)]

    def _news(self, asked: Asked) -> Answer:
        if self.news_faults:
            return self.news_faults.pop(0)
        if asked.path == SEARCH:
            return self.searches.get(_newsworthy(asked), Answer(json.dumps({"quotes": [], "news": []})))
        return self.streams.get(_newsworthy(asked), stream())

    def _chart(self, asked: Asked, symbol: str) -> Answer:
        if self.on_chart is not None:
            self.on_chart(symbol)
        if self.faults:
            return self.faults.pop(0)
        known = self.charts.get(symbol)
        if known is None:
            return not_found(symbol)
        return known if isinstance(known, Answer) else known(asked)


def _newsworthy(asked: Asked) -> str:
    """The symbol that a request for news is about."""
    if asked.path == SEARCH:
        return asked.query.get("q", "")
    return str(json.loads(asked.body)["serviceConfig"]["s"][0])


def stream(*items: Mapping[str, Any]) -> Answer:
    """A stream of these items."""
    return Answer(json.dumps({"data": {"tickerStream": {"stream": list(items)}}, "status": "OK"}))


def story(
    title: str = "Alpha opens a plant", published: Any = "2024-03-15T15:00:00Z", **content: Any
) -> dict[str, Any]:
    """One item of a stream, as Yahoo builds it."""
    usual = {
        "id": "0001-story",
        "contentType": "STORY",
        "title": title,
        "summary": "It employs two hundred people.",
        "pubDate": published,
        "provider": {"displayName": "Wire", "url": "https://wire.example/"},
        "canonicalUrl": {"url": "https://finance.yahoo.com/news/a-0001.html", "site": "finance", "lang": "en-US"},
        "clickThroughUrl": None,
        "finance": {"premiumFinance": {"isPremiumNews": False}},
    }
    return {"id": "0001-story", "content": {**usual, **content}}


class _Server(ThreadingHTTPServer):
    daemon_threads = True

    def handle_error(self, *_: Any) -> None:
        """A client that was killed breaks its connection: that is what some tests are about."""


@contextmanager
def serving(yahoo: Yahoo | None = None) -> Iterator[Yahoo]:
    """Run a server until the end of the block."""
    yahoo = yahoo or Yahoo()

    class Handler(BaseHTTPRequestHandler):
        protocol_version = "HTTP/1.1"

        def do_GET(self) -> None:
            parts = urlsplit(self.path)
            query = {name: values[0] for name, values in parse_qs(parts.query).items()}
            host = self.headers.get("X-Forwarded-Host", "")
            body = self.rfile.read(int(self.headers.get("Content-Length", 0))).decode()
            self._say(yahoo.answer(Asked(parts.path, query, host, body)))

        def do_POST(self) -> None:
            self.do_GET()

        def _say(self, answer: Answer) -> None:
            body = answer.body.encode()
            self.send_response(answer.status)
            self.send_header("Content-Type", answer.content_type)
            self.send_header("Content-Length", str(len(body)))
            self.end_headers()
            self.wfile.write(body)

        def log_message(self, *_: Any) -> None:
            """A test's output is its own."""

    server = _Server(("127.0.0.1", 0), Handler)
    thread = threading.Thread(target=server.serve_forever, kwargs={"poll_interval": 0.02}, daemon=True)
    thread.start()
    yahoo.base_url = f"http://127.0.0.1:{server.server_port}"
    try:
        yield yahoo
    finally:
        server.shutdown()
        server.server_close()
        thread.join()


@dataclass(frozen=True)
class Recording:
    """A recorded exchange."""

    path: Path
    symbol: str
    interval: str
    period: tuple[int, int]
    """Epoch seconds asked for: from, and up to but without."""
    answer: Answer
    chart: Mapping[str, Any]
    """The JSON under `chart`; empty where the body is none."""

    @property
    def broken(self) -> bool:
        """Whether it was broken on purpose."""
        return ".fake" in self.path.name

    @property
    def result(self) -> Mapping[str, Any]:
        """The one result; empty where there is none."""
        results = self.chart.get("result") or [{}]
        return results[0] or {}


def recorded_charts(folder: Path) -> list[Recording]:
    """Every recorded exchange about a chart below the folder, by path."""
    found = []
    for path in sorted(folder.rglob("*.json")):
        exchange = json.loads(path.read_text(encoding="utf-8"))
        parts = urlsplit(exchange.get("request", {}).get("url", ""))
        if not parts.path.startswith(CHART):
            continue
        query = {name: values[0] for name, values in parse_qs(parts.query).items()}
        response = exchange["response"]
        said = response.get("bodyJson")
        body = json.dumps(said) if said is not None else str(response.get("body") or "")
        found.append(
            Recording(
                path=path,
                symbol=unquote(parts.path.removeprefix(CHART)),
                interval=query.get("interval", "1d"),
                period=(int(query.get("period1", 0)), int(query.get("period2", 0))),
                answer=Answer(body, int(response.get("status", 200))),
                chart=(said or {}).get("chart") or {},
            )
        )
    return found


def recorded_searches(folder: Path) -> dict[str, Answer]:
    """What was searched for -> answer, of every recorded search below the folder."""
    found = {}
    for path in sorted(folder.rglob("*.json")):
        exchange = json.loads(path.read_text(encoding="utf-8"))
        parts = urlsplit(exchange.get("request", {}).get("url", ""))
        said = exchange.get("response", {}).get("bodyJson")
        if parts.path == SEARCH and said is not None:
            body = json.dumps(said)
            found[parse_qs(parts.query)["q"][0]] = Answer(body, int(exchange["response"].get("status", 200)))
    return found


def chart(
    symbol: str,
    stamps: list[int],
    quotes: Mapping[str, list[float | int | None]],
    *,
    adjusted: list[float | None] | None = None,
    splits: Mapping[int, tuple[int, int]] | None = None,
    dividends: Mapping[int, float] | None = None,
    gains: Mapping[int, float] | None = None,
    **meta: Any,
) -> Answer:
    """A chart's answer, its meta filled in where a test does not care."""
    usual = {
        "currency": "USD",
        "symbol": symbol,
        "exchangeName": "NMS",
        "instrumentType": "EQUITY",
        "firstTradeDate": 345479400,
        "regularMarketTime": (stamps or [0])[-1] + 23_400,
        "exchangeTimezoneName": "America/New_York",
        "timezone": "EST",
        "gmtoffset": -18000,
        "longName": f"{symbol} Inc.",
        "priceHint": 2,
        "dataGranularity": "1d",
        "validRanges": ["1d", "5d", "max"],
    }
    events: dict[str, Any] = {}
    if splits:
        events["splits"] = {
            str(stamp): {"date": stamp, "numerator": new, "denominator": old, "splitRatio": f"{new}:{old}"}
            for stamp, (new, old) in splits.items()
        }
    if dividends:
        events["dividends"] = {str(stamp): {"date": stamp, "amount": amount} for stamp, amount in dividends.items()}
    if gains:
        events["capitalGains"] = {str(stamp): {"date": stamp, "amount": amount} for stamp, amount in gains.items()}
    indicators: dict[str, Any] = {"quote": [dict(quotes)]}
    if adjusted is not None:
        indicators["adjclose"] = [{"adjclose": adjusted}]
    result: dict[str, Any] = {"meta": usual | meta, "timestamp": stamps, "indicators": indicators}
    if events:
        result["events"] = events
    return Answer(json.dumps({"chart": {"result": [result], "error": None}}))

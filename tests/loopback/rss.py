"""A server on this machine that holds feeds, with the caching and the faults of real ones."""

from __future__ import annotations

import gzip
import threading
import time
from collections.abc import Iterator, Mapping
from contextlib import contextmanager
from dataclasses import dataclass, field
from email.utils import format_datetime
from html import escape
from http.server import BaseHTTPRequestHandler, ThreadingHTTPServer
from typing import Any

from tests.frames.news import NOON

PUBLISHED = format_datetime(NOON)


def item(title: str = "Alpha opens a plant", published: str | None = PUBLISHED, **values: str) -> str:
    """One item of an RSS feed."""
    parts = {"title": escape(title), "link": "https://news.example/1", "guid": "1"} | values
    parts |= {"pubDate": published} if published is not None else {}
    return "<item>" + "".join(f"<{name}>{value}</{name}>" for name, value in parts.items()) + "</item>"


def feed(*items: str, head: str = '<?xml version="1.0" encoding="utf-8"?>') -> str:
    """An RSS 2.0 document."""
    return f'{head}<rss version="2.0"><channel><title>News</title>{"".join(items)}</channel></rss>'


@dataclass(frozen=True)
class Page:
    """What an address answers."""

    body: bytes
    status: int = 200
    headers: Mapping[str, str] = field(default_factory=dict)
    etag: str = ""
    drip: float = 0.0
    """Seconds between the single bytes of the body."""
    zipped: bool = False


@dataclass
class Site:
    """What the server holds; tests change it while it runs."""

    pages: dict[str, Page] = field(default_factory=dict)
    asked: list[tuple[str, Mapping[str, str]]] = field(default_factory=list)
    """Path and headers of each request."""
    base_url: str = ""


@contextmanager
def serving() -> Iterator[Site]:
    """Run a server until the end of the block."""
    site = Site()

    class Handler(BaseHTTPRequestHandler):
        def do_GET(self) -> None:
            headers = {name.lower(): value for name, value in self.headers.items()}
            site.asked.append((self.path, headers))
            page = site.pages.get(self.path, Page(b"gone", 404))
            if page.etag and headers.get("if-none-match") == page.etag:
                page = Page(b"", 304)
            try:
                self._say(page)
            except OSError:
                self.close_connection = True  # the client has gone

        def _say(self, page: Page) -> None:
            body = gzip.compress(page.body) if page.zipped else page.body
            self.send_response(page.status)
            headers = {"Content-Type": "application/rss+xml", **page.headers}
            headers |= {"ETag": page.etag} if page.etag else {}
            headers |= {"Content-Encoding": "gzip"} if page.zipped else {}
            for name, value in headers.items():
                self.send_header(name, value)
            self.end_headers()
            if not page.drip:
                self.wfile.write(body)
                return
            for number in range(len(body)):
                self.wfile.write(body[number : number + 1])
                time.sleep(page.drip)

        def log_message(self, *_: Any) -> None:
            """A test's output is its own."""

    server = ThreadingHTTPServer(("127.0.0.1", 0), Handler)
    server.daemon_threads = True
    thread = threading.Thread(target=server.serve_forever, kwargs={"poll_interval": 0.02}, daemon=True)
    thread.start()
    site.base_url = f"http://127.0.0.1:{server.server_port}"
    try:
        yield site
    finally:
        server.shutdown()
        server.server_close()
        thread.join()

"""A web server on this machine that is posted to: it takes, refuses or drops, and keeps what it took."""

from __future__ import annotations

import threading
from collections.abc import Callable, Iterator
from contextlib import contextmanager
from dataclasses import dataclass, field
from http.server import BaseHTTPRequestHandler, ThreadingHTTPServer
from typing import Any


@dataclass
class Hook:
    """A server, and what it was posted."""

    port: int = 0
    paths: list[str] = field(default_factory=list)
    headers: list[dict[str, str]] = field(default_factory=list)
    taken: list[str] = field(default_factory=list)
    """The bodies it accepted."""
    answer: Callable[[], str] = lambda: "take"
    """What becomes of the next post: take, refuse (503), drop (taken, but the connection ends without an answer)."""

    @property
    def url(self) -> str:
        """Its address, without a slash at the end."""
        return f"http://127.0.0.1:{self.port}"


@contextmanager
def posted_to(hook: Hook) -> Iterator[Hook]:
    """Serve for the block, on a port of its own."""

    class Handler(BaseHTTPRequestHandler):
        def do_POST(self) -> None:
            body = self.rfile.read(int(self.headers["content-length"])).decode()
            hook.paths.append(self.path)
            hook.headers.append({name.lower(): value for name, value in self.headers.items()})
            fate = hook.answer()
            if fate != "refuse":
                hook.taken.append(body)
            if fate != "drop":
                self.send_response(503 if fate == "refuse" else 204)
                self.send_header("Content-Length", "0")
                self.end_headers()
            self.close_connection = True

        def log_message(self, *_arguments: Any) -> None:
            """Say nothing."""

    server = ThreadingHTTPServer(("127.0.0.1", hook.port), Handler)
    hook.port = server.server_port
    threading.Thread(target=server.serve_forever, kwargs={"poll_interval": 0.05}, daemon=True).start()
    try:
        yield hook
    finally:
        server.shutdown()
        server.server_close()

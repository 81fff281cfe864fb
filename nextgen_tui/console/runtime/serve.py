"""The console in a browser on this machine: on loopback only, and open only to who has the address that was printed."""

from __future__ import annotations

import hmac
import os
import shlex
import threading
from collections.abc import Callable, Sequence
from pathlib import Path
from secrets import token_urlsafe
from typing import Any

from aiohttp import web
from aiohttp.typedefs import Handler
from textual_serve.server import Server

from nextgen_tui.cli import exit_codes
from nextgen_tui.console.runtime.lifeline import SECONDS_TO_LEAVE
from pipeline.engine.child_command import python_command

HOST = "127.0.0.1"
COOKIE = "nextgen-console"
FOCUS = """<script>
  const focusing = setInterval(() => {
    const keys = document.querySelector(".xterm-helper-textarea");
    if (keys) { keys.focus(); }
    if (keys && document.activeElement === keys) { clearInterval(focusing); }
  }, 100);
</script>"""
"""Gives the terminal in the page the keys as soon as it is there: without it they do nothing until a click."""
REFUSED = "This is not the address that `nextgen console --web` printed."


class ConsoleServer(Server):
    """Serves one console per page; every visitor needs the key once, and then has it as a cookie."""

    def __init__(self, lake: Path, port: int, options: Sequence[str], say: Callable[[str], None]) -> None:
        command = python_command("nextgen_tui.cli.main", "console", "--lake", lake, *options)
        super().__init__(shlex.join(command), host=HOST, port=port, title="nextgen")
        self._key = token_urlsafe(24)
        self._say = say

    @property
    def address(self) -> str:
        """Where the console is found, with the key."""
        return f"{self.public_url}/?key={self._key}"

    async def on_shutdown(self, _app: web.Application) -> None:
        """End soon: a browser that does not answer is not waited for. The consoles end with their pipes."""
        end = threading.Timer(SECONDS_TO_LEAVE, os._exit, (exit_codes.DONE,))
        end.daemon = True
        end.start()

    async def on_startup(self, _app: web.Application) -> None:
        """Say where."""
        self._say(f"The console is at {self.address}")
        self._say("It can be reached from this machine only; ctrl+c stops it.")

    async def _make_app(self) -> web.Application:
        app = await super()._make_app()
        app.middlewares.append(self._guard)
        return app

    @web.middleware
    async def _guard(self, request: web.Request, handler: Handler) -> web.StreamResponse:
        """Refuse other names for this machine, pages of other origins, and whoever has no key."""
        given = request.query.get("key", "") or request.cookies.get(COOKIE, "")
        if not _ours(request, self.port) or not hmac.compare_digest(given.encode(), self._key.encode()):
            raise web.HTTPForbidden(text=REFUSED)
        answer = await handler(request)
        if isinstance(answer, web.Response) and answer.content_type == "text/html" and answer.text:
            answer.text = answer.text.replace("</body>", f"{FOCUS}</body>")
        if not answer.prepared:
            answer.set_cookie(COOKIE, self._key, httponly=True, samesite="Strict")
            answer.headers.update(_headers(self.port))
        return answer


def _ours(request: web.Request, port: int) -> bool:
    """Whether the request was made for this machine by name, and by our own page."""
    names = {f"{HOST}:{port}", f"localhost:{port}"}
    origin = request.headers.get("Origin")
    return request.host in names and (origin is None or origin in {f"http://{name}" for name in names})


def _headers(port: int) -> dict[str, str]:
    """The page loads nothing from elsewhere and is shown in no other page; its address, with the key, goes nowhere."""
    own = f"'self' http://{HOST}:{port}"
    policy = {
        "default-src": own,
        "script-src": f"{own} 'unsafe-inline'",
        "style-src": f"{own} 'unsafe-inline'",
        "img-src": f"{own} data:",
        "connect-src": f"{own} ws://{HOST}:{port}",
        "frame-ancestors": "'none'",
    }
    return {
        "Content-Security-Policy": "; ".join(f"{name} {value}" for name, value in policy.items()),
        "Referrer-Policy": "no-referrer",
        "X-Content-Type-Options": "nosniff",
        "Cache-Control": "no-store",
    }


def serve(lake: Path, port: int, options: Sequence[str], say: Callable[[str], None]) -> None:
    """Serve the console until the operator ends it.

    Raises:
        OSError: if the port is taken.
    """
    server = ConsoleServer(lake, port, options, say)
    silent: Any = None
    web.run_app(server._make_app(), host=HOST, port=port, print=silent, access_log=None, shutdown_timeout=0.3)

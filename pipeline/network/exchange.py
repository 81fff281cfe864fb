"""One request and its answer, redirects included: within one deadline and one size, before unpacking and after."""

from __future__ import annotations

import asyncio
import os
import zlib
from collections.abc import Awaitable, Callable, Collection, Mapping
from dataclasses import dataclass, field

import httpx2

from pipeline.config.home import PROXY_VARIABLE
from pipeline.network.addresses import Origin
from pipeline.network.connect import CheckedTransport
from pipeline.network.errors import NetworkError

MAX_REDIRECTS = 5
UNPACKED = {"gzip": 31, "x-gzip": 31, "deflate": 15}
"""Content coding -> window bits for zlib; other codings are not offered and are refused."""
Trace = Callable[[str, Mapping[str, object]], Awaitable[None]]
"""Told of each step of an exchange, as the library names it."""
WORDS = 300
"""Characters of a foreign text that an error repeats."""


@dataclass(frozen=True, kw_only=True)
class HttpRequest:
    """What is asked of whom."""

    url: str
    method: str = "GET"
    headers: Mapping[str, str] = field(default_factory=dict)
    """Sent as they are, besides Host, Accept-Encoding and Content-Length; nothing else is."""
    content: bytes = b""
    configured: Collection[Origin] = ()
    """Hosts and ports the operator named, the URL's own among them: they may be at private addresses."""
    follow: bool = True
    """Whether redirects are followed, at most five, never from https to http."""


@dataclass(frozen=True, kw_only=True)
class Answer:
    """A complete answer."""

    url: str
    """Where it came from in the end."""
    status: int
    headers: Mapping[str, str]
    """By name in small letters."""
    body: bytes
    """Unpacked."""
    charset: str | None
    """The encoding that the answer states."""


def exchange(
    request: HttpRequest, *, seconds: float, max_bytes: int, begin: Callable[[], None] | None = None
) -> Answer:
    """Send a request and return the answer, whatever its status.

    Args:
        request: what is sent.
        seconds: for everything: names, connections, redirects, headers and the last byte.
        max_bytes: of the body, as it comes and unpacked.
        begin: called before the first byte of the request goes out, once there is a connection to send it by.

    Raises:
        NetworkError: if there is no complete answer within the bounds.
    """
    return asyncio.run(_within(request, seconds, max_bytes, begin))


async def _within(
    request: HttpRequest, seconds: float, max_bytes: int, begin: Callable[[], None] | None = None
) -> Answer:
    began: list[str] = []

    async def notice(event: str, _details: Mapping[str, object]) -> None:
        if event.endswith("send_request_headers.started"):
            if begin and not began:
                begin()
            began.append(event)

    try:
        opened = open_client(request.configured, seconds, max_bytes=max_bytes, only=request.headers)
        async with asyncio.timeout(seconds), opened as client:
            return await _follow(client, request, max_bytes, notice)
    except NetworkError as error:
        error.sent = bool(began)
        raise
    except TimeoutError:
        words = f"there is no complete answer after {seconds:g} seconds"
        raise NetworkError("unreachable", words, sent=bool(began)) from None
    except (httpx2.HTTPError, httpx2.InvalidURL, OSError, ValueError) as error:
        words = f"{type(error).__name__}: {error}"[:WORDS]
        raise NetworkError("unreachable", words, sent=bool(began)) from None


def open_client(
    configured: Collection[Origin],
    seconds: float,
    *,
    max_bytes: int,
    only: Collection[str],
    direct: bool = False,
    packed: bool = True,
) -> httpx2.AsyncClient:
    """A client that takes nothing from the environment but NEXTGEN_PROXY, and follows no redirect by itself.

    Args:
        configured: hosts and ports the operator named.
        seconds: for each single step of an exchange; the whole is bounded by the caller.
        max_bytes: of a body, as it comes.
        only: headers that may be sent, besides those that HTTP needs.
        direct: never through the proxy.
        packed: whether a body may come compressed; unpacking it within bounds is the caller's.
    """
    proxy = "" if direct else os.environ.get(PROXY_VARIABLE, "").strip()

    async def refuse_packed(response: httpx2.Response) -> None:
        if not packed and response.headers.get("content-encoding", "identity") != "identity":
            raise NetworkError("broken", "it comes compressed, which was not asked for")

    return httpx2.AsyncClient(
        transport=CheckedTransport(configured, max_bytes, only, proxy),
        trust_env=False,
        timeout=seconds,
        headers={"Accept-Encoding": "gzip" if packed else "identity"},
        event_hooks={"response": [refuse_packed]},
    )


async def _follow(client: httpx2.AsyncClient, request: HttpRequest, max_bytes: int, notice: Trace) -> Answer:
    url = httpx2.URL(request.url)
    for _ in range(MAX_REDIRECTS + 1):
        built = client.build_request(
            request.method,
            url,
            headers=dict(request.headers),
            content=request.content or None,
            extensions={"trace": notice},
        )
        response = await client.send(built, stream=True)
        try:
            if not (request.follow and response.has_redirect_location):
                return await _answer(response, max_bytes)
            url = _target(url, response.headers["location"])
        finally:
            await response.aclose()
    raise NetworkError("refused", f"it redirects more than {MAX_REDIRECTS} times")


def _target(url: httpx2.URL, location: str) -> httpx2.URL:
    to = url.join(location)
    downgrade = url.scheme == "https" and to.scheme == "http"
    if to.scheme not in ("http", "https") or downgrade or to.userinfo or not to.host:
        raise NetworkError("refused", f"it redirects to {location[:WORDS]!r}, which is not followed")
    return to


async def _answer(response: httpx2.Response, max_bytes: int) -> Answer:
    data = b"".join([part async for part in response.aiter_raw()])
    coding = response.headers.get("content-encoding", "") or "identity"
    return Answer(
        url=str(response.url),
        status=response.status_code,
        headers={name.lower(): value for name, value in response.headers.items()},
        body=_unpack(data, coding.strip().lower(), max_bytes),
        charset=response.charset_encoding,
    )


def _unpack(data: bytes, coding: str, max_bytes: int) -> bytes:
    if coding == "identity" or not data:
        return data
    if coding not in UNPACKED:
        raise NetworkError("broken", f"its coding {coding[:40]!r} was not asked for")
    unpacker = zlib.decompressobj(UNPACKED[coding])
    try:
        plain = unpacker.decompress(data, max_bytes + 1)
    except zlib.error as error:
        raise NetworkError("broken", f"its {coding} coding is broken: {error}") from None
    if len(plain) > max_bytes:
        raise NetworkError("too_large", f"it unpacks to more than {max_bytes} bytes")
    if not unpacker.eof:
        raise NetworkError("broken", f"its {coding} coding is cut short")
    return plain

"""Connects to hosts: looks a name up once, checks each address, and connects to the very address it checked."""

from __future__ import annotations

import asyncio
import socket
import ssl
import threading
from collections.abc import AsyncIterator, Collection, Iterable
from functools import lru_cache
from ipaddress import ip_address
from pathlib import Path
from typing import Any

import httpcore2
import httpx2

from pipeline.network.addresses import Address, Origin, origin_of, parse_address, plain_host, refusal
from pipeline.network.errors import NetworkError

CONNECTIONS = 64
NEEDED = frozenset({"host", "accept-encoding", "content-length", "transfer-encoding"})
"""Headers without which HTTP does not work."""


class CheckedConnections(httpcore2.AsyncNetworkBackend):
    """Opens connections to no address that `refusal` speaks against."""

    def __init__(self, configured: Collection[Origin]) -> None:
        self._configured = frozenset(configured)
        self._plain = httpcore2.AnyIOBackend()

    async def connect_tcp(
        self,
        host: str,
        port: int,
        timeout: float | None = None,
        local_address: str | None = None,
        socket_options: Iterable[Any] | None = None,
    ) -> httpcore2.AsyncNetworkStream:
        """Connect to the first address of a host that answers; each is waited for its share of the time.

        Raises:
            NetworkError: if the name has no address, or an address is one that may not be connected to.
            httpcore2.ConnectError: if none answers.
        """
        addresses = await look_up(host, port)
        for address in addresses:
            if reason := refusal((plain_host(host), port), address, self._configured):
                raise NetworkError("refused", reason)
        share = None if timeout is None else timeout / len(addresses)
        for number, address in enumerate(addresses, 1):
            try:
                return await self._plain.connect_tcp(str(address), port, share, local_address, socket_options)
            except (httpcore2.ConnectError, httpcore2.ConnectTimeout):
                if number == len(addresses):
                    raise
        raise NetworkError("unreachable", f"{host} has no address")

    async def sleep(self, seconds: float) -> None:
        """Wait."""
        await asyncio.sleep(seconds)


def try_connection(origin: Origin, seconds: float) -> None:
    """Connect to a machine that the operator configured, and part again; nothing is sent.

    Raises:
        NetworkError: if it takes no connection within the seconds.
    """

    async def connect() -> None:
        async with asyncio.timeout(seconds):
            stream = await CheckedConnections((origin,)).connect_tcp(*origin, timeout=seconds)
            await stream.aclose()

    try:
        asyncio.run(connect())
    except (httpcore2.ConnectError, httpcore2.ConnectTimeout, TimeoutError, OSError) as error:
        raise NetworkError("unreachable", str(error) or f"no connection after {seconds:g} seconds") from None


async def look_up(host: str, port: int) -> list[Address]:
    """Return the addresses of a host, in the order in which to try them.

    The system's own look-up cannot be stopped: it runs in a thread that nobody waits for once the time is over.

    Raises:
        NetworkError: if the name has none.
    """
    number = parse_address(host)
    if number is not None:
        return [number]
    loop = asyncio.get_running_loop()
    answer: asyncio.Future[Any] = loop.create_future()

    def tell(found: Any) -> None:
        if not answer.done():
            answer.set_result(found)

    def ask() -> None:
        found: Any
        try:
            found = socket.getaddrinfo(host, port, type=socket.SOCK_STREAM)
        except (OSError, UnicodeError) as error:
            found = error
        try:
            loop.call_soon_threadsafe(tell, found)
        except RuntimeError:  # the loop is closed: nobody waits any more
            return

    threading.Thread(target=ask, name="look-up", daemon=True).start()
    found = await answer
    if isinstance(found, Exception):
        raise NetworkError("unreachable", f"the name {host!r} cannot be looked up: {found}")
    return list(dict.fromkeys(ip_address(entry[4][0].partition("%")[0]) for entry in found))


def trusted_authorities() -> ssl.SSLContext:
    """Whom the machine trusts to vouch for hosts, read anew once its list has changed: to read it takes a while."""
    paths = ssl.get_default_verify_paths()
    lists = (Path(path) for path in (paths.openssl_cafile, paths.openssl_capath))
    return _read_authorities(tuple(path.stat().st_mtime_ns if path.exists() else 0 for path in lists))


@lru_cache(maxsize=1)
def _read_authorities(changed: tuple[int, ...]) -> ssl.SSLContext:
    del changed  # only what is kept depends on it
    return httpx2.create_ssl_context(trust_env=False)


class BoundedStream(httpx2.AsyncByteStream):
    """A body as it comes, that ends in an error once it is too large."""

    def __init__(self, body: httpx2.AsyncByteStream, max_bytes: int) -> None:
        self._body, self._max_bytes = body, max_bytes

    async def __aiter__(self) -> AsyncIterator[bytes]:
        """The parts of the body."""
        came = 0
        async for part in self._body:
            came += len(part)
            if came > self._max_bytes:
                raise NetworkError("too_large", f"it has more than {self._max_bytes} bytes")
            yield part

    async def aclose(self) -> None:
        """Let go of the connection."""
        await self._body.aclose()


class CheckedTransport(httpx2.AsyncHTTPTransport):
    """The library's transport over checked connections and bounded bodies, whatever the environment says."""

    def __init__(self, configured: Collection[Origin], max_bytes: int, only: Collection[str], proxy: str = "") -> None:
        """Let requests through to configured and public hosts.

        Args:
            configured: hosts and ports the operator named.
            max_bytes: of a body, as it comes.
            only: headers that are sent, besides those that HTTP needs.
            proxy: http or https address of a proxy the operator named; it is connected to instead, and looks names up.
        """
        self._max_bytes = max_bytes
        self._sent = {name.lower() for name in only} | NEEDED
        trust = trusted_authorities()
        if proxy:
            way = httpx2.URL(proxy)
            self._pool = httpcore2.AsyncHTTPProxy(
                proxy_url=str(way.copy_with(username=None, password=None)),
                proxy_auth=(way.username.encode(), way.password.encode()) if way.username else None,
                ssl_context=trust,
                max_connections=CONNECTIONS,
                network_backend=CheckedConnections([*configured, origin_of(proxy)]),
            )
        else:
            self._pool = httpcore2.AsyncConnectionPool(
                ssl_context=trust, max_connections=CONNECTIONS, network_backend=CheckedConnections(configured)
            )

    async def handle_async_request(self, request: httpx2.Request) -> httpx2.Response:
        """Send a request without the headers that nobody wanted; the body of the answer is bounded."""
        headers = [(name, value) for name, value in request.headers.raw if name.decode().lower() in self._sent]
        sent = httpx2.Request(request.method, request.url, headers=headers, stream=request.stream)
        sent.extensions = request.extensions
        response = await super().handle_async_request(sent)
        assert isinstance(response.stream, httpx2.AsyncByteStream)
        response.stream = BoundedStream(response.stream, self._max_bytes)
        return response

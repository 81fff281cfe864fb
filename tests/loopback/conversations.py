"""A server on this machine that says what it is told to, byte by byte, and notes what it was asked."""

from __future__ import annotations

import socket
import threading
import time
from collections.abc import Callable, Iterator
from contextlib import contextmanager
from dataclasses import dataclass, field

Part = bytes | float
"""Bytes to be sent, or seconds to be waited."""
ENDLESS = 10_000


@dataclass
class Host:
    """A server, and what was said to it."""

    port: int
    asked: list[bytes] = field(default_factory=list)
    """What each connection brought, as far as it was read."""

    def url(self, path: str = "/", name: str = "127.0.0.1") -> str:
        """An address of the server."""
        return f"http://{name}:{self.port}{path}"


@contextmanager
def talking(say: Callable[[bytes], list[Part]] | list[Part]) -> Iterator[Host]:
    """Answer each connection with parts, or with what a function makes of the request, until the end of the block."""
    listener = socket.create_server(("127.0.0.1", 0))
    host = Host(listener.getsockname()[1])
    ended = threading.Event()

    def answer(connection: socket.socket) -> None:
        with connection:
            try:
                asked = connection.recv(65_536)
                host.asked.append(asked)
                for part in say(asked) if callable(say) else say:
                    if isinstance(part, bytes):
                        connection.sendall(part)
                    elif ended.wait(part):
                        return
            except OSError:
                return  # the client has gone

    def serve() -> None:
        while not ended.is_set():
            try:
                connection, _ = listener.accept()
            except OSError:
                return
            threading.Thread(target=answer, args=(connection,), daemon=True).start()

    threading.Thread(target=serve, daemon=True).start()
    try:
        yield host
    finally:
        ended.set()
        listener.shutdown(socket.SHUT_RDWR)
        listener.close()


def drip(start: bytes, piece: bytes, seconds: float = 0.02) -> list[Part]:
    """A start, and then a piece every so many seconds without end."""
    return [start, *([piece, seconds] * ENDLESS)]


def whole(body: bytes, status: str = "200 OK", *headers: str) -> list[Part]:
    """An answer in one go."""
    head = [f"HTTP/1.1 {status}", f"Content-Length: {len(body)}", "Connection: close", *headers]
    return ["\r\n".join([*head, "", ""]).encode() + body]


def redirect(to: str) -> list[Part]:
    """An answer that sends elsewhere."""
    return whole(b"", "302 Found", f"Location: {to}")


def elapsed(began: float) -> float:
    """Seconds since a reading of the monotonic clock."""
    return time.monotonic() - began

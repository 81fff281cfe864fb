"""A mail server on this machine that takes, refuses or stalls, with or without encryption, and keeps what it took."""

from __future__ import annotations

import socket
import ssl
import threading
from collections.abc import Iterator
from contextlib import contextmanager, suppress
from dataclasses import dataclass, field


@dataclass
class MailServer:
    """A server, what it was told, and the messages it took."""

    port: int = 0
    lines: list[str] = field(default_factory=list)
    taken: list[str] = field(default_factory=list)
    refuses: str = ""
    """A verb that is answered with 550."""
    stalls: str = ""
    """A verb after which a byte comes every now and then, without end."""
    trust: ssl.SSLContext | None = None
    """The server's certificate; None for a server that cannot encrypt."""

    def talk(self, connection: socket.socket, ended: threading.Event) -> None:
        """Serve one client."""
        connection.sendall(b"220 test\r\n")
        self._serve(connection, ended)

    def _serve(self, connection: socket.socket, ended: threading.Event) -> None:
        stream = connection.makefile("rb")
        while line := stream.readline().decode("utf-8", "replace").strip():
            self.lines.append(line)
            verb = line.split(" ")[0].split(":")[0].upper()
            if verb == self.stalls:
                self._stall(connection, ended)
                return
            if verb == self.refuses:
                connection.sendall(b"550 no\r\n")
            elif verb == "EHLO":
                starttls = b"250-STARTTLS\r\n" if self.trust and not isinstance(connection, ssl.SSLSocket) else b""
                connection.sendall(b"250-test\r\n" + starttls + b"250 AUTH PLAIN\r\n")
            elif verb == "STARTTLS" and self.trust:
                connection.sendall(b"220 go\r\n")
                with self.trust.wrap_socket(connection, server_side=True) as encrypted:
                    self._serve(encrypted, ended)
                return
            elif verb == "DATA":
                connection.sendall(b"354 go\r\n")
                self._take(connection, stream, ended)
            elif verb == "QUIT":
                connection.sendall(b"221 bye\r\n")
                return
            else:
                connection.sendall(b"235 ok\r\n" if verb == "AUTH" else b"250 ok\r\n")

    def _take(self, connection: socket.socket, stream: object, ended: threading.Event) -> None:
        body = []
        while (line := stream.readline()) not in (b".\r\n", b""):  # type: ignore[attr-defined]
            body.append(line.decode("utf-8", "replace"))
        self.taken.append("".join(body))
        if self.stalls == "END":
            self._stall(connection, ended)
        connection.sendall(b"550 no\r\n" if self.refuses == "END" else b"250 taken\r\n")

    def _stall(self, connection: socket.socket, ended: threading.Event) -> None:
        with suppress(OSError):
            while not ended.wait(0.02):
                connection.sendall(b"2")


@contextmanager
def serving_mail(server: MailServer) -> Iterator[MailServer]:
    """Serve for the block, on a port of its own."""
    listener = socket.create_server(("127.0.0.1", 0))
    server.port = listener.getsockname()[1]
    ended = threading.Event()

    def answer(connection: socket.socket) -> None:
        with connection, suppress(OSError):
            server.talk(connection, ended)

    def serve() -> None:
        while not ended.is_set():
            try:
                connection, _ = listener.accept()
            except OSError:
                return
            threading.Thread(target=answer, args=(connection,), daemon=True).start()

    threading.Thread(target=serve, daemon=True).start()
    try:
        yield server
    finally:
        ended.set()
        with suppress(OSError):
            listener.shutdown(socket.SHUT_RDWR)
        listener.close()

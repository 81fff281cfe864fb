"""A network of this process's own, with all that goes over it on record: servers of the world, and a proxy."""

from __future__ import annotations

import json
import shutil
import socket
import ssl
import subprocess
import sys
import threading
from collections.abc import Callable, Iterator, Mapping, Sequence
from contextlib import contextmanager
from http.server import BaseHTTPRequestHandler, ThreadingHTTPServer
from pathlib import Path
from typing import Any

from tests.loopback.openai import Asked, praise, response

WORLD = "8.8.4.1"
"""A public address, which here is nobody's."""
NAMES = ("news.example", "api.openai.com")
PROXY_PORT = 3128
EVERY_PROTOCOL = 3
OWN_NETWORK = ("unshare", "--net", "--mount")
SETUP = """
ip link set lo up && ip addr add "$WORLD/32" dev lo || exit 77
mount --bind "$FOLDER/hosts" /etc/hosts && mount --bind "$FOLDER/certificate.pem" "$TRUSTED" || exit 77
exec "$@"
"""


def run_in_own_network(module: str, arguments: Sequence[str], folder: Path, environ: Mapping[str, str]) -> str | None:
    """What a module prints that runs where the world is this machine; None where that cannot be.

    Args:
        module: run as a program.
        arguments: its arguments.
        folder: for a certificate that it believes, and the names it knows.
        environ: its environment.
    """
    trusted = ssl.get_default_verify_paths().openssl_cafile
    if not (shutil.which("unshare") and shutil.which("openssl") and Path(trusted).is_file()):
        return None
    if subprocess.run([*OWN_NETWORK, "true"], capture_output=True, check=False).returncode:
        return None
    (folder / "hosts").write_text(f"127.0.0.1 localhost\n{WORLD} {' '.join(NAMES)}\n", encoding="ascii")
    make = ["openssl", "req", "-x509", "-newkey", "rsa:2048", "-nodes", "-days", "2", "-subj", "/CN=test"]
    make += ["-addext", "subjectAltName=" + ",".join(f"DNS:{name}" for name in NAMES)]
    make += ["-keyout", str(folder / "key.pem"), "-out", str(folder / "certificate.pem")]
    subprocess.run(make, check=True, capture_output=True)
    setup = {"WORLD": WORLD, "FOLDER": str(folder), "TRUSTED": trusted}
    command = [*OWN_NETWORK, "sh", "-c", SETUP, "sh", sys.executable, "-m", module, *arguments]
    done = subprocess.run(command, capture_output=True, text=True, check=False, env={**environ, **setup}, timeout=120)
    if done.returncode == 77:
        return None
    assert done.returncode == 0, done.stderr
    return done.stdout


@contextmanager
def overheard() -> Iterator[Callable[[], bytes]]:
    """All bytes that go over the network in the block; asked for, they are given and forgotten."""
    packets: list[bytes] = []
    ended = threading.Event()
    with socket.socket(socket.AF_PACKET, socket.SOCK_RAW, socket.htons(EVERY_PROTOCOL)) as wire:
        wire.bind(("lo", 0))
        wire.settimeout(0.1)

        def listen() -> None:
            while not ended.is_set():
                try:
                    packets.append(wire.recv(1 << 17))
                except TimeoutError:
                    continue

        def take() -> bytes:
            ended.wait(0.3)  # what is on its way
            taken, packets[:] = b"".join(packets), []
            return taken

        thread = threading.Thread(target=listen)
        thread.start()
        try:
            yield take
        finally:
            ended.set()
            thread.join()


@contextmanager
def world(folder: Path, feed: str) -> Iterator[list[str]]:
    """A feed and a language model at the world's address, encrypted and in clear; what was asked in clear, in lines."""
    clear: list[str] = []

    class Site(BaseHTTPRequestHandler):
        def do_GET(self) -> None:
            self._say("application/rss+xml", feed)

        def do_POST(self) -> None:
            body = json.loads(self.rfile.read(int(self.headers["content-length"])))
            self._say("application/json", response(praise(Asked(self.path, body, "").articles)))

        def _say(self, kind: str, text: str) -> None:
            if not isinstance(self.connection, ssl.SSLSocket):
                clear.append(self.requestline)
            self.send_response(200)
            self.send_header("Content-Type", kind)
            self.send_header("Content-Length", str(len(text.encode())))
            self.end_headers()
            self.wfile.write(text.encode())

        def log_message(self, *_arguments: Any) -> None:
            """Say nothing."""

    trust = ssl.SSLContext(ssl.PROTOCOL_TLS_SERVER)
    trust.load_cert_chain(folder / "certificate.pem", folder / "key.pem")
    servers = [ThreadingHTTPServer((WORLD, port), Site) for port in (443, 80)]
    servers[0].socket = trust.wrap_socket(servers[0].socket, server_side=True)
    for server in servers:
        server.daemon_threads = True
        threading.Thread(target=server.serve_forever, daemon=True).start()
    yield clear


@contextmanager
def proxy() -> Iterator[list[str]]:
    """A proxy at the world's address that connects wherever it is asked to; what it was asked, in lines."""
    asked: list[str] = []

    class Proxy(BaseHTTPRequestHandler):
        def do_CONNECT(self) -> None:
            asked.append(self.requestline)
            host, _, port = self.path.partition(":")
            with socket.create_connection((host, int(port))) as there:
                self.send_response(200)
                self.end_headers()
                back = threading.Thread(target=pass_on, args=(there, self.connection), daemon=True)
                back.start()
                pass_on(self.connection, there)
                back.join()
            self.close_connection = True

        def do_GET(self) -> None:
            asked.append(self.requestline)
            self.send_error(502)

        def do_POST(self) -> None:
            self.do_GET()

        def log_message(self, *_arguments: Any) -> None:
            """Say nothing."""

    server = ThreadingHTTPServer((WORLD, PROXY_PORT), Proxy)
    server.daemon_threads = True
    threading.Thread(target=server.serve_forever, daemon=True).start()
    yield asked


def pass_on(one: socket.socket, other: socket.socket) -> None:
    """Send on what comes until nothing more does."""
    try:
        while data := one.recv(65_536):
            other.sendall(data)
        other.shutdown(socket.SHUT_WR)
    except OSError:
        return

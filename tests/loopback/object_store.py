"""An object store on this machine, and a wire to it on which requests are lost, refused, slowed down or cut short.

The store is moto's, in this process; or any other at the endpoint that NEXTGEN_TEST_S3 names (`http://host:port`), with
the keys of the usual AWS_ variables, `test` and `test` where there are none.
"""

from __future__ import annotations

import http.client
import logging
import os
import socket
import struct
import threading
import time
from collections.abc import Callable, Iterator
from contextlib import contextmanager
from dataclasses import dataclass, field
from functools import cache
from http.server import BaseHTTPRequestHandler, ThreadingHTTPServer
from itertools import count
from pathlib import Path
from typing import Literal
from urllib.parse import urlsplit
from uuid import uuid4

import pytest

OTHER_STORE = "NEXTGEN_TEST_S3"
of_this_store = pytest.mark.skipif(
    OTHER_STORE in os.environ, reason="another store checks signatures, or makes buckets"
)
Fault = Literal["pass", "lose request", "lose answer", "reset", "refuse", "slow", "cut short", "unconditional"]
KEYS = {
    "AWS_ACCESS_KEY_ID": os.environ.get("AWS_ACCESS_KEY_ID", "test"),
    "AWS_SECRET_ACCESS_KEY": os.environ.get("AWS_SECRET_ACCESS_KEY", "test"),
    "AWS_REGION": os.environ.get("AWS_REGION", "us-east-1"),
}
CONDITIONS = ("if-none-match", "if-match")
_numbers = count()


@dataclass(frozen=True)
class Request:
    """A request on the wire."""

    number: int
    """Of the wire's requests, from 0."""
    method: str
    path: str
    """Within the bucket's host, with bucket and key."""
    conditional: bool


def never(_request: Request) -> Fault:
    """No fault at all."""
    return "pass"


@dataclass
class Wire:
    """What lies between the program and the store."""

    fault: Callable[[Request], Fault] = never
    requests: list[Request] = field(default_factory=list)
    port: int = 0

    def always(self, fault: Fault) -> None:
        """Do the same with every request from now on."""
        self.fault = lambda _: fault

    @property
    def endpoint(self) -> str:
        """Where the program finds the store."""
        return f"http://127.0.0.1:{self.port}"


@cache
def store_endpoint() -> str:
    """Where the process's one store is, which is started at the first call."""
    if named := os.environ.get(OTHER_STORE):
        return named.removesuffix("/")
    from moto.server import ThreadedMotoServer  # seconds, which a process without such tests does not need

    logging.getLogger("werkzeug").setLevel(logging.ERROR)
    server = ThreadedMotoServer(ip_address="127.0.0.1", port=0, verbose=False)
    server.start()
    return "http://{}:{}".format(*server.get_host_and_port())


@cache
def bucket() -> str:
    """The process's own bucket."""
    import boto3

    name = f"bucket-{uuid4().hex[:12]}"
    keys = {"aws_access_key_id": KEYS["AWS_ACCESS_KEY_ID"], "aws_secret_access_key": KEYS["AWS_SECRET_ACCESS_KEY"]}
    boto3.client("s3", endpoint_url=store_endpoint(), region_name=KEYS["AWS_REGION"], **keys).create_bucket(Bucket=name)
    return name


def new_address() -> str:
    """An address that nobody has used."""
    return f"s3://{bucket()}/{next(_numbers)}/lake"


def can_copy() -> bool:
    """Whether the store is in this process, where objects are copied without a request."""
    return OTHER_STORE not in os.environ


def copy_objects(source: str, target: str) -> None:
    """Give one address the objects of another; no wire sees it."""
    from moto.core import DEFAULT_ACCOUNT_ID
    from moto.s3.models import s3_backends

    store = s3_backends[DEFAULT_ACCOUNT_ID]["aws"]
    name, old, new = bucket(), urlsplit(source).path[1:], urlsplit(target).path[1:]
    for key in [one for one in store.buckets[name].keys.values() if one.name.startswith(f"{old}/")]:
        store.copy_object(key, name, new + key.name.removeprefix(old))


@contextmanager
def open_wire() -> Iterator[Wire]:
    """A wire to the store for the block."""
    wire, upstream, lock = Wire(), urlsplit(store_endpoint()).netloc, threading.Lock()

    class Handler(BaseHTTPRequestHandler):
        protocol_version = "HTTP/1.1"

        def log_message(self, *_arguments: object) -> None:
            pass

        def handle_any(self) -> None:
            body = self.rfile.read(int(self.headers.get("Content-Length", 0)))
            conditional = any(self.headers.get(name) for name in CONDITIONS)
            with lock:
                request = Request(len(wire.requests), self.command, self.path, conditional)
                wire.requests.append(request)
            fault = wire.fault(request)
            if fault == "lose request":
                self.drop()
                return
            if fault == "refuse":
                self.answer(503, {}, b"<Error><Code>SlowDown</Code></Error>")
                return
            if fault == "slow":
                time.sleep(0.5)
            headers = {k: v for k, v in self.headers.items() if fault != "unconditional" or k.lower() not in CONDITIONS}
            status, told, content = ask(upstream, self.command, self.path, headers, body)
            if fault == "lose answer":
                self.drop()
                return
            if fault == "reset":
                self.connection.setsockopt(socket.SOL_SOCKET, socket.SO_LINGER, struct.pack("ii", 1, 0))
                self.drop()
                return
            self.answer(status, told, content, short=fault == "cut short")

        do_GET = do_PUT = do_POST = do_DELETE = do_HEAD = handle_any  # noqa: N815

        def drop(self) -> None:
            self.close_connection = True
            self.connection.close()

        def answer(self, status: int, headers: dict[str, str], content: bytes, *, short: bool = False) -> None:
            self.send_response_only(status)
            for name, value in headers.items():
                if name.lower() not in ("content-length", "connection", "transfer-encoding"):
                    self.send_header(name, value)
            length = int(headers.get("Content-Length", 0)) if self.command == "HEAD" else len(content)
            self.send_header("Content-Length", str(length))
            self.end_headers()
            self.wfile.write(content[: len(content) // 2] if short else content)
            if short:
                self.drop()

    class Server(ThreadingHTTPServer):
        daemon_threads = True

        def handle_error(self, *_arguments: object) -> None:
            """Whoever asked is gone, as is meant."""

    server = Server(("127.0.0.1", 0), Handler)
    threading.Thread(target=server.serve_forever, kwargs={"poll_interval": 0.02}, daemon=True).start()
    wire.port = server.server_address[1]
    try:
        yield wire
    finally:
        server.shutdown()
        server.server_close()


def ask(server: str, method: str, path: str, headers: dict[str, str], body: bytes) -> tuple[int, dict[str, str], bytes]:
    """One request to the store itself."""
    connection = http.client.HTTPConnection(server, timeout=60)
    try:
        connection.request(method, path, body=body, headers=headers)
        response = connection.getresponse()
        return response.status, dict(response.getheaders()), response.read()
    finally:
        connection.close()


@dataclass
class Place:
    """A lake's address, as each of several machines sees it."""

    address: str
    wire: Wire
    home: Path

    def machine(self, name: str, monkeypatch: pytest.MonkeyPatch) -> None:
        """Be that machine from now on: its working copies are its own."""
        for key, value in self.environ(name).items():
            monkeypatch.setenv(key, value)

    def environ(self, name: str) -> dict[str, str]:
        """The variables of that machine."""
        return {
            **KEYS,
            "AWS_ENDPOINT_URL": self.wire.endpoint,
            "NEXTGEN_COPIES": str(self.home / name),
        }

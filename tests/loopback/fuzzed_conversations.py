"""Answers as no web server would give them, each made of a number: slow, broken, packed, redirecting."""

from __future__ import annotations

import gzip
import zlib
from collections.abc import Callable
from random import Random

from tests.loopback.conversations import Part, drip, redirect, whole
from tests.loopback.fuzzed_feeds import ENCODINGS, write_document

OK = b"HTTP/1.1 200 OK\r\n"
CHUNKED = OK + b"Transfer-Encoding: chunked\r\n\r\n"
SLOW: tuple[tuple[bytes, bytes], ...] = (
    *(
        (b"", b"HTTP/1.1 100 Continue\r\n\r\n"),
        (b"", b"HTTP/1.1 103 Early Hints\r\nLink: </a>\r\n\r\n"),
        (b"", b"\r\n"),
    ),
    *((b"HTTP/1.1 200 O", b"K"), (OK + b"X-A: ", b"a"), (OK, b"X: a\r\n"), (OK + b"X: a", b"\r\n b"), (b"H", b"T")),
    *((CHUNKED, b"0"), (CHUNKED + b"1;", b"a"), (CHUNKED, b"1\r\na\r\n"), (CHUNKED + b"0\r\n", b"X: a\r\n")),
    *((OK + b"Content-Length: 40000\r\n\r\n", b"<rss>"), (OK + b"\r\n", b"<item>"), (CHUNKED + b"5\r\n", b"")),
)
"""What is sent at once, and what then drips."""
NAMES = (
    *("127.0.0.1", "localhost", "LOCALHOST.", "127.1", "127.0.0.2", "2130706433", "0x7f000001", "0177.0.0.1", "0"),
    *("0.0.0.0", "[::1]", "[::ffff:127.0.0.1]", "[::]", "a.localhost", "[64:ff9b::7f00:1]", "[::127.0.0.1]"),
    *("169.254.169.254", "10.0.0.1", "192.168.0.1", "[fe80::1]", "[fd00::1]", "198.18.0.1", "224.0.0.1"),
)
"""Of this machine and of others that no redirect may lead to."""
PACKINGS: dict[str, Callable[[bytes], bytes]] = {
    "gzip": gzip.compress,
    "x-gzip": gzip.compress,
    "deflate": zlib.compress,
    "gzip, gzip": lambda data: gzip.compress(gzip.compress(data)),
    "br": bytes,
    "identity": bytes,
    "GZIP": lambda data: gzip.compress(data)[:-5],
    "raw": lambda data: zlib.compress(data)[2:-4],
}


def say(seed: int, number: int, asked: bytes, inside: int) -> list[Part]:
    """What conversation `number` answers to a request: the same to the same request, whoever asks.

    Args:
        seed: of the whole series.
        number: which conversation.
        asked: the request as it came; a path of more parts is one that a redirect led to.
        inside: port of a server that nobody may ask.
    """
    path = asked.split(b" ")[1].decode("latin-1") if asked.count(b" ") > 1 else "/"
    chance = Random(f"{seed} {number} {path}")
    elsewhere = f"http://{chance.choice(NAMES)}:{inside}/secret"
    return chance.choice(ANSWERS)(chance, f"{path.rstrip('/')}/next"[:200], elsewhere)


def _whole(chance: Random, _next: str, elsewhere: str) -> list[Part]:
    data = write_document(chance, elsewhere)
    kind = f"Content-Type: {chance.choice(('application/rss+xml', 'text/xml', 'text/html', '', 'a' * 3_000))}"
    charset = f"; charset={chance.choice(ENCODINGS)}" if chance.random() < 0.3 else ""
    return whole(data, chance.choice(("200 OK", "200 OK", "200 OK", "206 P", "404 N", "503 S")), kind + charset)


def _packed(chance: Random, _next: str, elsewhere: str) -> list[Part]:
    """Packed, sometimes wrongly, and sometimes a bomb."""
    coding = chance.choice(list(PACKINGS))
    data = write_document(chance, elsewhere) if chance.random() < 0.6 else b"<rss>" + b" " * 8_000_000
    return whole(PACKINGS[coding](data), "200 OK", f"Content-Encoding: {coding}")


def _slow(chance: Random, _next: str, _elsewhere: str) -> list[Part]:
    start, piece = chance.choice(SLOW)
    return drip(start, piece, chance.choice((0.02, 0.1)))


def _silent(chance: Random, _next: str, elsewhere: str) -> list[Part]:
    """Everything, but with a pause somewhere that may last longer than anybody waits."""
    (data,) = _whole(chance, "", elsewhere)
    assert isinstance(data, bytes)
    cut = chance.randrange(len(data))
    return [data[:cut], chance.choice((0.05, 2.0)), data[cut:]]


def _chunked(chance: Random, _next: str, elsewhere: str) -> list[Part]:
    data, size = write_document(chance, elsewhere), chance.choice((50, 5_000))
    parts = [data[at : at + size] for at in range(0, len(data), size)][:2_000]
    chunks = b"".join(f"{len(part):x}\r\n".encode() + part + b"\r\n" for part in parts)
    return [CHUNKED + chunks + chance.choice((b"0\r\n\r\n", b"", b"-1\r\n", b"ffffffffffffffff\r\n", b"0\r\nX: a\r\n"))]


def _redirect(chance: Random, following: str, elsewhere: str) -> list[Part]:
    """To a further conversation of the same server, or to where nothing may be fetched."""
    port = elsewhere.rsplit(":", 1)[1]
    inside = (
        *(elsewhere, elsewhere.removeprefix("http:"), elsewhere.replace("/secret", ""), f"http://a@127.0.0.1:{port}"),
        *(
            elsewhere.replace("http:", "https:"),
            elsewhere.replace("//", "\\\\"),
            f" {elsewhere}",
            f"HTTP:{elsewhere[5:]}",
        ),
        *(
            "file:///etc/hostname",
            "ftp://127.0.0.1/x",
            "data:text/xml,<rss/>",
            "javascript:1",
            "http://",
            "//",
            "",
            "\0",
        ),
        *(f"http://127.0.0.1:{port}#@a.example/", f"http://127.0.0.1:{port}?@a.example", "http://127.0.0.1:99999/"),
    )
    to = following if chance.random() < 0.5 else chance.choice(inside)
    status = chance.choice(("301 M", "302 F", "303 S", "307 T", "308 P", "300 C", "305 U"))
    answer = redirect(to)[0].replace(b"302 Found", status.encode())  # type: ignore[union-attr]
    return [chance.choice((0.0, 0.05)), answer]


def _broken(chance: Random, _next: str, elsewhere: str) -> list[Part]:
    heads = (
        *(OK + b"Content-Length: -1\r\n\r\nx", OK + b"Content-Length: 1\r\nContent-Length: 2\r\n\r\nxy", b"\0" * 100),
        *(OK + b"X: " + b"a" * 300_000 + b"\r\n\r\n", OK + b"X: a\r\n" * 30_000 + b"\r\n", b"SSH-2.0-OpenSSH_9.6\r\n"),
        *(b"HTTP/9.9 999 ?\r\n\r\n", b"HTTP/1.1 \r\n\r\n", OK + b"\xff\xfe: a\r\n\r\n", OK + b" folded\r\n\r\n", b""),
        *(OK + b"Content-Length: 99999999999999999999\r\n\r\n<rss>", b"HTTP/1.1 101 Switching Protocols\r\n\r\n"),
        *(OK + b"Refresh: 0; url=" + elsewhere.encode() + b"\r\n\r\n", b"HTTP/1.1 304 N\r\n\r\n", b"<rss/>"),
        *(OK + b"Transfer-Encoding: gzip, chunked\r\nContent-Length: 3\r\n\r\n", b"HTTP/1.1 407 P\r\n\r\n"),
    )
    return [chance.choice(heads)]


def _garbage(chance: Random, _next: str, elsewhere: str) -> list[Part]:
    """An answer with bytes that do not belong there, from the first line on."""
    changed = bytearray(b"".join(part for part in _whole(chance, "", elsewhere) if isinstance(part, bytes)))
    for _ in range(chance.choice((1, 3))):
        changed[chance.randrange(min(len(changed), 150))] = chance.randrange(256)
    return [bytes(changed)]


ANSWERS: tuple[Callable[[Random, str, str], list[Part]], ...] = (
    *(_whole, _whole, _whole, _packed, _slow, _silent, _chunked, _redirect, _broken, _garbage),
)

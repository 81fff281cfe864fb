"""An exchange ends within its deadline, stays within its size, and asks nobody that it was not sent to."""

from __future__ import annotations

import gzip
import time
import zlib

import pytest

from pipeline.config.home import PROXY_VARIABLE
from pipeline.network.addresses import origin_of
from pipeline.network.errors import NetworkError
from pipeline.network.exchange import Answer, HttpRequest, exchange
from tests.loopback.conversations import Host, Part, drip, elapsed, redirect, talking, whole

SECONDS, MAX_BYTES = 0.6, 50_000


def ask(host: Host, url: str = "", *others: Host, **changes: object) -> Answer:
    """Ask a server that is configured, as others may be."""
    url = url or host.url()
    configured = [origin_of(url), *(origin_of(other.url()) for other in (host, *others))]
    request = HttpRequest(**{"url": url, "configured": configured, **changes})  # type: ignore[arg-type]
    return exchange(request, seconds=SECONDS, max_bytes=MAX_BYTES)


OK = b"HTTP/1.1 200 OK\r\n"
SLOW: dict[str, list[Part]] = {
    "silent": [60.0],
    "provisional answers": drip(b"", b"HTTP/1.1 100 Continue\r\n\r\n"),
    "early hints": drip(b"", b"HTTP/1.1 103 Early Hints\r\nLink: </a>\r\n\r\n"),
    "status line": drip(b"HTTP/1.1 200 O", b"K"),
    "header": drip(OK + b"X-A: ", b"a"),
    "many headers": drip(OK, b"X: a\r\n"),
    "chunk size": drip(OK + b"Transfer-Encoding: chunked\r\n\r\n", b"0"),
    "chunk extension": drip(OK + b"Transfer-Encoding: chunked\r\n\r\n1;", b"a"),
    "chunks": drip(OK + b"Transfer-Encoding: chunked\r\n\r\n", b"1\r\na\r\n"),
    "trailers": drip(OK + b"Transfer-Encoding: chunked\r\n\r\n0\r\n", b"X: a\r\n"),
    "body": drip(OK + b"Content-Length: 40000\r\n\r\n", b"a"),
    "body without an end": drip(OK + b"\r\n", b"a"),
}


@pytest.mark.parametrize("name", SLOW)
def test_a_server_that_drips_is_given_up_at_the_deadline(name: str) -> None:
    with talking(SLOW[name]) as host:
        began = time.monotonic()
        with pytest.raises(NetworkError) as caught:
            ask(host)
        assert caught.value.kind == "unreachable"
        assert elapsed(began) < SECONDS + 5.0, "without a deadline it would never end"


def test_redirects_share_one_deadline() -> None:
    with talking(lambda _: [0.25, *redirect("/next")]) as host:
        with pytest.raises(NetworkError, match="no complete answer after"):
            ask(host)
        assert len(host.asked) < 5


@pytest.mark.parametrize(
    ("parts", "kind"),
    [
        (whole(b"x" * (MAX_BYTES + 1)), "too_large"),
        (whole(gzip.compress(b"x" * 5_000_000), "200 OK", "Content-Encoding: gzip"), "too_large"),
        (whole(zlib.compress(b"x" * 5_000_000), "200 OK", "Content-Encoding: deflate"), "too_large"),
        (whole(gzip.compress(b"x" * 500)[:-6], "200 OK", "Content-Encoding: gzip"), "broken"),
        (whole(b"x", "200 OK", "Content-Encoding: br"), "broken"),
        (whole(b"x", "200 OK", "Content-Encoding: gzip, gzip"), "broken"),
        ([OK + b"Content-Length: 50\r\n\r\nx"], "unreachable"),
        ([OK + b"Content-Length: -1\r\n\r\nx"], "unreachable"),
        ([OK + b"Content-Length: 1\r\nContent-Length: 2\r\n\r\nx"], "unreachable"),
        ([OK + b"X: " + b"a" * 2_000_000 + b"\r\n\r\n"], "unreachable"),
        ([b"SSH-2.0-OpenSSH_9.6\r\n"], "unreachable"),
        ([b"\x00" * 100], "unreachable"),
        ([], "unreachable"),
    ],
)
def test_what_is_too_large_or_broken_is_told_by_kind(parts: list[Part], kind: str) -> None:
    with talking(parts) as host, pytest.raises(NetworkError) as caught:
        ask(host)
    assert caught.value.kind == kind


@pytest.mark.parametrize("coding", ["gzip", "deflate", "identity"])
def test_a_packed_answer_is_unpacked(coding: str) -> None:
    packed = {"gzip": gzip.compress, "deflate": zlib.compress}.get(coding, bytes)(b"words " * 1_000)
    with talking(
        whole(packed, "200 OK", f"Content-Encoding: {coding}", "Content-Type: text/xml; charset=utf-8")
    ) as host:
        found = ask(host)
    assert (found.status, found.body, found.charset) == (200, b"words " * 1_000, "utf-8")


@pytest.mark.parametrize("name", ["localhost", "127.0.0.1", "2130706433", "0x7f.1", "[::ffff:127.0.0.1]"])
def test_a_redirect_to_an_inside_address_is_not_followed(name: str) -> None:
    with talking(whole(b"secret")) as inside, talking(redirect(inside.url("/x", name))) as host:
        with pytest.raises(NetworkError, match=r"not configured|cannot be looked up|attempts failed"):
            ask(host)
        assert inside.asked == []


def test_a_redirect_to_a_host_that_is_configured_and_on_the_same_one_is_followed() -> None:
    with talking(whole(b"news")) as other, talking(redirect(other.url("/x"))) as host:
        assert ask(host, "", other).body == b"news"
    answers = {b"/": redirect("b"), b"/b": whole(b"news")}
    with talking(lambda asked: answers[asked.split()[1]]) as host:
        assert (found := ask(host)).body == b"news"
        assert found.url == host.url("/b")


@pytest.mark.parametrize("to", ["file:///etc/passwd", "ftp://127.0.0.1/x", "http://u:p@127.0.0.1/", "http://", "//"])
def test_a_redirect_to_another_protocol_or_with_a_password_is_refused(to: str) -> None:
    with talking(redirect(to)) as host, pytest.raises(NetworkError):
        ask(host)


def test_redirects_in_a_circle_end() -> None:
    with talking(redirect("/")) as host:
        with pytest.raises(NetworkError, match="redirects more than 5 times"):
            ask(host)
        assert len(host.asked) == 6


def test_nothing_is_sent_but_what_was_given(monkeypatch: pytest.MonkeyPatch) -> None:
    for name in ("HTTP_PROXY", "http_proxy", "ALL_PROXY", "all_proxy"):
        monkeypatch.setenv(name, "http://127.0.0.1:9")
    with talking(whole(b"")) as host:
        ask(host, headers={"User-Agent": "x", "If-None-Match": '"1"'})
    lines = host.asked[0].decode().split("\r\n")
    sent = {line.partition(":")[0].lower() for line in lines[1:] if line}
    assert sent == {"host", "accept-encoding", "user-agent", "if-none-match"}


def test_a_proxy_is_used_only_where_it_is_configured(monkeypatch: pytest.MonkeyPatch) -> None:
    with talking(whole(b"by proxy")) as proxy, talking(whole(b"direct")) as host:
        assert ask(host).body == b"direct"
        monkeypatch.setenv(PROXY_VARIABLE, f"http://user:word@127.0.0.1:{proxy.port}")
        assert ask(host).body == b"by proxy"
        assert b"proxy-authorization: basic" in proxy.asked[0].lower()
        assert f"GET {host.url()} HTTP/1.1".encode() in proxy.asked[0]


def test_a_post_is_not_sent_on() -> None:
    with talking(redirect("/other")) as host:
        found = ask(host, method="POST", content=b"{}", follow=False)
        assert (found.status, len(host.asked)) == (302, 1)

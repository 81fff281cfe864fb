"""A webhook posts once what its service expects, follows nothing, ends in time, and never tells its secret."""

from __future__ import annotations

import json
import time

import pytest

from pipeline.alerts.channel import DeliveryError
from pipeline.alerts.message import REPEATED
from pipeline.alerts.params import Style, WebhookParams
from pipeline.alerts.webhook import WebhookChannel
from tests.loopback.conversations import drip, redirect, talking, whole
from tests.loopback.hooks import Hook, posted_to
from tests.pipeline.alerts.messages import alert, message


def post(style: Style, token: str = "", repeat: bool = False) -> tuple[str, dict[str, str], str]:
    """What arrives: path, headers and body."""
    with posted_to(Hook()) as hook:
        params = WebhookParams(url=hook.url + ("/hook" if style != "telegram" else ""), style=style, chat="-100")
        WebhookChannel(params, token=token).send(message(repeat=repeat), 5)
        return hook.paths[0], hook.headers[0], hook.taken[0]


def test_json_has_all_there_is_and_says_where_it_may_be_a_repeat() -> None:
    path, headers, body = post("json", token="s3cret", repeat=True)
    sent = json.loads(body)
    assert (path, headers["authorization"]) == ("/hook", "Bearer s3cret")
    assert (sent["lake"], sent["repeat"], sent["alerts"][0]["alert_id"]) == ("main", True, "a1")
    assert REPEATED in sent["text"]


def test_slack_telegram_and_ntfy_get_what_they_expect() -> None:
    assert "&lt;b&gt;no data&lt;/b&gt; &amp; more" in json.loads(post("slack")[2])["text"]
    path, headers, body = post("telegram", token="12:ab")
    assert path == "/bot12:ab/sendMessage" and "authorization" not in headers
    assert json.loads(body)["chat_id"] == "-100" and "<b>no data</b>" in json.loads(body)["text"]
    _, headers, body = post("ntfy")
    assert headers["priority"] == "high" and "cycle 2026-01-05 stopped" in body


@pytest.mark.parametrize(
    ("answer", "arrived", "why"),
    [
        (whole(b"no", "500 Internal Server Error"), False, "status 500"),
        (redirect("http://127.0.0.1:1/"), False, "status 302"),
        (drip(b"HTTP/1.1 200 OK\r\n", b"X: y\r\n"), True, "no complete answer"),
        ([b""], True, "unreachable"),
    ],
)
def test_what_is_not_accepted_is_told_with_whether_it_may_have_arrived(
    answer: list[bytes | float], arrived: bool, why: str
) -> None:
    with talking(answer) as host:
        began = time.monotonic()
        with pytest.raises(DeliveryError) as raised:
            WebhookChannel(WebhookParams(url=host.url())).send(message(), 1)
        assert time.monotonic() - began < 10
    assert raised.value.maybe_arrived is arrived
    assert why in str(raised.value) or why == "unreachable"


def test_a_refused_connection_certainly_did_not_arrive() -> None:
    with talking([]) as host:
        port = host.port
    with pytest.raises(DeliveryError) as raised:
        WebhookChannel(WebhookParams(url=f"http://127.0.0.1:{port}/")).send(message(), 2)
    assert not raised.value.maybe_arrived


def test_a_secret_goes_by_https_alone_and_stands_in_no_error() -> None:
    with pytest.raises(DeliveryError, match="https only"):
        WebhookChannel(WebhookParams(url="http://192.0.2.1/x"), token="s3cret").send(message(), 1)
    with talking(lambda asked: whole(asked[:200], "400 Bad Request")) as host:
        with pytest.raises(DeliveryError) as raised:
            WebhookChannel(WebhookParams(), secret_url=host.url("/T0/s3cret")).send(message(), 2)
        assert "s3cret" not in repr(WebhookChannel(WebhookParams(), secret_url=host.url("/T0/s3cret")))
    assert host.url("/T0/s3cret") not in str(raised.value)


def test_what_would_steer_a_terminal_or_break_a_head_is_taken_out() -> None:
    sent = message(alert("a\x1b[31mb\r\nBcc: x\u202e"))
    assert "\x1b" not in sent.text and "\r" not in sent.title and "\u202e" not in sent.text

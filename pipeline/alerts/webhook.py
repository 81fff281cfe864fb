"""Alerts by a POST to a web address, as JSON or in the words that Slack, Telegram or ntfy expect."""

from __future__ import annotations

import json
from dataclasses import dataclass, field
from urllib.parse import urlsplit

from pipeline.alerts.channel import Begin, DeliveryError, blot_all, note_nothing
from pipeline.alerts.message import Message
from pipeline.alerts.params import WebhookParams
from pipeline.network.addresses import is_this_machine, is_web_address, origin_of
from pipeline.network.errors import NetworkError
from pipeline.network.exchange import HttpRequest, exchange

MAX_ANSWER = 65_536
"""Bytes of an answer; nothing of it is used."""
MAX_TEXT = 3_500
"""Characters; Telegram takes 4,096, Slack and ntfy about as many."""
TELEGRAM = "https://api.telegram.org"
PRIORITY = {"error": "high", "warning": "default", "information": "low"}
Body = tuple[bytes, dict[str, str]]
"""What is posted, and the headers that say what it is."""


@dataclass(frozen=True)
class WebhookChannel:
    """A web address; redirects are not followed, since a message is for the one that was configured."""

    params: WebhookParams
    secret_url: str = field(default="", repr=False)
    """Where the address itself is a secret."""
    token: str = field(default="", repr=False)
    name = "webhook"

    def send(self, message: Message, seconds: float, begin: Begin = note_nothing) -> None:
        """Post the message; any answer from 200 to 299 accepts it."""
        url = self._url()
        body, headers = write_body(message, self.params)
        if self.token and self.params.style != "telegram":
            headers["Authorization"] = f"Bearer {self.token}"
        headers["Idempotency-Key"] = message.alerts[0].alert_id
        request = HttpRequest(
            url=url, method="POST", headers=headers, content=body, configured=[origin_of(url)], follow=False
        )
        try:
            answer = exchange(request, seconds=seconds, max_bytes=MAX_ANSWER, begin=begin)
        except NetworkError as error:
            raise DeliveryError(self._blot(str(error)), maybe_arrived=error.sent) from None
        if not 200 <= answer.status < 300:
            said = answer.body[:200].decode("utf-8", "replace")
            raise DeliveryError(self._blot(f"it answers with status {answer.status}: {said}"))

    def _url(self) -> str:
        """Where to; with a secret never in clear, but to this machine."""
        url = self.secret_url or self.params.url
        if self.params.style == "telegram":
            if not self.token:
                raise DeliveryError("Telegram needs the token of a bot in ALERTS_WEBHOOK_TOKEN")
            url = f"{(url or TELEGRAM).rstrip('/')}/bot{self.token}/sendMessage"
        if not is_web_address(url):
            raise DeliveryError("ALERTS_WEBHOOK_URL is not a plain http or https address")
        parts, told = urlsplit(url), self.secret_url or self.token
        if parts.scheme == "http" and told and not is_this_machine(parts.hostname or ""):
            raise DeliveryError("a secret goes by https only, but to this machine; write the address with https")
        return url

    def _blot(self, text: str) -> str:
        return blot_all(text, {"url": self.secret_url, "token": self.token})


def write_body(message: Message, params: WebhookParams) -> Body:
    """What is posted, in the configured style."""
    text = message.text[:MAX_TEXT]
    if params.style == "slack":
        escaped = text.replace("&", "&amp;").replace("<", "&lt;").replace(">", "&gt;")
        return _json({"text": escaped})
    if params.style == "telegram":
        return _json({"chat_id": params.chat, "text": text, "link_preview_options": {"is_disabled": True}})
    if params.style == "ntfy":
        title = message.title.encode("ascii", "replace").decode()[:200]
        about = {"Title": title, "Priority": PRIORITY[message.severity], "Content-Type": "text/plain; charset=utf-8"}
        return text.encode(), about
    return _json(message.record())


def _json(content: dict[str, object]) -> Body:
    return json.dumps(content, ensure_ascii=False).encode(), {"Content-Type": "application/json; charset=utf-8"}

"""Where alerts go, and how many at most."""

from __future__ import annotations

from collections.abc import Iterator
from dataclasses import dataclass, field
from typing import Annotated, Literal

from pydantic import Field

from pipeline.config.setting_types import DISTINCT, WebAddressOrNone

Style = Literal["json", "slack", "telegram", "ntfy"]
Host = Annotated[str, Field(pattern=r"^[A-Za-z0-9.:\-\[\]]{0,255}$", description="a host name or address, or empty")]
MailAddress = Annotated[str, Field(pattern=r"^[^@\s<>,;:\"]{1,64}@[^@\s<>,;:\"]{1,255}$", description="a mail address")]
MailAddressOrNone = Annotated[
    str,
    Field(pattern=r"^([^@\s<>,;:\"]{1,64}@[^@\s<>,;:\"]{1,255})?$", description="a mail address, or empty for none"),
]
Word = Annotated[str, Field(pattern=r"^[^\x00]{1,4096}$", description="a word of a command line")]


@dataclass(frozen=True, kw_only=True)
class WebhookParams:
    """A web address that is posted to."""

    url: WebAddressOrNone = ""
    """Where alerts are posted to; where the address is itself a secret, as Slack's is, give it by the variable or
    credential ALERTS_WEBHOOK_URL instead. A token goes into ALERTS_WEBHOOK_TOKEN."""
    style: Style = "json"
    """What is posted: json, or what Slack, Telegram (its token makes the address) or ntfy expect."""
    chat: Annotated[str, Field(pattern=r"^(-?\d{1,20}|@\w{1,64})?$", description="a chat's number or @name")] = ""
    """Of Telegram: the chat."""

    def contradictions(self) -> Iterator[str]:
        """A chat that is missing."""
        if self.style == "telegram" and not self.chat:
            yield "style is telegram and chat is empty; set chat to the number of the chat that is written to"


@dataclass(frozen=True, kw_only=True)
class EmailParams:
    """A mail server that takes messages."""

    host: Host = ""
    """The server; empty for none."""
    port: Annotated[int, Field(ge=1, le=65_535)] = 587
    """Its port: 587 with starttls, 465 with tls."""
    security: Literal["starttls", "tls", "none"] = "starttls"
    """How the connection is encrypted; none is for a server on this machine."""
    user: Annotated[str, Field(pattern=r"^[^\x00-\x1f]{0,255}$", description="a user name, or empty")] = ""
    """Whom to log in as; the password goes into ALERTS_SMTP_PASSWORD. Empty logs in as nobody."""
    sender: MailAddressOrNone = ""
    """Whom the mail is from."""
    to: Annotated[tuple[MailAddress, ...], Field(max_length=20), DISTINCT] = ()
    """Whom it goes to."""

    def contradictions(self) -> Iterator[str]:
        """A server without addresses, or one that would be told what it must not in clear."""
        if self.host and not (self.sender and self.to):
            yield "host is set, but sender or to is empty; set both"
        if self.host and self.security == "none" and self.host not in ("localhost", "127.0.0.1", "::1"):
            yield f"security is none and host is {self.host}; only a server on this machine is spoken to in clear"


@dataclass(frozen=True, kw_only=True)
class AlertParams:
    """Whom the daemon tells of what changed, and how."""

    webhook: WebhookParams = field(default_factory=WebhookParams)
    """A web address."""
    email: EmailParams = field(default_factory=EmailParams)
    """A mail server."""
    command: Annotated[tuple[Word, ...], Field(max_length=50)] = ()
    """A program of your own with its arguments; it reads the message as JSON from its standard input."""
    max_seconds: Annotated[float, Field(ge=1, le=120)] = 15.0
    """Seconds that one message may take by one channel."""
    max_per_hour: Annotated[int, Field(ge=1, le=600)] = 12
    """Messages an hour by one channel; what happens beyond waits and comes in one."""
    every_seconds: Annotated[int, Field(ge=5, le=3600)] = 60
    """Seconds between two looks at the lake."""

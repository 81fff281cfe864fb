"""The channels that the configuration names, with their secrets from the environment or credential files."""

from __future__ import annotations

from collections.abc import Mapping

from pipeline.alerts.channel import Channel
from pipeline.alerts.mail import EmailChannel
from pipeline.alerts.operator_command import CommandChannel
from pipeline.alerts.params import AlertParams
from pipeline.alerts.webhook import WebhookChannel
from pipeline.config.secrets import secret


def list_channels(params: AlertParams, environ: Mapping[str, str]) -> tuple[Channel, ...]:
    """The channels that are configured, in the order webhook, e-mail, command.

    Raises:
        OSError: if a credential file is there and cannot be read.
    """
    found: list[Channel] = []
    url, token = _reveal("ALERTS_WEBHOOK_URL", environ), _reveal("ALERTS_WEBHOOK_TOKEN", environ)
    if params.webhook.url or url or params.webhook.style == "telegram":
        found.append(WebhookChannel(params.webhook, url, token))
    if params.email.host:
        found.append(EmailChannel(params.email, _reveal("ALERTS_SMTP_PASSWORD", environ)))
    if params.command:
        found.append(CommandChannel(params.command, dict(environ)))
    return tuple(found)


def _reveal(name: str, environ: Mapping[str, str]) -> str:
    held = secret(name, environ)
    return held.reveal() if held else ""

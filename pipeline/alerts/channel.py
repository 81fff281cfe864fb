"""What a channel is, and which ones the operator configured."""

from __future__ import annotations

from collections.abc import Callable, Mapping
from typing import Protocol

from pipeline.alerts.message import Message

MAX_ERROR = 500
"""Characters of what went wrong that are recorded."""


class DeliveryError(Exception):
    """A message was not accepted; the text says why, without secrets."""

    def __init__(self, text: str, *, maybe_arrived: bool = False) -> None:
        super().__init__(text[:MAX_ERROR])
        self.maybe_arrived = maybe_arrived
        """Whether the other side may have it all the same: it went silent after the message had been sent."""


Begin = Callable[[], None]
"""Called once, right before a message goes out: what dies earlier has certainly told nobody."""


def note_nothing() -> None:
    """For a message that is on no record."""


class Channel(Protocol):
    """A way to the operator."""

    name: str
    """webhook, email or command."""

    def send(self, message: Message, seconds: float, begin: Begin = note_nothing) -> None:
        """Send a message; on return it was accepted.

        Args:
            message: what to send.
            seconds: for everything, from looking the name up to the last byte of the answer.
            begin: called when the message is about to go out; what it raises comes through, and nothing is sent.

        Raises:
            DeliveryError: if it was not, or nobody can say.
        """


def blot_all(text: str, secrets: Mapping[str, str]) -> str:
    """A text without any secret that may stand in it."""
    for value in secrets.values():
        text = text.replace(value, "[secret]") if value else text
    return text

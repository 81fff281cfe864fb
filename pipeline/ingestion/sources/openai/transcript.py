"""One request to a language model with what came of it."""

from __future__ import annotations

from dataclasses import dataclass
from datetime import datetime


@dataclass(frozen=True, kw_only=True)
class Transcript:
    """What was sent and what came back, as it lands."""

    asked_at: datetime
    api: str
    article_ids: tuple[str, ...]
    labels: tuple[str, ...]
    request: str
    """The body as JSON, without the key."""
    status: str
    """answered, failed or budget."""
    reason: str = ""
    """Why there is no reply."""
    reply: str = ""
    """The body as it came, the key blotted out."""
    input_tokens: int | None = None
    output_tokens: int | None = None
    dollars: float = 0.0

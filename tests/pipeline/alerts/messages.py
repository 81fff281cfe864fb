"""A message for tests."""

from __future__ import annotations

from datetime import UTC, datetime

from pipeline.alerts.message import AlertLine, Message

NOW = datetime(2026, 1, 5, 21, 30, tzinfo=UTC)


def alert(words: str = "cycle 2026-01-05 stopped: <b>no data</b> & more", alert_id: str = "a1") -> AlertLine:
    """A task that failed for good."""
    return AlertLine(
        alert_id=alert_id,
        noticed_at=NOW,
        kind="task",
        about="cycle",
        state="stop",
        previous="",
        severity="error",
        words=words,
    )


def message(*alerts: AlertLine, repeat: bool = False) -> Message:
    """One message."""
    return Message(delivery_id="d1", lake="main", alerts=alerts or (alert(),), repeat=repeat)

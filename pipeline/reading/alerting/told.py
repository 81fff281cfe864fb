"""What was told by which channel, for a person to look at, and a message by which he tries them."""

from __future__ import annotations

from collections.abc import Sequence
from dataclasses import asdict
from datetime import UTC, datetime
from typing import Any

from lake.store import Lake
from lake.tables.alerts import ALERT_DELIVERIES
from pipeline.alerts.channel import Channel
from pipeline.alerts.params import AlertParams
from pipeline.reading.alerting.conditions import AlertState
from pipeline.reading.alerting.deliver import read_history, send_by
from pipeline.reading.alerting.record import notice, read_alerts


def list_told(lake: Lake, limit: int) -> list[dict[str, Any]]:
    """The last alerts, the newest first: the columns of `alerts`, and `told`: channel -> what came of it."""
    alerts = [one for one in read_alerts(lake) if one.kind != "watch"][-limit:]
    names = lake.read(ALERT_DELIVERIES, columns=("channel",))["channel"].unique().sort()
    since = min((one.noticed_at for one in alerts), default=None)
    told: dict[str, dict[str, str]] = {one.alert_id: {} for one in alerts}
    for name in names:
        for attempt in read_history(lake, name, since).attempts:
            for alert_id in attempt.alert_ids:
                if alert_id in told:
                    told[alert_id][name] = attempt.state
    return [asdict(one) | {"told": told[one.alert_id]} for one in reversed(alerts)]


def send_test(
    lake: Lake, channels: Sequence[Channel], params: AlertParams, now: datetime | None = None
) -> list[dict[str, Any]]:
    """Send a test message by each channel at once, whatever was sent this hour; what came of each.

    Returns:
        For each channel: channel, state, error.

    Raises:
        StorageError: if the lake cannot be written.
    """
    now = now or datetime.now(UTC)
    words = f"This is a test by a person at {now:%Y-%m-%d %H:%M:%S} UTC; nothing is wrong."
    tried = AlertState(kind="test", about=now.isoformat(), state="tried", severity="information", words=words)
    alerts = notice(lake, [tried], now)
    sent = [send_by(lake, channel, alerts, params, now) for channel in channels]
    return [
        {"channel": channel.name, "state": attempt.state, "error": attempt.error}
        for channel, attempt in zip(channels, sent, strict=True)
    ]

"""Sends each alert once by each channel: what is about to go out is recorded, then sent, then what came of it."""

from __future__ import annotations

import logging
from collections.abc import Iterable, Sequence
from dataclasses import dataclass, field
from datetime import UTC, datetime, timedelta
from hashlib import sha256

import polars as pl

from lake.errors import LakeError
from lake.store import Lake
from lake.tables.alerts import ALERT_DELIVERIES
from pipeline.alerts.channel import Channel, DeliveryError
from pipeline.alerts.message import AlertLine, Message
from pipeline.alerts.params import AlertParams
from pipeline.reading.alerting.record import name_lake, order_ids, read_alerts

log = logging.getLogger(__name__)
MAX_AGE = timedelta(days=1)
"""How long an alert is news; what has not arrived by then is given up."""
FIRST_PAUSE, LONGEST_PAUSE = timedelta(minutes=1), timedelta(hours=1)
"""Between attempts: twice as long after each one that failed."""
HOUR = timedelta(hours=1)
SETTLED = ("sent", "abandoned")
NOT_SENT = ("watch", "test")
"""Kinds that no daemon sends: its own beginning, and what a person tries."""


@dataclass
class Attempt:
    """One attempt to send one message, as far as it is on record."""

    delivery_id: str
    alert_ids: tuple[str, ...]
    attempt: int
    began: datetime
    ended: datetime
    state: str = "sending"
    """The last word on it; sending where a crash came after it went out, and before the result."""
    error: str = ""

    @property
    def uncertain(self) -> bool:
        """Whether it may have arrived without anybody knowing."""
        return self.state in ("sending", "unknown")


@dataclass
class ChannelHistory:
    """What one channel was given so far."""

    attempts: list[Attempt] = field(default_factory=list)

    def settled(self) -> set[str]:
        """The alerts that need nothing more."""
        return {one for attempt in self.attempts if attempt.state in SETTLED for one in attempt.alert_ids}

    def about(self, alert_ids: Iterable[str]) -> list[Attempt]:
        """The attempts with any of these alerts."""
        wanted = set(alert_ids)
        return [one for one in self.attempts if wanted & set(one.alert_ids)]

    def count_uncertain(self, alert_id: str) -> int:
        """How often an alert may have arrived."""
        return sum(one.uncertain for one in self.about([alert_id]))


def deliver(lake: Lake, channels: Sequence[Channel], params: AlertParams, now: datetime) -> None:
    """Send by each channel what it has not sent yet; a channel that fails holds up no other.

    Nothing is sent more than twice: where a crash or a silent server leaves open whether a message arrived, it is
    repeated once and says so. What certainly did not arrive is tried again, with growing pauses, for a day; a crash
    before a message went out leaves no trace, however often it happens, and the next look sends it.

    Raises:
        StorageError: if the lake cannot be written.
    """
    alerts = [one for one in read_alerts(lake, now - 2 * MAX_AGE) if one.kind not in NOT_SENT]
    for channel in channels:
        history = read_history(lake, channel.name, now - 2 * MAX_AGE)
        pending = [one for one in alerts if one.alert_id not in history.settled()]
        over = [one for one in pending if _is_over(one, history, now)]
        if over:
            _abandon(lake, channel.name, over, history, now)
        left = [one for one in pending if one not in over and now - one.noticed_at <= MAX_AGE]
        doubtful = [one for one in left if history.count_uncertain(one.alert_id)]
        fresh = [one for one in left if one not in doubtful]
        for group, repeat in ((doubtful, True), (fresh, False)):
            if group and _may_send(group, history, params, now):
                history.attempts.append(send_by(lake, channel, group, params, now, history, repeat=repeat))


def send_by(
    lake: Lake,
    channel: Channel,
    alerts: Sequence[AlertLine],
    params: AlertParams,
    now: datetime,
    history: ChannelHistory | None = None,
    *,
    repeat: bool = False,
) -> Attempt:
    """Send alerts in one message by a channel, with a record of it right before it goes out, and after.

    Raises:
        LakeError: if the lake cannot be written; then nothing went out, where that cannot be recorded.
    """
    ids = order_ids(alerts)
    before = history.about(ids) if history else []
    digest = sha256("\n".join([channel.name, *ids, now.isoformat()]).encode()).hexdigest()[:16]
    number = 1 + max((one.attempt for one in before), default=-1)
    attempt = Attempt(f"{channel.name}-{digest}", tuple(ids), number, now, now)
    message = Message(delivery_id=attempt.delivery_id, lake=name_lake(lake), alerts=tuple(alerts), repeat=repeat)
    try:
        channel.send(message, params.max_seconds, lambda: _record(lake, channel.name, attempt, repeat=repeat))
        attempt.state = "sent"
    except DeliveryError as error:
        attempt.state, attempt.error = "unknown" if error.maybe_arrived else "failed", str(error)
    except LakeError:
        raise
    except Exception as error:  # a channel that breaks must not cost the others; what it sent, nobody knows
        log.exception("the channel %s broke", channel.name)
        attempt.state, attempt.error = "unknown", f"the channel broke: {type(error).__name__}"
    if attempt.error:
        log.warning("alerts by %s: %s", channel.name, attempt.error)
    _record(lake, channel.name, attempt, repeat=repeat)
    return attempt


def read_history(lake: Lake, channel: str, since: datetime | None = None) -> ChannelHistory:
    """What a channel was given since a moment, the oldest first."""
    rows = lake.read(ALERT_DELIVERIES, since=since, where=pl.col("channel") == channel)
    found: dict[str, Attempt] = {}
    # The intent has the same moment as the result where a clock stands still, so it is put first by its name.
    for row in rows.sort(pl.col("state") != "sending", "at", "delivery_id").iter_rows(named=True):
        at, name = row["at"].astimezone(UTC), row["delivery_id"]
        attempt = found.setdefault(name, Attempt(name, tuple(row["alert_ids"]), row["attempt"], at, at))
        attempt.state, attempt.error, attempt.ended = row["state"], row["error"], at
    return ChannelHistory(sorted(found.values(), key=lambda one: one.began))


# ---- inner workings


def _is_over(alert: AlertLine, history: ChannelHistory, now: datetime) -> bool:
    """Whether nothing more is tried: it may have arrived twice, or has failed for too long."""
    tried = history.about([alert.alert_id])
    return history.count_uncertain(alert.alert_id) > 1 or (bool(tried) and now - alert.noticed_at > MAX_AGE)


def _may_send(group: Sequence[AlertLine], history: ChannelHistory, params: AlertParams, now: datetime) -> bool:
    """Whether the pause after what failed is over, and the hour's messages are not used up."""
    if sum(now - HOUR < one.began <= now for one in history.attempts) >= params.max_per_hour:
        return False
    last = max(history.about(order_ids(group)), key=lambda one: one.ended, default=None)
    if last is None or last.state == "sending":  # after a crash the pause has been long enough
        return True
    pause: timedelta = min(FIRST_PAUSE * 2 ** min(last.attempt, 10), LONGEST_PAUSE)
    return now >= last.ended + pause


def _abandon(lake: Lake, channel: str, alerts: Sequence[AlertLine], history: ChannelHistory, now: datetime) -> None:
    ids = order_ids(alerts)
    last = max(history.about(ids), key=lambda one: one.ended)
    digest = sha256("\n".join([channel, *ids, "abandoned"]).encode()).hexdigest()[:16]
    why = f"given up after {last.attempt + 1} attempts: {last.error or 'what came of them is not known'}"
    given_up = Attempt(f"{channel}-{digest}", tuple(ids), last.attempt + 1, now, now, "abandoned", why)
    log.error("alerts by %s: %s", channel, why)
    _record(lake, channel, given_up, repeat=False)
    history.attempts.append(given_up)


def _record(lake: Lake, channel: str, attempt: Attempt, *, repeat: bool) -> None:
    row = {
        "delivery_id": attempt.delivery_id,
        "state": attempt.state,
        "at": attempt.ended,
        "channel": channel,
        "alert_ids": list(attempt.alert_ids),
        "attempt": attempt.attempt,
        "repeat": repeat,
        "error": attempt.error[:1_000],
    }
    rows = ALERT_DELIVERIES.check(pl.DataFrame([row], schema=ALERT_DELIVERIES.schema))
    lake.commit(ALERT_DELIVERIES, rows, f"{attempt.delivery_id}-{attempt.state}", {})

"""Channels by which nothing has reached the operator for some time, from what is on record of sending."""

from __future__ import annotations

from dataclasses import dataclass
from datetime import UTC, datetime, timedelta

import polars as pl

from lake.store import Lake
from lake.tables.alerts import ALERT_DELIVERIES

LOOKED_AT = timedelta(days=2)
"""How far back; a channel that is not configured any more is forgotten after that."""
PATIENCE = timedelta(hours=1)
"""How long a channel may fail before that is a problem: servers restart, and what failed is tried again."""


@dataclass(frozen=True)
class FailingChannel:
    """A channel, and what became of what it was given since it last worked."""

    name: str
    since: datetime
    """When it first failed since it last sent something."""
    given_up: int
    """Alerts that were given up since then."""
    error: str
    """What went wrong last."""


def find_failing_channels(lake: Lake, now: datetime) -> list[FailingChannel]:
    """The channels that have given something up, or failed for an hour, since they last sent something.

    Raises:
        LakeError: if the lake cannot be read.
    """
    rows = lake.read(ALERT_DELIVERIES, since=now - LOOKED_AT).filter(pl.col("state") != "sending").sort("at")
    found = []
    for (name,), mine in rows.group_by("channel", maintain_order=True):
        sent = mine.filter(pl.col("state") == "sent")["at"].max()
        failed = mine.filter(pl.col("at") > sent) if sent is not None else mine
        if failed.is_empty():
            continue
        given_up = failed.filter(pl.col("state") == "abandoned")["alert_ids"].explode().n_unique()
        since = failed["at"][0].astimezone(UTC)
        if given_up or now - since > PATIENCE:
            found.append(FailingChannel(str(name), since, given_up, failed["error"][-1]))
    return sorted(found, key=lambda one: one.since)

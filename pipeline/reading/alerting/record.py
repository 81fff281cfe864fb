"""The record of alerts in the lake: each change is one row, written before anything is sent."""

from __future__ import annotations

from collections import Counter
from collections.abc import Iterable, Sequence
from dataclasses import asdict
from datetime import UTC, datetime
from hashlib import sha256

import polars as pl

from lake.contract import RUN_ID
from lake.store import Lake
from lake.tables.alerts import ALERTS
from pipeline.alerts.message import AlertLine, plain
from pipeline.reading.alerting.conditions import NORMAL, AlertState

MAX_WORDS = 1_000


def begin_watch(lake: Lake, now: datetime) -> datetime:
    """When the daemon first looked; put on record if it never did. What failed before is nobody's news."""
    began = lake.read(ALERTS, where=pl.col("kind") == "watch", columns=("noticed_at",))["noticed_at"].min()
    if isinstance(began, datetime):
        return began.astimezone(UTC)
    first = AlertState(kind="watch", about="", state="began", severity="information", words="The daemon began to look.")
    notice(lake, [first], now)
    return now


def notice(lake: Lake, conditions: Iterable[AlertState], now: datetime) -> list[AlertLine]:
    """Put on record what is otherwise than it was, and return that.

    A change has an id of its own that follows from what was recorded before: a daemon that crashed between noticing and
    recording notices the same once more, and one that recorded it does not.

    Raises:
        StorageError: if the lake cannot be written.
    """
    states, number = _read_states(lake)
    found = []
    for one in conditions:
        key = (one.kind, one.about)
        before = states.get(key, NORMAL.get(one.kind, ""))
        if one.state != before:
            found.append(_make_alert(one, before, number[key], now))
            states[key] = one.state
            number[key] += 1
    if found:
        rows = pl.DataFrame([asdict(one) for one in found], schema=ALERTS.schema)
        lake.commit(ALERTS, ALERTS.check(rows), f"alerts-{found[0].alert_id}-{now.isoformat()}", {})
    return found


def read_alerts(lake: Lake, since: datetime | None = None) -> list[AlertLine]:
    """The alerts on record, in the order in which they were noticed."""
    rows = lake.read(ALERTS, since=since).drop(RUN_ID).sort("noticed_at", "alert_id")
    return [AlertLine(**row | {"noticed_at": row["noticed_at"].astimezone(UTC)}) for row in rows.iter_rows(named=True)]


def _read_states(lake: Lake) -> tuple[dict[tuple[str, str], str], Counter[tuple[str, str]]]:
    """What everything on record is, and how often it changed, by kind and what it is about."""
    rows = lake.read(ALERTS, columns=("kind", "about", "state", "noticed_at", "alert_id"))
    last = rows.sort("noticed_at", "alert_id").group_by("kind", "about").agg(pl.col("state").last(), number=pl.len())
    found = {(kind, about): (state, number) for kind, about, state, number in last.iter_rows()}
    return {key: state for key, (state, _) in found.items()}, Counter({key: count for key, (_, count) in found.items()})


def _make_alert(one: AlertState, before: str, number: int, now: datetime) -> AlertLine:
    digest = sha256("\n".join((one.kind, one.about, one.state, str(number))).encode()).hexdigest()
    return AlertLine(
        alert_id=digest[:16],
        noticed_at=now,
        kind=one.kind,
        about=one.about,
        state=one.state,
        previous=before,
        severity=one.severity,
        words=plain(one.words)[:MAX_WORDS],
    )


def name_lake(lake: Lake) -> str:
    """What messages call the lake: its folder's name."""
    return lake.path.absolute().name


def order_ids(alerts: Sequence[AlertLine]) -> list[str]:
    """The ids of alerts, in their order."""
    return [one.alert_id for one in alerts]

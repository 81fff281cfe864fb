"""What the operator is to be told, and what was sent to him by which channel."""

import polars as pl

from lake.contract import Column, Table
from lake.tables.vocabulary import count, flag, instant, text

ALERTS = Table(
    name="alerts",
    domain="control",
    doc="One row per change that the operator is told of, written before anything is sent.",
    key=("alert_id",),
    mode="append",
    owner="kernel",
    clock="noticed_at",
    root="a change of the operation's state, as the daemon noticed it",
    published_by_run=False,
    columns={
        "alert_id": text("hash of the change and its number: noticed twice, it is one row", unit="id", max_length=40),
        "noticed_at": instant("when"),
        "kind": Column(
            pl.String(),
            "name",
            "what changed; watch: the daemon began to look, and nothing is sent",
            pattern="verdict|task|late|drift|drawdown|test|watch",
        ),
        "about": text("the task, table, model or limit concerned; empty for the whole", max_length=200),
        "state": text("what it is now", max_length=200),
        "previous": text("what it was; empty where nothing was known", max_length=200),
        "severity": Column(pl.String(), "name", "how grave it is", pattern="information|warning|error"),
        "words": text("the change as a sentence", max_length=1_000),
    },
)

ALERT_DELIVERIES = Table(
    name="alert_deliveries",
    domain="control",
    doc="Each step of sending alerts by one channel: that a message goes out, and what came of it.",
    key=("delivery_id", "state"),
    mode="append",
    owner="kernel",
    clock="at",
    published_by_run=False,
    columns={
        "delivery_id": text("one attempt to send one message", unit="id", max_length=80),
        "state": Column(
            pl.String(),
            "name",
            "sending: going out; sent: accepted; failed: it was not; unknown: nobody can say; abandoned: given up",
            pattern="sending|sent|failed|unknown|abandoned",
        ),
        "at": instant("when"),
        "channel": Column(pl.String(), "name", "by what", pattern="webhook|email|command"),
        "alert_ids": Column(pl.List(pl.String()), "ids", "the alerts in the message").refer_to("alerts.alert_id"),
        "attempt": count("count", "0 for the first message with the first of these alerts"),
        "repeat": flag("whether it may repeat a message whose result nobody knows; it says so itself"),
        "error": text("what went wrong, as a sentence without secrets; empty if nothing", max_length=1_000),
    },
)

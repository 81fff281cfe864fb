"""What happened since the last look that an operator should be alerted to, wherever he is."""

from __future__ import annotations

from collections.abc import Iterator, Mapping
from dataclasses import dataclass
from typing import Literal

import polars as pl

from lake.store import Lake
from lake.tables.control import SYSTEM_HEALTH, TASK_ATTEMPTS
from lake.tables.feedback import RETRAIN_CANDIDATES
from pipeline.reading.health_verdict import Health

MAX_ALERTS = 3
"""Alerts of a kind at a time: more would bury each other."""
ENDED = ("done", "failed", "dead", "cancelled", "skipped")
NEEDS_OPERATOR = {"stop": "stopped", "give-up": "failed, without further retries"}
"""What follows an attempt and needs a person -> how to say it."""
Severity = Literal["information", "warning", "error"]


@dataclass(frozen=True)
class Alert:
    """One sentence, which may hold text from outside: make it safe before showing it."""

    words: str
    severity: Severity


@dataclass(frozen=True)
class AlertFacts:
    """What alerts are made from, as it stood at one look."""

    runs: pl.DataFrame
    attempts: pl.DataFrame
    checks: pl.DataFrame
    """Of the last report."""
    due: pl.DataFrame
    """The reasons to train that were due at the last session."""


def read_alert_facts(lake: Lake, runs: pl.DataFrame) -> AlertFacts:
    """Read it.

    Args:
        lake: only read.
        runs: every published run: run_id, stage, session, status, error.

    Raises:
        LakeError: if the lake cannot be read.
    """
    reasons = _last(lake.read(RETRAIN_CANDIDATES, columns=("session", "model_id", "reason", "due", "evidence")))
    columns = ("task", "slot", "attempt", "state", "follows", "reason", "at")
    return AlertFacts(
        runs=runs.select("run_id", "stage", "session", "status", "error"),
        attempts=lake.read(TASK_ATTEMPTS, columns=columns).sort("at", "attempt"),
        checks=_last(lake.read(SYSTEM_HEALTH, columns=("session", "service", "check", "status", "message"))),
        due=reasons.filter(pl.col("due")),
    )


def find_alerts(before: AlertFacts, now: AlertFacts, requested: Mapping[str, str]) -> tuple[Alert, ...]:
    """Runs that failed, tasks that stopped, checks that turned bad, drift, and the answers to requests from here.

    Args:
        before: the lake at the last look.
        now: the same lake at this look.
        requested: id of a request sent from here -> what it asked for.
    """
    found = (
        *_failures(before, now),
        *_attempts(before, now, requested),
        *_checks(before, now),
        *_drift(before, now),
    )
    return tuple(dict.fromkeys(found))


def verdict_alert(before: Health | None, now: Health) -> Alert | None:
    """The verdict's sentence where it turned to failure, or fails by another part than before."""
    if now.status != "fail" or before is None:
        return None
    known = before.status == "fail" and before.problems[0].part == now.problems[0].part
    return None if known else Alert(now.sentence, "error")


def _failures(before: AlertFacts, now: AlertFacts) -> Iterator[Alert]:
    fresh = _new(("run_id",), before.runs, now.runs)
    for row in fresh.filter(pl.col("status") != "done").head(MAX_ALERTS).iter_rows(named=True):
        yield Alert(f"{row['stage']} of {row['session']} failed: {row['error']}", "error")


def _attempts(before: AlertFacts, now: AlertFacts, requested: Mapping[str, str]) -> Iterator[Alert]:
    fresh = _new(TASK_ATTEMPTS.key, before.attempts, now.attempts)
    mine = pl.col("slot").is_in(list(requested))
    for row in fresh.filter(mine & pl.col("state").is_in(ENDED)).iter_rows(named=True):
        words = f"{requested[row['slot']]}: {row['state']}{': ' + row['reason'] if row['reason'] else ''}"
        yield Alert(words, "information" if row["state"] == "done" else "error")
    stopped = fresh.filter(~mine & pl.col("follows").is_in(list(NEEDS_OPERATOR)))
    for row in stopped.head(MAX_ALERTS).iter_rows(named=True):
        yield Alert(f"{row['task']} {row['slot']} {NEEDS_OPERATOR[row['follows']]}: {row['reason']}", "error")


def _checks(before: AlertFacts, now: AlertFacts) -> Iterator[Alert]:
    """Checks that fail in the newest report and did not in the one before."""
    failing, failed = (one.checks.filter(pl.col("status") == "fail") for one in (now, before))
    for row in _new(("service", "check"), failed, failing).head(MAX_ALERTS).iter_rows(named=True):
        yield Alert(f"{row['service']}, {row['check']}: {row['message']}", "error")


def _drift(before: AlertFacts, now: AlertFacts) -> Iterator[Alert]:
    """Reasons to train that are due now and were not: drift, decay, age."""
    for row in _new(("model_id", "reason"), before.due, now.due).head(MAX_ALERTS).iter_rows(named=True):
        yield Alert(f"Training is due ({row['reason']}): {row['evidence']}", "warning")


def _last(rows: pl.DataFrame) -> pl.DataFrame:
    return rows.filter(pl.col("session") == pl.col("session").max())


def _new(key: tuple[str, ...], before: pl.DataFrame, rows: pl.DataFrame) -> pl.DataFrame:
    return rows.join(before, on=list(key), how="anti", maintain_order="left")

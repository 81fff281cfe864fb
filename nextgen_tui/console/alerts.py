"""What happened since the last look that an operator should be told of, on whichever screen he is."""

from __future__ import annotations

from collections.abc import Iterator, Mapping
from dataclasses import dataclass
from typing import Literal

import polars as pl

from lake.tables.control import SYSTEM_HEALTH, TASK_ATTEMPTS
from lake.tables.feedback import RETRAIN_CANDIDATES
from nextgen_tui.console.lake_view import LakeView
from nextgen_tui.text.safe_text import safe_text

MOST = 3
"""Alerts of a kind at a time: more would bury each other."""
ENDED = ("done", "failed", "dead", "cancelled", "skipped")
LEFT = {"stop": "stopped", "give-up": "was given up"}
"""What follows an attempt and needs a person -> how to say it."""
Severity = Literal["information", "warning", "error"]


@dataclass(frozen=True)
class Alert:
    """One sentence."""

    words: str
    severity: Severity


@dataclass(frozen=True)
class Known:
    """What alerts are told from, as it stood at one look."""

    runs: pl.DataFrame
    attempts: pl.DataFrame
    checks: pl.DataFrame
    """Of the last report."""
    due: pl.DataFrame
    """The reasons to train that were due at the last session."""


def known(view: LakeView) -> Known:
    """Read it; of runs nothing that the view does not hold.

    Raises:
        LakeError: if the lake cannot be read.
    """
    reasons = _last(view.read(RETRAIN_CANDIDATES, columns=("session", "model_id", "reason", "due", "evidence")))
    columns = ("task", "slot", "attempt", "state", "follows", "reason", "at")
    return Known(
        runs=view.every_run.select("run_id", "stage", "session", "status", "error"),
        attempts=view.read(TASK_ATTEMPTS, columns=columns).sort("at", "attempt"),
        checks=_last(view.read(SYSTEM_HEALTH, columns=("session", "service", "check", "status", "message"))),
        due=reasons.filter(pl.col("due")),
    )


def alerts(before: Known, now: Known, asked: Mapping[str, str]) -> tuple[Alert, ...]:
    """Runs that failed, tasks that stopped, checks that turned bad, drift, and the answers to what was asked from here.

    Args:
        before: the lake at the last look.
        now: the same lake at this look.
        asked: id of a request sent from here -> what it asked for.
    """
    found = (*_failed(before, now), *_attempts(before, now, asked), *_checks(before, now), *_drift(before, now))
    return tuple(dict.fromkeys(found))


def _failed(before: Known, now: Known) -> Iterator[Alert]:
    fresh = _new(("run_id",), before.runs, now.runs)
    for row in fresh.filter(pl.col("status") != "done").head(MOST).iter_rows(named=True):
        yield Alert(safe_text(f"{row['stage']} of {row['session']} failed: {row['error']}"), "error")


def _attempts(before: Known, now: Known, asked: Mapping[str, str]) -> Iterator[Alert]:
    fresh = _new(TASK_ATTEMPTS.key, before.attempts, now.attempts)
    mine = pl.col("slot").is_in(list(asked))
    for row in fresh.filter(mine & pl.col("state").is_in(ENDED)).iter_rows(named=True):
        told = f"{asked[row['slot']]}: {row['state']}{': ' + row['reason'] if row['reason'] else ''}"
        yield Alert(safe_text(told), "information" if row["state"] == "done" else "error")
    for row in fresh.filter(~mine & pl.col("follows").is_in(list(LEFT))).head(MOST).iter_rows(named=True):
        yield Alert(safe_text(f"{row['task']} {row['slot']} {LEFT[row['follows']]}: {row['reason']}"), "error")


def _checks(before: Known, now: Known) -> Iterator[Alert]:
    """Checks that fail in the newest report and did not in the one before."""
    failing, failed = (one.checks.filter(pl.col("status") == "fail") for one in (now, before))
    for row in _new(("service", "check"), failed, failing).head(MOST).iter_rows(named=True):
        yield Alert(safe_text(f"{row['service']}, {row['check']}: {row['message']}"), "error")


def _drift(before: Known, now: Known) -> Iterator[Alert]:
    """Reasons to train that are due now and were not: drift, decay, age."""
    for row in _new(("model_id", "reason"), before.due, now.due).head(MOST).iter_rows(named=True):
        yield Alert(safe_text(f"Training is due ({row['reason']}): {row['evidence']}"), "warning")


def _last(rows: pl.DataFrame) -> pl.DataFrame:
    return rows.filter(pl.col("session") == pl.col("session").max())


def _new(key: tuple[str, ...], before: pl.DataFrame, rows: pl.DataFrame) -> pl.DataFrame:
    return rows.join(before, on=list(key), how="anti", maintain_order="left")

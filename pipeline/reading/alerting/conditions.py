"""The states of the operation whose changes an operator is told of: verdict, tasks, lateness, drift, drawdown."""

from __future__ import annotations

from collections.abc import Iterable, Iterator
from dataclasses import dataclass
from datetime import date, datetime

import polars as pl

from lake.contract import Table
from lake.store import Lake
from lake.tables.books import PORTFOLIO_VALUE
from lake.tables.control import TASK_ATTEMPTS
from lake.tables.feedback import RETRAIN_CANDIDATES
from pipeline.alerts.message import Severity
from pipeline.reading.alerts import NEEDS_OPERATOR
from pipeline.reading.daemon import MAX_DELAY
from pipeline.reading.health_verdict import Health
from pipeline.reading.operation_parts import PartHealth
from pipeline.text_format import percent
from pipeline.trading.params import Rules

NORMAL = {"verdict": "ok", "late": "on time", "drift": "not due", "drawdown": "within limits"}
"""Kind -> the state that is taken for granted where none is on record; a task's failure has none."""
SEVERITIES: dict[str, Severity] = {"ok": "information", "warn": "warning", "fail": "error"}


@dataclass(frozen=True, kw_only=True)
class AlertState:
    """How something is now."""

    kind: str
    about: str
    state: str
    severity: Severity
    words: str


def gather_conditions(lake: Lake, health: Health | None, rules: Rules, since: datetime) -> list[AlertState]:
    """Gather how everything is that an operator is told the changes of.

    Args:
        lake: only read.
        health: the verdict; None to leave out what rests on it.
        rules: the drawdown limits.
        since: failures of tasks before that are left out.

    Raises:
        LakeError: if the lake cannot be read.
    """
    found: list[AlertState] = []
    if health is not None:
        found += [judge_verdict(health), *judge_lateness(health.parts)]
    attempts = lake.read(TASK_ATTEMPTS, since=since, where=pl.col("follows").is_in(list(NEEDS_OPERATOR)))
    found += judge_attempts(attempts)
    found += judge_drift(_read_last(lake, RETRAIN_CANDIDATES))
    found += judge_drawdown(_read_last(lake, PORTFOLIO_VALUE), rules)
    return found


def judge_verdict(health: Health) -> AlertState:
    """The verdict; a failure of another part is another state."""
    part = f": {health.problems[0].part}" if health.status == "fail" and health.problems else ""
    return AlertState(
        kind="verdict",
        about="",
        state=f"{health.status}{part}"[:200],
        severity=SEVERITIES[health.status],
        words=f"The verdict is {health.status}: {health.sentence}",
    )


def judge_lateness(parts: Iterable[PartHealth]) -> Iterator[AlertState]:
    """Tasks that are overdue and tables that are older than they should be."""
    for part in parts:
        late = part.facts.get("late_seconds")
        if late is None and "target" not in part.facts:
            continue
        is_late = late > MAX_DELAY.total_seconds() if late is not None else part.status != "ok"
        yield AlertState(
            kind="late",
            about=part.service,
            state="late" if is_late else "on time",
            severity="warning" if is_late else "information",
            words=part.reason if is_late else f"{part.service} is late no more",
        )


def judge_attempts(attempts: pl.DataFrame) -> Iterator[AlertState]:
    """Attempts after which nothing more is tried: each is told once."""
    for row in attempts.sort("at", "task", "slot", "attempt").iter_rows(named=True):
        yield AlertState(
            kind="task",
            about=f"{row['task']} {row['slot']} attempt {row['attempt']}"[:200],
            state=row["follows"],
            severity="error",
            words=f"{row['task']} {row['slot']} {NEEDS_OPERATOR[row['follows']]}: {row['reason']}",
        )


def judge_drift(reasons: pl.DataFrame) -> Iterator[AlertState]:
    """Reasons to train again of the last session: drift, decay, age."""
    last = reasons.filter(pl.col("session") == pl.col("session").max()).sort("model_id", "reason")
    for row in last.iter_rows(named=True):
        due = row["due"]
        words = f"Training is due ({row['reason']}): {row['evidence']}" if due else f"{row['reason']} is due no more"
        yield AlertState(
            kind="drift",
            about=f"{row['model_id']} {row['reason']}"[:200],
            state="due" if due else "not due",
            severity="warning" if due else "information",
            words=words,
        )


def judge_drawdown(value: pl.DataFrame, rules: Rules) -> Iterator[AlertState]:
    """The book's fall from its peak against the limits from which buying shrinks, and stops."""
    if value.is_empty():
        return
    last = value.sort("session").row(-1, named=True)
    depth = last["drawdown"]
    state, limit, severity = "within limits", rules.drawdown_soft, SEVERITIES["ok"]
    if depth >= rules.drawdown_hard:
        state, limit, severity = "beyond the hard limit", rules.drawdown_hard, SEVERITIES["fail"]
    elif depth >= rules.drawdown_soft:
        state, severity = "beyond the soft limit", SEVERITIES["warn"]
    words = f"The book is {percent(depth, 1)} under its peak on {last['session']}, {state} of {percent(limit, 1)}"
    if state == "within limits":
        words = f"The book is {percent(depth, 1)} under its peak on {last['session']}, within its limits again"
    yield AlertState(kind="drawdown", about="", state=state, severity=severity, words=words)


def _read_last(lake: Lake, table: Table) -> pl.DataFrame:
    """The rows of a table's last session."""
    span = lake.clock_span(table, until=date.max)
    return lake.read(table, since=span[1]) if span else table.empty()

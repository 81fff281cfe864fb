"""Whether all is well, from the health report and the runs: pure functions for `status` and the console."""

from __future__ import annotations

from dataclasses import dataclass
from datetime import date, datetime
from typing import Literal

import polars as pl

from lake.runs import of_work, summarize_work
from lake.tables.control import WorkKind

Status = Literal["ok", "warn", "fail"]


@dataclass(frozen=True)
class Check:
    """One line of the health report."""

    service: str
    check: str
    status: Status
    value: float | None
    limit: float | None
    message: str


@dataclass(frozen=True)
class CycleFacts:
    """One cycle."""

    cycle_id: str
    session: date
    runs: int
    failed: int
    rows_written: int
    seconds: float
    started_at: datetime
    error: str


@dataclass(frozen=True)
class Health:
    """The verdict and what it rests on."""

    status: Status
    sentence: str
    session: date | None
    checks: tuple[Check, ...]
    cycles: tuple[CycleFacts, ...]


def health(system_health: pl.DataFrame, runs: pl.DataFrame, cycles: int = 10) -> Health:
    """Judge the newest health report together with the last cycles.

    Args:
        system_health: any rows of the table; the last session's are judged.
        runs: any rows of the table.
        cycles: how many cycles to tell of, newest first.
    """
    checks = _last_checks(system_health)
    recent = recent_cycles(runs, cycles)
    failing = [check for check in checks if check.status == "fail"]
    warning = [check for check in checks if check.status == "warn"]
    session = system_health["session"].max() if system_health.height else None
    assert session is None or isinstance(session, date)
    last_failed = bool(recent) and recent[0].failed > 0
    status: Status = "fail" if failing or last_failed else "warn" if warning or not checks else "ok"
    return Health(status, _sentence(failing, warning, recent, session), session, checks, recent)


def recent_cycles(runs: pl.DataFrame, count: int) -> tuple[CycleFacts, ...]:
    """The last cycles by the time they started, newest first; work that is no cycle is not among them.

    A stage that failed and was done by a later attempt of the same cycle does not count as failed.
    """
    cycles = summarize_work(runs.filter(of_work(WorkKind.CYCLE))).head(count)
    return tuple(
        CycleFacts(
            cycle_id=row["cycle_id"],
            session=row["session"],
            runs=row["stages"],
            failed=row["failed"],
            rows_written=row["written"],
            seconds=row["milliseconds"] / 1_000,
            started_at=row["started_at"],
            error=row["error"],
        )
        for row in cycles.iter_rows(named=True)
    )


def _last_checks(system_health: pl.DataFrame) -> tuple[Check, ...]:
    if system_health.is_empty():
        return ()
    order = pl.col("status").replace_strict({"fail": 0, "warn": 1, "ok": 2}, return_dtype=pl.Int8)
    last = system_health.filter(pl.col("session") == pl.col("session").max()).sort(order, "service", "check")
    wanted = last.select("service", "check", "status", "value", "limit", "message")
    return tuple(Check(*row) for row in wanted.iter_rows())


def _sentence(failing: list[Check], warning: list[Check], recent: tuple[CycleFacts, ...], session: date | None) -> str:
    if recent and recent[0].failed:
        return f"The last cycle ({recent[0].session}) failed: {recent[0].error}"
    if failing:
        return f"{len(failing)} of the checks of {session} failed, first {failing[0].service}: {failing[0].message}"
    if warning:
        return f"{_remarks(len(warning))} on {session}, first {warning[0].service}: {warning[0].message}"
    if session is None:
        return "No session has been run yet."
    return f"All is well as of {session}."


def _remarks(count: int) -> str:
    return "1 remark" if count == 1 else f"{count} remarks"

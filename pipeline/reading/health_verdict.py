"""Whether the operation is healthy: the one verdict that `status`, the console, alerts and Prometheus repeat."""

from __future__ import annotations

from collections.abc import Iterable, Iterator, Sequence
from dataclasses import dataclass
from datetime import date, datetime

import polars as pl

from lake.contract import PolarsType
from lake.store import Lake
from lake.tables.control import SYSTEM_HEALTH
from pipeline.control.daemon.simulated_pace import make_operation_clock
from pipeline.control.schedule.active_schedule import read_active_schedule
from pipeline.control.schedule.schedule_file import Calendars
from pipeline.health.checks import SEVERITY, Check, Status, worst
from pipeline.reading.cycles import CycleFacts, last_training, read_last_runs, recent_cycles
from pipeline.reading.market_time import calendars_from, read_changes
from pipeline.reading.operation_parts import AFTER_DAMAGE, PartHealth, judge_parts
from pipeline.text_format import counted

RUN_COLUMNS = ("run_id", "work", "cycle_id", "stage", "session", "status", "error", "written", "seconds", "started_at")
"""What of `runs` a verdict needs."""
FIXES = {
    "quarantined": "`nextgen show quarantined_rows` lists them",
    "arrived": "`nextgen show ticker_universe --where stale>0` lists the late tickers",
    "forecast": "`nextgen show inference_log` says why of each ticker",
    "last run": "`nextgen runs --failed` shows the details",
    "reconciled": "`nextgen show portfolio_value --limit 2` shows by how much",
}
"""What was checked -> where to go on from there."""
CHECK_SCHEMA: dict[str, PolarsType] = {
    **dict.fromkeys(("service", "check", "status"), pl.String),
    **dict.fromkeys(("value", "limit"), pl.Float64),
    **dict.fromkeys(("message", "fix", "retry"), pl.String),
}
CYCLES = 5
"""How many of the last cycles a verdict names."""


@dataclass(frozen=True)
class Problem:
    """One thing that is not as it should be."""

    status: Status
    part: str
    """The part of the operation, the stage or the table it is about."""
    what: str
    """A full sentence without its stop."""
    why: str
    """The figure behind it; empty if there is none."""
    since: datetime | date | None
    """Since when, or since which session; None where that is not known."""
    fix: str
    """What fixes it, or shows more; empty if nothing does."""
    retry: str = ""
    """The task and slot that can be tried again; empty where nothing stopped."""


@dataclass(frozen=True)
class Health:
    """The verdict and what it rests on."""

    at: datetime
    status: Status
    sentence: str
    """The verdict in one sentence: the worst problem, what to do about it, and how many more there are."""
    session: date | None
    """The last session that was reported on; None on a lake that has run none."""
    problems: tuple[Problem, ...]
    """Worst first."""
    checks: tuple[Check, ...]
    """The lines of the last report, worst first."""
    parts: tuple[PartHealth, ...]
    """The parts of the operation, worst first; none of a past moment, of which only lake and report are known."""
    cycles: tuple[CycleFacts, ...]
    """The last cycles, newest first."""

    @property
    def healthy(self) -> bool:
        """Whether nothing has failed and at least one session was run."""
        return self.status != "fail" and self.session is not None

    def describe_briefly(self, max_parts: int) -> str:
        """The status and what is affected, the worst first: 'fail: daemon, cycle and 2 more'; 'ok' where nothing is."""
        parts = list(dict.fromkeys(problem.part for problem in self.problems))
        if not parts:
            return self.status
        more = f" and {len(parts) - max_parts} more" if len(parts) > max_parts else ""
        return f"{self.status}: {', '.join(parts[:max_parts])}{more}"


def judge_health(
    lake: Lake, now: datetime | None = None, calendars: Calendars | None = None, *, measure_lake: bool = True
) -> Health:
    """The verdict on a lake as it is now, from report, runs, daemon, schedule, configuration and disk together.

    Args:
        lake: only read; needs no daemon.
        now: the time by which the lake is operated; None for that of its clock.
        calendars: exchange code -> its sessions; None for those worked out by a child process.
        measure_lake: whether the figures hold the lake's size, which takes seconds in a lake of many files.

    Raises:
        LakeError: if the lake cannot be read.
    """
    now = now or make_operation_clock(lake).now()
    calendars = calendars or calendars_from(now.date(), read_changes(lake.path))
    parts = judge_parts(
        lake, read_active_schedule(lake.path, now, calendars), now, calendars, measure_lake=measure_lake
    )
    return compose_health(now, parts, lake.read(SYSTEM_HEALTH), read_last_runs(lake, CYCLES, RUN_COLUMNS))


def compose_health(
    now: datetime, parts: Iterable[PartHealth], system_health: pl.DataFrame, runs: pl.DataFrame
) -> Health:
    """The verdict from what was found; without parts, that on a past moment.

    Args:
        now: the moment judged.
        parts: the verdicts on the parts of the operation, the most important first.
        system_health: rows of the table; the last session's are judged.
        runs: rows of the table, at least `RUN_COLUMNS`.
    """
    parts = sorted(parts, key=lambda part: -SEVERITY[part.status])
    session = system_health["session"].max() if system_health.height else None
    assert session is None or isinstance(session, date)
    checks, cycles = last_checks(system_health), recent_cycles(runs, CYCLES)
    problems = sorted(
        (*_of_parts(parts), *_of_cycles(cycles), *_of_training(runs), *_of_checks(checks, session, cycles)),
        key=lambda problem: -SEVERITY[problem.status],
    )
    status = worst(problem.status for problem in problems)
    if status == "ok" and session is None:
        status = "warn"
    return Health(
        at=now,
        status=status,
        sentence=_sentence(problems, session),
        session=session,
        problems=tuple(problems),
        checks=checks,
        parts=tuple(parts),
        cycles=cycles,
    )


def last_checks(system_health: pl.DataFrame) -> tuple[Check, ...]:
    """The lines of the last report, worst first."""
    last = system_health.filter(pl.col("session") == pl.col("session").max())
    found = [Check(*row) for row in last.sort("service", "check").select(Check._fields).iter_rows()]
    return tuple(sorted(found, key=lambda check: -SEVERITY[check.status]))


def check_rows(health: Health) -> pl.DataFrame:
    """The problems that no line of the report tells, and then those lines; worst first: `CHECK_SCHEMA`."""
    rows: list[tuple[object, ...]] = [
        (one.part, "now", one.status, None, None, one.what, one.fix, one.retry)
        for one in health.problems
        if not any(one.part == check.service and one.what.endswith(check.message) for check in health.checks)
    ]
    rows += [(*check, "", "") for check in health.checks]
    frame = pl.DataFrame(rows, schema=CHECK_SCHEMA, orient="row")
    rank = pl.col("status").replace_strict(SEVERITY, return_dtype=pl.Int8)
    return frame.sort(rank, descending=True, maintain_order=True)


def _sentence(problems: Sequence[Problem], session: date | None) -> str:
    if not problems:
        return f"All is well as of {session}." if session else "No session has been run yet."
    first, more = problems[0], len(problems) - 1
    fix = f"; {first.fix}" if first.fix else ""
    rest = f" ({counted(more, 'more problem')})" if more else ""
    return f"{first.what}{fix}{rest}."


def _of_parts(parts: Iterable[PartHealth]) -> Iterator[Problem]:
    for part in parts:
        if part.status != "ok":
            yield Problem(part.status, part.service, part.reason, "", part.since, part.fix, part.retry)


def _of_cycles(cycles: Sequence[CycleFacts]) -> Iterator[Problem]:
    if cycles and cycles[0].failed:
        last = cycles[0]
        damaged = last.error.startswith("DamageError")
        fix = AFTER_DAMAGE if damaged else f"`nextgen cycle --session {last.session}` continues where it stopped"
        what = f"The last cycle ({last.session}) failed: {last.error}"
        yield Problem("fail", "cycle", what, "", last.started_at, fix, f"cycle {last.session}")


def _of_training(runs: pl.DataFrame) -> Iterator[Problem]:
    last = last_training(runs)
    if last is not None and last.failed:
        what = f"The last training ({last.session}) failed: {last.error}"
        fix = f"`nextgen train --session {last.session}` tries again"
        yield Problem("warn", "training", what, "", last.started_at, fix)


def _of_checks(checks: Iterable[Check], session: date | None, cycles: Sequence[CycleFacts]) -> Iterator[Problem]:
    known = cycles[0].error if cycles else ""  # the failed stage is the last cycle's failure, which is told already
    for check in checks:
        if check.status != "ok" and not (known and check.message == known[:500]):
            what = f"{check.service}, {check.check} on {session}: {check.message}"
            yield Problem(check.status, check.service, what, _figure(check), session, FIXES.get(check.check, ""))


def _figure(check: Check) -> str:
    if check.value is None:
        return ""
    limit = "" if check.limit is None else f", limit {check.limit:.4g}"
    return f"{check.value:.4g}{limit}"

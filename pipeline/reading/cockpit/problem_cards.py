"""What needs the operator, worst first: what is wrong, why, since when, and what mends it."""

from __future__ import annotations

from collections.abc import Iterable
from datetime import date, datetime

from lake.tables import TABLES
from pipeline.engine.session_order import find_table
from pipeline.health.checks import SEVERITY, Check, Status
from pipeline.reading.health_verdict import Health, Problem

MAX_PROBLEMS = 5
"""Problems that are told one by one; the rest are counted."""
PARTS = {
    "daemon": "schedule",
    "schedule": "schedule",
    "configuration": "schedule",
    "writer": "schedule",
    "resources": "schedule",
    "cycle": "runs",
    "training": "learning",
    "trading": "plan",
    "book": "book",
    "sources": "data",
    "predictions": "accuracy",
    "portfolio_value": "book",
    "portfolio_holdings": "book",
    "ledger_entries": "book",
    "attributions": "book",
    "corporate_actions": "actions",
}
"""Part of the operation, service of the report, or table -> the screen that tells more."""
DOMAINS = {
    "market": "data",
    "news": "data",
    "imports": "data",
    "features": "data",
    "models": "learning",
    "predictions": "predictions",
    "feedback": "accuracy",
    "trading": "plan",
    "control": "runs",
    "research": "research",
}
"""Domain of a table -> the screen that shows it."""
SHEETS = {"quarantined": "data set aside", "arrived": "data tickers", "last run": "runs failed"}
"""What was checked -> screen and sheet that list the cases."""


def find_screen(part: str) -> str:
    """The screen that tells more of a part of the operation, a stage or a table; empty where none does."""
    table = find_table(part) or TABLES.get(part)
    if part in PARTS or table is None:
        return PARTS.get(part, "")
    return PARTS.get(table.name) or DOMAINS.get(table.domain, "")


def problem_row(problem: Problem, checks: Iterable[Check], now: datetime) -> dict[str, object]:
    """A problem with what mends it.

    Args:
        problem: of the verdict on health.
        checks: the lines of the last report, where the problem's figure and limit stand.
        now: the moment judged.

    Returns:
        title, status, what, why, since (in words), fix, and `mend`: the console's command that mends it, or leads to
        where it is mended; empty where nothing does. With `check`, `value` and `limit` of the line of the report.
    """
    line = next((one for one in checks if _tells(one, problem)), None)
    return {
        "kind": "problem",
        "title": problem.part.replace("_", " "),
        "part": problem.part,
        "status": problem.status,
        "what": problem.what,
        "why": problem.why,
        "since": describe_since(problem.since, now),
        "fix": problem.fix,
        "mend": _mend(problem, line),
        "retry": problem.retry,
        "check": line.check if line else "now",
        "value": line.value if line else None,
        "limit": line.limit if line else None,
    }


def worst_of_screen(health: Health, screen: str) -> Status:
    """The worst that is known of what a screen shows."""
    mine = [one.status for one in health.problems if find_screen(one.part) == screen]
    return max(mine, key=lambda status: SEVERITY[status], default="ok")


def describe_since(since: datetime | date | None, now: datetime) -> str:
    """Since when, in words: 'session 2026-01-05', '2026-01-05 21:20Z, 3 h ago'; empty where that is not known."""
    from pipeline.text_format import rough_duration

    if isinstance(since, datetime):
        return f"{since:%Y-%m-%d %H:%M}Z, {rough_duration(max(now - since, now - now))} ago"
    return f"session {since}" if since else ""


def _tells(check: Check, problem: Problem) -> bool:
    return problem.part == check.service and problem.what.endswith(check.message) and check.status == problem.status


def _mend(problem: Problem, line: Check | None) -> str:
    if problem.retry:
        return f"retry {problem.retry}"
    if problem.part == "daemon" and "nextgen-daemon" in problem.fix:
        return "daemon"
    if problem.part == "trading":
        return "resume"
    if line is not None and line.check in SHEETS:
        return f"go {SHEETS[line.check]}"
    screen = find_screen(problem.part)
    return f"go {screen}" if screen else ""

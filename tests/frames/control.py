"""Legal rows of the control tables, for tests that are about something else."""

from datetime import UTC, date, datetime
from typing import Any

import polars as pl

from lake.runs import Recipe, Run
from lake.tables.control import SYSTEM_HEALTH, WorkKind

SESSION = date(2021, 3, 1)
AS_OF = datetime(2021, 3, 1, 21, 20, tzinfo=UTC)


def health_rows(*rows: dict[str, Any]) -> pl.DataFrame:
    """Rows of system_health; each dict overrides what the test is about."""
    legal = {
        "session": SESSION,
        "service": "prices",
        "check": "last run",
        "status": "ok",
        "value": 1.0,
        "limit": None,
        "message": "fine",
        "as_of": AS_OF,
    }
    return pl.DataFrame([legal | row for row in rows], schema=SYSTEM_HEALTH.schema)


def recipe(**changes: Any) -> Recipe:
    """A recipe; keyword arguments override what the test is about."""
    legal: dict[str, Any] = {
        "work": WorkKind.CYCLE,
        "cycle_id": "cycle-20210301",
        "attempt": 0,
        "stage": "universe",
        "kind": "pure",
        "session": SESSION,
        "since": SESSION,
        "as_of": AS_OF,
        "inputs": {"market_prices": 3},
        "params": {"min_history": 120},
        "seed": 1,
        "code": "c" * 64,
        "threads": 1,
        "libraries": {"polars": "2.1.0"},
        "output_table": "ticker_universe",
    }
    return Recipe(**(legal | changes))


def run(**changes: Any) -> Run:
    """A finished run; `recipe` and the outcome's fields can be overridden."""
    legal: dict[str, Any] = {
        "recipe": recipe(),
        "output_version": 1,
        "rows": 1,
        "written": 1,
        "files": {},
        "started_at": AS_OF,
    }
    return Run(**(legal | changes))

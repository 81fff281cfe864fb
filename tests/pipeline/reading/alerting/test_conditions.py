"""What an operator is told the changes of, from what the lake holds."""

from __future__ import annotations

from datetime import UTC, date, datetime

import polars as pl

from lake.tables.books import PORTFOLIO_VALUE
from lake.tables.control import RUNS, SYSTEM_HEALTH, TASK_ATTEMPTS
from lake.tables.feedback import RETRAIN_CANDIDATES
from pipeline.reading.alerting.conditions import (
    judge_attempts,
    judge_drawdown,
    judge_drift,
    judge_lateness,
    judge_verdict,
)
from pipeline.reading.health_verdict import RUN_COLUMNS, compose_health
from pipeline.reading.operation_parts import PartHealth
from pipeline.trading.params import Rules
from tests.nextgen_tui.lakes import rows

NOW, DAY = datetime(2026, 1, 5, 22, tzinfo=UTC), date(2026, 1, 5)


def test_a_verdict_that_fails_by_another_part_is_another_state() -> None:
    parts = [PartHealth("daemon", "fail", "No daemon is running"), PartHealth("disk", "warn", "The disk is full")]
    health = compose_health(NOW, parts, rows(SYSTEM_HEALTH), rows(RUNS).select(RUN_COLUMNS))
    found = judge_verdict(health)
    assert (found.state, found.severity) == ("fail: daemon", "error")
    assert "No daemon is running" in found.words
    warned = judge_verdict(compose_health(NOW, parts[1:], rows(SYSTEM_HEALTH), rows(RUNS).select(RUN_COLUMNS)))
    assert (warned.state, warned.severity) == ("warn", "warning")


def test_tasks_and_tables_are_late_or_on_time_and_other_parts_neither() -> None:
    parts = [
        PartHealth("cycle", "warn", "cycle is overdue", {"late_seconds": 7200.0}),
        PartHealth("retrain", "ok", "retrain: done", {"late_seconds": 0.0}),
        PartHealth("raw_news", "warn", "raw_news ends at 2026-01-02", {"newest": None, "target": 3600.0}),
        PartHealth("disk", "fail", "full", {"free_bytes": 0}),
    ]
    found = [(one.about, one.state) for one in judge_lateness(parts)]
    assert found == [("cycle", "late"), ("retrain", "on time"), ("raw_news", "late")]


def test_each_attempt_that_ends_a_slot_is_a_condition_of_its_own() -> None:
    first = {"task": "cycle", "slot": "2026-01-05", "attempt": 3, "follows": "stop", "reason": "no data", "at": NOW}
    (found,) = judge_attempts(rows(TASK_ATTEMPTS, first))
    assert found.about == "cycle 2026-01-05 attempt 3"
    assert found.words == "cycle 2026-01-05 stopped: no data"


def test_drift_is_due_or_not() -> None:
    reasons = rows(
        RETRAIN_CANDIDATES,
        {"session": DAY, "model_id": "m1", "reason": "drift", "due": True, "evidence": "PSI 0.4"},
        {"session": DAY, "model_id": "m1", "reason": "age", "due": False, "evidence": ""},
    )
    assert [(one.about, one.state) for one in judge_drift(reasons)] == [("m1 age", "not due"), ("m1 drift", "due")]


def test_a_drawdown_is_within_or_beyond_the_limits_that_trading_has() -> None:
    depths = {0.0: "within limits", 0.08: "beyond the soft limit", 0.2: "beyond the hard limit"}
    for depth, state in depths.items():
        value = rows(PORTFOLIO_VALUE, {"session": DAY, "drawdown": depth})
        assert [one.state for one in judge_drawdown(value, Rules())] == [state]
    assert not list(judge_drawdown(pl.DataFrame(schema=PORTFOLIO_VALUE.schema), Rules()))

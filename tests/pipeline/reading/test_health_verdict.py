"""One verdict from the health report, the runs and the parts of the operation."""

from __future__ import annotations

from datetime import timedelta
from pathlib import Path

import polars as pl
import pytest

from lake.tables.control import RUNS, SYSTEM_HEALTH
from pipeline.reading.health_verdict import Health, compose_health, judge_health
from pipeline.reading.operation_parts import PartHealth
from tests.new_lake import new_lake
from tests.nextgen_tui.lakes import MOMENT, SESSION, rows, run_row


def health(system_health: pl.DataFrame, runs: pl.DataFrame, *parts: PartHealth) -> Health:
    return compose_health(MOMENT, parts, system_health, runs)


def check(status: str, **given: object) -> dict[str, object]:
    return {"service": "book", "check": status, "status": status, "message": f"it is {status}", **given}


@pytest.mark.parametrize(
    ("statuses", "verdict", "said"),
    [
        (("ok",), "ok", f"All is well as of {SESSION}."),
        (("ok", "warn"), "warn", f"book, warn on {SESSION}: it is warn."),
        (("warn", "ok", "fail"), "fail", f"book, fail on {SESSION}: it is fail (1 more problem)."),
    ],
)
def test_the_worst_check_decides(statuses: tuple[str, ...], verdict: str, said: str) -> None:
    found = health(rows(SYSTEM_HEALTH, *map(check, statuses)), rows(RUNS, run_row("prices")))
    assert (found.status, found.sentence) == (verdict, said)
    assert [one.status for one in found.checks] == sorted(statuses, key=["fail", "warn", "ok"].index)


def test_only_the_last_sessions_report_counts() -> None:
    old = check("fail", session=SESSION - timedelta(days=1))
    assert health(rows(SYSTEM_HEALTH, old, check("ok")), RUNS.empty()).status == "ok"


def test_a_failed_last_cycle_is_a_failure_whatever_the_report_says() -> None:
    failed = run_row("predict", status="failed", error="no window", started_at=MOMENT + timedelta(seconds=1))
    found = health(rows(SYSTEM_HEALTH, check("ok")), rows(RUNS, run_row("prices"), failed))
    assert found.status == "fail"
    assert found.sentence.startswith(
        f"The last cycle ({SESSION}) failed: no window; `nextgen cycle --session {SESSION}`"
    )


def test_upkeep_after_a_failed_cycle_hides_nothing() -> None:
    failed = run_row("predict", status="failed", error="no window", cycle_id="cycle-1")
    later = MOMENT + timedelta(hours=1)
    upkeep = run_row("compact", work="upkeep", cycle_id="upkeep-compact-runs-1", started_at=later)
    found = health(rows(SYSTEM_HEALTH, check("ok")), rows(RUNS, failed, upkeep))
    assert (found.status, [one.cycle_id for one in found.cycles]) == ("fail", ["cycle-1"])


def test_a_failure_that_a_later_attempt_mended_is_no_failure() -> None:
    failed = run_row("predict", status="failed", error="no window")
    mended = run_row("predict", started_at=MOMENT + timedelta(minutes=1))
    found = health(rows(SYSTEM_HEALTH, check("ok")), rows(RUNS, failed, mended))
    assert (found.status, found.cycles[0].runs, found.cycles[0].failed) == ("ok", 1, 0)


def test_an_empty_lake_is_not_called_healthy() -> None:
    found = health(SYSTEM_HEALTH.empty(), RUNS.empty())
    assert (found.status, found.session, found.sentence) == ("warn", None, "No session has been run yet.")


def test_a_lake_that_has_run_no_session_yet_is_told_what_runs_one(tmp_path: Path) -> None:
    lake = new_lake(tmp_path / "lake")
    (lake.path / "nextgen.toml").write_text('[source]\nname = "yahoo"\n', encoding="utf-8")
    (part,) = (one for one in judge_health(lake).parts if one.service == "portfolio_value")
    assert (part.status, part.reason) == ("warn", "portfolio_value is empty")
    assert part.fix.startswith("`nextgen cycle` runs the next session")


def test_cycles_come_newest_first() -> None:
    frame = pl.concat(
        rows(
            RUNS,
            run_row(
                "prices",
                session=SESSION + timedelta(days=n),
                cycle_id=f"cycle-{n}",
                started_at=MOMENT + timedelta(days=n),
            ),
        )
        for n in range(4)
    )
    assert [one.cycle_id for one in health(SYSTEM_HEALTH.empty(), frame).cycles] == [
        "cycle-3",
        "cycle-2",
        "cycle-1",
        "cycle-0",
    ]


def test_a_failed_training_is_a_warning_of_its_own_and_no_failed_cycle() -> None:
    training = {"work": "training", "cycle_id": "training-1", "started_at": MOMENT + timedelta(hours=1)}
    failed = run_row("train", status="failed", error="too few rows", **training)
    found = health(rows(SYSTEM_HEALTH, check("ok")), rows(RUNS, run_row("prices"), failed))
    assert (found.status, found.healthy) == ("warn", True)
    assert found.sentence == (
        f"The last training ({SESSION}) failed: too few rows; `nextgen train --session {SESSION}` tries again."
    )
    assert [one.cycle_id for one in found.cycles] == [f"cycle-{SESSION:%Y%m%d}"]


def test_a_part_that_fails_comes_before_what_the_report_warns_of_and_says_since_when_and_what_mends_it() -> None:
    daemon = PartHealth("daemon", "fail", "The daemon crashed 3 min ago", {}, MOMENT, "start it")
    fine = PartHealth("disk", "ok", "There is room")
    found = health(rows(SYSTEM_HEALTH, check("warn")), rows(RUNS, run_row("prices")), fine, daemon)
    assert (found.status, found.healthy) == ("fail", False)
    assert found.sentence == "The daemon crashed 3 min ago; start it (1 more problem)."
    first = found.problems[0]
    assert (first.part, first.since, first.fix) == ("daemon", MOMENT, "start it")
    assert [part.service for part in found.parts] == ["daemon", "disk"]

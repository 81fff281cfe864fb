"""One verdict from the health report and the runs."""

from __future__ import annotations

from datetime import timedelta

import polars as pl
import pytest

from lake.tables.control import RUNS, SYSTEM_HEALTH
from nextgen_tui.health import health
from tests.nextgen_tui.lakes import MOMENT, SESSION, rows, run_row


def check(status: str, **given: object) -> dict[str, object]:
    return {"service": "book", "check": status, "status": status, "message": f"it is {status}", **given}


@pytest.mark.parametrize(
    ("statuses", "verdict", "said"),
    [
        (("ok",), "ok", f"All is well as of {SESSION}."),
        (("ok", "warn"), "warn", f"1 remark on {SESSION}, first book: it is warn"),
        (("warn", "ok", "fail"), "fail", f"1 of the checks of {SESSION} failed, first book: it is fail"),
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
    assert found.sentence == f"The last cycle ({SESSION}) failed: no window"


def test_a_failed_training_is_no_failed_cycle() -> None:
    done = run_row("predict")
    failed = run_row("train", work="training", cycle_id="training-20220301", status="failed", error="no window")
    found = health(rows(SYSTEM_HEALTH, check("ok")), rows(RUNS, done, failed))
    assert (found.status, [one.cycle_id for one in found.cycles]) == ("ok", ["cycle-20220301"])


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
    assert [one.cycle_id for one in health(SYSTEM_HEALTH.empty(), frame, 3).cycles] == [
        "cycle-3",
        "cycle-2",
        "cycle-1",
    ]

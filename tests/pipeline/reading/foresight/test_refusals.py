"""What the daemon would refuse is told before it is asked for."""

from __future__ import annotations

from datetime import UTC, date, datetime
from pathlib import Path

import pytest

from lake.store import Lake
from lake.tables.control import SYSTEM_HEALTH, TASK_ATTEMPTS
from pipeline.control.operator.requests import Request
from pipeline.reading.foresight.consequences import rehearse_requests
from pipeline.reading.foresight.refusals import foresee_refusal
from tests.new_lake import new_lake
from tests.nextgen_tui.lakes import MOMENT, SESSION, publish, rows

NOW = datetime(2022, 3, 8, 12, tzinfo=UTC)


@pytest.fixture
def lake(tmp_path: Path) -> Lake:
    return new_lake(tmp_path / "lake")


def request(action: str, target: str = "", session: date | None = None) -> Request:
    return Request(
        request_id=f"{action}-{target}", requested_at=NOW, origin="cli", action=action, target=target, session=session
    )


def cycle_done(lake: Lake) -> None:
    """Let the cycle of the session be done."""
    publish(lake, SYSTEM_HEALTH, SYSTEM_HEALTH.empty(), name="report")


def attempt(lake: Lake, task: str, state: str, follows: str) -> None:
    """Let a slot of a task have come to an end."""
    one = {"task": task, "slot": "2022-03-01", "attempt": 1, "state": state, "follows": follows, "at": MOMENT}
    one |= {"due_at": MOMENT, "reason": "", "session": None, "retry_at": None, "pid": None, "seconds": None}
    lake.commit(TASK_ATTEMPTS, TASK_ATTEMPTS.check(rows(TASK_ATTEMPTS, one)), f"attempt-{task}", {})


@pytest.mark.parametrize(
    ("session", "told"),
    [
        (date(2022, 3, 2), ""),
        (SESSION, "the cycle of 2022-03-01 is done, and is left alone"),
        (date(2022, 3, 4), "the last cycle was 2022-03-01, so the next is 2022-03-02, not 2022-03-04"),
        (date(2022, 2, 1), "before the first cycle of this lake"),
        (date(2022, 3, 5), "not a session of XNYS; the nearest are 2022-03-04 and 2022-03-07"),
        (date(2022, 3, 8), "session 2022-03-08 closes at 2022-03-08 21:00 UTC"),
        (date(2099, 1, 5), "outside the calendar of XNYS"),
    ],
)
def test_a_cycle_that_cannot_run_is_told_by_its_session(lake: Lake, session: date, told: str) -> None:
    cycle_done(lake)
    found = foresee_refusal(lake, request("cycle", session=session), NOW)
    assert (told in found) if told else not found


def test_a_task_or_run_that_there_is_none_of_is_told(lake: Lake) -> None:
    cycle_done(lake)
    assert "the schedule has no task 'nosuch'; it has" in foresee_refusal(lake, request("task", "nosuch"), NOW)
    assert not foresee_refusal(lake, request("task", "cycle"), NOW)
    assert "no run is called 'nosuch'" in foresee_refusal(lake, request("reproduce", "nosuch"), NOW)
    assert not foresee_refusal(lake, request("reproduce", "cycle-20220301"), NOW)


def test_a_slot_that_does_not_wait_for_the_operator_is_told(lake: Lake) -> None:
    attempt(lake, "train", "failed", "stop")
    attempt(lake, "news", "done", "nothing")
    assert not foresee_refusal(lake, request("retry", "train/2022-03-01"), NOW)
    assert foresee_refusal(lake, request("skip", "news/2022-03-01"), NOW).startswith("news/2022-03-01 is not stopped")
    assert foresee_refusal(lake, request("cancel", "news/2022-03-01"), NOW) == "news/2022-03-01 has ended: it was done"
    assert not foresee_refusal(lake, request("cancel", "cycle/2022-03-09"), NOW), "it may be due"
    assert foresee_refusal(lake, request("cancel", "console-12"), NOW) == "there is no request 'console-12'"


def test_of_several_requests_those_that_come_to_nothing_are_told_apart(lake: Lake) -> None:
    attempt(lake, "cycle", "failed", "stop")
    told = rehearse_requests(lake, [request("retry", "nosuch/2022-03-01"), request("retry", "cycle/2022-03-01")])
    assert told[0].startswith("nothing will be done: nosuch/2022-03-01 is not stopped")
    assert told[1].startswith("nothing of the kind was ever done here")

"""What a person asks of the daemon becomes a job, or is refused in words before it is on record."""

from __future__ import annotations

from datetime import UTC, date, datetime

import pytest

from pipeline.control.operator.requests import Request, RequestError, make_request_task, validate_request
from pipeline.control.schedule.due_run import DueRun, make_job
from pipeline.control.schedule.journal import SlotState
from pipeline.control.schedule.task import Schedule
from pipeline.control.schedule.trigger import Slot
from pipeline.control.workers.job import Job
from pipeline.control.workers.task_actions import train_work
from pipeline.engine.work import training

NOW = datetime(2026, 1, 5, 11, tzinfo=UTC)
SESSION = date(2026, 1, 2)


def asked(target: str, action: str = "train") -> Request:
    return Request(request_id="mine", requested_at=NOW, origin="cli", action=action, target=target)


def job_of(request: Request) -> Job:
    task = make_request_task(request, Schedule(tasks=(), origin="none"))
    slot = Slot(key="mine", session=None, due_at=NOW)
    return make_job(DueRun(task=task, slot=slot, state=SlotState(), requested=True))


@pytest.mark.parametrize(
    ("target", "work"),
    [
        ("", training(SESSION)),
        ("sector=Energy", training(SESSION, "sector=Energy")),
        ("group=ZZZ,AAA", training(SESSION, "group=AAA,ZZZ")),
        ("search", training(SESSION, search=True)),
    ],
)
def test_a_training_is_asked_for_as_the_command_line_does_it(target: str, work: object) -> None:
    validate_request(asked(target))
    job = Job.from_json(job_of(asked(target)).to_json())
    assert train_work(job, SESSION) == work


@pytest.mark.parametrize(("target", "told"), [("energy", "is no target"), ("ticker=A,B", "names 2 tickers")])
def test_a_training_for_nobody_is_refused_in_words(target: str, told: str) -> None:
    with pytest.raises(RequestError, match=f"{told}.*; or search"):
        validate_request(asked(target))


def test_what_takes_no_target_is_told_so() -> None:
    with pytest.raises(RequestError, match="cycle takes no target, got 'sector=Energy'"):
        validate_request(asked("sector=Energy", "cycle"))

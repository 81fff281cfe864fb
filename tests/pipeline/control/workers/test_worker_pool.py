"""Workers are real processes: they may raise, exit, abort, be killed or hang, and the daemon goes on."""

from __future__ import annotations

import json
import os
import subprocess
import sys
import time
from collections.abc import Callable
from datetime import UTC, date, datetime, timedelta
from pathlib import Path
from typing import Any

import pytest

from pipeline.control.logging.json_logs import MAX_BYTES
from pipeline.control.workers.job import Job
from pipeline.control.workers.process_identity import Identity, identify, is_alive, read_boot_id
from pipeline.control.workers.worker_pool import AttemptOutcome, ProcessPool
from pipeline.engine.child_command import python_command
from tests.new_lake import new_lake

UNRULY = python_command("tests.pipeline.control.workers.unruly")
FAULTS = ("raise", "exit", "abort", "kill")


def order(how: str = "done", slot: str = "2024-01-02", **given: Any) -> Job:
    """An order to behave in some way."""
    legal: dict[str, Any] = {
        "task": "cycle",
        "slot": slot,
        "attempt": 0,
        "run": ("cycle",),
        "session": date(2024, 1, 2),
        "due_at": datetime(2024, 1, 2, 21, 20, tzinfo=UTC),
        "timeout": timedelta(seconds=60),
        "grace": timedelta(seconds=1),
        "settings": {"how": how},
    }
    return Job(**(legal | given))


@pytest.fixture
def processes(tmp_path: Path) -> ProcessPool:
    """A workforce of unruly workers."""
    return ProcessPool(tmp_path, lambda: None, time.monotonic, UNRULY)


def put_to_work(processes: ProcessPool, one: Job) -> Identity:
    who = processes.spawn(one)
    processes.begin(one)
    return who


def wait_for(processes: ProcessPool, count: int = 1, seconds: float = 120) -> list[AttemptOutcome]:
    """The outcomes, once there are so many."""
    end = time.monotonic() + seconds
    while len(ended := processes.collect_ended()) < count:
        assert time.monotonic() < end, "the workers did not end in time"
        time.sleep(0.02)
    return ended


def gone(pid: int) -> bool:
    return identify(pid) is None


def until(holds: Callable[[], bool], seconds: float = 60) -> bool:
    end = time.monotonic() + seconds
    while not holds() and time.monotonic() < end:
        time.sleep(0.02)
    return holds()


def test_a_worker_that_does_its_work_is_done_and_says_what_it_published(processes: ProcessPool) -> None:
    put_to_work(processes, order())
    (outcome,) = wait_for(processes)
    assert (outcome.state, outcome.cycle_id) == ("done", "cycle-1")
    processes.forget(outcome)
    assert processes.collect_ended() == []


@pytest.mark.parametrize(
    ("how", "words"),
    [("raise", "exited with code"), ("exit", "no report"), ("abort", "SIGABRT"), ("kill", "SIGKILL")],
)
def test_a_worker_that_breaks_is_a_failed_attempt_with_its_reason(processes: ProcessPool, how: str, words: str) -> None:
    put_to_work(processes, order(how))
    (outcome,) = wait_for(processes)
    assert outcome.state == "failed"
    assert words in outcome.reason


def test_a_worker_that_never_gets_the_word_does_nothing(processes: ProcessPool) -> None:
    one = order()
    who = processes.spawn(one)
    processes.discard(one)
    assert until(lambda: gone(who.pid))
    assert not list((processes._reports).glob("*.json"))


def test_a_hanging_worker_that_ignores_the_request_to_end_is_gone_in_time_with_its_children_and_delays_nobody(
    tmp_path: Path,
) -> None:
    moment = [0.0]  # time passes when the test says so: a busy machine changes nothing
    processes = ProcessPool(tmp_path, lambda: None, lambda: moment[0], UNRULY)
    pids = tmp_path / "pids"
    hanging = order("hang", "hangs", timeout=timedelta(seconds=3), settings={"how": "hang", "pids": str(pids)})
    who = put_to_work(processes, hanging)
    put_to_work(processes, order("done", "other"))
    (other,) = wait_for(processes)
    assert (other.slot, other.state) == ("other", "done")
    processes.forget(other)
    assert until(pids.exists)
    children = [int(pid) for pid in pids.read_text().split()]
    assert len(children) == 3
    assert processes.seconds_to_check() == 3
    moment[0] = 3
    assert processes.collect_ended() == []
    assert processes.seconds_to_check() == 1, "it was asked to end and has its grace"
    assert not any(gone(pid) for pid in (who.pid, *children)), "none of them heeds the request"
    moment[0] = 4
    (outcome,) = wait_for(processes)
    assert outcome.state == "failed"
    assert "exceeded its timeout of 0:00:03" in outcome.reason
    assert until(lambda: all(gone(pid) for pid in (who.pid, *children)))


def test_a_worker_left_by_a_dead_daemon_is_taken_over_and_its_report_counts(
    processes: ProcessPool, tmp_path: Path
) -> None:
    one = order("slow", settings={"how": "slow", "seconds": 1.0})
    who = put_to_work(processes, one)
    heir = ProcessPool(tmp_path, lambda: None, time.monotonic, UNRULY)
    heir.adopt(one, who, timedelta(seconds=1))
    assert heir.collect_ended() == []
    (outcome,) = wait_for(heir)
    assert outcome.state == "done"


def test_a_worker_of_another_boot_or_a_number_used_again_is_dead(processes: ProcessPool) -> None:
    mine = identify(os.getpid())
    assert mine is not None
    assert is_alive(mine)
    for stranger in (Identity(mine.pid, "1", read_boot_id()), Identity(mine.pid, mine.started, "another boot")):
        processes.adopt(order(), stranger, timedelta())
        (outcome,) = processes.collect_ended()
        assert outcome.state == "dead"
        processes.forget(outcome)
    assert is_alive(mine), "whoever has the number now is left alone"


def test_a_cancelled_worker_is_asked_to_end_and_counts_as_cancelled(processes: ProcessPool) -> None:
    put_to_work(processes, order("slow", settings={"how": "slow", "seconds": 60}))
    time.sleep(0.5)
    processes.stop("cycle", "2024-01-02", "cancelled")
    (outcome,) = wait_for(processes)
    assert outcome.state == "cancelled"


def test_the_real_worker_tells_what_is_wrong_and_holds_to_its_memory(tmp_path: Path) -> None:
    lake = new_lake(tmp_path / "lake")
    real = ProcessPool(lake.path, lambda: None, time.monotonic)
    put_to_work(real, order("", "no history", settings={}, memory=8 << 30))
    (outcome,) = wait_for(real)
    assert outcome.state == "failed"
    assert "nextgen init" in outcome.reason
    program = (
        "import sys; from pipeline.control.workers.worker import _limit_memory\n"
        "_limit_memory(1 << 29); bytearray(1 << 30)"
    )
    result = subprocess.run([sys.executable, "-c", program], capture_output=True, text=True, check=False)
    assert "MemoryError" in result.stderr


def test_a_tasks_log_says_in_json_what_went_wrong_and_takes_turns_with_an_older_one(tmp_path: Path) -> None:
    lake = new_lake(tmp_path / "lake")
    log = lake.path / "control" / "logs" / "cycle.log"
    log.parent.mkdir(parents=True)
    log.write_bytes(b"x" * MAX_BYTES)
    real = ProcessPool(lake.path, lambda: None, time.monotonic)
    put_to_work(real, order("", "no history", settings={}))
    wait_for(real)
    assert log.with_suffix(".log.1").stat().st_size == MAX_BYTES
    (line,) = (json.loads(text) for text in log.read_text().splitlines())
    assert (line["level"], line["task"], line["slot"], line["attempt"]) == ("error", "cycle", "no history", 0)
    assert "Traceback" in line["trace"]


def test_the_same_order_comes_back_from_its_json() -> None:
    one = order(timeout=timedelta(seconds=1.5), memory=1 << 30, fallback="files", requested=True)
    assert Job.from_json(one.to_json()) == one

"""`nextgen request`: queued once, waited for, and never queued where it makes no sense."""

from __future__ import annotations

import threading

import pytest

from lake.store import Lake
from lake.tables.control import TASK_REQUESTS
from nextgen_tui.cli import exit_codes
from pipeline.control.daemon.daemon_lock import hold_daemon_lock
from tests.nextgen_tui.runner import Run

# pandas' own change of mind, inside the calendar library.
pytestmark = pytest.mark.filterwarnings("ignore:Series.values returning")


def test_a_request_that_no_daemon_could_carry_out_is_not_put_on_record(run: Run, lake: Lake) -> None:
    assert run("request", "run", "predikt")[0] == exit_codes.USAGE
    assert lake.read(TASK_REQUESTS).is_empty()


def test_who_waits_for_a_request_is_not_told_that_it_is_done_where_nobody_does_it(run: Run) -> None:
    code, out, err = run("request", "maintain", "--id", "mine", "--wait")
    assert code == exit_codes.RETRY
    assert "mine: queued" in out and "no daemon runs: mine stays queued" in " ".join(err.split())


def test_who_waits_is_let_go_when_the_daemon_dies(run: Run, lake: Lake) -> None:
    held, over = threading.Event(), threading.Event()

    def serve() -> None:
        with hold_daemon_lock(lake.path / "control"):
            held.set()
            over.wait(30)

    daemon = threading.Thread(target=serve)  # the kernel releases a dead process's lock as this thread does
    daemon.start()
    held.wait(30)
    threading.Timer(0.3, over.set).start()
    assert run("request", "maintain", "--wait")[0] == exit_codes.RETRY
    daemon.join()


def test_one_name_stands_for_one_request(run: Run, lake: Lake) -> None:
    assert run("request", "maintain", "--id", "mine")[0] == exit_codes.DONE
    assert "mine: queued (already requested)" in run("request", "maintain", "--id", "mine")[1]
    code, _, err = run("request", "train", "--id", "mine")
    assert code == exit_codes.USAGE
    assert "'mine' is already the id of another request, with action maintain instead of train" in " ".join(err.split())
    assert lake.read(TASK_REQUESTS).height == 1

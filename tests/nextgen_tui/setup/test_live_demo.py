"""The demo's market run at high speed: sessions come by themselves, and nothing is left running behind."""

from __future__ import annotations

import json
import signal
import subprocess
from pathlib import Path

import pytest

from lake.storage.lock import writer_died
from lake.store import Lake
from lake.tables.control import TASK_ATTEMPTS
from nextgen_tui.cli import exit_codes
from nextgen_tui.cli.main import outcome
from pipeline.control.daemon.daemon_lock import daemon_is_running
from pipeline.control.daemon.heartbeat import read_heartbeat
from pipeline.control.workers.process_identity import PROC, identify
from pipeline.engine.child_command import python_command

pytestmark = pytest.mark.slow
DEMO = ("demo", "--sessions", "1", "--live", "--pace", "4")


@pytest.fixture(scope="module")
def demo(tmp_path_factory: pytest.TempPathFactory) -> Path:
    """A demo lake of a few names with one session replayed."""
    path = tmp_path_factory.mktemp("demo") / "lake"
    small = ("--set", "source.simulated.names=8", "--set", "source.simulated.history_sessions=200")
    assert outcome(["demo", "--sessions", "1", *small, "--quiet", "--json", "--lake", str(path)]) == exit_codes.DONE
    return path


def started(demo: Path, *options: str) -> subprocess.Popen[str]:
    command = python_command("nextgen_tui.cli.main", *DEMO, *options, "--lake", demo)
    return subprocess.Popen(command, stdout=subprocess.PIPE, stderr=subprocess.PIPE, text=True)


def refuse_leftovers(demo: Path) -> None:
    """No daemon, no worker, a tidy lake."""
    assert not daemon_is_running(demo / "control")
    assert not writer_died(demo)
    last = Lake.open(demo).read(TASK_ATTEMPTS)
    assert [pid for pid in last["pid"].drop_nulls() if identify(pid)] == []
    ours = [entry for entry in PROC.glob("[0-9]*/cmdline") if str(demo).encode() in entry.read_bytes()]
    assert ours == []


def test_sessions_come_one_after_the_other_and_it_ends_by_itself_after_as_many_as_were_asked(demo: Path) -> None:
    with started(demo, "--stop-after", "2") as process:
        out, err = process.communicate(timeout=300)
    assert process.returncode == exit_codes.DONE, err
    lines = [line for line in out.splitlines() if " positions" in line and line[:2] == "20"]
    assert len(lines) == 2
    assert lines[0] < lines[1]
    assert f"nextgen console --lake {demo}" in err
    refuse_leftovers(demo)
    asked = python_command("nextgen_tui.cli.main", "status", "--json", "--lake", demo)
    told = json.loads(subprocess.run(asked, stdout=subprocess.PIPE, check=False).stdout)
    owed = [one["facts"]["owed"] for one in told["parts"] if "owed" in one["facts"]]
    assert (len(owed), sum(owed)) == (3, 0), "tasks are due by the time of the market, which stands"


@pytest.mark.parametrize("sign", [signal.SIGINT, signal.SIGTERM], ids=lambda sign: sign.name)
def test_told_to_end_it_finishes_what_runs_and_leaves_all_tidy(demo: Path, sign: signal.Signals) -> None:
    with started(demo) as process:
        assert process.stdout is not None
        while " positions" not in (line := process.stdout.readline()) or line[:2] != "20":
            assert line, "it ended before its first session"
        process.send_signal(sign)
        _, err = process.communicate(timeout=300)
    assert process.returncode == exit_codes.DONE, err
    assert "the market is paused" in err
    beat = read_heartbeat(demo)
    assert beat is not None
    assert beat.state == "stopped"
    refuse_leftovers(demo)


def test_a_lake_that_has_a_daemon_already_is_refused_by_name(demo: Path) -> None:
    from pipeline.control.daemon.daemon_lock import hold_daemon_lock

    with hold_daemon_lock(demo / "control"), started(demo) as process:
        _, err = process.communicate(timeout=300)
    assert process.returncode != exit_codes.DONE
    assert "this lake already has a daemon: process" in err

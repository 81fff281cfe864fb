"""A person at the lake of a running daemon: who is refused learns who holds it, and a crash is put right first."""

from __future__ import annotations

import os
import subprocess
import sys
from dataclasses import replace
from datetime import date
from pathlib import Path

import pytest

from lake.storage.lock import writer_died
from lake.store import Lake
from lake.tables.control import TASK_ATTEMPTS, TASK_REQUESTS
from lake.tables.market import INSTRUMENTS
from nextgen_tui.cli import exit_codes
from nextgen_tui.cli.main import outcome
from pipeline.control.daemon.daemon_lock import hold_daemon_lock
from pipeline.control.daemon.main import daemon_command
from tests.frames.control import recipe, run
from tests.frames.published import instrument_rows, publish_sessions
from tests.new_lake import new_lake
from tests.pipeline.control.daemon.test_daemon import SCHEDULE, run_here, until

# pandas' own change of mind, inside the calendar library.
pytestmark = pytest.mark.filterwarnings("ignore:Series.values returning")


@pytest.fixture
def lake(tmp_path: Path) -> Lake:
    """A lake with one published session."""
    made = new_lake(tmp_path / "lake")
    (made.path / "schedules.toml").write_text(SCHEDULE)
    publish_sessions(made, 1)
    return made


@pytest.mark.parametrize("command", [("run", "universe"), ("cycle",), ("train",)], ids=lambda c: c[0])
def test_who_wants_to_write_while_the_daemon_does_is_told_who_holds_the_lake_and_how_to_wait(
    lake: Lake, capsys: pytest.CaptureFixture[str], command: tuple[str, ...]
) -> None:
    arguments = [*command, "--session", "2021-03-01"]
    with hold_daemon_lock(lake.path / "control"), lake.lock("cycle for 2021-03-02"):
        code = outcome([*arguments, "--lake", str(lake.path)])
    told = " ".join(capsys.readouterr().err.split())
    assert code == exit_codes.RETRY
    assert f"process {os.getpid()}" in told
    assert "cycle for 2021-03-02" in told
    assert f"`nextgen request {' '.join(arguments)} --wait` queues it for the daemon" in told


def test_without_a_daemon_there_is_nobody_to_ask(lake: Lake, capsys: pytest.CaptureFixture[str]) -> None:
    with lake.lock("a replay"):
        code = outcome(["run", "universe", "--session", "2021-03-01", "--lake", str(lake.path)])
    told = capsys.readouterr().err
    assert code == exit_codes.RETRY
    assert "try again later" in told
    assert "request" not in told


CRASH = """
import os, sys
from pathlib import Path
from lake.store import Lake
from tests.pipeline.control.daemon.test_beside_the_daemon import leave_unpublished

lake = Lake.open(Path(sys.argv[1]))
with lake.lock("a stage"):
    leave_unpublished(lake)
    os._exit(9)
"""


def leave_unpublished(lake: Lake) -> None:
    """Write as a single stage does, without publishing."""
    session = date(2021, 3, 2)
    one = run(
        recipe=recipe(
            stage="instruments", cycle_id="single-instruments-20210302", output_table="instruments", session=session
        )
    )
    one = replace(one, recipe=replace(one.recipe, since=session))
    lake.commit(INSTRUMENTS, instrument_rows("the new name"), one.run_id, {"run": one.row()})


def test_a_daemon_finishes_first_what_a_crash_interrupted_and_readers_see_the_old_until_it_is_published(
    lake: Lake,
) -> None:
    assert subprocess.run([sys.executable, "-c", CRASH, str(lake.path)], check=False).returncode == 9
    assert writer_died(lake.path)
    seen = [lake.read(INSTRUMENTS)["name"][0]]
    assert seen == ["name 0"], "what is not published is not seen"

    def published() -> bool:
        seen.append(lake.read(INSTRUMENTS)["name"][0])
        return seen[-1] == "the new name"

    with subprocess.Popen(daemon_command(lake.path)) as daemon:
        try:
            until(published, 60)
            until(lambda: lake.read(TASK_ATTEMPTS)["state"].to_list().count("done"))
        finally:
            daemon.terminate()
    assert sorted(set(seen)) == ["name 0", "the new name"]
    assert seen == sorted(seen), "nothing goes back"
    assert lake.read(TASK_REQUESTS).filter(origin="daemon")["action"].to_list() == ["recover"]
    assert lake.read(TASK_ATTEMPTS).sort("at")["cycle_id"][-1] == "single-instruments-20210302"
    assert not writer_died(lake.path)


def test_a_tidy_lake_asks_for_no_recovery(lake: Lake) -> None:
    assert run_here(lake, "--once") == 0
    assert lake.read(TASK_REQUESTS).filter(origin="daemon").is_empty()

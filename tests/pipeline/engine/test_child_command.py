"""Child processes: whatever the working directory holds, they run the installed program."""

from __future__ import annotations

import subprocess
import sys
from datetime import UTC, datetime
from pathlib import Path

import pytest

from lake.store import Lake
from lake.tables.control import TASK_ATTEMPTS
from nextgen_tui.cli import exit_codes
from nextgen_tui.cli.main import outcome
from nextgen_tui.console.operator.decide_process import record_decision
from pipeline.config.settings import Settings
from pipeline.control.daemon.main import daemon_command
from pipeline.control.operator.decisions import DecisionError
from pipeline.control.operator.requests import Request
from pipeline.engine.child_command import installed_script, python_command
from pipeline.engine.runner import Runner
from pipeline.engine.session_order import find_stage
from pipeline.ingestion.sources.registry import SourceParams
from pipeline.ingestion.sources.simulated.params import SimulatedParams
from tests.new_lake import new_lake

pytestmark = pytest.mark.cold
PLANTED = "from pathlib import Path\nPath(__file__).with_name('imported').touch()\nraise SystemExit('planted')\n"
SCHEDULE = '[tasks.upkeep]\nrun = "maintain"\nexchange = "XNYS"\ntrigger = "daily 06:00"\n'


@pytest.fixture(scope="module")
def lake(tmp_path_factory: pytest.TempPathFactory) -> Lake:
    """A lake with one run of a few simulated instruments."""
    lake = new_lake(tmp_path_factory.mktemp("children") / "lake")
    settings = Settings(source=SourceParams(simulated=SimulatedParams(names=4, history_sessions=10)))
    runner = Runner(lake, settings)
    runner.run_stage(find_stage("land_prices"), runner.source.coverage()[1])
    (lake.path / "schedules.toml").write_text(SCHEDULE)
    return lake


@pytest.fixture
def planted(tmp_path: Path, monkeypatch: pytest.MonkeyPatch) -> Path:
    """The working directory: packages named as ours, which leave a file behind where one of them is imported."""
    for package in ("lake", "pipeline", "nextgen_tui", "polars"):
        (tmp_path / package).mkdir()
        (tmp_path / package / "__init__.py").write_text(PLANTED)
    monkeypatch.setenv("NEXTGEN_STATE", str(tmp_path / "state"))
    monkeypatch.chdir(tmp_path)
    return tmp_path


def imported(planted: Path) -> list[Path]:
    return sorted(planted.rglob("imported"))


def test_what_is_planted_is_found_by_python_alone(planted: Path) -> None:
    ended = subprocess.run([sys.executable, "-m", "lake"], capture_output=True, text=True, check=False)
    assert "planted" in ended.stderr
    assert imported(planted), "the other tests would prove nothing"


def test_commands_the_daemon_and_its_workers_import_nothing_from_the_working_directory(
    lake: Lake, planted: Path
) -> None:
    at = ("--lake", str(lake.path))
    assert outcome(["schedule", "preview", *at]) == exit_codes.DONE, "a child computes the calendar"
    assert outcome(["reproduce", "--all", *at]) == exit_codes.DONE
    assert outcome(["request", "maintain", "--id", "upkeep-now", *at]) == exit_codes.DONE
    daemon = subprocess.run(daemon_command(lake.path, "--once"), capture_output=True, text=True, check=False)
    assert daemon.returncode == 0, daemon.stderr
    assert "done" in lake.read(TASK_ATTEMPTS)["state"].to_list()
    assert outcome(["status", *at]) == exit_codes.DEGRADED, "no cycle has reported yet"
    assert imported(planted) == []


def test_a_decision_in_the_console_imports_nothing_from_the_working_directory(lake: Lake, planted: Path) -> None:
    veto = Request(
        request_id="veto-1", requested_at=datetime.now(UTC), origin="console", action="veto", target="no-such-plan"
    )
    with pytest.raises(DecisionError, match="no-such-plan"):
        record_decision(lake.path, veto)
    assert imported(planted) == []


@pytest.mark.parametrize("program", ["nextgen", "nextgen-daemon"])
def test_an_installed_command_imports_nothing_from_the_working_directory(planted: Path, program: str) -> None:
    ended = subprocess.run([installed_script(program), "--help"], capture_output=True, text=True, check=False)
    assert (ended.returncode, ended.stderr) == (0, "")
    assert imported(planted) == []


def test_arguments_of_any_kind_are_written_out(tmp_path: Path) -> None:
    assert python_command("lake", tmp_path, "--seconds", 2.5)[1:] == [
        "-P",
        "-m",
        "lake",
        str(tmp_path),
        "--seconds",
        "2.5",
    ]

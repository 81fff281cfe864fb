"""What a monitor learns from `nextgen status`: whatever is wrong, it says so in its JSON and by its exit code."""

from __future__ import annotations

import json
import os
import shutil
from collections.abc import Callable, Iterator
from contextlib import contextmanager
from dataclasses import replace
from datetime import UTC, datetime, timedelta
from pathlib import Path
from types import SimpleNamespace
from typing import Any

import pytest

from lake.store import Lake
from lake.tables.control import SERVICE_HEARTBEATS, SYSTEM_HEALTH
from nextgen_tui.cli import exit_codes
from nextgen_tui.cli.main import outcome
from nextgen_tui.console.lake_view import LakeView, read_runs
from nextgen_tui.console.pages.schedule import SchedulePage
from pipeline.alerts.params import AlertParams, WebhookParams
from pipeline.alerts.webhook import WebhookChannel
from pipeline.control.daemon.daemon_lock import hold_daemon_lock
from pipeline.control.daemon.heartbeat import FILE, HeartbeatWriter
from pipeline.control.daemon.orchestrator import StepResult, WaitingRun
from pipeline.control.schedule.active_schedule import save_active_schedule
from pipeline.control.schedule.journal import Event, load_journal
from pipeline.control.schedule.schedule_file import load_schedule
from pipeline.control.workers.process_identity import read_boot_id
from pipeline.reading.alerting.conditions import AlertState
from pipeline.reading.alerting.deliver import deliver
from pipeline.reading.alerting.record import notice
from tests.new_lake import new_lake
from tests.nextgen_tui.lakes import land, rows
from tests.nextgen_tui.runner import Run, json_of

# pandas' own change of mind, inside the calendar library.
pytestmark = pytest.mark.filterwarnings("ignore:Series.values returning")

SCHEDULE = '[tasks.upkeep]\nrun = "maintain"\ntrigger = "daily 06:00"\n'
DOWN = datetime.now(UTC) - timedelta(hours=2)
Status = Callable[[], tuple[int, dict[str, Any], dict[str, dict[str, Any]]]]


@pytest.fixture
def status(lake: Lake, capsys: pytest.CaptureFixture[str]) -> Status:
    """Ask for the status of a lake with a schedule of its own; give exit code, JSON, and its parts by name."""
    (lake.path / "schedules.toml").write_text(SCHEDULE)

    def ask() -> tuple[int, dict[str, Any], dict[str, dict[str, Any]]]:
        capsys.readouterr()
        code = outcome(["status", "--json", "--lake", str(lake.path)])
        told = json.loads(capsys.readouterr().out)
        return code, told, {one["service"]: one for one in told["parts"]}

    return ask


@contextmanager
def a_daemon(lake: Lake, state: str = "running", **seen: Any) -> Iterator[None]:
    """A daemon that serves the lake's schedule and has just beaten."""
    now = datetime.now(UTC)
    manifest = load_schedule(lake.path / "schedules.toml", now)
    with hold_daemon_lock(lake.path / "control"):
        save_active_schedule(lake.path, manifest)
        told = {"file": manifest.origin, "given": None, "read_at": now.isoformat()}
        HeartbeatWriter(lake, now).write(StepResult(now, **seen), state, "ok", "0 running, 0 waiting", schedule=told)
        yield


def test_a_lake_with_a_live_daemon_is_healthy(lake: Lake, status: Status) -> None:
    with a_daemon(lake):
        code, told, services = status()
    assert (code, told["healthy"]) == (exit_codes.DONE, True)
    assert services["schedule"]["facts"]["tasks"] == ["upkeep"]


def test_a_channel_of_alerts_that_is_down_is_told(lake: Lake, status: Status) -> None:
    notice(lake, [AlertState(kind="verdict", about="", state="fail", severity="error", words="x")], DOWN)
    nobody = WebhookChannel(WebhookParams(url="http://127.0.0.1:9/"))
    with a_daemon(lake):
        assert status()[2]["alerts"]["status"] == "ok"
        deliver(lake, [nobody], AlertParams(max_seconds=5), DOWN)
        _, told, services = status()
    assert services["alerts"]["status"] == "warn" and services["alerts"]["facts"] == {"failing": ["webhook"]}
    (problem,) = [one for one in told["problems"] if one["part"] == "alerts"]
    assert problem["what"].startswith("Nothing has gone out by webhook since") and "nextgen alerts" in problem["fix"]


def test_a_broken_schedule_is_told_with_its_line_and_what_the_daemon_runs_by_instead(
    lake: Lake, status: Status
) -> None:
    with a_daemon(lake):
        (lake.path / "schedules.toml").write_text(SCHEDULE.replace("maintain", "mantain"))
        code, told, services = status()
    assert (code, told["healthy"], told["status"]) == (exit_codes.DEGRADED, False, "fail")
    assert "schedules.toml:2: tasks.upkeep.run: there is no stage 'mantain'; did you mean" in told["sentence"]
    assert "the daemon uses the schedule it read at" in services["schedule"]["reason"]
    assert services["upkeep"]["status"] == "ok", "the last good schedule's tasks are judged on"


def test_the_console_shows_a_broken_schedules_fault_and_the_tasks_that_the_daemon_goes_on_by(lake: Lake) -> None:
    (lake.path / "schedules.toml").write_text(SCHEDULE)
    page, view = SchedulePage(), LakeView(lake, read_runs(lake))
    page.prepare(view)
    with a_daemon(lake):
        (lake.path / "schedules.toml").write_text(SCHEDULE.replace("maintain", "mantain"))
        served = page.load(view)
        assert "there is no stage 'mantain'" in page.sentence(served)
        assert "the daemon keeps running by the last good one" in page.sentence(served)
    assert page.sheet(served, "tasks").frame["task"].to_list() == ["upkeep"]
    alone = page.load(view)
    assert "there is no stage 'mantain'" in page.sentence(alone) and "last good one" not in page.sentence(alone)
    assert alone.tasks.is_empty()


def test_a_broken_schedule_without_a_daemon_is_told_as_well(lake: Lake, status: Status) -> None:
    (lake.path / "schedules.toml").write_text("[tasks.upkeep\n")
    code, told, _ = status()
    assert code == exit_codes.DEGRADED
    assert "schedules.toml:1: this is not valid TOML" in told["sentence"]
    assert "no daemon can start" in told["sentence"]


def test_a_schedule_that_the_daemon_has_not_read_since_it_was_changed_is_remarked_on(
    lake: Lake, status: Status
) -> None:
    with a_daemon(lake):
        (lake.path / "schedules.toml").write_text(SCHEDULE.replace("06:00", "07:00"))
        code, _, services = status()
    assert code == exit_codes.DONE
    assert services["schedule"]["status"] == "warn"
    assert services["schedule"]["fix"] == "send the daemon SIGHUP to apply the change"


def test_a_configuration_that_no_task_could_run_with_is_told(lake: Lake, status: Status) -> None:
    (lake.path / "nextgen.toml").write_text("[trading]\ncapitall = 1\n")
    code, told, _ = status()
    assert code == exit_codes.DEGRADED
    assert told["sentence"].startswith("The configuration cannot be used, so no task can run: ")
    assert "did you mean trading.capital?" in told["sentence"]


def test_a_daemon_that_died_is_a_failure_though_nothing_is_late_yet(lake: Lake, status: Status) -> None:
    with a_daemon(lake):
        pass
    code, told, _ = status()
    assert code == exit_codes.DEGRADED
    assert told["sentence"].startswith("The daemon crashed ")


def test_a_daemon_that_was_stopped_is_no_failure(lake: Lake, status: Status) -> None:
    with a_daemon(lake, "stopped"):
        pass
    code, _, services = status()
    assert (code, services["daemon"]["reason"]) == (
        exit_codes.DONE,
        "The daemon was stopped; start `nextgen-daemon` to resume",
    )


def test_a_daemon_that_hangs_is_a_failure(lake: Lake, status: Status) -> None:
    with a_daemon(lake):
        beat = lake.path / "control" / FILE
        content = json.loads(beat.read_text())
        beat.write_text(json.dumps(content | {"at": (datetime.now(UTC) - timedelta(minutes=5)).isoformat()}))
        code, told, _ = status()
    assert code == exit_codes.DEGRADED
    assert told["sentence"].startswith("The daemon has not responded for 5 min; end process ")


def test_work_that_waits_for_another_writer_is_remarked_on_by_the_writers_name(lake: Lake, status: Status) -> None:
    now = datetime.now(UTC)
    start = Event(
        task="upkeep", slot="2024-01-02", attempt=0, state="started", due_at=now, at=now, pid=1, boot_id=read_boot_id()
    )
    with a_daemon(lake), lake.lock("a replay"):
        load_journal(lake, now).append([start])
        _, _, services = status()
        assert services["writer"]["status"] == "warn"
        assert f"upkeep 2024-01-02 waits for process {os.getpid()}" in services["writer"]["reason"]
        load_journal(lake, now).append([replace(start, state="done")])
        _, _, services = status()
        assert services["writer"]["status"] == "ok"
        assert "a replay" in services["writer"]["reason"]


def test_a_disk_that_is_nearly_full_is_a_failure(lake: Lake, status: Status, monkeypatch: pytest.MonkeyPatch) -> None:
    monkeypatch.setattr(shutil, "disk_usage", lambda _path: SimpleNamespace(free=18_000_000))
    code, told, _ = status()
    assert code == exit_codes.DEGRADED
    assert told["sentence"].startswith("The disk has 18 MB free")


def test_a_daemon_that_has_grown_is_remarked_on(lake: Lake, status: Status) -> None:
    now = datetime.now(UTC)
    row = dict.fromkeys(SERVICE_HEARTBEATS.columns, 0) | {"service": "daemon", "status": "ok", "reason": "", "beats": 1}
    for name, minutes, cpu, memory in (("a", 30, 5.0, 200_000_000), ("b", 15, 7.25, 700_000_000)):
        until = now - timedelta(minutes=minutes)
        told = row | {"since": until - timedelta(minutes=15), "until": until, "memory": memory, "cpu": cpu, "pid": 7}
        told |= {"longest_gap": 1.0, "descriptors": 19}
        lake.commit(SERVICE_HEARTBEATS, rows(SERVICE_HEARTBEATS, told), name, {})
    code, _, services = status()
    found = services["resources"]
    assert (code, found["status"]) == (exit_codes.DONE, "warn")
    assert found["reason"] == "The daemon uses 700 MB, 19 descriptors, 0.1 % of a core"
    assert found["fix"] == "restart the daemon"


def test_who_asks_a_daemon_that_cannot_start_it_now_is_told_why(
    lake: Lake, status: Status, capsys: pytest.CaptureFixture[str]
) -> None:
    def asked(name: str) -> str:
        assert outcome(["request", "maintain", "--id", name, "--json", "--lake", str(lake.path)]) == exit_codes.DONE
        return str(json.loads(capsys.readouterr().out)["reason"])

    with a_daemon(lake, "draining"):
        assert asked("one") == "the daemon is shutting down; the next one runs it"
    waiting = WaitingRun("request:maintain", "two", datetime.now(UTC), "group lake is busy")
    with a_daemon(lake, waiting=(waiting,)):
        assert asked("two") == "group lake is busy"
        os.utime(lake.path / "control" / FILE, (0, 0))
        assert "The daemon has not responded for" in asked("three")


def test_status_says_what_the_health_report_says(run: Run) -> None:
    code, out, _ = run("status")
    assert code == exit_codes.DONE
    assert "1 of 2 members have a bar" in out
    assert "1 check passed" in out
    assert json_of(run, "status")["status"] == "warn"


def test_status_fails_when_a_check_fails(run: Run, lake: Lake) -> None:
    failed = {"service": "book", "check": "x", "status": "fail", "message": "a cent is missing"}
    land(lake, SYSTEM_HEALTH, rows(SYSTEM_HEALTH, failed), "another")
    code, out, _ = run("status")
    assert code == exit_codes.DEGRADED
    assert "a cent is missing" in out


def test_status_of_an_empty_lake_is_not_healthy(tmp_path: Path) -> None:
    assert outcome(["status", "--quiet", "--lake", str(new_lake(tmp_path / "lake").path)]) == exit_codes.DEGRADED

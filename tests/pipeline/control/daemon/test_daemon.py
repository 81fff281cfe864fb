"""The daemon as an operator has it: a process of its own over a real lake."""

from __future__ import annotations

import json
import os
import re
import signal
import socket
import subprocess
import sys
import time
from collections.abc import Callable, Iterator
from contextlib import contextmanager
from dataclasses import replace
from datetime import UTC, datetime, timedelta
from pathlib import Path
from statistics import median

import polars as pl
import pytest

from lake.store import Lake
from lake.tables.control import SERVICE_HEARTBEATS, TASK_ATTEMPTS, TASK_REQUESTS
from pipeline.control.daemon.daemon_lock import daemon_is_running
from pipeline.control.daemon.daemon_loop import Daemon
from pipeline.control.daemon.heartbeat import BATCH, HeartbeatWriter, read_heartbeat
from pipeline.control.daemon.main import daemon_command, main
from pipeline.control.daemon.orchestrator import StepResult, WaitingRun
from pipeline.control.daemon.service_units import format_launchd_unit, format_systemd_unit
from pipeline.control.logging.event_log import log_events
from pipeline.control.operator.requests import Request, read_request_state, submit
from pipeline.control.schedule.active_schedule import read_active_schedule
from pipeline.control.schedule.definitions import load_definitions
from pipeline.control.schedule.journal import Event
from pipeline.control.schedule.schedule_file import load_schedule, parse_schedule
from pipeline.control.workers.process_identity import PROC, count_open_descriptors, identify
from pipeline.reading.health_verdict import judge_health
from tests.new_lake import new_lake
from tests.pipeline.control.workers.test_worker_pool import UNRULY

SCHEDULE = '[tasks.upkeep]\nrun = "maintain"\ntrigger = "daily 06:00"\n'


def until(holds: Callable[[], object], seconds: float = 120) -> None:
    end = time.monotonic() + seconds
    while not holds():
        assert time.monotonic() < end, "it did not come about in time"
        time.sleep(0.02)


def request(name: str, action: str = "maintain", target: str = "") -> Request:
    return Request(request_id=name, requested_at=datetime.now(UTC), origin="cli", action=action, target=target)


@pytest.fixture(scope="module")
def served(tmp_path_factory: pytest.TempPathFactory) -> Iterator[tuple[Lake, subprocess.Popen[bytes]]]:
    """An empty lake with its own schedule, and the daemon that serves it."""
    lake = new_lake(tmp_path_factory.mktemp("served") / "lake")
    (lake.path / "schedules.toml").write_text(SCHEDULE)
    daemon = subprocess.Popen(daemon_command(lake.path))
    until(lambda: read_heartbeat(lake.path) is not None)
    yield lake, daemon
    if daemon.poll() is None:
        daemon.kill()
    daemon.wait()


def test_a_request_is_carried_out_once_however_often_it_is_sent(served: tuple[Lake, object]) -> None:
    lake, _ = served
    asked = request("twice")
    assert submit(lake, asked)
    assert not submit(lake, asked)
    assert not submit(lake, request("twice"))
    until(lambda: read_request_state(lake, asked).finished)
    assert [event.state for event in read_request_state(lake, asked).events] == ["started", "done"]
    assert lake.read(TASK_REQUESTS, where=pl.col("request_id") == "twice").height == 1


def test_a_second_daemon_is_refused_and_names_the_first(served: tuple[Lake, subprocess.Popen[bytes]]) -> None:
    lake, daemon = served
    second = subprocess.run(daemon_command(lake.path), capture_output=True, text=True, check=False)
    assert second.returncode == 3
    assert f"process {daemon.pid}" in second.stderr


@pytest.mark.cold
def test_a_second_daemon_is_refused_before_the_libraries_load() -> None:
    heavy = "{'polars', 'deltalake', 'apscheduler'} & set(sys.modules)"
    program = f"import sys, pipeline.control.daemon.main; sys.exit(str({heavy}) if {heavy} else 0)"
    subprocess.run([sys.executable, "-c", program], check=True)


def test_a_bad_schedule_is_refused_by_the_running_daemon_which_keeps_the_last_good_one_and_says_so(
    served: tuple[Lake, subprocess.Popen[bytes]],
) -> None:
    lake, daemon = served
    schedule = lake.path / "schedules.toml"
    schedule.write_text(SCHEDULE.replace("daily 06:00", "weekly 1 06:00"))
    daemon.send_signal(signal.SIGHUP)
    until(lambda: (beat := read_heartbeat(lake.path)) and beat.status == "fail" and "write mon ... sun" in beat.reason)
    found = read_active_schedule(lake.path, datetime.now(UTC))
    assert "schedules.toml:3" in found.error
    assert (found.schedule.text, found.schedule.tasks[0].trigger_text) == (SCHEDULE, "daily 06:00")
    schedule.write_text(SCHEDULE)
    daemon.send_signal(signal.SIGHUP)
    until(lambda: (beat := read_heartbeat(lake.path)) and beat.status == "ok")
    asked = request("after-reload")
    submit(lake, asked)
    until(lambda: read_request_state(lake, asked).finished)


def test_the_verdict_on_a_lake_with_a_live_daemon_names_what_is_not_well(served: tuple[Lake, object]) -> None:
    lake, _ = served
    services = {one.service: one for one in judge_health(lake).parts}
    assert services["daemon"].status == "ok"
    assert services["upkeep"].status == "ok"
    assert services["disk"].facts["lake_bytes"] > 0
    hung = judge_health(lake, datetime.now(UTC) + timedelta(minutes=5))
    assert {one.service: one.status for one in hung.parts}["daemon"] == "fail"
    idle = judge_health(lake, datetime.now(UTC) + timedelta(days=3))
    assert {one.service: one.status for one in idle.parts}["upkeep"] == "fail", "alive, but no work is done"


def test_a_daemon_whose_turns_fail_tells_the_service_manager_that_it_lives_and_why_it_does_nothing(
    tmp_path: Path,
) -> None:
    lake = new_lake(tmp_path / "lake")
    (lake.path / "schedules.toml").write_text(SCHEDULE)
    (lake.path / "control" / "heartbeat.json").mkdir(parents=True)  # so that no turn comes to its end
    with socket.socket(socket.AF_UNIX, socket.SOCK_DGRAM) as manager:
        manager.bind(str(tmp_path / "notify"))
        manager.settimeout(60)
        environ = {**os.environ, "NOTIFY_SOCKET": str(tmp_path / "notify")}
        with subprocess.Popen(daemon_command(lake.path), env=environ) as daemon:
            try:
                assert manager.recv(4096) == b"READY=1\nSTATUS=1 tasks"
                assert manager.recv(4096).startswith(b"WATCHDOG=1\nSTATUS=it cannot work: ")
            finally:
                daemon.kill()


def test_a_failed_turn_is_told_beside_what_was_seen_before_it(tmp_path: Path) -> None:
    lake = new_lake(tmp_path / "lake")
    (lake.path / "control").mkdir()
    now = datetime(2024, 1, 2, tzinfo=UTC)
    heart = HeartbeatWriter(lake, now)
    waiting = WaitingRun("upkeep", "2024-01-02", now, "group lake is busy")
    heart.write(StepResult(now, waiting=(waiting,)), "running", "ok", "0 running, 1 waiting")
    heart.write_failure(now + timedelta(seconds=5), "it cannot work: no space left on device")
    beat = read_heartbeat(lake.path)
    assert beat is not None
    assert (beat.status, beat.at) == ("fail", now + timedelta(seconds=5))
    assert [one["task"] for one in beat.detail["waiting"]] == ["upkeep"]


def test_a_killed_daemon_leaves_its_lake_free_and_the_next_one_serves(
    served: tuple[Lake, subprocess.Popen[bytes]],
) -> None:
    lake, daemon = served
    assert daemon_is_running(lake.path / "control")
    daemon.kill()
    daemon.wait()
    assert not daemon_is_running(lake.path / "control")
    asked = request("waits-for-a-daemon")
    submit(lake, asked)
    once = subprocess.run(daemon_command(lake.path, "--once"), check=False)
    assert once.returncode == 0
    assert [event.state for event in read_request_state(lake, asked).events] == ["started", "done"]


def test_a_schedule_of_its_own_is_taken_up_later_and_the_first_end_lets_work_finish_and_the_record_says_so(
    tmp_path: Path,
) -> None:
    lake = new_lake(tmp_path / "lake")
    daemon = subprocess.Popen(daemon_command(lake.path))
    until(lambda: read_heartbeat(lake.path) is not None)
    own = lake.path / "schedules.toml"
    own.write_text(SCHEDULE)
    daemon.send_signal(signal.SIGHUP)
    until(lambda: (beat := read_heartbeat(lake.path)) and beat.detail["schedule"]["file"] == str(own))
    asked = request("at-work")
    submit(lake, asked)
    until(lambda: read_request_state(lake, asked).events)
    daemon.terminate()
    assert daemon.wait(120) == 0
    assert read_request_state(lake, asked).events[-1].state == "done"
    beat = read_heartbeat(lake.path)
    assert beat is not None
    assert beat.state == "stopped"


HOSTED = """
import sys
from pathlib import Path
from lake.store import Lake
from pipeline.control.daemon.daemon_loop import Daemon
from tests.pipeline.control.workers.test_worker_pool import UNRULY

lake = Lake.open(Path(sys.argv[1]))
sys.exit(Daemon(lake, lake.path / "schedules.toml", program=UNRULY).run(once="--once" in sys.argv))
"""
"""A daemon whose workers behave as their task is called."""


def owing(path: Path, task: str, **keys: str) -> Lake:
    """A lake whose schedule, known since yesterday, owes one run of a task."""
    lake = new_lake(path)
    given = {"run": '"maintain"', "trigger": '"daily 00:00"', "zone": '"UTC"', **keys}
    lines = "\n".join(f"{name} = {value}" for name, value in given.items())
    (lake.path / "schedules.toml").write_text(f"[tasks.{task}]\n{lines}\n")
    load_definitions(lake).record_schedule(
        load_schedule(lake.path / "schedules.toml"), datetime.now(UTC) - timedelta(days=1)
    )
    return lake


@contextmanager
def signals_restored() -> Iterator[None]:
    """A daemon that runs in this process takes signals over; afterwards they are as before."""
    before = {number: signal.getsignal(number) for number in (signal.SIGTERM, signal.SIGINT, signal.SIGHUP)}
    try:
        yield
    finally:
        for number, handler in before.items():
            signal.signal(number, handler)


def run_here(lake: Lake, *options: str) -> object:
    """Run the daemon's command in this process, where the libraries are loaded; return its exit code."""
    with signals_restored(), pytest.raises(SystemExit) as ended:
        main(daemon_command(lake.path, *options)[4:])
    return ended.value.code


@contextmanager
def hosted(lake: Lake, *options: str) -> Iterator[subprocess.Popen[bytes]]:
    """The daemon for the block; gone after it, whatever happened."""
    with subprocess.Popen([sys.executable, "-c", HOSTED, str(lake.path), *options]) as daemon:
        try:
            yield daemon
        finally:
            daemon.kill()


def deaf(pid: int) -> bool:
    """Whether a process ignores SIGTERM by now (Linux)."""
    ignored = re.search(r"SigIgn:\s*(\w+)", (PROC / str(pid) / "status").read_text())
    return ignored is not None and bool(int(ignored[1], 16) >> (signal.SIGTERM - 1) & 1)


@pytest.mark.skipif(sys.platform != "linux", reason="only Linux tells which signals another process ignores")
def test_the_first_end_waits_for_what_runs_and_the_second_ends_it_at_once_though_it_will_not_listen(
    tmp_path: Path,
) -> None:
    lake = owing(tmp_path / "lake", "deaf", grace='"1s"')
    with hosted(lake) as daemon:
        until(lambda: lake.read(TASK_ATTEMPTS).height)
        worker = lake.read(TASK_ATTEMPTS)["pid"][0]
        until(lambda: deaf(worker))
        daemon.terminate()
        until(lambda: (beat := read_heartbeat(lake.path)) and beat.state == "draining")
        assert daemon.poll() is None
        begin = time.monotonic()
        daemon.terminate()
        assert daemon.wait(30) == 0
    assert time.monotonic() - begin < 8, "a second of grace, and no more"
    assert identify(worker) is None
    last = lake.read(TASK_ATTEMPTS).sort("at").row(-1, named=True)
    assert (last["state"], last["follows"], last["reason"]) == ("dead", "retry", "the daemon was stopped at once")


@pytest.mark.parametrize(
    ("keys", "code", "states"),
    [
        ({"retries": "1", "back_off": '"1s"', "on_failure": '"retry"'}, 1, ["started", "failed", "started", "failed"]),
        ({"on_failure": '"stop"', "catch_up": '"all"', "window": '"2d"'}, 1, ["started", "failed"]),
        pytest.param({}, 1, ["started", "failed"], marks=pytest.mark.slow),
    ],
    ids=["tried again for ever", "stopped", "given up"],
)
def test_once_ends_though_a_task_always_fails_and_says_what_is_still_owed(
    tmp_path: Path, keys: dict[str, str], code: int, states: list[str]
) -> None:
    lake = owing(tmp_path / "lake", "raise", **keys)
    with signals_restored():
        assert Daemon(lake, lake.path / "schedules.toml", program=UNRULY).run(once=True) == code
    assert lake.read(TASK_ATTEMPTS).sort("at")["state"].to_list() == states


def test_a_schedule_that_cannot_be_used_ends_the_daemon_with_the_line_and_the_fix(
    tmp_path: Path, capsys: pytest.CaptureFixture[str]
) -> None:
    lake = new_lake(tmp_path / "lake")
    (lake.path / "schedules.toml").write_text(SCHEDULE.replace("maintain", "mantain"))
    assert run_here(lake) == 2
    err = capsys.readouterr().err
    assert "schedules.toml:2" in err
    assert "did you mean 'maintain'" in err


def test_a_lake_that_cannot_be_written_ends_the_daemon_in_words_and_for_good(
    tmp_path: Path, capsys: pytest.CaptureFixture[str]
) -> None:
    lake = new_lake(tmp_path / "lake")
    (lake.path / "control").write_text("in the way")
    assert run_here(lake) == 2, "a service manager does not start it again and again"
    assert re.fullmatch(r"Error: the daemon cannot start: .*control.*: \S.*\n", capsys.readouterr().err)


def test_a_configuration_that_no_worker_could_use_ends_the_daemon_and_stands_in_its_log(
    tmp_path: Path, capsys: pytest.CaptureFixture[str]
) -> None:
    lake = new_lake(tmp_path / "lake")
    (lake.path / "schedules.toml").write_text(SCHEDULE)
    (lake.path / "nextgen.toml").write_text("[trading]\ncapitall = 1\n")
    assert run_here(lake) == 2
    assert "did you mean trading.capital?" in capsys.readouterr().err
    assert "did you mean trading.capital?" in (lake.path / "control" / "logs" / "daemon.log").read_text()


@pytest.mark.slow
def test_a_day_of_heartbeats_stays_small_and_leaves_reading_and_descriptors_flat(tmp_path: Path) -> None:
    lake = new_lake(tmp_path / "lake")
    (lake.path / "control").mkdir()
    now = datetime(2024, 1, 2, tzinfo=UTC)
    heart = HeartbeatWriter(lake, now)
    reads: list[float] = []
    descriptors: list[int] = []
    beats = timedelta(days=1) // BATCH
    for _ in range(beats):
        now += BATCH
        heart.write(StepResult(now), "running", "ok", "0 running, 0 waiting")
        begin = time.perf_counter()
        assert lake.read(SERVICE_HEARTBEATS, since=now - timedelta(minutes=1)).height == 1
        reads.append(time.perf_counter() - begin)
        descriptors.append(count_open_descriptors())
    folder = Path(lake.uri(SERVICE_HEARTBEATS))
    size = sum(path.stat().st_size for path in folder.rglob("*") if path.is_file())
    assert lake.rows(SERVICE_HEARTBEATS) == beats
    assert size < 10e6
    assert max(descriptors[20:]) - min(descriptors[20:]) <= 3
    # A loaded machine makes single reads slow; the medians of the first and the last hours tell growth from noise.
    assert median(reads[-60:]) < 4 * median(reads[10:70]) + 0.01


def test_the_units_name_the_program_and_survive_odd_paths() -> None:
    lake = Path('/home/John Smith/50% "lake" $x & <y>')
    systemd = format_systemd_unit(Path("/opt/nextgen-daemon"), lake)
    assert 'ExecStart="/opt/nextgen-daemon" --lake "/home/John Smith/50%% \\"lake\\" $$x & <y>" --quiet' in systemd
    assert "Type=notify" in systemd
    assert "WatchdogSec=" in systemd
    import plistlib

    plist = plistlib.loads(format_launchd_unit(Path("/opt/nextgen-daemon"), lake).encode())
    assert plist["ProgramArguments"] == ["/opt/nextgen-daemon", "--lake", str(lake), "--quiet"]
    asked = plistlib.loads(format_launchd_unit(Path("/opt/nextgen-daemon"), lake, 9_464).encode())
    assert asked["ProgramArguments"][-2:] == ["--metrics", "9464"]
    assert "--quiet --metrics 9464\n" in format_systemd_unit(Path("/opt/nextgen-daemon"), lake, 9_464)
    with pytest.raises(ValueError, match="control characters"):
        format_systemd_unit(Path("/opt/nextgen-daemon"), Path("/a\nExecStartPre=/bin/sh"))


def test_every_line_of_the_log_is_json_that_says_what_it_is_about(tmp_path: Path) -> None:
    lake = new_lake(tmp_path / "lake")
    (lake.path / "schedules.toml").write_text(SCHEDULE)
    submit(lake, request("logged"))
    assert run_here(lake, "--once") == 0
    lines = [json.loads(line) for line in (lake.path / "control" / "logs" / "daemon.log").read_text().splitlines()]
    assert {"at", "level", "message"} <= set(lines[0])
    assert {"started", "done"} <= {line.get("state") for line in lines if line.get("slot") == "logged"}
    assert lake.read(TASK_ATTEMPTS).height == 2


def test_slots_passed_over_together_are_one_line_with_their_number_and_span(caplog: pytest.LogCaptureFixture) -> None:
    first = datetime(2024, 1, 2, tzinfo=UTC)
    skipped = [
        Event(
            task="probe",
            slot=f"2024-01-02T00:{minute:02}",
            attempt=0,
            state="skipped",
            due_at=first + timedelta(minutes=minute),
            at=first + timedelta(days=1),
            reason="only the last slot is caught up (and 40 before it)" if minute == 0 else "only the last slot",
        )
        for minute in range(60)
    ]
    begun = replace(skipped[-1], slot="2024-01-03T00:00", state="started", reason="")
    with caplog.at_level("INFO", "pipeline.control"):
        log_events([*skipped, begun])
    assert caplog.messages == [
        "probe 2024-01-02T00:00 to 2024-01-02T00:59: 60 slots skipped; the first: only the last slot is caught up"
        " (and 40 before it)",
        "probe 2024-01-03T00:00 started",
    ]


def test_two_readings_of_one_schedule_are_the_same_schedule() -> None:
    first, second = (parse_schedule(SCHEDULE, "x", datetime(2024, 1, 2, tzinfo=UTC)) for _ in range(2))
    assert [task.trigger_text for task in first.tasks] == [task.trigger_text for task in second.tasks]

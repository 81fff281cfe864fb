"""Who may read a lake is told by every reading command what its owner is told, and nothing of the lake is touched."""

from __future__ import annotations

import json
import os
import shutil
import subprocess
import sys
from collections.abc import Iterator
from pathlib import Path

import pytest

from lake.store import Lake
from pipeline.control.daemon.daemon_lock import hold_daemon_lock
from pipeline.control.daemon.heartbeat import HeartbeatWriter
from pipeline.control.daemon.orchestrator import StepResult
from tests.nextgen_tui.lakes import MOMENT

OWNER = 1234
SETPRIV = shutil.which("setpriv")
RIGHTS = "-dac_override,-dac_read_search,-fowner,-chown"
AS_STRANGER = (str(SETPRIV), f"--bounding-set={RIGHTS}", "--inh-caps=-all", sys.executable, "-P", "-c")
"""A root process that has lost its rights over others' files is a stranger to them, with our Python to read."""
PROGRAM = """
import contextlib, io, json, sys
from nextgen_tui.cli.main import outcome
for words in json.loads(sys.argv[1]):
    out, err = io.StringIO(), io.StringIO()
    with contextlib.redirect_stdout(out), contextlib.redirect_stderr(err):
        code = outcome(words)
    print(json.dumps([code, out.getvalue(), err.getvalue()]))
"""
pytestmark = pytest.mark.skipif(os.geteuid() != 0 or SETPRIV is None, reason="it takes root and setpriv")


@pytest.fixture
def readable(lake: Lake) -> Lake:
    """A lake of another user that anybody may read."""
    for path in (lake.path, *lake.path.rglob("*")):
        path.chmod(0o755 if path.is_dir() else 0o644)
    for above in lake.path.parents:
        if above.stat().st_mode & 0o005 != 0o005 and above.stat().st_uid == 0:
            above.chmod(above.stat().st_mode | 0o055)
    return lake


@pytest.fixture
def served(readable: Lake) -> Iterator[Lake]:
    """Its daemon is alive, and keeps the files of its lock to itself, as daemons did."""
    control = readable.path / "control"
    control.mkdir()
    control.chmod(0o755)
    with hold_daemon_lock(control):
        HeartbeatWriter(readable, MOMENT).write(StepResult(MOMENT), "running", "ok", "idle")
        for name in ("daemon.lock", "daemon.holder"):
            (control / name).chmod(0o600)
        give_away(readable.path)
        yield readable


def give_away(lake: Path) -> None:
    for path in (lake, *lake.rglob("*")):
        os.chown(path, OWNER, OWNER)


def as_stranger(*commands: list[str]) -> list[tuple[int, str, str]]:
    """Each command's exit code, stdout and stderr."""
    done = subprocess.run([*AS_STRANGER, PROGRAM, json.dumps(commands)], capture_output=True, text=True, check=False)
    assert done.returncode == 0, done.stderr
    return [tuple(json.loads(line)) for line in done.stdout.splitlines()]


def contents(folder: Path) -> dict[str, tuple[int, int, int]]:
    found = ((str(path.relative_to(folder)), path.stat()) for path in sorted(folder.rglob("*")))
    return {name: (stat.st_mode, stat.st_size, stat.st_mtime_ns) for name, stat in found}


def test_a_reader_gets_the_owners_verdict_and_a_backup_of_a_lake_with_a_daemon(served: Lake, tmp_path: Path) -> None:
    before, lake, target = contents(served.path), ["--lake", str(served.path)], tmp_path / "safe"
    status, backup = as_stranger(["status", "--json", *lake], ["backup", str(target), *lake])
    assert status[0] in (0, 1), status
    told = json.loads(status[1])
    daemon = next(part for part in told["parts"] if part["service"] == "daemon")
    assert "crashed" not in str(daemon)
    assert "No daemon" not in str(daemon)
    assert backup[0] == 0, backup
    assert contents(served.path) == before
    assert {path.stat().st_mode & 0o077 for path in (target, *target.rglob("*"))} == {0}, "the copy leaks"


@pytest.mark.slow
def test_no_reading_command_and_no_screen_writes_or_needs_more_than_to_read(served: Lake, tmp_path: Path) -> None:
    lake = ["--lake", str(served.path)]
    commands = [
        [*words.split(), *lake]
        for words in (
            "status",
            "runs",
            "show predictions",
            "tables predictions",
            "versions",
            "stages",
            "schedule check",
            "config show",
            "config validate",
            "actions list",
            "plugins",
            "scrub",
            "securities ACME",
            "gc --dry-run",
            "migrate --dry-run",
            f"console --screenshot {tmp_path / 'pictures'}",
        )
    ]
    before = contents(served.path)
    codes = {" ".join(words[:-2]): answer for words, answer in zip(commands, as_stranger(*commands), strict=True)}
    assert {name: answer for name, answer in codes.items() if answer[0] not in (0, 1)} == {}
    assert contents(served.path) == before


def test_a_stranger_to_a_private_lake_is_told_so_in_a_sentence(lake: Lake, monkeypatch: pytest.MonkeyPatch) -> None:
    lake.path.chmod(0o700)
    give_away(lake.path)
    monkeypatch.setenv("NEXTGEN_LAKE", str(lake.path))
    [(code, _, err)] = as_stranger(["status"])
    assert (code, "may not be read by this user" in " ".join(err.split())) == (74, True), err

"""Two programs that write at once, as an operator may start them: one does the work, and it is done once."""

from __future__ import annotations

import os
import subprocess
from datetime import UTC, date, datetime
from pathlib import Path

import pytest

from lake.store import Lake
from nextgen_tui.cli import exit_codes
from pipeline.config.toml_document import toml_document, write_document
from pipeline.control.daemon.main import daemon_command
from pipeline.control.operator.requests import Request, read_request_state, submit
from pipeline.engine.runner import Runner
from pipeline.market.sessions import exchange_sessions
from tests.torture.conftest import Bench
from tests.torture.faults import ROOT, command
from tests.torture.settings import as_items, tortured_settings
from tests.torture.worker import state

TRIES = int(os.environ.get("TORTURE_RACES", "50"))
SCHEDULE = '[tasks.upkeep]\nrun = "maintain"\ntrigger = "daily 06:00"\n'


def configured(lake: Path) -> Path:
    """The lake with the settings it was made under in its configuration file."""
    write_document(lake, toml_document(as_items(tortured_settings())))
    (lake / "schedules.toml").write_text(SCHEDULE)
    return lake


def cycle(lake: Path, session: date) -> subprocess.Popen[str]:
    words = command("cycle", "--session", str(session), "--lake", str(lake))
    return subprocess.Popen(words, cwd=ROOT, stdout=subprocess.DEVNULL, stderr=subprocess.PIPE, text=True)


def two_commands(lake: Path, session: date) -> None:
    """Both are started at once; each ends with the work done, by it or the other, or is told to come back."""
    both = [cycle(lake, session) for _ in range(2)]
    said = [one.communicate()[1] for one in both]
    codes = [one.returncode for one in both]
    assert set(codes) <= {exit_codes.DONE, exit_codes.RETRY}, (codes, said)
    assert exit_codes.DONE in codes, (codes, said)
    assert all("is being written by process" in words for code, words in zip(codes, said, strict=True) if code)


def command_and_daemon(lake: Path, session: date) -> None:
    """The daemon is asked for upkeep while the command runs the cycle."""
    asked = Request(
        request_id=f"upkeep-{session}", requested_at=datetime.now(UTC), origin="cli", action="maintain", target=""
    )
    submit(Lake.open(lake), asked)
    daemon = subprocess.Popen(daemon_command(lake, "--once"), cwd=ROOT)
    by_hand = cycle(lake, session)
    _, said = by_hand.communicate()
    assert by_hand.returncode in (exit_codes.DONE, exit_codes.RETRY), said
    assert daemon.wait() in (exit_codes.DONE, exit_codes.DEGRADED)
    if by_hand.returncode:
        again = cycle(lake, session)
        said = again.communicate()[1]
        assert again.returncode == exit_codes.DONE, said
    if not read_request_state(Lake.open(lake), asked).finished:
        assert subprocess.run(daemon_command(lake, "--once"), cwd=ROOT, check=False).returncode in (0, 1)


@pytest.mark.torture
def test_fifty_races_of_two_programs_leave_the_lake_that_one_would_have_made(bench: Bench) -> None:
    start = date.fromisoformat(bench.prepared.session)
    sessions = exchange_sessions("XNYS").between(start, exchange_sessions("XNYS").offset(start, TRIES - 1))
    alone = Lake.open(configured(bench.copy().rename(bench.folder.with_name("alone"))))
    for _ in Runner(alone, tortured_settings()).replay(sessions[0], sessions[-1]):
        pass
    raced = configured(bench.copy())
    for number, session in enumerate(sessions):
        (two_commands if number % 2 else command_and_daemon)(raced, session)
    seen, wanted = state(Lake.open(raced)), state(alone)
    assert seen["doubled"] == seen["doubled_entries"] == 0
    assert {name: mark for name, mark in seen["marks"].items() if mark != wanted["marks"][name]} == {}

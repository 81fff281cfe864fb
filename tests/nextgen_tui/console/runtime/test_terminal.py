"""The console in a real terminal: keys in, screen out, and the terminal given back however it ends."""

from __future__ import annotations

import os
import signal
import subprocess
from collections.abc import Iterator
from pathlib import Path

import polars as pl
import pytest

from lake.store import Lake
from lake.tables.control import TASK_ATTEMPTS, TASK_REQUESTS
from nextgen_tui.console.screens import PAGES
from pipeline.control.daemon.heartbeat import read_heartbeat
from pipeline.control.daemon.main import daemon_command
from tests.nextgen_tui.console.desk import FIRST
from tests.nextgen_tui.console.runtime.tmux import NO_TMUX, PROMPT, Terminal, command_line, console, terminal, wait

pytestmark = pytest.mark.skipif(bool(NO_TMUX), reason=NO_TMUX)
ANSWERS = {
    "1": "failed: a disk was full",
    "2": "1 of 2 members have a bar",
    "3": "2 tickers at the close",
    "4": "better than naive",
    "5": "1 order (buy ACME), 1 refused",
    "6": "1,010,000.00 at 2022-03-01",
    "7": "1 insight (1 measured)",
    "8": "overdue.",
    "9": "1 failed, last plan",
}


@pytest.fixture
def shell(tmp_path: Path) -> Iterator[Terminal]:
    with terminal(tmp_path) as one:
        yield one


def back(shell: Terminal) -> None:
    """Hold it that the shell has its terminal again, as it was."""
    wait(lambda: shell.at_prompt and shell.foreign == {})
    shell.type("echo still $((40 + 2)) here")
    shell.until("still 42 here")


def test_every_screen_a_filter_a_story_the_past_a_request_and_a_clean_end(
    shell: Terminal, own_desk: Lake, tmp_path: Path
) -> None:
    before = shell.settings(tmp_path)
    shell.type(console(own_desk.path))
    for page in PAGES:
        shell.press(page.number)
        shell.until(f"{page.number} {page.name}", ANSWERS.get(page.number, ""))
    shell.press("5")
    shell.until("refused by", "ZETA")
    shell.press("/")
    shell.until("╭─ /")
    shell.press("z", "e", "t", "a", "Enter")
    shell.until("1 plan showing 'zeta'")
    shell.press("Enter")
    shell.until("Rules, in the order they are applied")
    shell.press("BSpace")
    shell.until("1 plan showing 'zeta'")
    shell.press("<")
    shell.until(f"AS OF {FIRST}")
    shell.press(">")
    shell.until("live, read", without="AS OF")
    shell.press("t")
    shell.until("╭─ as of")
    shell.type(str(FIRST))
    shell.until(f"AS OF {FIRST}")
    shell.type(":live")
    shell.until("live, read", without="AS OF")
    shell.press("?")
    shell.until("Keys here", "Reverse the order")
    shell.press("Escape")
    shell.until("1 plan showing 'zeta'", without="Keys here")
    shell.type(":maintain")
    shell.until("Request to the daemon: maintain", "No daemon is running on this lake")
    shell.press("Tab", "Enter")
    shell.until("Queued: maintain")
    wait(lambda: own_desk.read(TASK_REQUESTS).height == 1)
    shell.press("q")
    back(shell)
    assert shell.settings(tmp_path) == before


@pytest.mark.slow
def test_a_disk_that_hangs_is_a_sentence_on_the_screen_and_holds_up_neither_a_key_nor_the_end(
    shell: Terminal, own_desk: Lake
) -> None:
    shell.type(console(own_desk.path))
    shell.until(ANSWERS["1"])
    (own_desk.path / "control").mkdir(exist_ok=True)
    os.mkfifo(own_desk.path / "control" / "heartbeat.json")  # whoever opens it waits until somebody writes
    shell.until("does not respond; the figures shown were read before")
    shell.press("6")
    shell.until("6 Book", "does not respond")
    shell.press("?")
    shell.until("Keys here")
    shell.press("Escape")
    shell.until("does not respond", without="Keys here")
    shell.press("q")
    back(shell)


@pytest.mark.parametrize("sign", [signal.SIGTERM, signal.SIGHUP, signal.SIGKILL], ids=lambda sign: sign.name)
@pytest.mark.slow
def test_a_killed_console_leaves_the_terminal_as_it_found_it(
    shell: Terminal, desk_path: Path, tmp_path: Path, sign: signal.Signals
) -> None:
    before = shell.settings(tmp_path)
    shell.type(console(desk_path))
    shell.until(ANSWERS["1"])
    assert shell.foreign != {}, "a console that changes nothing would make this test empty"
    os.kill(shell.pid_of("nextgen_tui.cli.main"), sign)
    wait(lambda: shell.foreign == {})
    assert shell.settings(tmp_path) == before
    back(shell)


def test_a_console_whose_terminal_goes_away_goes_too(shell: Terminal, desk_path: Path) -> None:
    shell.type(console(desk_path))
    shell.until(ANSWERS["1"])
    own = shell.pid_of("nextgen_tui.cli.main")
    shell.tmux("kill-server")
    wait(lambda: not command_line(own))


@pytest.mark.slow
def test_a_storm_of_resizes_leaves_every_screen_whole(shell: Terminal, desk_path: Path, tmp_path: Path) -> None:
    before = shell.settings(tmp_path)
    shell.type(console(desk_path))
    shell.until(ANSWERS["1"])
    for round, page in enumerate(PAGES):
        shell.press(page.number)
        for step in range(20):
            width, height = 20 + (37 * step + 11 * round) % 200, 4 + (13 * step + 5 * round) % 56
            shell.tmux("resize-window", "-x", str(width), "-y", str(height))
        shell.tmux("resize-window", "-x", "140", "-y", "40")
        shown = shell.until(f"{page.number} {page.name}", ANSWERS.get(page.number, ""))
        assert len(shown.splitlines()) == 40
    shell.press("q")
    back(shell)
    assert shell.settings(tmp_path) == before


@pytest.fixture
def daemon(own_desk: Lake) -> Iterator[subprocess.Popen[bytes]]:
    """A daemon on the desk's lake."""
    with subprocess.Popen(
        daemon_command(own_desk.path), stdout=subprocess.DEVNULL, stderr=subprocess.DEVNULL
    ) as process:
        wait(lambda: read_heartbeat(own_desk.path) is not None)
        yield process
        process.kill()


@pytest.mark.slow
def test_console_and_daemon_are_each_killed_without_the_other_noticing(
    shell: Terminal, own_desk: Lake, daemon: subprocess.Popen[bytes]
) -> None:
    def ended() -> int:
        return own_desk.read(TASK_ATTEMPTS, where=pl.col("state") == "done").height

    shell.type(console(own_desk.path))
    shell.until("daemon", "beat")
    shell.type(":maintain")
    shell.until("Request to the daemon: maintain", without="No daemon is running")
    shell.press("Tab", "Enter")
    shell.until("Queued: maintain")
    os.kill(shell.pid_of("nextgen_tui.cli.main"), signal.SIGKILL)
    wait(lambda: ended() == 1)
    assert daemon.poll() is None
    shell.until(PROMPT)
    shell.type(console(own_desk.path))
    shell.until("daemon", "beat")
    shell.type(":run nonsense")
    shell.until("no stage")
    shell.type(":maintain")
    shell.until("Request to the daemon: maintain")
    shell.press("Tab", "Enter")
    shell.until("maintain: done")
    daemon.kill()
    shell.until("The daemon crashed")
    shell.press("6")
    shell.until(ANSWERS["6"])
    shell.press("8")
    shell.until(":daemon starts one")
    shell.press("q")
    back(shell)

"""A real terminal to drive the console in: tmux on a socket of its own, keys in, screen out, never a blind sleep."""

from __future__ import annotations

import os
import shlex
import shutil
import subprocess
import time
from collections.abc import Callable, Iterator
from contextlib import contextmanager
from pathlib import Path

from pipeline.engine.child_command import python_command

PATIENCE = 120.0
"""Seconds that anything may take on a machine that does other things as well."""
PROMPT = "ready>"
MODES = ("alternate_on", "mouse_any_flag", "mouse_sgr_flag", "keypad_flag", "insert_flag")
"""What a full-screen program may have switched on."""
NO_TMUX = "" if shutil.which("tmux") else "tmux is not installed"


class Terminal:
    """A shell in tmux."""

    def __init__(self, socket: Path) -> None:
        self._socket = socket

    def tmux(self, *words: str) -> str:
        """Run a command of tmux and give what it says."""
        command = ["tmux", "-S", str(self._socket), "-f", "/dev/null", *words]
        return subprocess.run(command, capture_output=True, text=True, check=True, timeout=PATIENCE).stdout

    def open(self, width: int, height: int) -> None:
        """Start the shell."""
        shell = "env -i PATH=/usr/bin:/bin TERM=xterm-256color PS1=" + shlex.quote(PROMPT) + " sh"
        self.tmux("new-session", "-d", "-x", str(width), "-y", str(height), shell)
        self.until(PROMPT)

    def press(self, *keys: str) -> None:
        """Press keys by tmux's names."""
        self.tmux("send-keys", *keys)

    def type(self, words: str) -> None:
        """Type words and enter."""
        self.tmux("send-keys", "-l", words)
        self.press("Enter")

    @property
    def screen(self) -> str:
        """What stands in the terminal."""
        return self.tmux("capture-pane", "-p")

    def until(self, *words: str, without: str = "") -> str:
        """Wait until all the words stand on the screen, and something else does not; give the screen."""
        found: list[str] = []

        def shown() -> bool:
            found[:] = [self.screen]
            flat = " ".join(found[0].split())
            return all(word in flat for word in words) and not (without and without in flat)

        try:
            wait(shown)
        except TimeoutError:
            raise AssertionError(f"{words} never came; the screen shows:\n{found[0]}") from None
        return found[0]

    @property
    def foreign(self) -> dict[str, str]:
        """The modes a program left on; none in a clean terminal."""
        told = self.tmux("display-message", "-p", " ".join(f"#{{{mode}}}" for mode in (*MODES, "cursor_flag")))
        *modes, cursor = told.split()
        left = {mode: value for mode, value in zip(MODES, modes, strict=True) if value != "0"}
        return left if cursor == "1" else {**left, "cursor_flag": cursor}

    def settings(self, tmp_path: Path) -> str:
        """The terminal's line settings as the shell's programs see them."""
        told = tmp_path / f"stty-{time.monotonic_ns()}"
        self.type(f"stty -a > {shlex.quote(str(told))}")
        wait(lambda: told.exists() and told.stat().st_size > 0)
        return "\n".join(line for line in told.read_text().splitlines() if "rows" not in line)

    @property
    def at_prompt(self) -> bool:
        """Whether the shell runs nothing: a program that is ending may still throw away what is typed."""
        return not children(self._shell)

    @property
    def _shell(self) -> int:
        return int(self.tmux("display-message", "-p", "#{pane_pid}"))

    def pid_of(self, words: str) -> int:
        """The process started by the shell whose command line holds the words."""
        found: list[int] = []

        def running() -> bool:
            found[:] = [pid for pid in children(self._shell) if words in command_line(pid)]
            return bool(found)

        wait(running)
        return found[0]


@contextmanager
def terminal(folder: Path, width: int = 140, height: int = 40) -> Iterator[Terminal]:
    """A terminal for the block."""
    # A socket's path has to be short, which a test's own folder is not.
    socket = Path(f"/tmp/nextgen-{os.getpid()}-{time.monotonic_ns()}.tmux")
    one = Terminal(socket)
    try:
        one.open(width, height)
        yield one
    finally:
        subprocess.run(["tmux", "-S", str(socket), "kill-server"], capture_output=True, check=False)
        socket.unlink(missing_ok=True)


def console(lake: Path, *options: str) -> str:
    """The command line that opens the console on a lake."""
    return shlex.join(python_command("nextgen_tui.cli.main", "console", "--lake", lake, *options))


def children(pid: int) -> list[int]:
    """The processes that a process started, as far down as they go."""
    own = [int(one) for one in Path(f"/proc/{pid}/task/{pid}/children").read_text().split()]
    return own + [below for one in own for below in children(one)]


def command_line(pid: int) -> str:
    """A process's command line; empty if it is gone."""
    try:
        return Path(f"/proc/{pid}/cmdline").read_text().replace("\0", " ")
    except OSError:
        return ""


def wait(holds: Callable[[], bool]) -> None:
    """Wait until something holds.

    Raises:
        TimeoutError: if it never does.
    """
    end = time.monotonic() + PATIENCE
    while not holds():
        if time.monotonic() > end:
            raise TimeoutError
        time.sleep(0.05)

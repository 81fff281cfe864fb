"""Every way in which the console loses its user, each as a start and an end; afterwards no process may be left."""

from __future__ import annotations

import fcntl
import os
import pty
import random
import select
import signal
import socket
import struct
import subprocess
import termios
import threading
import time
from collections.abc import Callable, Iterator
from contextlib import ExitStack, contextmanager, suppress
from pathlib import Path
from urllib.request import urlopen

from pipeline.engine.child_command import python_command

PATIENCE = 60.0
"""Seconds that a console may take to come up on a machine that does other things as well."""
UP = b"\x1b[?1049h"
"""What a console sends once it has the terminal."""
IN_ORDER = b"\x1b[?1049l"
"""What the terminal has to get after that."""
Way = Callable[[Path, Path, random.Random], None]
"""Lake, folder to start in, chance -> done when the console has lost its user."""


def left(folder: Path) -> dict[int, str]:
    """The processes that were started in a folder and are still there: pid -> command line."""
    found = {}
    for entry in Path("/proc").iterdir():
        with suppress(OSError):
            if entry.name.isdigit() and (entry / "cwd").resolve() == folder.resolve():
                found[int(entry.name)] = (entry / "cmdline").read_text().replace("\0", " ")
    return found


def seconds_until_none_is_left(folder: Path, patience: float = PATIENCE) -> float:
    """How long it takes until no process started in the folder is left.

    Raises:
        AssertionError: naming those that are left after that long.
    """
    began = time.monotonic()
    while found := left(folder):
        assert time.monotonic() - began < patience, f"left behind: {found}"
        time.sleep(0.02)
    return time.monotonic() - began


class Terminal:
    """A terminal with a console in it, read by a thread as a person's screen reads it."""

    def __init__(self, lake: Path, folder: Path, *wrapper: str, read: bool = True) -> None:
        self.ours, self.theirs = pty.openpty()
        fcntl.ioctl(self.theirs, termios.TIOCSWINSZ, struct.pack("HHHH", 40, 140, 0, 0))
        self.before = termios.tcgetattr(self.theirs)
        self.shown = b""
        command = [*wrapper, *python_command("nextgen_tui.cli.main", "console", "--lake", lake)]
        self.process = subprocess.Popen(
            command, stdin=self.theirs, stdout=self.theirs, stderr=self.theirs, cwd=folder, start_new_session=True
        )
        self.reading = read
        threading.Thread(target=self._read, daemon=True).start()

    def _read(self) -> None:
        with suppress(OSError, ValueError):
            while self.ours >= 0:
                if not self.reading:
                    time.sleep(0.05)
                elif select.select([self.ours], [], [], 0.05)[0]:
                    self.shown += os.read(self.ours, 65_536)

    def until_up(self) -> None:
        """Wait until the console has drawn itself."""
        end = time.monotonic() + PATIENCE
        while not (UP in self.shown and len(self.shown) > 4_000):
            assert time.monotonic() < end, self.shown
            assert self.process.poll() is None, self.shown
            time.sleep(0.02)

    def vanish(self) -> None:
        """Close the terminal as a lost connection does."""
        ours, self.ours = self.ours, -1
        time.sleep(0.1)  # the reader lets go of it
        os.close(self.theirs)
        os.close(ours)

    def end(self) -> None:
        """Wait for the process, and close what is ours."""
        self.process.wait(PATIENCE)

    def check_clean(self) -> None:
        """Hold it that the terminal is as it was found."""
        end = time.monotonic() + PATIENCE
        while termios.tcgetattr(self.theirs) != self.before or self.shown.rfind(UP) > self.shown.rfind(IN_ORDER):
            assert time.monotonic() < end, "the terminal is left as the console had it"
            time.sleep(0.02)


def the_terminal_closes(lake: Path, folder: Path, chance: random.Random) -> None:
    terminal = Terminal(lake, folder)
    _wait_somewhat(terminal, chance)
    terminal.vanish()
    terminal.end()


def the_terminal_closes_and_hangups_are_ignored(lake: Path, folder: Path, chance: random.Random) -> None:
    terminal = Terminal(lake, folder, "sh", "-c", 'trap "" HUP; exec "$@"', "sh")
    _wait_somewhat(terminal, chance)
    terminal.vanish()
    terminal.end()


def it_is_hung_up(lake: Path, folder: Path, chance: random.Random) -> None:
    terminal = Terminal(lake, folder)
    _wait_somewhat(terminal, chance)
    terminal.process.send_signal(signal.SIGHUP)
    terminal.end()
    terminal.check_clean()
    terminal.vanish()


def it_is_told_to_end(lake: Path, folder: Path, chance: random.Random) -> None:
    terminal = Terminal(lake, folder)
    _wait_somewhat(terminal, chance)
    terminal.process.terminate()
    terminal.end()
    terminal.check_clean()
    terminal.vanish()


def it_is_told_to_end_while_nobody_reads_its_terminal(lake: Path, folder: Path, chance: random.Random) -> None:
    terminal = Terminal(lake, folder)
    _wait_somewhat(terminal, chance)
    terminal.reading = False
    time.sleep(chance.uniform(0, 1))
    terminal.process.terminate()
    terminal.end()
    terminal.vanish()


def its_parent_is_killed(lake: Path, folder: Path, chance: random.Random) -> None:
    terminal = Terminal(lake, folder, "sh", "-c", 'exec 3<&0; "$@" <&3 3<&- & wait', "sh")
    _wait_somewhat(terminal, chance, always_up=True)
    terminal.process.kill()
    terminal.end()
    seconds_until_none_is_left(folder)
    terminal.vanish()


def its_input_ends(lake: Path, folder: Path, chance: random.Random) -> None:
    process = _start_for_browser(lake, folder)
    _wait_for_first_byte(process, chance)
    assert process.stdin is not None
    process.stdin.close()
    _drain(process)


def its_socket_closes(lake: Path, folder: Path, chance: random.Random) -> None:
    ours, theirs = socket.socketpair()
    with ours:
        process = _start_for_browser(lake, folder, stdin=theirs.fileno())
        theirs.close()
        _wait_for_first_byte(process, chance)
    _drain(process)


def the_web_server_is_killed(lake: Path, folder: Path, chance: random.Random) -> None:
    with _served(lake, folder) as (server, browser):
        browser.recv(1)
        time.sleep(chance.uniform(0, 1))
        server.kill()


def the_web_server_is_told_to_end(lake: Path, folder: Path, chance: random.Random) -> None:
    with _served(lake, folder) as (server, browser):
        browser.recv(1)
        time.sleep(chance.uniform(0, 1))
        server.terminate()


def the_browser_goes(lake: Path, folder: Path, chance: random.Random) -> None:
    with _served(lake, folder) as (server, browser):
        browser.recv(1)
        others = {server.pid} | {pid for pid, words in left(folder).items() if "tests.warm" in words}
        time.sleep(chance.uniform(0, 1))
        browser.close()
        end = time.monotonic() + PATIENCE
        while set(left(folder)) - others:
            assert time.monotonic() < end, left(folder)
            time.sleep(0.02)
        assert server.poll() is None, "the server serves others"
        server.terminate()


WAYS: tuple[Way, ...] = (
    the_terminal_closes,
    the_terminal_closes_and_hangups_are_ignored,
    it_is_hung_up,
    it_is_told_to_end,
    it_is_told_to_end_while_nobody_reads_its_terminal,
    its_parent_is_killed,
    its_input_ends,
    its_socket_closes,
)
WEB_WAYS: tuple[Way, ...] = (the_web_server_is_killed, the_web_server_is_told_to_end, the_browser_goes)


def _wait_somewhat(terminal: Terminal, chance: random.Random, *, always_up: bool = False) -> None:
    """Wait until the console is up, and a while; or only for some moment of its start."""
    if always_up or chance.random() < 0.5:
        terminal.until_up()
        time.sleep(chance.uniform(0, 0.5))
    else:
        time.sleep(chance.uniform(0, 2))


def _start_for_browser(lake: Path, folder: Path, stdin: int = subprocess.PIPE) -> subprocess.Popen[bytes]:
    driver = {"TEXTUAL_DRIVER": "textual.drivers.web_driver:WebDriver", "COLUMNS": "140", "ROWS": "40"}
    command = python_command("nextgen_tui.cli.main", "console", "--lake", lake)
    return subprocess.Popen(
        command, stdin=stdin, stdout=subprocess.PIPE, stderr=subprocess.STDOUT, cwd=folder, env=os.environ | driver
    )


def _wait_for_first_byte(process: subprocess.Popen[bytes], chance: random.Random) -> None:
    assert process.stdout is not None
    assert process.stdout.read(1) == b"_", "the web driver's greeting"
    end = time.monotonic() + chance.uniform(0, 1)
    while time.monotonic() < end:
        if select.select([process.stdout], [], [], 0.05)[0]:
            os.read(process.stdout.fileno(), 65_536)


def _drain(process: subprocess.Popen[bytes]) -> None:
    assert process.stdout is not None
    while os.read(process.stdout.fileno(), 65_536):
        pass
    process.stdout.close()
    process.wait(PATIENCE)


@contextmanager
def _served(lake: Path, folder: Path) -> Iterator[tuple[subprocess.Popen[str], socket.socket]]:
    """The console's server, and a browser's socket with a console at its other end."""
    with socket.socket() as probe:
        probe.bind(("127.0.0.1", 0))
        port = probe.getsockname()[1]
    command = python_command("nextgen_tui.cli.main", "console", "--web", "--port", port, "--lake", lake)
    with subprocess.Popen(command, stderr=subprocess.PIPE, text=True, cwd=folder) as server, ExitStack() as stack:
        assert server.stderr is not None
        stack.push(lambda kind, *_: server.kill() if kind else None)  # it would be waited for
        key = server.stderr.readline().split()[-1].partition("?")[2]
        _until_answers(f"http://127.0.0.1:{port}/?{key}")
        with socket.create_connection(("127.0.0.1", port)) as browser:
            browser.sendall(
                f"GET /ws?{key} HTTP/1.1\r\nHost: 127.0.0.1:{port}\r\nConnection: Upgrade\r\nUpgrade: websocket\r\n"
                "Sec-WebSocket-Version: 13\r\nSec-WebSocket-Key: MDEyMzQ1Njc4OWFiY2RlZg==\r\n\r\n".encode()
            )
            answer = b""
            while b"\r\n\r\n" not in answer:
                answer += browser.recv(1)
            assert b" 101 " in answer, answer
            yield server, browser


def _until_answers(address: str) -> None:
    end = time.monotonic() + PATIENCE
    while True:
        with suppress(OSError), urlopen(address):
            return
        assert time.monotonic() < end, "the server never answered"
        time.sleep(0.05)

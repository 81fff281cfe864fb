"""The console in a browser: on loopback, for who has its address, and alive once the page is open."""

from __future__ import annotations

import signal
import socket
import subprocess
from collections.abc import Iterator
from dataclasses import dataclass
from pathlib import Path
from urllib.error import HTTPError
from urllib.request import Request, urlopen

import pytest

from pipeline.engine.child_command import python_command

pytest.importorskip("textual_serve", reason="the extra `web` is not installed")

from tests.nextgen_tui.console.runtime.browser import CHROMIUM, page_at
from tests.nextgen_tui.console.runtime.tmux import children, wait

pytestmark = pytest.mark.cold  # it counts the processes that are started
FORBIDDEN = 403
ANY_ADDRESS = {"00000000", "0" * 32}


@dataclass(frozen=True)
class Served:
    """A console that is served."""

    address: str
    port: int
    process: subprocess.Popen[str]


@pytest.fixture
def served(desk_path: Path) -> Iterator[Served]:
    """The console of the desk, on a port that was free."""
    with socket.socket() as probe:
        probe.bind(("127.0.0.1", 0))
        port = probe.getsockname()[1]
    command = python_command("nextgen_tui.cli.main", "console", "--web", "--port", port, "--lake", desk_path)
    with subprocess.Popen(command, stderr=subprocess.PIPE, text=True) as process:
        assert process.stderr is not None
        try:
            words = process.stderr.readline().split()
            assert words[:4] == ["The", "console", "is", "at"], words
            wait(lambda: listening(port) != set())
            yield Served(words[-1], port, process)
        finally:
            process.send_signal(signal.SIGTERM)
            process.wait(60)


def listening(port: int) -> set[str]:
    """The local addresses, as the kernel writes them, at which something listens on a port."""
    lines = [
        line.split() for name in ("tcp", "tcp6") for line in Path(f"/proc/net/{name}").read_text().splitlines()[1:]
    ]
    listens = [line[1].split(":") for line in lines if line[3] == "0A"]
    return {address for address, number in listens if int(number, 16) == port}


def status(address: str, **headers: str) -> int:
    """The status code of an answer."""
    try:
        with urlopen(Request(address, headers=headers)) as answer:
            return int(answer.status)
    except HTTPError as error:
        return error.code


def test_only_this_machine_its_own_page_and_the_printed_address_are_let_in(served: Served) -> None:
    assert listening(served.port) == {"0100007F"}
    assert not listening(served.port) & ANY_ADDRESS
    bare = served.address.partition("?")[0]
    assert status(served.address) == 200
    assert status(served.address, Origin=f"http://localhost:{served.port}") == 200
    assert status(bare) == FORBIDDEN
    assert status(f"{bare}?key=guess") == FORBIDDEN
    assert status(f"{bare}ws", Origin=f"http://127.0.0.1:{served.port}") == FORBIDDEN
    assert status(served.address, Host="evil.example") == FORBIDDEN, "a name that was made to point here"
    assert status(served.address, Origin="https://evil.example") == FORBIDDEN
    assert not children(served.process.pid), "none of these started a console"


@pytest.mark.slow
@pytest.mark.skipif(not CHROMIUM, reason="chromium is not installed")
async def test_a_browser_shows_the_console_and_its_keys_work(served: Served, tmp_path: Path) -> None:
    async with page_at(served.address, tmp_path / "profile") as page:
        await page.until("failed: a disk was full")
        # Nobody clicks on anything: the keys work at once.
        await page.holds("document.activeElement.classList.contains('xterm-helper-textarea')")
        before = await page.picture()
        await page.press("6")
        await page.until("what is my risk?")
        assert await page.picture() != before
        outside = {address for address in page.asked if not address.startswith(f"http://127.0.0.1:{served.port}/")}
        assert page.refused == ["csp"] * len(outside), "what the page names elsewhere is not loaded"
        await page.press("q")
        await page.holds("document.body.classList.contains('-closed')")
    wait(lambda: not children(served.process.pid))

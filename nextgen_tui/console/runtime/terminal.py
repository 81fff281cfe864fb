"""The terminal given back as it was found, whichever way the console ends: also when it is killed."""

from __future__ import annotations

import os
import subprocess
from collections.abc import Iterator
from contextlib import contextmanager

STDIN = 0
AS_BEFORE = "".join(
    (
        "\x1b[?2048l",  # no reports of size within the input
        "\x1b[<u",  # keys as letters again
        *(f"\x1b[?{mouse}l" for mouse in (1000, 1002, 1003, 1006, 1015, 1016)),
        "\x1b[?1004l",  # no reports of focus
        "\x1b[?2004l",  # pasted text unmarked
        "\x1b[?2026l",  # nothing held back
        "\x1b[?7h",  # lines wrap
        "\x1b[0m",
        "\x1b[?1049l",  # the shell's own screen
        "\x1b[?25h",  # the cursor in sight
    )
)
"""Undoes, one by one, what a full-screen program asks of a terminal."""
WATCH = 'trap "" HUP INT TERM; read -r ended || { { sleep 1; kill -9 0; } & stty "$1" <&1; printf %s "$2"; kill -9 0; }'
"""Waits for a word; where none comes before the other end of the pipe is gone, tidies up. After a second at most it
ends its process group, which is its own: a terminal that nobody reads would keep it for ever."""


@contextmanager
def restore_terminal() -> Iterator[None]:
    """Let a small shell tidy the terminal if this process is killed within the block; nothing where there is none."""
    try:
        terminal = os.open(os.ttyname(STDIN), os.O_RDWR | os.O_NOCTTY | os.O_CLOEXEC)
    except OSError:
        yield
        return
    try:
        before = subprocess.run(["stty", "-g"], stdin=terminal, capture_output=True, text=True, check=True)
        # A session of its own: what the terminal sends to the console's processes does not end the watch.
        watch = subprocess.Popen(
            ["sh", "-c", WATCH, "sh", before.stdout.strip(), AS_BEFORE],
            stdin=subprocess.PIPE,
            stdout=terminal,
            stderr=subprocess.DEVNULL,
            start_new_session=True,
        )
    except (OSError, subprocess.CalledProcessError):
        os.close(terminal)
        yield
        return
    os.close(terminal)
    try:
        yield
    finally:
        watch.communicate(b"ended\n")

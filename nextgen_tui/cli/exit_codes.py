"""What the exit status of `nextgen` means; scripts may rely on it."""

from __future__ import annotations

DONE = 0
"""Done, healthy, identical."""
DEGRADED = 1
"""Done, but degraded; a run failed; or a run reproduced is not identical."""
USAGE = 2
"""The command or the configuration is wrong; nothing was changed."""
RETRY = 3
"""Busy or unreachable for now: try again later."""
DAMAGE = 74
"""Files on disk are damaged, or reading or writing them failed."""
INTERNAL = 70
"""A bug in this program; --debug prints the traceback."""
INTERRUPTED = 130
"""Stopped by the operator."""

MEANINGS: dict[int, str] = {
    DONE: "done, healthy, identical",
    DEGRADED: "degraded, a run failed, or not identical",
    USAGE: "the command or the configuration is wrong; nothing was changed",
    RETRY: "busy or unreachable: try again later",
    INTERNAL: "a bug in this program (--debug prints the traceback)",
    DAMAGE: "files are damaged, or cannot be read or written",
    INTERRUPTED: "interrupted",
}

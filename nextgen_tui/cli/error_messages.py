"""Any error as one sentence, with what to type where a daemon is in the way; `exit_codes` has the status."""

from __future__ import annotations

import errno
from collections.abc import Iterator
from contextlib import contextmanager
from typing import TYPE_CHECKING

from lake.errors import BusyError
from nextgen_tui.cli.exit_codes import INTERNAL, exit_code
from nextgen_tui.text.safe_text import safe_text
from pipeline.config import ConfigError

if TYPE_CHECKING:
    from nextgen_tui.cli.invocation import Invocation

MAX_LENGTH = 1_000
"""Longest error message shown, in characters."""
NO_ROOM = (errno.ENOSPC, errno.EDQUOT, errno.EROFS)
"""Of what is written, whatever was read for it."""
MAX_LINES = 20
"""Most errors shown for one file."""


def describe_error(error: BaseException) -> tuple[int, str]:
    """The exit code for an error, and its sentence, safe to print."""
    return exit_code(error), _sentence(error)


def _sentence(error: BaseException) -> str:
    if isinstance(error, OSError) and error.strerror:
        at = _place(error)
        return safe_text(f"{at}: {error.strerror}" if at else error.strerror, MAX_LENGTH)
    if exit_code(error) == INTERNAL:
        words = f"{type(error).__name__}: {error}" if str(error) else type(error).__name__
        return safe_text(f"this is a bug: {words} (run again with --debug for the traceback)", MAX_LENGTH)
    if isinstance(error, ConfigError):  # everything that is wrong with a file, a line each
        return "\n".join(safe_text(line, MAX_LENGTH) for line in str(error).splitlines()[:MAX_LINES])
    return safe_text(error, MAX_LENGTH)


def _place(error: OSError) -> str:
    """Where it happened: of a copy that found no room, the file that was written, not the one that was read."""
    written = error.filename2 if error.errno in NO_ROOM else None
    return str(written or error.filename or "")


@contextmanager
def suggest_request(invocation: Invocation, request: str) -> Iterator[None]:
    """Where a daemon serves the lake, add to a refusal how to have the daemon do it when its turn comes.

    Raises:
        BusyError: naming who holds the lock, and the request that waits for it.
    """
    try:
        yield
    except BusyError as error:
        from pipeline.reading.daemon import read_daemon

        if not read_daemon(invocation.lake_path).present:
            raise
        turn = f"`nextgen request {request} --wait` queues it for the daemon"
        raise BusyError(f"{str(error).removesuffix('; try again later')}; {turn}") from error

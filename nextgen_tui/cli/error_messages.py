"""Any error as one sentence; `exit_codes` says with which status it ends."""

from __future__ import annotations

from nextgen_tui.cli.exit_codes import INTERNAL, exit_code
from nextgen_tui.text.safe_text import safe_text
from pipeline.config import ConfigError

MAX_LENGTH = 1_000
"""Longest error message shown, in characters."""
MAX_LINES = 20
"""Most errors shown for one file."""


def describe_error(error: BaseException) -> tuple[int, str]:
    """The exit code for an error, and its sentence, safe to print."""
    return exit_code(error), _sentence(error)


def _sentence(error: BaseException) -> str:
    if isinstance(error, OSError) and error.strerror:
        at = f"{error.filename}: " if error.filename else ""
        return safe_text(f"{at}{error.strerror}", MAX_LENGTH)
    if exit_code(error) == INTERNAL:
        words = f"{type(error).__name__}: {error}" if str(error) else type(error).__name__
        return safe_text(f"this is a bug: {words} (run again with --debug for the traceback)", MAX_LENGTH)
    if isinstance(error, ConfigError):  # everything that is wrong with a file, a line each
        return "\n".join(safe_text(line, MAX_LENGTH) for line in str(error).splitlines()[:MAX_LINES])
    return safe_text(error, MAX_LENGTH)

"""Any error as one sentence and an exit code."""

from __future__ import annotations

import sys

from lake.errors import BusyError, DamageError, LakeError, NoSuchError, NotALakeError, StorageError
from nextgen_tui.cli import exit_codes
from nextgen_tui.cli.session_choice import NotYetError
from nextgen_tui.text.safe_text import safe_text
from pipeline.config import ConfigError

MAX_LENGTH = 1_000
"""Longest error message shown, in characters."""
MAX_LINES = 20
"""Most errors shown for one file."""


def describe_error(error: BaseException) -> tuple[int, str]:
    """The exit code for an error, and its sentence, safe to print."""
    return _code(error), _sentence(error)


def _code(error: BaseException) -> int:
    if _defined_in(error, "pipeline.ingestion.sources", "OutOfReachError"):
        return exit_codes.RETRY
    usage = _defined_in(error, "pipeline.ingestion.sources", "SourceError") or _defined_in(
        error, "pipeline.engine.failures", "CycleOrderError"
    )
    if usage or isinstance(error, (ConfigError, NotALakeError, NoSuchError)):
        return exit_codes.USAGE
    if isinstance(error, (BusyError, NotYetError)):
        return exit_codes.RETRY
    if isinstance(error, (DamageError, StorageError, OSError)):
        return exit_codes.DAMAGE
    if isinstance(error, LakeError) or _defined_in(error, "pipeline.engine.failures", "StageFailedError"):
        return exit_codes.DEGRADED
    return exit_codes.INTERNAL


def _sentence(error: BaseException) -> str:
    if isinstance(error, OSError) and error.strerror:
        at = f"{error.filename}: " if error.filename else ""
        return safe_text(f"{at}{error.strerror}", MAX_LENGTH)
    if _code(error) == exit_codes.INTERNAL:
        words = f"{type(error).__name__}: {error}" if str(error) else type(error).__name__
        return safe_text(f"this is a bug: {words} (run again with --debug for the traceback)", MAX_LENGTH)
    if isinstance(error, ConfigError):  # everything that is wrong with a file, a line each
        return "\n".join(safe_text(line, MAX_LENGTH) for line in str(error).splitlines()[:MAX_LINES])
    return safe_text(error, MAX_LENGTH)


def _defined_in(error: BaseException, package: str, name: str) -> bool:
    """Whether the error is of a class defined in a package that is slow to import.

    A class of a package nobody has imported yet cannot have been raised.
    """
    modules = [module for module in sys.modules if module == package or module.startswith(f"{package}.")]
    kinds = [getattr(sys.modules[module], name, None) for module in modules]
    return any(isinstance(kind, type) and isinstance(error, kind) for kind in kinds)

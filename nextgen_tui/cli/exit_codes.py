"""What the exit status of `nextgen` means, and which one an error ends with; scripts may rely on it."""

from __future__ import annotations

import sys

from lake.errors import BranchError, BusyError, DamageError, LakeError, NoSuchError, NotALakeError, StorageError
from nextgen_tui.cli.session_choice import NotYetError
from pipeline.config import ConfigError

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


def exit_code(error: BaseException) -> int:
    """The status that an error ends with."""
    if _defined_in(error, "pipeline.ingestion.sources", "OutOfReachError"):
        return RETRY
    usage = _defined_in(error, "pipeline.ingestion.sources", "SourceError") or _defined_in(
        error, "pipeline.engine.failures", "CycleOrderError"
    )
    usage = usage or _defined_in(error, "pipeline.research", "ResearchError")
    usage = usage or _defined_in(error, "pipeline.engine.capsules", "CapsuleError")
    usage = usage or _defined_in(error, "pipeline.market.sessions", "OutOfCalendarError")
    if usage or isinstance(error, (BranchError, ConfigError, NotALakeError, NoSuchError)):
        return USAGE
    if isinstance(error, (BusyError, NotYetError)):
        return RETRY
    if isinstance(error, (DamageError, StorageError, OSError)):
        return DAMAGE
    if isinstance(error, LakeError) or _defined_in(error, "pipeline.engine.failures", "StageFailedError"):
        return DEGRADED
    return INTERNAL


def _defined_in(error: BaseException, package: str, name: str) -> bool:
    """Whether the error is of a class defined in a package that is slow to import.

    A class of a package nobody has imported yet cannot have been raised.
    """
    modules = [module for module in sys.modules if module == package or module.startswith(f"{package}.")]
    kinds = [getattr(sys.modules[module], name, None) for module in modules]
    return any(isinstance(kind, type) and isinstance(error, kind) for kind in kinds)

"""Whether a lake's folder is the lake, or a working copy; what working copies need is imported for them alone."""

from __future__ import annotations

from pathlib import Path

from lake.remote.address import attached_to
from lake.remote.exchange import Exchange, NoStore


def exchange_of(folder: Path) -> Exchange:
    """What a lake's folder exchanges, and with whom.

    Raises:
        DamageError: if the file that says so is damaged.
    """
    if (address := attached_to(folder)) is None:
        return NoStore()
    from lake.remote.working_copy import WorkingCopy

    return WorkingCopy(folder, address)

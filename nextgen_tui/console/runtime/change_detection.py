"""Whether anything changed in a lake, from names in a few folders: cheap enough to ask twice a second."""

from __future__ import annotations

import os
from pathlib import Path

from lake.errors import DamageError
from lake.tables import TABLES
from lake.tables.control import RUNS

FOLLOWED = tuple(table for table in TABLES.values() if table.domain == "control")
"""Everything that is published becomes a row of `runs`; the others are read at their newest."""
ChangeToken = tuple[object, ...]


def change_token(lake: Path) -> ChangeToken:
    """Another value whenever something was published, asked, tried or judged, or the lake was replaced."""
    return (_modification_time(lake / "lake.json"), *(_newest(log) for log in log_folders(lake)))


def refuse_without_runs(lake: Path) -> None:
    """Refuse a lake whose runs are gone: it would look as if nothing had ever run.

    Raises:
        DamageError: if the table is not there.
    """
    if not (lake / "tables" / RUNS.name / "_delta_log").is_dir():
        raise DamageError(f"{RUNS.name} is missing in {lake}; restore it from a backup")


def log_folders(lake: Path) -> list[Path]:
    """The folders whose entries tell of changes, those that are there."""
    folders = (lake / "tables" / table.name / "_delta_log" for table in FOLLOWED)
    return [folder for folder in folders if folder.is_dir()]


def _newest(log: Path) -> str:
    try:
        with os.scandir(log) as entries:
            return max((entry.name for entry in entries if entry.name.endswith(".json")), default="")
    except OSError:
        return ""


def _modification_time(path: Path) -> int:
    try:
        return path.stat().st_mtime_ns
    except OSError:
        return 0

"""What the daemon logged last: the ends of its log files as rows, the newest first."""

from __future__ import annotations

import json
from collections.abc import Iterator
from datetime import UTC, datetime
from pathlib import Path
from typing import Any

import polars as pl

from lake.contract import PolarsType

FOLDER, FILE = Path("control") / "logs", "daemon.log"
MAX_ROWS = 2_000
"""Lines that are told."""
MAX_READ = 2 << 20
"""Bytes at the end of a file that are read."""
LOG_SCHEMA: dict[str, PolarsType] = {
    "number": pl.Int64(),
    "at": pl.Datetime("us", "UTC"),
    **dict.fromkeys(("level", "task", "slot", "state", "logger", "message", "trace"), pl.String()),
}


def read_daemon_log(lake: Path, until: datetime | None = None) -> pl.DataFrame:
    """The last lines of the daemon's log, the newest first: `LOG_SCHEMA`; none where no daemon ever logged.

    Args:
        lake: the lake's folder.
        until: leaves out what was logged later.
    """
    rows: list[dict[str, Any]] = []
    folder = lake / FOLDER
    for file in (folder / f"{FILE}.1", folder / FILE):
        rows += _lines(file)
    kept = [row for row in rows if until is None or (row["at"] is not None and row["at"] <= until)][-MAX_ROWS:]
    numbered = [row | {"number": number} for number, row in enumerate(kept)]
    return pl.DataFrame(numbered[::-1], schema=LOG_SCHEMA)


def _lines(file: Path) -> Iterator[dict[str, Any]]:
    """The lines at a file's end. One that is no JSON, such as one that is cut off, is told as it stands."""
    try:
        with file.open("rb") as opened:
            size = opened.seek(0, 2)
            opened.seek(max(size - MAX_READ, 0))
            text = opened.read(MAX_READ).decode("utf-8", "replace")
    except OSError:
        return
    lines = text.splitlines()
    for line in lines[1:] if size > MAX_READ else lines:
        if line.strip():
            yield _row(line)


def _row(line: str) -> dict[str, Any]:
    try:
        found = json.loads(line)
    except ValueError:
        found = None
    if not isinstance(found, dict):
        return dict.fromkeys(LOG_SCHEMA) | {"level": "", "message": line}
    texts = {name: None if found.get(name) is None else str(found[name]) for name in LOG_SCHEMA}
    return texts | {"number": None, "at": _moment(found.get("at"))}


def _moment(value: object) -> datetime | None:
    try:
        at = datetime.fromisoformat(str(value))
    except ValueError:
        return None
    return at.astimezone(UTC) if at.tzinfo is not None else at.replace(tzinfo=UTC)

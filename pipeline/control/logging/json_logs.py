"""Structured logs: one JSON object per line, in rotated files."""

from __future__ import annotations

import json
import logging
import sys
from datetime import UTC, datetime
from logging.handlers import RotatingFileHandler
from pathlib import Path
from typing import Any

MAX_BYTES = 5 << 20
"""Bytes at which a log file is rotated, the daemon's and each task's (of which one older file is kept)."""
BACKUP_COUNT = 4
"""Rotated files kept beside the current one."""
FIELDS = ("task", "slot", "attempt", "state", "cycle_id", "run_id", "stage", "session")
"""Fields of a record besides its message."""
MAX_TEXT = 4_000


class JsonLines(logging.Formatter):
    """Formats a record as one line of JSON: time, level, logger, message, and its fields."""

    def __init__(self, **about: Any) -> None:
        """Add these fields to every record."""
        super().__init__()
        self._about = about

    def format(self, record: logging.LogRecord) -> str:
        """The line."""
        line = {
            "at": datetime.fromtimestamp(record.created, UTC).isoformat(timespec="milliseconds"),
            "level": record.levelname.lower(),
            "logger": record.name,
            "message": record.getMessage()[:MAX_TEXT],
            **self._about,
            **{name: getattr(record, name) for name in FIELDS if hasattr(record, name)},
        }
        if record.exc_info:
            line["trace"] = self.formatException(record.exc_info)[-MAX_TEXT:]
        return json.dumps(line, default=str)


def begin_worker_logging(**about: Any) -> None:
    """Log our own modules to stderr, which is the task's log file, each line with the worker's job."""
    ours = logging.getLogger("pipeline")
    ours.setLevel(logging.INFO)
    ours.propagate = False
    handler = logging.StreamHandler(sys.stderr)
    handler.setFormatter(JsonLines(**about))
    ours.addHandler(handler)


def begin_logging(folder: Path, *, quiet: bool = False) -> None:
    """Log our own modules to `daemon.log` in the folder, and to stderr unless quiet."""
    folder.mkdir(parents=True, exist_ok=True)
    ours = logging.getLogger("pipeline")
    ours.setLevel(logging.INFO)
    ours.propagate = False
    file = RotatingFileHandler(folder / "daemon.log", maxBytes=MAX_BYTES, backupCount=BACKUP_COUNT, encoding="utf-8")
    file.setFormatter(JsonLines())
    ours.addHandler(file)
    if not quiet:
        handler = logging.StreamHandler(sys.stderr)
        handler.setFormatter(logging.Formatter("%(asctime)s %(levelname)s %(message)s", "%H:%M:%S"))
        ours.addHandler(handler)


def end_logging() -> None:
    """Close what `begin_logging` opened."""
    ours = logging.getLogger("pipeline")
    for handler in list(ours.handlers):
        ours.removeHandler(handler)
        handler.close()
    ours.propagate = True

"""Finds the price files in a folder and those below it, and what the names of folders say of their rows."""

from __future__ import annotations

import os
import re
from pathlib import Path

from pipeline.ingestion.sources.files.file_text import is_readable
from pipeline.ingestion.sources.files.layouts.containers import is_container
from pipeline.ingestion.sources.files.layouts.json_tables import JSON_ENDINGS

PARTITION = re.compile(r"^([A-Za-z_][\w ]*)=(.+)$")
"""A folder of a partitioned table, as in ticker=AAPL."""


def find_files(folder: Path) -> list[Path]:
    """Return every file in the folder and below whose ending is known, in order; hidden ones are passed over.

    Links to folders are not followed: a circle of them has no end.
    """
    found = []
    for place, folders, names in os.walk(folder):
        folders[:] = sorted(name for name in folders if not name.startswith((".", "_", "__MACOSX")))
        files = (Path(place) / name for name in names if not name.startswith((".", "_", "~$")))
        found += [file for file in files if file.is_file() and _is_known(file)]
    return sorted(found, key=lambda file: (len(file.relative_to(folder).parts) > 1, file))


def _is_known(file: Path) -> bool:
    return is_readable(file) or is_container(file) or file.suffix.lower() in JSON_ENDINGS


def read_partitions(file: Path, below: Path) -> dict[str, str]:
    """Return what the folders between say: ticker -> AAPL for below/ticker=AAPL/part-0.parquet."""
    parts = file.parent.relative_to(below).parts if file != below else ()
    matches = (PARTITION.match(part) for part in parts)
    return {match[1]: match[2] for match in matches if match and match[2] != "__HIVE_DEFAULT_PARTITION__"}

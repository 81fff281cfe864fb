"""Finds the price files in a folder and those below it, and what the names of folders say of their rows."""

from __future__ import annotations

import os
import re
from pathlib import Path

from pipeline.ingestion.sources.errors import SourceError
from pipeline.ingestion.sources.files.file_text import is_readable
from pipeline.ingestion.sources.files.layouts.containers import is_container
from pipeline.ingestion.sources.files.layouts.json_tables import JSON_ENDINGS

PARTITION = re.compile(r"^([A-Za-z_][\w ]*)=(.+)$")
"""A folder of a partitioned table, as in ticker=AAPL."""
DELTA_LOG = "_delta_log"
BEGINS = "its name begins with _"


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


def find_unread(folder: Path) -> list[tuple[str, str]]:
    """Return what `find_files` leaves out though bars may be in it, each with the reason.

    Hidden files are nobody's prices, nor are the marks that programs leave beside theirs, as in _SUCCESS.
    """
    found = []
    for place, folders, names in os.walk(folder):
        below = [Path(place) / name for name in folders if not name.startswith((".", "__"))]
        found += [(path, "links to folders are not followed") for path in below if path.is_symlink()]
        found += [(path, BEGINS) for path in below if path.name.startswith("_") and path.name != DELTA_LOG]
        folders[:] = [name for name in folders if not name.startswith((".", "_"))]
        for file in (Path(place) / name for name in names if not name.startswith((".", "~$"))):
            if not file.is_file():
                found.append((file, "it is no file, or a link to none"))
            elif file.name.startswith("_"):
                found += [(file, BEGINS)] if _is_known(file) else []
            elif not _is_known(file):
                found.append((file, f"files {file.suffix or 'without an ending'} are not read"))
    return sorted((str(path), reason) for path, reason in found)


def refuse_older_versions(folder: Path) -> None:
    """Refuse Delta tables in which files of earlier versions may lie beside those of the newest.

    Raises:
        SourceError: if so, with the way to a file of the newest version.
    """
    for log in sorted(folder.rglob(DELTA_LOG)):
        removed = ('"remove":' in file.read_text(errors="replace") for file in sorted(log.glob("*.json")))
        if any(log.glob("*.parquet")) or any(removed):  # a checkpoint may stand for entries that are gone
            raise SourceError(
                f"{log.parent} is a Delta table, and its files hold rows of earlier versions too; write the newest "
                f"into one file, as in polars.read_delta({str(log.parent)!r}).write_parquet('prices.parquet'), "
                "and give that"
            )


def _is_known(file: Path) -> bool:
    return is_readable(file) or is_container(file) or file.suffix.lower() in JSON_ENDINGS


def read_partitions(file: Path, below: Path) -> dict[str, str]:
    """Return what the folders between say: ticker -> AAPL for below/ticker=AAPL/part-0.parquet."""
    parts = file.parent.relative_to(below).parts if file != below else ()
    matches = (PARTITION.match(part) for part in parts)
    return {match[1]: match[2] for match in matches if match and match[2] != "__HIVE_DEFAULT_PARTITION__"}

"""Empty lakes for tests: made once by a process and copied, which takes a tenth of making one."""

from __future__ import annotations

import shutil
import tempfile
from functools import cache
from pathlib import Path

from lake.store import Lake


@cache
def _template() -> tempfile.TemporaryDirectory[str]:
    """A folder with the lake that the others are copies of; it goes with the process."""
    folder = tempfile.TemporaryDirectory(prefix="nextgen-new-lake-", ignore_cleanup_errors=True)
    Lake.create(Path(folder.name) / "lake")
    return folder


def new_lake(path: Path) -> Lake:
    """An empty lake at the path; the one that is there already, if there is one."""
    if not path.exists():
        shutil.copytree(Path(_template().name) / "lake", path)
    return Lake.open(path)

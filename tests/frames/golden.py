"""Lakes as earlier programs made them. They are never made anew."""

from __future__ import annotations

import tarfile
from pathlib import Path

FOLDER = Path(__file__).parents[1] / "lake" / "golden"
FIRST = FOLDER / "format_1.tar.xz"
"""By the first program: 4 names, 170 sessions of history and 4 cycles."""
SECOND = FOLDER / "format_2.tar.xz"
"""By `nextgen demo` of format 2: 10 names, 420 sessions of history and 10 cycles, with a training in a cycle and one by
hand, a promotion by the operator, a stage by itself, forecasts, fills and a sale."""
THIRD = FOLDER / "format_3.tar.xz"
"""By `nextgen demo` of format 3: 8 names, 400 sessions of history and 6 cycles, with forecasts, fills and a sale."""
FOURTH = FOLDER / "format_4.tar.xz"
"""By `nextgen demo` of format 4: as the third, and 10 cycles."""

FIFTH = FOLDER / "format_5.tar.xz"
"""By `nextgen demo` of format 5: as the fourth."""


def unpack(archive: Path, folder: Path) -> Path:
    """Unpack a lake into the folder and return where it lies."""
    with tarfile.open(archive) as packed:
        packed.extractall(folder, filter="data")
    return folder / "lake"

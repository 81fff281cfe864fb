"""Keeps frames until they are read again, on disk or in the file they came from: no more than a block is in memory."""

from __future__ import annotations

import io
import tempfile
import weakref
from collections.abc import Callable
from dataclasses import dataclass, field
from typing import IO

import polars as pl

KEPT = 250_000
"""Rows that stay in memory before anything is put on disk: small files never touch it."""
Place = int
"""Which of the frames; they are numbered as they come."""


@dataclass
class Spool:
    """Frames by their numbers; the file has no name and is gone when nobody holds the spool."""

    _frames: list[pl.DataFrame | Callable[[], pl.DataFrame] | tuple[int, int]] = field(default_factory=list)
    """Each in memory, or what reads it again, or its place and length in the temporary file."""
    _rows: int = 0
    _file: IO[bytes] | None = None

    def refer(self, read: Callable[[], pl.DataFrame]) -> Place:
        """Keep a frame that is cheaper to read again than to keep."""
        self._frames.append(read)
        return len(self._frames) - 1

    def put(self, frame: pl.DataFrame) -> Place:
        """Keep a frame."""
        self._frames.append(frame)
        self._rows += frame.height
        if self._rows > KEPT:
            self._write_all()
        return len(self._frames) - 1

    def get(self, place: Place) -> pl.DataFrame:
        """Return the frame that was kept there."""
        kept = self._frames[place]
        if isinstance(kept, pl.DataFrame):
            return kept
        if not isinstance(kept, tuple):
            return kept()
        start, length = kept
        assert self._file is not None
        self._file.seek(start)
        return pl.read_ipc(io.BytesIO(self._file.read(length)))

    def _write_all(self) -> None:
        """Put what is in memory into the temporary file."""
        if self._file is None:
            self._file = tempfile.TemporaryFile(prefix="nextgen-")  # noqa: SIM115 - open for as long as the spool
            weakref.finalize(self, self._file.close)
        for place, kept in enumerate(self._frames):
            if isinstance(kept, pl.DataFrame):
                start = self._file.seek(0, io.SEEK_END)
                kept.write_ipc(packed := io.BytesIO(), compat_level=pl.CompatLevel.newest())
                self._frames[place] = (start, self._file.write(packed.getbuffer()))
        self._rows = 0

"""Keeps frames until they are read again, on disk or in the file they came from: no more than a block is in memory."""

from __future__ import annotations

import mmap
import tempfile
import weakref
from collections.abc import Callable, Sequence
from dataclasses import dataclass, field
from typing import IO

import polars as pl

KEPT = 250_000
"""Rows that stay in memory before anything is put on disk: small files never touch it."""
MAX_BYTES = 2**30
"""On disk, before frames that can be read again are no longer kept."""
Place = int
"""Which of the frames; they are numbered as they come."""


@dataclass
class Spool:
    """Frames by their numbers; the file has no name and is gone when nobody holds the spool."""

    _frames: list[pl.DataFrame | Callable[[], pl.DataFrame] | tuple[int, int, list[str]]] = field(default_factory=list)
    """Each in memory, or what reads it again, or its place and length in the temporary file and its columns."""
    _rows: int = 0
    _bytes: int = 0
    _file: IO[bytes] | None = None

    def refer(self, read: Callable[[], pl.DataFrame]) -> Place:
        """Keep a frame that is cheaper to read again than to keep."""
        self._frames.append(read)
        return len(self._frames) - 1

    def put(self, frame: pl.DataFrame, read: Callable[[], pl.DataFrame] | None = None) -> Place:
        """Keep a frame; or, where much is kept already, what reads it again, if it can be."""
        if read is not None and self._bytes > MAX_BYTES:
            return self.refer(read)
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
        assert self._file is not None
        return _map_frame(self._file, *kept)

    def _write_all(self) -> None:
        """Put what is in memory into the temporary file."""
        if self._file is None:
            self._file = tempfile.TemporaryFile(prefix="nextgen-", buffering=0)  # noqa: SIM115 - open for as long as the spool
            weakref.finalize(self, self._file.close)
        for place, kept in enumerate(self._frames):
            if isinstance(kept, pl.DataFrame):
                start = -(-self._bytes // mmap.ALLOCATIONGRANULARITY) * mmap.ALLOCATIONGRANULARITY
                self._file.seek(start)
                numbered = kept.rename(dict(zip(kept.columns, map(str, range(kept.width)), strict=True)))
                _write_frame(self._file, numbered)
                self._bytes = self._file.tell()
                self._frames[place] = (start, self._bytes - start, kept.columns)
        self._rows = 0


def _write_frame(file: IO[bytes], frame: pl.DataFrame) -> None:
    """The frame as it lies in memory, where the file stands."""
    import pyarrow as pa

    table = frame.to_arrow(compat_level=pl.CompatLevel.newest())
    with pa.ipc.new_file(pa.PythonFile(file, mode="w"), table.schema) as writer:
        writer.write_table(table)


def _map_frame(file: IO[bytes], start: int, length: int, names: Sequence[str]) -> pl.DataFrame:
    """The frame as it lies in the file, under its names: what is not looked at is not read, and nothing is copied."""
    import pyarrow as pa

    view = mmap.mmap(file.fileno(), length, access=mmap.ACCESS_READ, offset=start)
    frame = pl.from_arrow(pa.ipc.open_file(pa.py_buffer(view)).read_all())
    assert isinstance(frame, pl.DataFrame)
    frame.columns = list(names)  # in the file they are numbered: its reader ends a name at a zero byte
    return frame

"""Read the rows of data files in one query, and keep the small ones at hand: files never change once written."""

from __future__ import annotations

from collections import OrderedDict
from collections.abc import Sequence
from pathlib import Path
from typing import Generic, TypeVar

import polars as pl

from lake.listing import FileSpan

SMALL = 5_000
"""Rows up to which a file is kept: a session's worth. Opening one costs more than reading it."""
FEW = 50_000
"""Rows up to which a query runs in one go: below that the streaming engine takes longer to set up than to work."""
MOST_KEPT = 512 * 1024 * 1024
"""Bytes kept in memory before the file used longest ago is let go."""
LEAST = 25_000
"""Bytes a file's rows take however few they are: every column is an object of its own."""
JOINED = 4_000
"""Files in all the lists whose rows are kept together: what one session's stages ask for."""
UNUSED = 400
"""Reads after which what none of them asked for is let go: two sessions' worth. A reader that stays for months meets
new files all the time, and old ones are compacted away."""


Name = TypeVar("Name", str, tuple[str, ...])


def gathered(query: pl.LazyFrame, files: Sequence[FileSpan]) -> pl.DataFrame:
    """The result of a query over the files' rows; the same by either engine where an order is asked for."""
    return query.collect(engine="in-memory" if sum(file.rows for file in files) <= FEW else "streaming")


class Recent(Generic[Name]):
    """Frames by name, each with a weight and the read that asked for it last; what was asked for longest ago first."""

    def __init__(self) -> None:
        self._frames: OrderedDict[Name, tuple[pl.DataFrame, int, int]] = OrderedDict()
        self._weight = 0

    def take(self, name: Name, read: int) -> pl.DataFrame | None:
        """The frame of that name, asked for anew; None if it is not here."""
        if name not in self._frames:
            return None
        frame, weight, _ = self._frames[name]
        self._frames[name] = frame, weight, read
        self._frames.move_to_end(name)
        return frame

    def keep(self, name: Name, frame: pl.DataFrame, read: int, *, weight: int) -> None:
        """Hold a frame that is not here yet."""
        self._frames[name] = frame, weight, read
        self._weight += weight

    def let_go(self, most: int, before: int) -> None:
        """Drop what weighs too much in all, and what no read since `before` asked for; the last one stays."""
        while len(self._frames) > 1:
            _, weight, read = next(iter(self._frames.values()))
            if self._weight <= most and read >= before:
                return
            self._frames.popitem(last=False)
            self._weight -= weight


class FileReader:
    """Reads data files of tables; holds recently read small ones in memory."""

    def __init__(self) -> None:
        self._reads = 0
        self._kept: Recent[str] = Recent()
        self._joined: Recent[tuple[str, ...]] = Recent()

    def scan(self, root: Path, files: Sequence[FileSpan], schema: pl.Schema) -> pl.LazyFrame:
        """A query over the files' rows, in no particular order. `files` may not be empty.

        Raises:
            FileNotFoundError: if a file is missing (for large ones when the query is collected).
        """
        small = tuple(f"{root}/{file.path}" for file in files if file.rows <= SMALL)
        large = [f"{root}/{file.path}" for file in files if file.rows > SMALL]
        parts = [self._together(small, schema).lazy()] if small else []
        parts += [pl.scan_parquet(large, glob=False, schema=schema)] if large else []
        return parts[0] if len(parts) == 1 else pl.concat(parts)

    def _together(self, paths: tuple[str, ...], schema: pl.Schema) -> pl.DataFrame:
        """The files' rows in one frame, which shares their memory; a session asks for the same files many times."""
        self._reads += 1
        joined = self._joined.take(paths, self._reads)
        if joined is None:
            joined = pl.concat([self._small(path, schema) for path in paths])
            self._joined.keep(paths, joined, self._reads, weight=len(paths))
        self._joined.let_go(JOINED, self._reads - UNUSED)
        self._kept.let_go(MOST_KEPT, self._reads - UNUSED)
        return joined

    def _small(self, path: str, schema: pl.Schema) -> pl.DataFrame:
        frame = self._kept.take(path, self._reads)
        if frame is None:
            frame = pl.scan_parquet(path, glob=False, schema=schema).collect(engine="in-memory")
            self._kept.keep(path, frame, self._reads, weight=max(int(frame.estimated_size()), LEAST))
        return frame

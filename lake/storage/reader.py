"""Read the rows of data files in one query, and keep the small ones at hand: files never change once written."""

from __future__ import annotations

from collections import OrderedDict
from collections.abc import Sequence
from pathlib import Path

import polars as pl

from lake.storage.listing import FileSpan

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


Paths = tuple[str, ...]


def gathered(query: pl.LazyFrame, files: Sequence[FileSpan]) -> pl.DataFrame:
    """The result of a query over the files' rows; the same by either engine where an order is asked for."""
    return query.collect(engine="in-memory" if sum(file.rows for file in files) <= FEW else "streaming")


class Recent:
    """Frames by the files they hold, each with a weight and the read that asked for it last: the longest ago first."""

    def __init__(self) -> None:
        self._frames: OrderedDict[Paths, tuple[pl.DataFrame, int, int]] = OrderedDict()
        self._weight = 0

    def take(self, paths: Paths, read: int) -> pl.DataFrame | None:
        """The frame of those files, asked for anew; None if it is not here."""
        if paths not in self._frames:
            return None
        frame, weight, _ = self._frames[paths]
        self._frames[paths] = frame, weight, read
        self._frames.move_to_end(paths)
        return frame

    def keep(self, paths: Paths, frame: pl.DataFrame, read: int, *, weight: int) -> None:
        """Hold a frame that is not here yet."""
        self._frames[paths] = frame, weight, read
        self._weight += weight

    def largest_within(self, paths: Paths) -> Paths:
        """The most of these files whose rows are here as one frame; none where there are not at least two."""
        wanted = set(paths)
        return max((one for one in self._frames if len(one) > 1 and wanted.issuperset(one)), key=len, default=())

    def pop(self, paths: Paths) -> pl.DataFrame:
        """The frame of those files, which is let go."""
        frame, weight, _ = self._frames.pop(paths)
        self._weight -= weight
        return frame

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
        self._kept = Recent()
        self._joined = Recent()

    def scan(self, root: Path, files: Sequence[FileSpan], schema: pl.Schema) -> pl.LazyFrame:
        """A query over the files' rows, in no particular order. `files` may not be empty.

        Raises:
            FileNotFoundError: if a file is missing (for large ones when the query is collected).
        """
        small = tuple(f"{root}/{file.path}" for file in files if file.rows <= SMALL)
        large = [f"{root}/{file.path}" for file in files if file.rows > SMALL]
        few = sum(file.rows for file in files if file.rows <= SMALL) <= SMALL
        parts = [self._at_hand(small, schema, few).lazy()] if small else []
        parts += [pl.scan_parquet(large, glob=False, schema=schema)] if large else []
        return parts[0] if len(parts) == 1 else pl.concat(parts)

    def _at_hand(self, paths: Paths, schema: pl.Schema, few: bool) -> pl.DataFrame:
        self._reads += 1
        frame = self._piece(paths, schema) if few else self._together(paths, schema)
        self._joined.let_go(JOINED, self._reads - UNUSED)
        self._kept.let_go(MOST_KEPT, self._reads - UNUSED)
        return frame

    def _together(self, paths: Paths, schema: pl.Schema) -> pl.DataFrame:
        """The files' rows in one frame, which shares their memory; a session asks for the same files many times."""
        joined = self._joined.take(paths, self._reads)
        if joined is None:
            joined = pl.concat([self._piece((path,), schema) for path in paths])
            self._joined.keep(paths, joined, self._reads, weight=len(paths))
        return joined

    def _piece(self, paths: Paths, schema: pl.Schema) -> pl.DataFrame:
        """The rows of a small file, or of files that together are no more than one, in memory of their own."""
        frame = self._kept.take(paths, self._reads)
        if frame is None:
            frame = self._merged(paths, schema) if len(paths) > 1 else _read(paths[0], schema)
            self._kept.keep(paths, frame, self._reads, weight=max(int(frame.estimated_size()), LEAST))
        return frame

    def _merged(self, paths: Paths, schema: pl.Schema) -> pl.DataFrame:
        """One frame of files of few rows: a thousand of one row each would take long to go through, and much memory.

        Where files came to those of an earlier read it goes on from there, and nobody asks for each of them any more.
        """
        known = self._kept.largest_within(paths)
        frames = [self._kept.pop(known)] if known else []
        frames += [self._piece((path,), schema) for path in sorted(set(paths).difference(known))]
        return pl.concat(frames, rechunk=True)


def _read(path: str, schema: pl.Schema) -> pl.DataFrame:
    return pl.scan_parquet(path, glob=False, schema=schema).collect(engine="in-memory")

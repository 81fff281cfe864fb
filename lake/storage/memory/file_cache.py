"""Read data files, and keep recently read small ones in memory: files never change once written."""

from __future__ import annotations

from collections import OrderedDict
from collections.abc import Iterable, Iterator, Mapping, Sequence
from pathlib import Path

import polars as pl

from lake.engine import collect
from lake.storage.snapshot import FileSpan

MAX_FILE_ROWS = 5_000
"""Rows up to which a file is cached: a session's worth. Opening one costs more than reading it."""
MAX_BYTES = 512 * 1024 * 1024
"""Bytes cached before the file used longest ago is evicted."""
MIN_FRAME_BYTES = 25_000
"""Bytes a file's rows take however few they are: every column is an object of its own."""
MAX_JOINED_FILES = 4_000
"""Files in all the lists whose rows are cached together: what one session's stages ask for."""
MAX_IDLE_READS = 400
"""Reads after which what none of them asked for is evicted: two sessions' worth. A reader that stays for months meets
new files all the time, and old ones are compacted away."""

Paths = tuple[str, ...]


def collect_rows(query: pl.LazyFrame, files: Sequence[FileSpan]) -> pl.DataFrame:
    """The result of a query over the files' rows; both engines give the same where an order is asked for."""
    return collect(query, sum(file.rows for file in files))


class RecentFrames:
    """Frames by the files they hold, each with its weight and its last read, least recently used first."""

    def __init__(self) -> None:
        self._frames: OrderedDict[Paths, tuple[pl.DataFrame, int, int]] = OrderedDict()
        self._weight = 0

    def get(self, paths: Paths, read: int) -> pl.DataFrame | None:
        """The frame of those files, marked as used now; None if it is not cached."""
        if paths not in self._frames:
            return None
        frame, weight, _ = self._frames[paths]
        self._frames[paths] = frame, weight, read
        self._frames.move_to_end(paths)
        return frame

    def put(self, paths: Paths, frame: pl.DataFrame, read: int, *, weight: int) -> None:
        """Add a frame that is not cached yet."""
        self._frames[paths] = frame, weight, read
        self._weight += weight

    def largest_within(self, paths: Paths) -> Paths:
        """The largest subset of these files, of at least two, that is cached as one frame; empty if there is none."""
        wanted = set(paths)
        return max((one for one in self._frames if len(one) > 1 and wanted.issuperset(one)), key=len, default=())

    def pop(self, paths: Paths) -> pl.DataFrame:
        """Remove and return the frame of those files."""
        frame, weight, _ = self._frames.pop(paths)
        self._weight -= weight
        return frame

    def evict(self, max_weight: int, before: int) -> None:
        """Evict while all weigh too much together, and what no read since `before` asked for; the last one stays."""
        while len(self._frames) > 1:
            _, weight, read = next(iter(self._frames.values()))
            if self._weight <= max_weight and read >= before:
                return
            self._frames.popitem(last=False)
            self._weight -= weight


class FileCache:
    """Reads data files of tables through a cache of small ones."""

    def __init__(self) -> None:
        self._reads = 0
        self._frames = RecentFrames()
        self._joined = RecentFrames()

    def scan(self, root: Path, files: Sequence[FileSpan], schema: pl.Schema) -> pl.LazyFrame:
        """A query over the files' rows, in no particular order. `files` may not be empty.

        Raises:
            FileNotFoundError: if a file is missing (for large ones when the query is collected).
        """
        small = {f"{root}/{file.path}": file.rows for file in files if file.rows <= MAX_FILE_ROWS}
        large = [f"{root}/{file.path}" for file in files if file.rows > MAX_FILE_ROWS]
        parts = [self._read_small(small, schema).lazy()] if small else []
        parts += [pl.scan_parquet(large, glob=False, schema=schema)] if large else []
        return parts[0] if len(parts) == 1 else pl.concat(parts)

    def add(self, path: str, frame: pl.DataFrame) -> None:
        """Take in the rows of a file that was written just now; it is read only once they are evicted."""
        if frame.height <= MAX_FILE_ROWS:
            self._put((path,), frame)

    def _read_small(self, rows: Mapping[str, int], schema: pl.Schema) -> pl.DataFrame:
        """The rows of small files, given how many each has."""
        self._reads += 1
        few = sum(rows.values()) <= MAX_FILE_ROWS
        frame = self._read_piece(rows, schema) if few else self._read_joined(rows, schema)
        self._joined.evict(MAX_JOINED_FILES, self._reads - MAX_IDLE_READS)
        self._frames.evict(MAX_BYTES, self._reads - MAX_IDLE_READS)
        return frame

    def _read_joined(self, rows: Mapping[str, int], schema: pl.Schema) -> pl.DataFrame:
        """The files' rows in one frame, which shares their memory; a session reads the same files many times."""
        paths = tuple(rows)
        joined = self._joined.get(paths, self._reads)
        if joined is None:
            joined = pl.concat(self._read_each(paths, rows, schema))
            self._joined.put(paths, joined, self._reads, weight=len(paths))
        return joined

    def _read_piece(self, rows: Mapping[str, int], schema: pl.Schema) -> pl.DataFrame:
        """The rows of a small file, or of files that together are no more than one, in memory of their own."""
        paths = tuple(rows)
        frame = self._frames.get(paths, self._reads)
        if frame is None and len(paths) > 1:
            frame = self._read_merged(paths, rows, schema)
            self._put(paths, frame)
        return self._read_each(paths, rows, schema)[0] if frame is None else frame

    def _read_each(self, paths: Iterable[str], rows: Mapping[str, int], schema: pl.Schema) -> list[pl.DataFrame]:
        """The rows of each file; those that are not cached are read in one query, and cached one by one."""
        found = {path: self._frames.get((path,), self._reads) for path in paths}
        missing = [path for path, frame in found.items() if frame is None]
        for path, frame in zip(missing, _read_files(missing, rows, schema), strict=True):
            self._put((path,), frame)
            found[path] = frame
        return [frame for frame in found.values() if frame is not None]

    def _put(self, paths: Paths, frame: pl.DataFrame) -> None:
        self._frames.put(paths, frame, self._reads, weight=max(int(frame.estimated_size()), MIN_FRAME_BYTES))

    def _read_merged(self, paths: Paths, rows: Mapping[str, int], schema: pl.Schema) -> pl.DataFrame:
        """One frame of files of few rows: a thousand of one row each would take long to scan, and much memory.

        Where files were added since an earlier read it extends that frame, and the single files are not cached.
        """
        known = self._frames.largest_within(paths)
        frames = [self._frames.pop(known)] if known else []
        frames += self._read_each(sorted(set(paths).difference(known)), rows, schema)
        return pl.concat(frames, rechunk=True)


def _read_files(paths: Sequence[str], rows: Mapping[str, int], schema: pl.Schema) -> Iterator[pl.DataFrame]:
    """The rows of each file: a query over many takes a quarter of as many queries, and leaves each its own memory."""
    if not paths:
        return
    whole = _read(paths, schema)
    if whole.height != sum(rows[path] for path in paths):  # the log counts otherwise than the files
        yield from (_read([path], schema) for path in paths)
        return
    place = 0
    for path in paths:
        yield whole.slice(place, rows[path])
        place += rows[path]


def _read(paths: Sequence[str], schema: pl.Schema) -> pl.DataFrame:
    return pl.scan_parquet(list(paths), glob=False, schema=schema).collect(engine="in-memory")

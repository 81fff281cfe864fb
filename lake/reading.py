"""Read the rows of data files in one query, and keep the small ones at hand: files never change once written."""

from __future__ import annotations

from collections import OrderedDict
from collections.abc import Sequence
from pathlib import Path

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


def gathered(query: pl.LazyFrame, files: Sequence[FileSpan]) -> pl.DataFrame:
    """The result of a query over the files' rows; the same by either engine where an order is asked for."""
    return query.collect(engine="in-memory" if sum(file.rows for file in files) <= FEW else "streaming")


class FileReader:
    """Reads data files of tables; holds recently read small ones in memory."""

    def __init__(self) -> None:
        self._kept: OrderedDict[str, pl.DataFrame] = OrderedDict()
        self._bytes = 0
        self._joined: OrderedDict[tuple[str, ...], pl.DataFrame] = OrderedDict()
        self._files_joined = 0

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
        if paths not in self._joined:
            self._joined[paths] = pl.concat([self._small(path, schema) for path in paths])
            self._files_joined += len(paths)
        self._joined.move_to_end(paths)
        while self._files_joined > JOINED and len(self._joined) > 1:
            self._files_joined -= len(self._joined.popitem(last=False)[0])
        return self._joined[paths]

    def _small(self, path: str, schema: pl.Schema) -> pl.DataFrame:
        if path in self._kept:
            self._kept.move_to_end(path)
            return self._kept[path]
        frame = pl.scan_parquet(path, glob=False, schema=schema).collect(engine="in-memory")
        self._kept[path] = frame
        self._bytes += _taken(frame)
        while self._bytes > MOST_KEPT:
            self._bytes -= _taken(self._kept.popitem(last=False)[1])
        return frame


def _taken(frame: pl.DataFrame) -> int:
    """Bytes of memory, about."""
    return max(int(frame.estimated_size()), LEAST)

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

JOINED = 64
"""Lists of files whose rows are kept together: what one session's stages ask for."""


def gathered(query: pl.LazyFrame, files: Sequence[FileSpan]) -> pl.DataFrame:
    """The result of a query over the files' rows; the same by either engine where an order is asked for."""
    return query.collect(engine="in-memory" if sum(file.rows for file in files) <= FEW else "streaming")


class FileReader:
    """Reads data files of tables; holds recently read small ones in memory."""

    def __init__(self) -> None:
        self._kept: OrderedDict[str, pl.DataFrame] = OrderedDict()
        self._bytes = 0
        self._joined: OrderedDict[tuple[str, ...], pl.DataFrame] = OrderedDict()

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
        self._joined.move_to_end(paths)
        while len(self._joined) > JOINED:
            self._joined.popitem(last=False)
        return self._joined[paths]

    def _small(self, path: str, schema: pl.Schema) -> pl.DataFrame:
        if path in self._kept:
            self._kept.move_to_end(path)
            return self._kept[path]
        frame = pl.scan_parquet(path, glob=False, schema=schema).collect(engine="in-memory")
        self._kept[path] = frame
        self._bytes += int(frame.estimated_size())
        while self._bytes > MOST_KEPT:
            self._bytes -= int(self._kept.popitem(last=False)[1].estimated_size())
        return frame

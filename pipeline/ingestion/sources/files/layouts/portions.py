"""Reads long files a portion at a time: text cut between lines, Parquet between rows."""

from __future__ import annotations

from collections.abc import Callable, Collection, Iterator, Mapping
from functools import partial
from pathlib import Path
from typing import IO

import polars as pl

from pipeline.ingestion.sources.files.file_text import (
    COMPRESSED,
    LONGEST_LINE,
    check_file,
    is_parquet,
    is_text,
    is_utf16,
    numeric_columns,
    open_bytes,
    read_csv,
    read_sample,
    reading,
    stem,
)
from pipeline.ingestion.sources.files.layouts.tables import PriceTable
from pipeline.ingestion.sources.files.layouts.text_header import TextHeader, find_header

ROWS = 250_000
"""Of a Parquet file, read at a time."""
BYTES = 12 * 2**20
"""Of a text file, unpacked, read at a time."""


def read_portions(
    path: Path, find_numbers: Callable[[Mapping[str, pl.DataType]], Collection[str]]
) -> Iterator[PriceTable] | None:
    """Return the portions of a long file, in order; None of one that is short, or whose text has no plain header.

    Args:
        path: the file.
        find_numbers: names the columns of a typed file, by its schema, that need no looking at before they are used:
            they are null in the portions, and are there when a portion is read again.

    Raises:
        SourceError: if there is no such file; later, if it cannot be read.
    """
    check_file(path)
    if is_parquet(path):
        rows = reading(path, lambda: pl.scan_parquet(path, glob=False).select(pl.len()).collect().item())
        return _parquet_portions(path, rows, find_numbers) if rows > ROWS else None
    if not is_text(path) or path.stat().st_size <= (BYTES // 4 if path.suffix.lower() in COMPRESSED else BYTES):
        return None
    if reading(path, lambda: is_utf16(path)):
        return None
    header = reading(path, lambda: find_header(read_sample(path)))
    plain = len(header.rows) == 1 and not header.short and reading(path, lambda: _head(path, header))
    return _text_portions(path, header) if plain else None


def _parquet_portions(
    path: Path, rows: int, find_numbers: Callable[[Mapping[str, pl.DataType]], Collection[str]]
) -> Iterator[PriceTable]:
    numeric = numeric_columns(path)
    scan = pl.scan_parquet(path, glob=False)
    schema = reading(path, scan.collect_schema)
    numbers = find_numbers(schema)
    empty = (pl.lit(None, schema[name]).alias(name) for name in numbers)
    seen = scan.with_columns(empty).select(*schema)
    for start in range(0, rows, ROWS):
        lines = reading(path, seen.slice(start, ROWS).collect)
        again = partial(reading, path, scan.slice(start, ROWS).collect)
        yield PriceTable(str(path), stem(path.name), lines, start + 1, numeric=numeric, read_again=again)


def _text_portions(path: Path, header: TextHeader) -> Iterator[PriceTable]:
    """Each portion is read below the lines that the file begins with, as the whole would be."""
    head, line = _head(path, header), header.lines + 1
    seeks = path.suffix.lower() not in COMPRESSED
    at = len(head)
    with open_bytes(path) as stream:
        stream.read(at)
        left = b""
        while len(data := reading(path, partial(_read_more, stream, head + left))) > len(head) + len(left):
            end = _last_end(data)
            if end > len(head):
                lines = _parse(path, bytes(memoryview(data)[:end]), header)
                again = partial(_read_again, path, (at, end - len(head)), head, header) if seeks else None
                yield PriceTable(str(path), stem(path.name), lines, line, read_again=again)
                line += lines.height
            end = max(end, len(head))
            at, left = at + end - len(head), bytes(memoryview(data)[end:])
        if left:
            again = partial(_read_again, path, (at, len(left)), head, header) if seeks else None
            yield PriceTable(str(path), stem(path.name), _parse(path, head + left, header), line, read_again=again)


def _read_more(stream: IO[bytes], before: bytes) -> bytearray:
    """The bytes before and, behind them, the next ones of the stream."""
    data = bytearray(len(before) + BYTES)
    data[: len(before)] = before
    end = len(before)
    with memoryview(data) as view:
        while end < len(data) and (count := stream.readinto(view[end:])):  # type: ignore[attr-defined]
            end += count
    del data[end:]
    return data


def _read_again(path: Path, span: tuple[int, int], head: bytes, header: TextHeader) -> pl.DataFrame:
    start, length = span
    with open_bytes(path) as stream:
        stream.seek(start)
        return _parse(path, head + stream.read(length), header)


def _parse(path: Path, data: bytes, header: TextHeader) -> pl.DataFrame:
    return reading(path, lambda: read_csv(data, header.separator, skipped=header.titles, names=None))


def _head(path: Path, header: TextHeader) -> bytes:
    """The bytes of the lines above the data; none where they are not told apart by line feeds alone."""
    with open_bytes(path) as stream:
        lines = [stream.readline(LONGEST_LINE) for _ in range(header.lines)]
    head = b"".join(lines)
    whole = all(line.endswith(b"\n") for line in lines) and head.count(b'"') % 2 == 0
    return head if whole else b""


def _last_end(data: bytes | bytearray) -> int:
    """Where the last line ends that is no part of a quoted cell; 0 where none does."""
    end = data.rfind(b"\n") + 1
    inside = data.count(b'"', 0, end) % 2
    while end and inside:
        before = data.rfind(b"\n", 0, max(data.rfind(b'"', 0, end), 0)) + 1
        inside = (inside + data.count(b'"', before, end)) % 2
        end = before
    return end

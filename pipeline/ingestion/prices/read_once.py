"""Keeps the bars that were read of a large landing, on disk, until the next stage asks for the same ones."""

from __future__ import annotations

import io
import tempfile
import weakref
from collections.abc import Callable, Iterator
from dataclasses import dataclass, field
from typing import IO, ClassVar

import polars as pl

from pipeline.engine.stage import Moment
from pipeline.ingestion.params import IngestionParams
from pipeline.ingestion.prices.bar_blocks import MAX_BYTES, BarBlock, read_blocks


@dataclass(frozen=True)
class BarQuestion:
    """All that decides what is read of landed bars."""

    landed: pl.DataFrame
    """Rows of raw_prices."""
    instruments: pl.DataFrame
    moment: Moment
    params: IngestionParams

    @property
    def is_large(self) -> bool:
        """Whether the bars come in several blocks, so that reading them twice takes long."""
        return int(self.landed["payload"].str.len_bytes().cast(pl.Int64).sum()) > MAX_BYTES

    def without_texts(self) -> BarQuestion:
        """The same with a hash of each text in its place."""
        hashed = self.landed.with_columns(pl.col("request", "payload").hash())
        return BarQuestion(hashed, self.instruments, self.moment, self.params)

    def equals(self, other: BarQuestion) -> bool:
        """Whether the same bars are asked for in the same way."""
        asked = (self.moment.since, self.moment.session, self.moment.calendar, self.params)
        same = asked == (other.moment.since, other.moment.session, other.moment.calendar, other.params)
        return same and self.landed.equals(other.landed) and self.instruments.equals(other.instruments)


@dataclass
class ReadBars:
    """The answer to one question; the file has no name and is gone with it."""

    question: BarQuestion
    _file: IO[bytes] = field(default_factory=lambda: tempfile.TemporaryFile(prefix="nextgen-", buffering=0))  # noqa: SIM115
    _blocks: list[tuple[int, int, pl.DataFrame]] = field(default_factory=list)
    """Where the sound bars of a block lie and how long they are, and those that are not sound."""
    last: ClassVar[ReadBars | None] = None
    """One at a time: the stage that lists what was set aside asks right after the one that derives prices."""

    def __post_init__(self) -> None:
        weakref.finalize(self, self._file.close)

    def put(self, block: BarBlock) -> None:
        """Keep a block."""
        start = self._file.tell()
        block.sound.write_ipc(self._file, compression="lz4", compat_level=pl.CompatLevel.newest())
        self._blocks.append((start, self._file.tell() - start, block.broken))

    def blocks(self) -> Iterator[BarBlock]:
        """The blocks, in the order they were put."""
        for start, length, broken in self._blocks:
            self._file.seek(start)
            yield BarBlock(pl.read_ipc(io.BytesIO(self._file.read(length))), broken)


def read_once(question: BarQuestion, read: Callable[[pl.DataFrame], pl.DataFrame]) -> Iterator[BarBlock]:
    """Yield what `read_blocks` gives of the landed bars; what was read last is read no second time.

    It is given once, and kept for one question alone: the second stage takes it away.
    """
    if not question.is_large:
        yield from read_blocks(question.landed, read)
        return
    kept, ReadBars.last = ReadBars.last, None
    asked = question.without_texts()
    if kept is not None and kept.question.equals(asked):
        yield from kept.blocks()
        return
    del kept
    answer = ReadBars(asked)
    for block in read_blocks(question.landed, read):
        answer.put(block)
        yield block
    ReadBars.last = answer

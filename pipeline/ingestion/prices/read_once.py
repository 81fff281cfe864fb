"""Keeps the bars that were read of landings, the many on disk, until the next stage asks for the same ones."""

from __future__ import annotations

import io
import tempfile
import weakref
from collections.abc import Callable, Iterator
from dataclasses import dataclass, field, replace
from typing import IO, ClassVar, Literal

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
    of: Literal["the moment", "earlier landings"] = "the moment"
    """Whose bars: each has one answer kept for it."""
    lines: pl.DataFrame | None = None
    """payload_id and line of the only bars that are asked for; None: all."""

    @property
    def is_large(self) -> bool:
        """Whether the bars come in several blocks, too many to be kept in memory."""
        return int(self.landed["payload"].str.len_bytes().cast(pl.Int64).sum()) > MAX_BYTES

    def without_texts(self) -> BarQuestion:
        """The same with a hash of each text in its place."""
        hashed = self.landed.with_columns(pl.col("request", "payload").hash())
        return replace(self, landed=hashed)

    def equals(self, other: BarQuestion) -> bool:
        """Whether the same bars are asked for in the same way."""
        asked = (self.of, self.moment.since, self.moment.session, self.moment.calendar, self.params)
        same = asked == (other.of, other.moment.since, other.moment.session, other.moment.calendar, other.params)
        frames = ((self.landed, other.landed), (self.instruments, other.instruments), (self.lines, other.lines))
        return same and all(
            one is two or (one is not None and two is not None and one.equals(two)) for one, two in frames
        )


@dataclass
class ReadBars:
    """The answer to one question; the file, where there is one, has no name and is gone with it."""

    question: BarQuestion
    on_disk: bool
    _file: IO[bytes] | None = None
    _blocks: list[tuple[int, int] | pl.DataFrame] = field(default_factory=list)
    """The sound bars of a block, or where in the file they lie and how long they are."""
    _broken: list[pl.DataFrame] = field(default_factory=list)
    """Those of the block that are not sound."""
    kept: ClassVar[dict[str, ReadBars]] = {}
    """The stage that lists what was set aside asks right after the one that derives prices."""

    def __post_init__(self) -> None:
        if self.on_disk:
            self._file = tempfile.TemporaryFile(prefix="nextgen-", buffering=0)  # noqa: SIM115, closed by the next line
            weakref.finalize(self, self._file.close)

    def put(self, block: BarBlock) -> None:
        """Keep a block."""
        self._blocks.append(block.sound if self._file is None else _append(self._file, block.sound))
        self._broken.append(block.broken)

    def blocks(self) -> Iterator[BarBlock]:
        """The blocks, in the order they were put."""
        for sound, broken in zip(self._blocks, self._broken, strict=True):
            yield BarBlock(sound if isinstance(sound, pl.DataFrame) else self._load(*sound), broken)

    def _load(self, start: int, length: int) -> pl.DataFrame:
        assert self._file is not None, "what lies somewhere lies in the file"
        self._file.seek(start)
        return pl.read_ipc(io.BytesIO(self._file.read(length)))


def _append(file: IO[bytes], bars: pl.DataFrame) -> tuple[int, int]:
    start = file.tell()
    bars.write_ipc(file, compression="lz4", compat_level=pl.CompatLevel.newest())
    return start, file.tell() - start


def read_once(question: BarQuestion, read: Callable[[pl.DataFrame], pl.DataFrame]) -> Iterator[BarBlock]:
    """Yield what `read_blocks` gives of the landed bars; what was read last is read no second time.

    It is given once, and kept for one question alone: the second stage takes it away.
    """
    kept, asked = ReadBars.kept.pop(question.of, None), question.without_texts()
    if kept is not None and kept.question.equals(asked):
        yield from kept.blocks()
        return
    del kept
    answer = ReadBars(asked, question.is_large)
    for block in read_blocks(question.landed, read):
        answer.put(block)
        yield block
    ReadBars.kept[question.of] = answer

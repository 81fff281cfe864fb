"""Keeps the bars that were read of landings, the many on disk, until the next stage asks for the same ones."""

from __future__ import annotations

from collections.abc import Callable, Mapping
from dataclasses import dataclass, replace
from typing import ClassVar, Literal

import polars as pl

from pipeline.engine.stage import Moment
from pipeline.ingestion.params import IngestionParams
from pipeline.ingestion.prices.bar_blocks import BarBlock, read_blocks
from pipeline.ingestion.sources.files.blocks.spool import Place, Spool
from pipeline.ingestion.sources.files.distinct_cells import DistinctCells

FEW = 20_000
"""Bars of a block up to which no column is looked at."""


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


@dataclass(frozen=True)
class KeptBlock:
    """The bars of a block of payloads, of which the sound ones are kept where they take little memory."""

    tickers: frozenset[str]
    broken: pl.DataFrame
    """Those that are not sound."""
    _spool: Spool
    _place: Place
    """Where the columns lie that vary; of texts, which of `_texts` each row has."""
    _texts: Mapping[str, pl.Series]
    _columns: tuple[str, ...]
    _alike: tuple[pl.Series, ...]
    """The columns that hold one value only, cut to one row."""

    @classmethod
    def keep(cls, block: BarBlock, spool: Spool) -> KeptBlock:
        """Put the sound bars where they are kept; a session's few stay as they are."""
        if block.sound.height <= FEW:
            place, columns = spool.put(block.sound), tuple(block.sound.columns)
            return cls(frozenset(block.sound["ticker"]), block.broken, spool, place, {}, columns, ())
        alike = tuple(column.head(1) for column in block.sound if _is_alike(column))
        varying = block.sound.drop(column.name for column in alike)
        cells = {column.name: DistinctCells.of(column) for column in varying if column.dtype == pl.String}
        place = spool.put(varying.with_columns(one.place.alias(name) for name, one in cells.items()))
        texts = {name: one.filled for name, one in cells.items()}
        tickers, columns = frozenset(block.sound["ticker"].unique()), tuple(block.sound.columns)
        return cls(tickers, block.broken, spool, place, texts, columns, alike)

    def load(self) -> pl.DataFrame:
        """The sound bars; of those in a file, what is not looked at is not read, and no text keeps a part of it."""
        varying = self._spool.get(self._place)
        if not self._alike:
            return varying
        texts = (text.gather(varying[name]).alias(name) for name, text in self._texts.items())
        alike = (column.new_from_index(0, varying.height) for column in self._alike)
        return varying.with_columns(*texts, *alike).select(self._columns)


@dataclass(frozen=True)
class ReadBars:
    """The answer to one question."""

    question: BarQuestion
    blocks: list[KeptBlock]
    kept: ClassVar[dict[str, ReadBars]] = {}
    """The stage that lists what was set aside asks right after the one that derives prices."""


def _is_alike(column: pl.Series) -> bool:
    """Whether a column holds the same value throughout; one column at least, the line's number, does not in many."""
    if column.name == "line" or column.is_empty():
        return False
    return column.null_count() == len(column) or (not column.null_count() and bool((column == column.first()).all()))


def read_once(question: BarQuestion, read: Callable[[pl.DataFrame], pl.DataFrame]) -> list[KeptBlock]:
    """Return what `read_blocks` gives of the landed bars; what was read last is read no second time.

    It is given once, and kept for one question alone: the second stage takes it away. Many bars lie in a file without a
    name, which is gone with them.
    """
    kept, asked = ReadBars.kept.pop(question.of, None), question.without_texts()
    if kept is not None and kept.question.equals(asked):
        return kept.blocks
    del kept
    spool = Spool()
    blocks = [KeptBlock.keep(block, spool) for block in read_blocks(question.landed, read)]
    ReadBars.kept[question.of] = ReadBars(asked, blocks)
    return blocks

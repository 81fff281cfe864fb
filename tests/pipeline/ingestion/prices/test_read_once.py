"""Landed bars are read once by two stages that ask for the same, and anew by any that asks otherwise."""

from __future__ import annotations

from collections.abc import Iterator
from dataclasses import replace

import polars as pl
import pytest

from lake.tables.market import INSTRUMENTS
from pipeline.ingestion.params import IngestionParams
from pipeline.ingestion.prices import bar_blocks, read_once
from pipeline.ingestion.prices.bar_rules import read_bars
from pipeline.ingestion.prices.read_once import BarQuestion, ReadBars
from pipeline.ingestion.sources.files.blocks import spool
from tests.frames.market import CALENDAR, DAY, bar, landing, moment


@pytest.fixture(autouse=True, params=[0, 250_000], ids=["in a file", "in memory"])
def _every_landing_is_large(monkeypatch: pytest.MonkeyPatch, request: pytest.FixtureRequest) -> Iterator[None]:
    monkeypatch.setattr(bar_blocks, "MAX_BYTES", 1)
    monkeypatch.setattr(spool, "KEPT", request.param)
    monkeypatch.setattr(read_once, "FEW", request.param)
    yield
    ReadBars.kept.clear()


def _landed(close: str = "100") -> pl.DataFrame:
    return pl.concat(
        landing([bar(ticker=ticker, close=value) for value in (close, "x")], ticker=ticker, history=True)
        for ticker in ("AAA", "BBB")
    )


class Reader:
    """Reads bars, and counts how often."""

    def __init__(self) -> None:
        self.times = 0

    def __call__(self, rows: pl.DataFrame) -> pl.DataFrame:
        self.times += 1
        return read_bars(rows, INSTRUMENTS.empty(), CALENDAR)


QUESTION = BarQuestion(_landed(), INSTRUMENTS.empty(), moment(), IngestionParams())


def test_the_second_stage_gets_what_the_first_one_read() -> None:
    reader = Reader()
    first, second, third = (read_once.read_once(QUESTION, reader) for _ in range(3))
    assert [block.load().height for block in first] == [block.broken.height for block in first] == [1, 1]
    assert second is first
    assert len(third) == 2
    assert reader.times == 4, "it is given away once, and the third time read anew"


def test_what_is_kept_is_what_was_read() -> None:
    blocks = read_once.read_once(QUESTION, Reader())
    for block, read in zip(blocks, bar_blocks.read_blocks(QUESTION.landed, Reader()), strict=True):
        assert block.load().equals(read.sound) and block.load().schema == read.sound.schema
        assert block.broken.equals(read.broken)
        assert block.tickers == set(read.sound["ticker"])


@pytest.mark.parametrize(
    "other",
    [
        replace(QUESTION, landed=_landed("101").with_columns(payload_id=QUESTION.landed["payload_id"])),
        replace(QUESTION, landed=QUESTION.landed.head(1)),
        replace(QUESTION, moment=moment(since=CALENDAR.previous(DAY))),
        replace(QUESTION, params=IngestionParams(publication_lag_minutes=3)),
        replace(QUESTION, lines=QUESTION.landed.select("payload_id", line=pl.lit(0, pl.Int64))),
    ],
    ids=["another text", "fewer rows", "other sessions", "another setting", "some lines"],
)
def test_whoever_asks_otherwise_gets_bars_of_his_own(other: BarQuestion) -> None:
    reader, own = Reader(), Reader()
    read_once.read_once(QUESTION, reader)
    read_once.read_once(other, own)
    assert own.times == other.landed.height

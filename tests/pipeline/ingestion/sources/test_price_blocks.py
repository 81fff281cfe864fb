"""Price files that are read a block at a time land, and are judged, as if they had been read whole."""

from __future__ import annotations

import gzip
import hashlib
from collections.abc import Callable
from dataclasses import replace
from functools import partial
from pathlib import Path

import polars as pl
import pytest

from pipeline.ingestion.sources.errors import SourceError
from pipeline.ingestion.sources.files.bar_reader import BarReader
from pipeline.ingestion.sources.files.blocks import price_files, spool
from pipeline.ingestion.sources.files.layouts import portions
from pipeline.ingestion.sources.files.params import FilesParams
from pipeline.ingestion.sources.files.source import FilesSource
from tests.price_files.layouts import LAYOUTS
from tests.price_files.true_market import true_market

MARKET = true_market("XNYS", tickers=4, months=3)
BARS = MARKET.bars.select("ticker", "session", "open", "high", "low", "close", "volume").rename({"session": "date"})
Writer = Callable[[Path], Path]


def _one(order: tuple[str, ...], name: str = "all.csv") -> Writer:
    def write(folder: Path) -> Path:
        rows = BARS.sort(*order)
        if name.endswith(".parquet"):
            rows.write_parquet(folder / name, row_group_size=70)
        elif name.endswith(".gz"):
            (folder / name).write_bytes(gzip.compress(rows.write_csv().encode(), mtime=0))
        else:
            rows.write_csv(folder / name)
        return folder / name

    return write


def _each(key: str) -> Writer:
    def write(folder: Path) -> Path:
        for (value,), rows in BARS.partition_by(key, as_dict=True).items():
            rows.write_csv(folder / f"part-{value}.csv")
        return folder

    return write


def _cells_with_line_ends(folder: Path) -> Path:
    rows = BARS.sort("date").with_columns(note=pl.format('said "{}",\nand then\n', "ticker"))
    rows.write_csv(folder / "all.csv")
    return folder / "all.csv"


def _mixed_kinds(folder: Path) -> Path:
    """The first half of the days as text, the second as numbers, in whole ones where it can be."""
    half = BARS["date"].unique().sort()[40]
    BARS.filter(pl.col("date") < half).write_csv(folder / "a.csv")
    BARS.filter(pl.col("date") >= half).write_parquet(folder / "b.parquet")
    return folder


def _broken_rows(folder: Path) -> Path:
    text = BARS.sort("date").select(pl.all().cast(pl.String))
    number = pl.int_range(pl.len())
    spoilt = text.with_columns(
        low=pl.when(number % 97 == 3).then(pl.lit("n/a")).otherwise("low"),
        ticker=pl.when(number % 211 == 7).then(None).otherwise("ticker"),
        date=pl.when(number % 173 == 5).then(pl.lit("soon")).otherwise("date"),
    )
    pl.concat([spoilt, spoilt.head(3)]).write_csv(folder / "all.csv")
    return folder / "all.csv"


WRITERS: dict[str, Writer] = {
    "by ticker": _one(("ticker", "date")),
    "by day": _one(("date", "ticker")),
    "packed": _one(("date", "ticker"), "all.csv.gz"),
    "parquet by ticker": _one(("ticker", "date"), "all.parquet"),
    "parquet by day": _one(("date", "ticker"), "all.parquet"),
    "a file for each ticker": _each("ticker"),
    "a file for each day": _each("date"),
    "cells with line ends": _cells_with_line_ends,
    "mixed kinds": _mixed_kinds,
    "broken rows": _broken_rows,
} | {
    name: lambda folder, name=name: LAYOUTS[name].write(MARKET, folder)  # type: ignore[misc]
    for name in ("yahoo history with actions", "tiingo", "nasdaq", "1.234,50", "yfinance", "polygon", "sharadar")
}


def _look(path: Path) -> tuple[str, str]:
    """The identity of all that is landed, as history and by a daily fetch; and what was understood.

    Which of many rows is shown as an example is left out.
    """
    source = FilesSource(FilesParams(prices=(str(path),)), MARKET.calendar)
    first, last = source.coverage()
    found = source.understand()
    landed = pl.concat([source.prices(first, last, history=True), source.prices(last, last, history=False)])
    broken = tuple(replace(one, place="", cells={}) for one in found.set_aside)
    text = repr(sorted(landed.select("kind", "ticker", "request", "payload").rows()))
    return hashlib.sha256(text.encode()).hexdigest(), str(replace(found, first_bars=pl.DataFrame(), set_aside=broken))


def _cut_small(monkeypatch: pytest.MonkeyPatch, block: int) -> None:
    monkeypatch.setattr(price_files, "BLOCK", block)
    monkeypatch.setattr(spool, "KEPT", block // 3)
    monkeypatch.setattr(portions, "ROWS", block // 2)
    monkeypatch.setattr(portions, "BYTES", 20 * block)


MORE = ("a file for each ticker", "tiingo", "1.234,50", "polygon", "sharadar", "parquet by ticker")
"""Read as the others are: by files as those of days, by columns as those of other vendors."""


@pytest.mark.parametrize(
    "form", [pytest.param(form, marks=pytest.mark.slow) if form in MORE else form for form in WRITERS]
)
def test_what_lands_and_is_understood_does_not_depend_on_the_size_of_a_block(
    tmp_path: Path, monkeypatch: pytest.MonkeyPatch, form: str
) -> None:
    path = WRITERS[form](tmp_path)
    whole = _look(path)
    _cut_small(monkeypatch, 70)
    assert _look(path) == whole


def test_no_block_holds_more_than_its_rows_and_those_of_one_ticker(
    tmp_path: Path, monkeypatch: pytest.MonkeyPatch
) -> None:
    longest = int(BARS.group_by("ticker").len()["len"].max())  # type: ignore[arg-type]
    _cut_small(monkeypatch, 120)
    for form in ("by ticker", "by day", "a file for each ticker", "a file for each day", "parquet by day"):
        (tmp_path / form).mkdir()
        reader = BarReader(FilesParams(), MARKET.calendar, MARKET.calendar.zone, {})
        blocks = [block for files in reader.read(WRITERS[form](tmp_path / form)) for block in files.blocks()]
        assert sum(block.lines.height for block in blocks) == BARS.height
        assert max(block.lines.height for block in blocks) <= 3 * 120 + longest
        named = [ticker for block in blocks for ticker in block.symbol.unique()]
        assert len(named) == len(set(named))


def test_an_error_deep_in_a_long_file_is_told_as_one_at_its_beginning(
    tmp_path: Path, monkeypatch: pytest.MonkeyPatch
) -> None:
    path = _one(("date", "ticker"))(tmp_path)
    path.write_text(path.read_text() + "AAPL,2021-09-30,1,2,1,2,3,4,5\n")
    _cut_small(monkeypatch, 150)
    with pytest.raises(SourceError, match=r"all\.csv cannot be read: .*; open it, repair it"):
        FilesSource(FilesParams(prices=(str(path),)), MARKET.calendar).coverage()


def test_frames_lie_on_disk_until_there_is_much_of_them_and_come_back_as_they_were(
    monkeypatch: pytest.MonkeyPatch,
) -> None:
    monkeypatch.setattr(spool, "KEPT", 10)
    monkeypatch.setattr(spool, "MAX_BYTES", 3_000)
    frames = [
        pl.DataFrame({"ticker": [f"T{n}", None, "é" * 40], "\0line": [n] * 3, "\0file": [0] * 3}) for n in range(12)
    ]
    kept = spool.Spool()
    again: list[int] = []

    def read(number: int) -> pl.DataFrame:
        again.append(number)
        return frames[number]

    places = [kept.put(frame, partial(read, number)) for number, frame in enumerate(frames)]
    found = [kept.get(place) for place in places]
    assert all(one.equals(other) for one, other in zip(frames, found, strict=True))
    assert 0 < len(again) < len(frames), "some lie on disk, and what came after 3,000 bytes was read again"

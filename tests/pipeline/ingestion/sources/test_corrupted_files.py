"""Spoilt price files are read right, refused, or told about: never silently wrong."""

from __future__ import annotations

import re
from pathlib import Path
from typing import Any

import polars as pl
import pytest

from lake.tables.market import INSTRUMENTS
from pipeline.ingestion.prices.bar_rules import read_bars
from pipeline.ingestion.sources.errors import SourceError
from pipeline.ingestion.sources.files.params import FilesParams
from pipeline.ingestion.sources.files.source import FilesSource
from tests.price_files.corruptions import write_corrupted
from tests.price_files.outcome import VALUES, find_wrong_bars
from tests.price_files.true_market import TrueMarket, true_market

EXCHANGES = ("XNYS", "XETR", "XTKS")


def _open(folder: Path, market: TrueMarket, **settings: Any) -> FilesSource:
    return FilesSource(FilesParams(prices=(str(folder),), **settings), market.calendar)


def _load(source: FilesSource, market: TrueMarket) -> tuple[pl.DataFrame, pl.DataFrame]:
    """The sound bars, repeats left out; and the rows that are set aside."""
    landed = source.prices(*source.coverage(), history=True)
    bars = read_bars(landed, INSTRUMENTS.empty(), market.calendar)
    sound = bars.filter(pl.col("rule").is_null()).select("ticker", "session", *VALUES).unique()
    twice = sound.select("ticker", "session").is_duplicated()
    return sound.filter(~twice), pl.concat(
        [bars.filter(pl.col("rule").is_not_null()).select("rule"), _two_values(twice)]
    )


def _two_values(twice: pl.Series) -> pl.DataFrame:
    return pl.DataFrame({"rule": ["one bar has two values"] * int(twice.sum())}, schema={"rule": pl.String})


def _advised(problem: str) -> dict[str, Any]:
    """The settings of the files that a refusal advises."""
    settings: dict[str, Any] = dict(
        re.findall(r"--set source\.files\.(dates|zone|interval|date_format)=([\w/%.-]+)", problem)
    )
    columns = tuple(re.findall(r"--column ((?:open|close)=\w+)", problem))
    return settings | ({"columns": columns} if columns else {})


def _check(folder: Path, seed: int) -> str:
    """What came of it; fails where a bar is silently wrong."""
    market = true_market(EXCHANGES[seed % 3], tickers=8, months=14)
    spoilt = write_corrupted(market, folder, seed)
    source = _open(folder, market)
    try:
        found = source.understand()
    except SourceError as error:
        assert any(word in str(error) for word in spoilt.words), f"{spoilt.kind}: {error}"
        return "refused"
    if found.problems:
        said = "; ".join(found.problems)
        assert any(word in said for word in spoilt.words), f"{spoilt.kind}: {said}"
        if settings := _advised(found.problems[0]):
            mended = _open(folder, market, **settings)
            if not mended.understand().problems:
                wrong = find_wrong_bars(_load(mended, market)[0], market.bars)
                assert wrong.is_empty(), f"{spoilt.kind}: after {settings} the first wrong bar is {wrong.row(0)}"
        return "refused"
    bars, aside = _load(source, market)
    wrong = find_wrong_bars(bars, market.bars)
    if wrong.is_empty():
        return "equal"
    altered = wrong.filter(pl.col("close_found").is_not_null())
    assert altered.is_empty(), f"{spoilt.kind}: silently wrong, the first is {altered.row(0, named=True)}"
    assert aside.height >= wrong.height, f"{spoilt.kind}: {wrong.height} bars are gone, {aside.height} set aside"
    said = " ".join(aside["rule"].unique())
    assert any(word in said for word in spoilt.words), f"{spoilt.kind}: {said}"
    return "flagged"


@pytest.mark.parametrize("seed", range(6))
def test_spoilt_files_are_read_right_refused_or_told_about(tmp_path: Path, seed: int) -> None:
    assert _check(tmp_path, seed) in ("equal", "refused", "flagged")


@pytest.mark.slow
@pytest.mark.parametrize("seed", range(500))
def test_five_hundred_spoilt_folders_are_never_silently_wrong(tmp_path: Path, seed: int) -> None:
    assert _check(tmp_path, seed) in ("equal", "refused", "flagged")

"""A second source is compared with the first, told where it disagrees, and used for nothing else."""

from __future__ import annotations

from dataclasses import replace
from datetime import date
from pathlib import Path

import polars as pl
import pytest

from lake.tables.market import MARKET_PRICES, RAW_PRICES
from pipeline.ingestion.params import CheckParams
from pipeline.ingestion.prices.cross_check import AGREES, validate_second_source
from pipeline.ingestion.sources.errors import SECOND_ANSWERS, SourceError
from pipeline.ingestion.sources.files.params import FilesParams
from pipeline.ingestion.sources.registry import SourceParams, open_source
from pipeline.ingestion.sources.simulated.params import SimulatedParams
from tests.frames.market import CALENDAR, DAY, bar, landing, prices
from tests.frames.sessions import weekday_sessions

DAYS = CALENDAR.between(date(2020, 1, 2), date(2020, 1, 31))


def checked(*lines: dict[str, object], standing: pl.DataFrame | None = None) -> pl.DataFrame:
    raw = landing(lines, kind="check", source="second")
    known = prices({"close": 100.0}) if standing is None else standing
    return validate_second_source(raw, known, CALENDAR, CheckParams())


def flat(close: float) -> dict[str, object]:
    return bar(open=close, high=close, low=close, close=close)


@pytest.mark.parametrize(("close", "told"), [(100.4, 0), (99.6, 0), (100.6, 1), (99.4, 1), (1.0, 1)])
def test_a_close_beyond_the_tolerance_is_told_and_one_within_is_not(close: float, told: int) -> None:
    rows = checked(flat(close))
    assert rows.height == told
    if told:
        assert rows.select("ticker", "source", "rule").rows() == [("AAA", "second", AGREES)]
        assert rows["text"].to_list() == [f"{DAY} 1d: test says 100.0, second says {close}"]


def test_the_last_revision_is_what_stands() -> None:
    standing = prices({"close": 100.0}, {"close": 90.0, "revision": 1})
    assert checked(flat(90.0), standing=standing).is_empty()
    assert checked(flat(100.0), standing=standing).height == 1


def test_a_bar_that_only_one_source_has_is_no_disagreement() -> None:
    assert checked(flat(50.0), standing=MARKET_PRICES.empty()).is_empty()
    assert checked(bar(close="NaN")).is_empty()


def written(path: Path, closes: dict[str, float]) -> SourceParams:
    lines = [f"{ticker},{day},{c},{c},{c},{c},1000" for ticker, c in closes.items() for day in DAYS]
    path.write_text("ticker,date,open,high,low,close,volume\n" + "\n".join(lines))
    simulated = SimulatedParams(names=4, history_sessions=60, first_session="2019-06-03")
    return SourceParams(name="files", files=FilesParams(prices=(str(path),)), simulated=simulated)


def test_the_second_source_lands_its_bars_as_checks(tmp_path: Path) -> None:
    params = replace(written(tmp_path / "one.csv", {"AAA": 10.0}), cross_check="simulated")
    source = open_source(params, CALENDAR)
    assert source.name == "files"
    raw = RAW_PRICES.check(source.prices(DAYS[0], DAYS[-1], history=True))
    kinds = dict(raw.group_by("kind").agg(pl.col("source").unique().sort()).rows())
    assert kinds["bars"] == ["files"] and kinds["check"] == ["simulated"]
    assert raw.filter(source="simulated").filter(pl.col("kind") != "check").is_empty()


def test_a_second_source_that_cannot_answer_costs_nothing_but_is_told(tmp_path: Path) -> None:
    params = replace(written(tmp_path / "one.csv", {"AAA": 10.0}), name="simulated", cross_check="files")
    source = open_source(params, CALENDAR)
    (tmp_path / "one.csv").unlink()
    raw = RAW_PRICES.check(source.prices(DAYS[0], DAYS[-1], history=True))
    assert raw.filter(kind="bars").height > 0
    told = validate_second_source(raw, MARKET_PRICES.empty(), CALENDAR, CheckParams())
    assert told.select("rule", "source").rows() == [(SECOND_ANSWERS, "files")]


def test_a_source_that_does_not_exist_checks_nothing() -> None:
    with pytest.raises(SourceError, match="there is no source 'nobody'"):
        open_source(SourceParams(cross_check="nobody"), weekday_sessions(date(2018, 1, 1), date(2026, 1, 1)))

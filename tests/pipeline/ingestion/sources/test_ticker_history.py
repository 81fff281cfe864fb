"""Identifiers tell renames, and that a ticker became another company's."""

from __future__ import annotations

from datetime import date
from pathlib import Path

import polars as pl
import pytest

from lake.tables.market import CORPORATE_ACTIONS, FX_RATES, INSTRUMENTS
from pipeline.ingestion.actions.corporate_actions import actions
from pipeline.ingestion.params import IngestionParams
from pipeline.ingestion.sources.errors import SourceError
from pipeline.ingestion.sources.files.params import FilesParams
from pipeline.ingestion.sources.files.source import FilesSource
from pipeline.ingestion.sources.files.ticker_history import read_ticker_history, tell_renames
from tests.frames.market import CALENDAR, moment

FIRST, TURN, LAST = date(2020, 3, 2), date(2020, 3, 9), date(2020, 3, 13)


def told(text: str, folder: Path) -> list[tuple[str | None, ...]]:
    (folder / "history.csv").write_text(text)
    spells, for_life = read_ticker_history(str(folder / "history.csv"))
    return tell_renames(spells, for_life=for_life).rows()


def test_an_identifier_that_goes_on_under_another_ticker_was_renamed(tmp_path: Path) -> None:
    text = "figi,ticker,start\nB1,OLD,2020-01-02\nB1,MID,2020-02-03\nB1,NEW,2020-03-09\n"
    assert told(text, tmp_path) == [("OLD", "2020-02-03", "rename", "MID"), ("MID", "2020-03-09", "rename", "NEW")]


def test_a_ticker_under_another_identifier_was_passed_on_unless_identifiers_are_reissued(tmp_path: Path) -> None:
    rows = "B1,REC,2020-01-02\nB2,REC,2020-03-09\n"
    assert told(f"figi,ticker,start\n{rows}", tmp_path) == [("REC", "2020-03-09", "passed_on", None)]
    assert told(f"cusip,ticker,start\n{rows}", tmp_path) == []  # as after a reverse split


def test_a_ticker_whose_company_had_gone_elsewhere_was_not_passed_on(tmp_path: Path) -> None:
    text = "permno,ticker,start\n1,GOOG,2004-08-19\n1,GOOGL,2014-04-03\n2,GOOCV,2014-03-27\n2,GOOG,2014-04-03\n"
    assert told(text, tmp_path) == [
        ("GOOCV", "2014-04-03", "rename", "GOOG"),
        ("GOOG", "2014-04-03", "rename", "GOOGL"),
    ]


def test_identifiers_that_take_each_others_tickers_on_one_day_swap_them(tmp_path: Path) -> None:
    rows = "1,AAA,2020-01-02\n1,BBB,2020-03-09\n2,BBB,2020-01-02\n2,AAA,2020-03-09\n"
    swapped = [("AAA", "2020-03-09", "ticker_swap", "BBB"), ("BBB", "2020-03-09", "ticker_swap", "AAA")]
    assert told(f"permno,ticker,start\n{rows}", tmp_path) == swapped
    assert told(f"isin,ticker,start\n{rows}", tmp_path) == swapped


def test_the_map_files_of_lean_say_until_which_day_a_ticker_was_had(tmp_path: Path) -> None:
    text = (
        "file,date,mapped_ticker\nFB.1,1999-09-29,FB\nFB.1,2003-03-28,FB\nFB,2012-05-18,FB\nFB,2050-12-31,FB\n"
        "WM,1998-01-02,UW\nWM,1998-07-16,UW\nWM,2009-08-04,WMI\nWM,2050-12-31,WM\n"
    )
    assert told(text, tmp_path) == [
        ("UW", "1998-07-17", "rename", "WMI"), ("WMI", "2009-08-05", "rename", "WM"),
        ("FB", "2012-05-18", "passed_on", None),
    ]  # fmt: skip


@pytest.mark.parametrize(
    ("text", "words"),
    [
        ("figi,ticker\nB1,OLD\n", "no column for the first day"),
        ("figi,ticker,start\nB1,OLD,soon\n", "1 spells have no day like 2018-01-02"),
        ("ticker,start\nOLD,2020-01-02\n", "no column for 'identifier'"),
    ],
)
def test_a_file_that_tells_nothing_is_refused_in_words(text: str, words: str, tmp_path: Path) -> None:
    with pytest.raises(SourceError, match=words):
        told(text, tmp_path)


def prices(folder: Path) -> str:
    lines = ["ticker,date,open,high,low,close,volume,figi"]
    for day in CALENDAR.between(FIRST, LAST):
        name = "OLD" if day < TURN else "NEW"
        lines.append(f"{name},{day},10,11,9,10,1000,B1")
        lines.append(f"REC,{day},10,11,9,10,1000,{'B2' if day < TURN else 'B3'}")
    (folder / "prices.csv").write_text("\n".join(lines))
    return str(folder / "prices.csv")


@pytest.mark.parametrize("with_actions", [True, False])
def test_identifiers_in_the_price_file_become_actions_known_on_their_day(tmp_path: Path, with_actions: bool) -> None:
    (tmp_path / "actions.csv").write_text("ticker,ex_date,kind,amount\nOLD,2020-03-04,dividend,0.5\n")
    given = FilesParams(prices=(prices(tmp_path),), actions=str(tmp_path / "actions.csv") if with_actions else "")
    source = FilesSource(given, CALENDAR)
    raw = source.prices(FIRST, LAST, history=True)
    landed = raw.filter(pl.col("kind") == "actions")
    at = moment(LAST, since=FIRST)
    found = actions(landed, CORPORATE_ACTIONS.empty(), INSTRUMENTS.empty(), FX_RATES.empty(), at, IngestionParams())
    renames = found.filter(kind="rename").select("ticker", "ex_date", "successor", "available_at").rows()
    opened = CALENDAR.open_at(TURN)
    assert renames == [("OLD", TURN, "NEW", opened), ("REC", TURN, "REC.200309", opened)]
    early = source.prices(FIRST, date(2020, 3, 6), history=True).filter(pl.col("kind") == "actions")
    assert "rename" not in "".join(early["payload"])  # nothing is told before its day

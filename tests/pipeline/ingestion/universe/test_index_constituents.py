"""Who belonged to the index when decides who may be traded: past members are in, future ones are not."""

from __future__ import annotations

from dataclasses import replace
from datetime import date
from pathlib import Path
from typing import Any

import polars as pl
import pytest

from lake.tables.market import CONSTITUENTS, CORPORATE_ACTIONS, FX_RATES, TICKER_UNIVERSE
from pipeline.ingestion.params import IngestionParams
from pipeline.ingestion.sources.errors import SourceError
from pipeline.ingestion.sources.files.memberships import read_memberships
from pipeline.ingestion.sources.files.params import FilesParams
from pipeline.ingestion.sources.files.source import FilesSource
from pipeline.ingestion.universe.index_constituents import constituents, validate_memberships
from pipeline.ingestion.universe.params import UniverseParams
from pipeline.ingestion.universe.ticker_universe import universe
from pipeline.market.sessions import exchange_sessions
from tests.frames.market import CALENDAR, DAY, actions, instruments, landing, moment, prices
from tests.real_data import REAL_DATA

SHARED = REAL_DATA
SPELLS = SHARED / "sp500_constituents" / "ticker_start_end.parquet"
PARAMS = replace(IngestionParams(), universe=UniverseParams(min_history=1, min_dollar_volume=1.0))
BEFORE, NEXT = CALENDAR.previous(DAY), CALENDAR.next(DAY)


def spell(ticker: str, start: date | str, end: date | None = None) -> dict[str, str | None]:
    return {"ticker": ticker, "start": str(start), "end": None if end is None else end.isoformat()}


def kept(*lines: dict[str, Any], known: pl.DataFrame | None = None, session: date = DAY) -> pl.DataFrame:
    raw = landing(lines, kind="members", session=session)
    known = CONSTITUENTS.empty() if known is None else known
    return CONSTITUENTS.check(constituents(raw, known, moment(session), PARAMS))


def members(
    spells: pl.DataFrame, *tickers: str, session: date = DAY, ended: pl.DataFrame | None = None
) -> dict[str, str]:
    """Ticker -> the universe's words, all of them traded on the session."""
    bars = prices(*({"ticker": ticker, "session": session} for ticker in tickers))
    listed, facts = instruments(*tickers), CORPORATE_ACTIONS.empty() if ended is None else ended
    verdicts = universe(bars, TICKER_UNIVERSE.empty(), listed, facts, spells, FX_RATES.empty(), moment(session), PARAMS)
    return dict(verdicts.select("ticker", "reason").rows())


def test_a_member_counts_from_its_first_day_until_before_its_end() -> None:
    spells = kept(spell("AAA", DAY), spell("BBB", BEFORE, DAY), spell("CCC", BEFORE, NEXT))
    out = "no constituent of the index at this session"
    assert members(spells, "AAA", "BBB", "CCC", "DDD") == {"AAA": "member", "BBB": out, "CCC": "member", "DDD": out}


def test_a_member_stays_one_under_another_ticker_whichever_of_them_the_list_uses() -> None:
    renamed = actions({"ticker": "OLD", "ex_date": DAY, "kind": "rename", "successor": "NEW", "amount": None})
    for listed in ("OLD", "NEW"):
        assert members(kept(spell(listed, BEFORE)), "NEW", ended=renamed) == {"NEW": "member"}
    apart = kept(spell("OLD", BEFORE, DAY), spell("NEW", DAY))
    assert members(apart, "NEW", ended=renamed) == {"NEW": "member"}


@pytest.mark.parametrize("kind", ["delisting", "rename"])
def test_another_company_that_got_a_members_ticker_is_no_member(kind: str) -> None:
    left = {"ticker": "AAA", "ex_date": BEFORE, "kind": kind, "amount": 1.0 if kind == "delisting" else None}
    told = actions(left | ({"successor": "ZZZ"} if kind == "rename" else {}))
    spells = kept(spell("AAA", date(2019, 3, 1)))
    assert members(spells, "AAA", ended=told) == {"AAA": "no constituent of the index at this session"}
    assert members(kept(spell("AAA", DAY)), "AAA", ended=told) == {"AAA": "member"}


def test_a_ticker_that_left_and_came_back_is_a_member_in_both_spells_only() -> None:
    first, last = date(2019, 3, 1), date(2019, 6, 3)
    spells = kept(spell("AAA", first, last), spell("AAA", DAY))
    inside = {day: members(spells, "AAA", session=day)["AAA"] == "member" for day in (first, last, BEFORE, DAY)}
    assert inside == {first: True, last: False, BEFORE: False, DAY: True}


def test_without_an_index_everybody_may_be_a_member() -> None:
    assert members(CONSTITUENTS.empty(), "AAA") == {"AAA": "member"}


def test_a_spell_that_begins_later_does_not_exist_yet() -> None:
    assert kept(spell("AAA", NEXT)).is_empty()


def test_an_end_that_becomes_known_replaces_the_open_spell_and_nothing_new_gives_no_row() -> None:
    known = kept(spell("AAA", BEFORE))
    assert kept(spell("AAA", BEFORE), known=known).is_empty()
    assert kept(spell("AAA", BEFORE, DAY), known=known).select("ticker", "start", "end").rows() == [
        ("AAA", BEFORE, DAY)
    ]


@pytest.mark.parametrize(
    ("line", "rule"),
    [
        (spell("../etc", DAY), "ticker is well-formed"),
        (spell("AAA", "first of May"), "start is readable"),
        (spell("AAA", DAY, BEFORE), "a spell ends after it starts"),
        ({"ticker": "AAA", "start": "2020-01-02", "end": "soon"}, "end is readable"),
    ],
)
def test_a_spell_that_breaks_a_rule_is_set_aside_by_name(line: dict[str, Any], rule: str) -> None:
    assert validate_memberships(landing([line], kind="members")).bad["rule"].to_list() == [rule]


def test_a_file_without_a_first_day_is_refused_in_words(tmp_path: Path) -> None:
    path = tmp_path / "members.csv"
    path.write_text("ticker,note\nAAA,x\n")
    with pytest.raises(SourceError, match="has no column for 'start'"):
        read_memberships(str(path))


def test_the_files_source_lands_all_spells_once_and_then_the_changed_ones(tmp_path: Path) -> None:
    bars, path = tmp_path / "bars.csv", tmp_path / "members.csv"
    days = CALENDAR.between(date(2020, 1, 2), date(2020, 1, 31))
    header = "ticker,date,open,high,low,close,volume\n"
    bars.write_text(header + "".join(f"AAA,{day},1,1,1,1,1\n" for day in days))
    path.write_text(f"ticker,start,end\nAAA,2019-05-01,\nBBB,2019-05-01,{days[-1]}\nCCC,2030-01-01,\n")
    source = FilesSource(FilesParams(prices=(str(bars),), constituents=str(path)), CALENDAR)
    landed = [
        source.prices(since, session, history=history).filter(kind="members")
        for since, session, history in (
            (days[0], days[-2], True),
            (days[8], days[8], False),
            (days[-1], days[-1], False),
        )
    ]
    lines = [validate_memberships(raw).good["ticker"].to_list() if raw.height else [] for raw in landed]
    assert lines == [["AAA", "BBB"], [], ["BBB"]]


@pytest.mark.skipif(not SPELLS.exists(), reason="the constituents are not here")
@pytest.mark.parametrize(("session", "count"), [(date(2000, 1, 3), 491), (date(2018, 1, 2), 505)])
def test_the_index_had_as_many_members_as_history_says(session: date, count: int) -> None:
    spells = read_memberships(str(SPELLS))
    assert len(spells.within(session, session)) == count
    raw = landing(spells.lines.rename({"start_date": "start", "end_date": "end"}).to_dicts(), kind="members")
    at = moment(date(2024, 12, 31), since=date(2024, 12, 30), calendar=exchange_sessions())
    stored = constituents(raw.with_columns(session=at.session), CONSTITUENTS.empty(), at, PARAMS)
    tickers = stored["ticker"].unique().sort().to_list()
    bars = prices(*({"ticker": ticker, "session": session} for ticker in tickers), calendar=exchange_sessions())
    known = stored.filter(pl.col("start") <= session)
    judged = universe(
        bars,
        TICKER_UNIVERSE.empty(),
        instruments(*tickers),
        CORPORATE_ACTIONS.empty(),
        known,
        FX_RATES.empty(),
        moment(session, calendar=exchange_sessions()),
        PARAMS,
    )
    assert judged.filter("member").height == count
    assert judged.height > count, "whoever is out is told so"
